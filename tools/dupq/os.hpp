// Everything that the tool asks of an operating system. The contract stands here; os_posix.hpp and os_windows.hpp
// fulfil it, and nothing else in the tool knows which one it runs on. Paths and arguments are UTF-8. Files are
// descriptors, -1 where there is none; failures are reported in errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dupq_tool::os {

inline constexpr int standard_input = 0, standard_output = 1, standard_error = 2;

// ---- the process

/// What follows the program's name, from the arguments of `main` or from where the system has them in full.
std::vector<std::string> arguments(int count, char** words);

/// Called first: streams carry bytes as they are, a closed pipe is seen where it is written to, and `clean_up` is
/// called with the number of a signal that ends the process.
void prepare_process(void (*clean_up)(int signal));

// ---- names

/// A path of a name, and back. (The library's type for paths takes what is no char8_t through Windows' code page.)
inline std::filesystem::path path_of(const std::string& name) { return std::u8string(name.begin(), name.end()); }
inline std::string name_of(const std::filesystem::path& path) {
  const std::u8string name = path.u8string();
  return {name.begin(), name.end()};
}

/// What is there, links followed.
struct file_kind {
  bool there = false, folder = false, regular = false;
  unsigned mode = 0;       ///< who may read and write it
  std::uint64_t size = 0;  ///< bytes of a regular file
};
file_kind look_at(const std::string& path);
bool may_write(const std::string& path);

/// Whether two names are those of one file that is there.
inline bool same_file(const std::string& a, const std::string& b) {
  std::error_code none;
  return std::filesystem::equivalent(path_of(a), path_of(b), none);
}

/// Renames a file within its folder, over a file that has the new name. Some systems refuse that while the other file
/// is open or mapped.
bool rename(const std::string& from, const std::string& to);
/// Removes a file or an empty folder; safe inside a signal handler.
void remove(const char* path) noexcept;
/// Waits until the names in a folder are on the disk, as far as this process may look into it.
void sync_folder(const std::string& folder);

// ---- files

/// Opens a file, a device or a pipe.
int open_input(const std::string& path);
int open_output(const std::string& path);
/// Creates a file where nothing is, not even a link, which is never followed.
int create_new(const std::string& path, unsigned mode);
/// The same to be written and read back: nobody else may read it, and its name is gone as soon as the system allows.
int create_scratch(const std::string& path);

file_kind look_at(int file) noexcept;
/// Sets a file's mode exactly: the process's umask takes nothing away.
void set_mode(int file, unsigned mode) noexcept;
/// Whether it is a terminal.
bool is_terminal(int file) noexcept;
/// Whether a read would wait for whoever writes the other end of a pipe.
bool would_wait(int file) noexcept;

/// Bytes read or written, perhaps fewer than asked for; 0 read: the end; -1 fails.
std::ptrdiff_t read_some(int file, char* to, std::size_t room) noexcept;
std::ptrdiff_t write_some(int file, const char* bytes, std::size_t size) noexcept;
/// Overwrites bytes; true if all were written. What is written next still goes to the end.
bool write_at(int file, std::uint64_t offset, std::string_view text) noexcept;
/// Reads from a place in a file, as `read_some` does.
std::ptrdiff_t read_at(int file, std::uint64_t offset, char* to, std::size_t room) noexcept;
/// Starts what `sync` will wait for, with all that has been written; nothing where the system has no such thing.
void begin_sync(int file) noexcept;
/// Waits until the file's bytes are on the disk. Some file systems cannot say.
bool sync(int file) noexcept;
bool close(int file) noexcept;

}  // namespace dupq_tool::os

#if defined(_WIN32)
#include "os_windows.hpp"
#else
#include "os_posix.hpp"
#endif
