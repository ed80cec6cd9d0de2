// The names in an index's folder, and what keeps two writers out of it.
#pragma once

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "../core/copy_bytes.hpp"
#include "../core/error.hpp"
#include "../core/os.hpp"
#include "../core/prefix.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

inline constexpr std::string_view manifest_name = "manifest.gguf", next_manifest_name = "manifest.next",
                                  lock_name = "lock", segment_prefix = "segment-", segment_ending = ".gguf";

/// A path that ends with a NUL. One that is too long is cut, and `whole` says so.
class file_path {
 public:
  file_path() noexcept = default;
  explicit file_path(std::string_view folder) noexcept { add(folder); }
  file_path(std::string_view folder, std::string_view name) noexcept {
    add(folder);
    if (!folder.empty() && folder.back() != '/') add("/");
    add(name);
  }
  /// Of a segment.
  file_path(std::string_view folder, std::uint64_t segment) noexcept : file_path(folder, segment_prefix) {
    char digits[20];
    add({digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, segment).ptr - digits)});
    add(segment_ending);
  }

  const char* text() const noexcept { return text_; }
  operator std::string_view() const noexcept { return {text_, size_}; }
  bool whole() const noexcept { return whole_; }

 private:
  void add(std::string_view part) noexcept {
    whole_ = whole_ && part.size() < sizeof text_ - size_;
    if (!whole_) return;
    copy_bytes(text_ + size_, part.data(), part.size());
    text_[size_ += part.size()] = '\0';
  }

  char text_[4096] = {};
  std::size_t size_ = 0;
  bool whole_ = true;
};

/// The number in the name of a segment's file; nothing in any other name.
inline std::optional<std::uint64_t> segment_number(std::string_view name) noexcept {
  if (!begins_with(name, segment_prefix)) return {};
  name = after(name, segment_prefix.size());
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (failed != std::errc{} || name[0] == '0') return {};
  if (after(name, static_cast<std::size_t>(end - name.data())) != segment_ending) return {};
  return number;
}

/// Holds an index for one writer until it is destroyed.
class writer_lock {
 public:
  /// Errors: in_use, cannot_write.
  static result<writer_lock> take(std::string_view folder) noexcept {
    writer_lock lock;
    lock.file_ = os::lock_file(file_path(folder, lock_name).text());
    if (lock.file_ >= 0) return result<writer_lock>(std::move(lock));
    if (errno == EWOULDBLOCK) return error(errc::in_use).in(folder);
    return os::file_error(errc::cannot_write, file_path(folder, lock_name), errno);
  }
  writer_lock() noexcept = default;
  writer_lock(writer_lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  writer_lock& operator=(writer_lock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~writer_lock() { release(); }

  bool held() const noexcept { return file_ >= 0; }
  void release() noexcept {
    if (file_ >= 0) os::close(std::exchange(file_, -1));
  }

 private:
  int file_ = -1;
};

}  // namespace dupq::inline DUPQ_ABI::index_detail
