// Maps a file into memory, or reads it where the system has no mmap: the only header that knows an operating system.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>

#include "error.hpp"

#if defined(DUPQ_POSIX)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace dupq::inline DUPQ_ABI {

/// A file's bytes, read-only, until it is destroyed. Pages of a mapped file are shared among processes.
class mapped_file {
 public:
  /// `all_now`: all of it will be read at once, so that it is brought in as a whole and not page by page.
  static result<mapped_file> open(const char* path, bool all_now = false) noexcept;

  mapped_file(mapped_file&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), release_(other.release_) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(release_, other.release_);
    return *this;
  }
  ~mapped_file() {
    if (data_ != nullptr) release_(data_, size_);
  }

  std::span<const std::byte> bytes() const& noexcept { return {static_cast<const std::byte*>(data_), size_}; }
  std::span<const std::byte> bytes() const&& = delete;

 private:
  using release = void (*)(void* data, std::size_t size) noexcept;

  mapped_file(void* data, std::size_t size, release how) noexcept : data_(data), size_(size), release_(how) {}

  void* data_;
  std::size_t size_;
  release release_;  // a pointer, so that programs that open no file need no operating system and no heap
};

#if defined(DUPQ_POSIX)
inline result<mapped_file> mapped_file::open(const char* path, [[maybe_unused]] bool all_now) noexcept {
  const auto fail = [&](errc code, int number) {
    return error(code, {}, 0, static_cast<std::uint64_t>(number)).in(path);
  };
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // without it, a named pipe blocks
  if (fd < 0) return errno == ENOENT ? error(errc::no_such_file).in(path) : fail(errc::cannot_open, errno);
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    const int number = errno;
    ::close(fd);
    return fail(errc::cannot_read, number);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size == 0) {
    ::close(fd);
    return error(S_ISDIR(status.st_mode) ? errc::is_a_directory : errc::not_gguf).in(path);
  }
  int how = MAP_PRIVATE;
#if defined(MAP_POPULATE)
  if (all_now) how |= MAP_POPULATE;
#endif
  void* const data = ::mmap(nullptr, size, PROT_READ, how, fd, 0);
  const int number = errno;
  ::close(fd);
  if (data == MAP_FAILED) return fail(errc::cannot_read, number);
  return mapped_file(data, size, [](void* p, std::size_t n) noexcept { ::munmap(p, n); });
}
#else
inline result<mapped_file> mapped_file::open(const char* path, bool) noexcept {
  std::FILE* const f = std::fopen(path, "rb");
  if (f == nullptr) return error(errc::cannot_open, {}, 0, static_cast<std::uint64_t>(errno)).in(path);
  void* data = nullptr;
  long size = -1;
  if (std::fseek(f, 0, SEEK_END) == 0 && (size = std::ftell(f)) > 0 && std::fseek(f, 0, SEEK_SET) == 0)
    data = std::malloc(static_cast<std::size_t>(size));
  const bool complete =
      data != nullptr && std::fread(data, 1, static_cast<std::size_t>(size), f) == static_cast<std::size_t>(size);
  std::fclose(f);
  if (!complete) {
    std::free(data);
    return error(errc::cannot_read).in(path);
  }
  return mapped_file(data, static_cast<std::size_t>(size), [](void* p, std::size_t) noexcept { std::free(p); });
}
#endif

}  // namespace dupq::inline DUPQ_ABI
