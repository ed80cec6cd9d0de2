// A file's bytes, mapped or read.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "error.hpp"
#include "os.hpp"

namespace dupq::inline DUPQ_ABI {

/// A file's bytes, read-only, until it is destroyed. `read` copies them, so that nothing that happens to the file later
/// is seen; `open` maps them: it is quick and takes no memory of its own, and whoever cuts a mapped file short ends the
/// programs that still read it.
class mapped_file {
 public:
  /// `all_now`: all of it will be read at once, so that it is brought in as a whole and not page by page.
  static result<mapped_file> open(const char* path, bool all_now = false) noexcept {
    const auto bytes = os::map_file(path, all_now);
    if (!bytes) return bytes.error();
    return mapped_file(*bytes);
  }
  static result<mapped_file> read(const char* path) noexcept {
    const auto bytes = os::read_file(path);
    if (!bytes) return bytes.error();
    return mapped_file(*bytes);
  }

  mapped_file() noexcept = default;  ///< no bytes
  mapped_file(mapped_file&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    mapped_file moved(std::move(other));
    std::swap(bytes_, moved.bytes_);
    return *this;
  }
  ~mapped_file() {
    if (bytes_.data != nullptr) bytes_.release(bytes_.data, bytes_.size);
  }

  std::span<const std::byte> bytes() const& noexcept {
    return {static_cast<const std::byte*>(bytes_.data), bytes_.size};
  }
  std::span<const std::byte> bytes() const&& = delete;

 private:
  explicit mapped_file(const os::file_bytes& bytes) noexcept : bytes_(bytes) {}

  os::file_bytes bytes_;  // released through a pointer: a program that opens no file links neither files nor a heap
};

}  // namespace dupq::inline DUPQ_ABI
