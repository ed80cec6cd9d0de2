// The contract of os.hpp on Linux, macOS and other Unix systems.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
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
  cpu_set_t sets[16];  // one set is 1,024 cores; kernels built for more refuse it
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

inline bool ask_for_tiles() noexcept {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long request = 0x1023;  // ARCH_REQ_XCOMP_PERM, since Linux 5.16
  constexpr long tile_data = 18;    // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, request, tile_data) == 0;
#else
  return false;
#endif
}

inline int create_new(const char* path) noexcept {
  return ::open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

inline bool write_all(int file, const void* bytes, std::size_t size) noexcept {
  constexpr std::size_t most = std::size_t{1} << 30;  // macOS refuses 2 GiB and more at once
  for (std::size_t done = 0; done < size;) {
    const ssize_t n = ::write(file, static_cast<const char*>(bytes) + done, std::min(size - done, most));
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return true;
}

inline bool sync(int file) noexcept { return ::fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP; }
inline bool close(int file) noexcept { return ::close(file) == 0; }
inline bool rename(const char* from, const char* to) noexcept { return ::rename(from, to) == 0; }
inline bool remove(const char* path) noexcept { return ::unlink(path) == 0; }
inline bool make_folder(const char* path) noexcept { return ::mkdir(path, 0777) == 0; }
inline bool remove_folder(const char* path) noexcept { return ::rmdir(path) == 0; }

inline bool sync_folder(const char* path) noexcept {
  const int names = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (names < 0) return errno == EACCES;  // names may be written where they must not be read
  const bool done = sync(names);
  const int why = errno;
  ::close(names);
  errno = why;
  return done;
}

inline int lock_file(const char* path) noexcept {
  const int file = ::open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0) return -1;
  struct stat status {};
  int why = 0;
  if (::flock(file, LOCK_EX | LOCK_NB) != 0 || ::fstat(file, &status) != 0)
    why = errno;
  else if (status.st_nlink == 0)
    why = EWOULDBLOCK;  // who held it has just removed it
  if (why == 0) return file;
  ::close(file);
  errno = why;
  return -1;
}

inline bool for_each_name(const char* folder, void (*use)(void* context, const char* name) noexcept,
                          void* context) noexcept {
  DIR* const names = ::opendir(folder);
  if (names == nullptr) return false;
  errno = 0;
  while (const dirent* const entry = ::readdir(names)) {
    use(context, entry->d_name);
    errno = 0;
  }
  const int why = errno;
  ::closedir(names);
  errno = why;
  return why == 0;
}

#if defined(__linux__)
inline constexpr bool control_groups = true;
#else
inline constexpr bool control_groups = false;
#endif

}  // namespace dupq::inline DUPQ_ABI::os
