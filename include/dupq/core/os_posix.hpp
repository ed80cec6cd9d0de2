// The contract of os.hpp on Linux, macOS and other Unix systems.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "os.hpp"

namespace dupq::inline DUPQ_ABI::os {
namespace posix {

/// A file open for reading.
struct descriptor {
  int number = -1;

  descriptor() noexcept = default;
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number >= 0) ::close(number);
  }

  /// Opens a regular file that is not empty; returns its size.
  result<std::size_t> open(const char* path) noexcept {
    number = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // without O_NONBLOCK, a named pipe blocks
    if (number < 0)
      return errno == ENOENT ? error(errc::no_such_file).in(path) : file_error(errc::cannot_open, path, errno);
    struct stat status {};
    if (::fstat(number, &status) != 0) return file_error(errc::cannot_read, path, errno);
    if (!S_ISREG(status.st_mode) || status.st_size <= 0)
      return error(S_ISDIR(status.st_mode) ? errc::is_a_directory : errc::not_gguf).in(path);
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (bytes > SIZE_MAX / 2) return error(errc::out_of_memory, "", bytes).in(path);  // 32-bit systems
    return static_cast<std::size_t>(bytes);
  }
};

}  // namespace posix

inline result<file_bytes> map_file(const char* path, [[maybe_unused]] bool all_now) noexcept {
  posix::descriptor file;
  const auto size = file.open(path);
  if (!size) return size.error();
  int how = MAP_PRIVATE;
#if defined(MAP_POPULATE)
  if (all_now) how |= MAP_POPULATE;
#endif
  void* const data = ::mmap(nullptr, *size, PROT_READ, how, file.number, 0);
  if (data == MAP_FAILED) return file_error(errc::cannot_read, path, errno);
  return file_bytes{data, *size, [](void* p, std::size_t n) noexcept { ::munmap(p, n); }};
}

inline result<file_bytes> read_file(const char* path) noexcept {
  posix::descriptor file;
  const auto size = file.open(path);
  if (!size) return size.error();
  void* const data = allocate(*size);
  if (data == nullptr) return error(errc::out_of_memory, "", *size).in(path);
  constexpr std::size_t most = std::size_t{1} << 30;  // macOS refuses 2 GiB and more in one read
  for (std::size_t done = 0; done < *size;) {
    const ssize_t n = ::read(file.number, static_cast<char*>(data) + done, std::min(*size - done, most));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const error failed = n < 0 ? file_error(errc::cannot_read, path, errno)
                                 : error(errc::truncated, "", *size, done).in(path);  // shorter since it was opened
      release(data);
      return failed;
    }
    done += static_cast<std::size_t>(n);
  }
  return file_bytes{data, *size, [](void* p, std::size_t) noexcept { release(p); }};
}

inline void* allocate(std::size_t bytes) noexcept {
  void* memory = nullptr;
  return ::posix_memalign(&memory, alignment, bytes + (bytes == 0)) == 0 ? memory : nullptr;
}

inline void release(void* memory) noexcept { std::free(memory); }

inline std::size_t cores() noexcept {
#if defined(__linux__)
  cpu_set_t sets[16];  // a kernel for more than 1,024 cores refuses a single one
  if (::sched_getaffinity(0, sizeof sets, sets) == 0)
    return static_cast<std::size_t>(std::max(CPU_COUNT_S(sizeof sets, sets), 1));
#endif
  return static_cast<std::size_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

inline unsigned forks() noexcept {
  static std::atomic<unsigned> count{0};
  static const int watched = ::pthread_atfork(nullptr, nullptr, [] { ++count; });
  static_cast<void>(watched);
  return count.load(std::memory_order_relaxed);
}

#if defined(__linux__)
inline constexpr bool control_groups = true;
#else
inline constexpr bool control_groups = false;
#endif

}  // namespace dupq::inline DUPQ_ABI::os
