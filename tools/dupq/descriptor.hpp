// What writing a file needs of the operating system: the only place that says so. Failures are reported in errno.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>

namespace dupq_tool::descriptor {

inline constexpr int standard_output = STDOUT_FILENO, standard_error = STDERR_FILENO;

/// What is there under a name, links followed.
struct existing_file {
  bool there = false, folder = false, regular = false;
  unsigned mode = 0;  ///< who may read and write it
};
inline existing_file look_at(const std::string& path) noexcept {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {true, S_ISDIR(status.st_mode), S_ISREG(status.st_mode), static_cast<unsigned>(status.st_mode & 0777)};
}
inline bool may_write(const std::string& path) noexcept { return ::access(path.c_str(), W_OK) == 0; }

/// Opens a device or a pipe; -1 fails.
inline int open_stream(const std::string& path) noexcept { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); }

/// Creates a file where nothing is, not even a link, which is never followed; -1 fails.
inline int create_new(const std::string& path, unsigned mode) noexcept {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, static_cast<mode_t>(mode));
}
/// Gives a file exactly this mode, whatever the process leaves out when it creates files.
inline void set_mode(int file, unsigned mode) noexcept { (void)::fchmod(file, static_cast<mode_t>(mode)); }

/// Bytes written, perhaps fewer than asked for; -1 fails.
inline std::ptrdiff_t write_some(int file, const char* bytes, std::size_t size) noexcept {
  std::ptrdiff_t n;
  do n = ::write(file, bytes, size);
  while (n < 0 && errno == EINTR);
  return n;
}
/// Overwrites bytes; true if all were written.
inline bool write_at(int file, std::size_t offset, std::string_view text) noexcept {
  return ::pwrite(file, text.data(), text.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(text.size());
}
inline bool is_terminal(int file) noexcept { return ::isatty(file) == 1; }
inline bool close(int file) noexcept { return ::close(file) == 0; }

/// Waits until the file's bytes are on the disk. Some file systems cannot say.
inline bool sync(int file) noexcept { return ::fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP; }
/// The same for the names in a folder, as far as this process may look into it.
inline void sync_folder(const std::filesystem::path& folder) noexcept {
  const int names = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (names < 0) return;
  (void)::fsync(names);
  (void)::close(names);
}

/// Gives a file another name in the same folder; what had that name is gone.
inline bool rename(const std::string& from, const std::string& to) noexcept {
  return ::rename(from.c_str(), to.c_str()) == 0;
}
/// Removes a name; safe inside a signal handler.
inline void remove(const char* path) noexcept { (void)::unlink(path); }

/// 16 digits that nobody can guess.
inline std::string random_digits() {
  std::random_device bits;
  std::string out;
  for (int i = 0; i < 16; ++i) out += "0123456789abcdef"[bits() % 16];
  return out;
}

}  // namespace dupq_tool::descriptor
