// A file that is being written.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "error.hpp"
#include "heap_list.hpp"
#include "os.hpp"

namespace dupq::inline DUPQ_ABI {

/// A new file. It is gone again unless `finish` has seen it on the disk.
class new_file {
 public:
  /// Errors: cannot_write, out_of_memory.
  static result<new_file> create(const char* path) noexcept {
    new_file file;
    if (!file.path_.append(path, std::strlen(path) + 1) || !file.buffer_.reserve(piece))
      return error(errc::out_of_memory, "", piece).in(path);
    file.descriptor_ = os::create_new(path);
    if (file.descriptor_ < 0) return os::file_error(errc::cannot_write, path, errno);
    return result<new_file>(std::move(file));
  }
  new_file(new_file&& other) noexcept
      : path_(std::move(other.path_)),
        buffer_(std::move(other.buffer_)),
        written_(other.written_),
        descriptor_(std::exchange(other.descriptor_, -1)) {}
  new_file& operator=(new_file&&) = delete;
  ~new_file() {
    if (descriptor_ < 0) return;
    os::close(descriptor_);
    os::remove(path_.data());
  }

  /// Errors: cannot_write.
  result<void> write(std::span<const std::byte> bytes) noexcept {
    written_ += bytes.size();
    while (!bytes.empty()) {
      const std::size_t n = std::min(bytes.size(), piece - buffer_.size());
      if (!buffer_.append(bytes.data(), n)) return error(errc::out_of_memory, "", piece).in(path_.data());
      bytes = bytes.subspan(n);
      if (buffer_.size() == piece)
        if (const auto done = flush(); !done) return done;
    }
    return {};
  }
  /// Zeros up to a multiple of `alignment`.
  result<void> pad() noexcept {
    constexpr std::byte zeros[alignment]{};
    return write({zeros, static_cast<std::size_t>((alignment - written_ % alignment) % alignment)});
  }

  /// Everything is written: waits until it is on the disk. Errors: cannot_write.
  result<void> finish() noexcept {
    if (const auto done = flush(); !done) return done;
    if (!os::sync(descriptor_)) return os::file_error(errc::cannot_write, path_.data(), errno);
    const bool closed = os::close(std::exchange(descriptor_, -1));
    if (closed) return {};
    const error failed = os::file_error(errc::cannot_write, path_.data(), errno);
    os::remove(path_.data());
    return failed;
  }

 private:
  /// Bytes of one write: Linux keeps a file in pieces of memory as large as it was written in, and maps large ones
  /// faster.
  static constexpr std::size_t piece = std::size_t{1} << 22;

  new_file() noexcept = default;

  result<void> flush() noexcept {
    if (!os::write_all(descriptor_, buffer_.data(), buffer_.size()))
      return os::file_error(errc::cannot_write, path_.data(), errno);
    buffer_.clear();
    return {};
  }

  heap_list<char> path_;
  heap_list<std::byte> buffer_;
  std::uint64_t written_ = 0;
  int descriptor_ = -1;
};

}  // namespace dupq::inline DUPQ_ABI
