// The contract of os.hpp on Linux, macOS and other Unix systems.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "os.hpp"

namespace dupq_tool::os {

// Places in files have 64 bits. glibc has 32 for them on systems of 32 bits, unless a program asks for more.
static_assert(sizeof(off_t) >= 8, "compile with -D_FILE_OFFSET_BITS=64");

inline std::vector<std::string> arguments(int count, char** words) {
  return {words + std::min(count, 1), words + std::max(count, 0)};
}

inline void prepare_process(void (*clean_up)(int signal)) {
  std::signal(SIGPIPE, SIG_IGN);
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    if (std::signal(signal, clean_up) == SIG_IGN) std::signal(signal, SIG_IGN);
  // A standard stream that the caller has closed must not become the next file that is opened.
  for (int stream : {standard_input, standard_output, standard_error})
    if (::fcntl(stream, F_GETFD) < 0) (void)!::open("/dev/null", stream == standard_input ? O_WRONLY : O_RDONLY);
}

inline file_kind kind_of(const struct stat& status) noexcept {
  const bool regular = S_ISREG(status.st_mode);
  return {true, S_ISDIR(status.st_mode), regular, static_cast<unsigned>(status.st_mode & 0777),
          regular ? static_cast<std::uint64_t>(status.st_size) : 0};
}
inline file_kind look_at(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? kind_of(status) : file_kind{};
}
inline file_kind look_at(int file) noexcept {
  struct stat status {};
  return ::fstat(file, &status) == 0 ? kind_of(status) : file_kind{};
}
inline bool may_write(const std::string& path) { return ::access(path.c_str(), W_OK) == 0; }

inline bool rename(const std::string& from, const std::string& to) { return ::rename(from.c_str(), to.c_str()) == 0; }
inline void remove(const char* path) noexcept {
  if (::unlink(path) != 0) (void)::rmdir(path);
}
inline void sync_folder(const std::string& folder) {
  const int names = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (names < 0) return;
  (void)::fsync(names);
  (void)::close(names);
}

inline int open_input(const std::string& path) { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }
inline int open_output(const std::string& path) { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); }
inline int create_new(const std::string& path, unsigned mode) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, static_cast<mode_t>(mode));
}
inline int create_scratch(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file >= 0) (void)::unlink(path.c_str());
  return file;
}

inline void set_mode(int file, unsigned mode) noexcept { (void)::fchmod(file, static_cast<mode_t>(mode)); }
inline bool is_terminal(int file) noexcept { return ::isatty(file) == 1; }
inline bool would_wait(int file) noexcept {
  pollfd ready{file, POLLIN, 0};
  return ::poll(&ready, 1, 0) == 0;
}

// macOS refuses 2 GiB and more at once, and Linux does less.
inline constexpr std::size_t most_at_once = std::size_t{1} << 30;

inline std::ptrdiff_t read_some(int file, char* to, std::size_t room) noexcept {
  std::ptrdiff_t n;
  do n = ::read(file, to, std::min(room, most_at_once));
  while (n < 0 && errno == EINTR);
  return n;
}
inline std::ptrdiff_t write_some(int file, const char* bytes, std::size_t size) noexcept {
  std::ptrdiff_t n;
  do n = ::write(file, bytes, std::min(size, most_at_once));
  while (n < 0 && errno == EINTR);
  return n;
}
inline bool write_at(int file, std::uint64_t offset, std::string_view text) noexcept {
  return ::pwrite(file, text.data(), text.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(text.size());
}
inline std::ptrdiff_t read_at(int file, std::uint64_t offset, char* to, std::size_t room) noexcept {
  std::ptrdiff_t n;
  do n = ::pread(file, to, std::min(room, most_at_once), static_cast<off_t>(offset));
  while (n < 0 && errno == EINTR);
  return n;
}
#if defined(__linux__)
inline void begin_sync(int file) noexcept { (void)::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE); }
#else
inline void begin_sync(int) noexcept {}
#endif
inline bool sync(int file) noexcept { return ::fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP; }
inline bool close(int file) noexcept { return ::close(file) == 0; }

}  // namespace dupq_tool::os
