// Everything that the library asks of an operating system. The contract stands here; os_posix.hpp, os_windows.hpp and
// os_none.hpp fulfil it, one for each kind of system, and nothing else in the library knows which one it runs on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "error.hpp"

namespace dupq::inline DUPQ_ABI::os {

/// A file's bytes in memory, aligned to a page or to `alignment`, and what gives them back.
struct file_bytes {
  void* data = nullptr;
  std::size_t size = 0;
  void (*release)(void* data, std::size_t size) noexcept = nullptr;
};

/// Maps a file, read-only: its pages come when they are touched and are shared among processes. `all_now`: all of it
/// will be read at once, so it is brought in as a whole where the system can. Where there is nothing like it the file
/// is read. Paths are UTF-8. Errors name the path: no_such_file, is_a_directory, cannot_open, cannot_read, not_gguf
/// for what is empty or no regular file, out_of_memory.
result<file_bytes> map_file(const char* path, bool all_now) noexcept;

/// Reads a whole file into memory of its own: what becomes of the file afterwards changes nothing. Errors as above.
result<file_bytes> read_file(const char* path) noexcept;

/// Memory aligned to `alignment`, for `release`; null where there is none. `bytes` may be 0.
void* allocate(std::size_t bytes) noexcept;
void release(void* memory) noexcept;

/// Cores that this process may run on by its affinity (all of the machine's where none is set); 1 where the system does
/// not tell.
std::size_t cores() noexcept;

/// How many times fork() has been called between this process and the first one that asked. Whoever remembers the
/// number can see later that it runs in a forked process, which has a copy of the memory but none of the other threads.
/// Cheap.
unsigned forks() noexcept;

/// Asks for the tile registers of x86-64's AMX, which a system gives to processes that ask, for all of their threads;
/// false where it does not.
bool ask_for_tiles() noexcept;

// ---- what is written
// Files are descriptors, -1 where there is none. What fails says why in errno: ENOSYS where a system cannot write.

/// Creates a file where nothing is, not even a link.
int create_new(const char* path) noexcept;
/// Writes all bytes behind what is written.
bool write_all(int file, const void* bytes, std::size_t size) noexcept;
/// Waits until a file's bytes are on the disk. Some file systems cannot say.
bool sync(int file) noexcept;
bool close(int file) noexcept;
/// Gives a file another name in the same folder; what had that name is gone.
bool rename(const char* from, const char* to) noexcept;
bool remove(const char* path) noexcept;
/// EEXIST: there is something of that name.
bool make_folder(const char* path) noexcept;
/// Of an empty folder.
bool remove_folder(const char* path) noexcept;
/// Waits until the names in a folder are on the disk, where the system can.
bool sync_folder(const char* path) noexcept;
/// Opens a file, which is created where it is not there, for one process at a time: until it is closed, or that
/// process has ended in any way, others fail with EWOULDBLOCK.
int lock_file(const char* path) noexcept;
/// Calls use(context, name) for each name in a folder, in no order.
bool for_each_name(const char* folder, void (*use)(void* context, const char* name) noexcept, void* context) noexcept;

// Each system also says whether it has Linux's control groups, which limit cores as well (available_cores.hpp):
//   inline constexpr bool control_groups

/// An error of open or read that carries the system's number for it.
inline error file_error(errc code, std::string_view path, int number) noexcept {
  return error(code, "", 0, static_cast<std::uint64_t>(number)).in(path);
}

}  // namespace dupq::inline DUPQ_ABI::os

#if defined(DUPQ_POSIX)
#include "os_posix.hpp"
#elif defined(DUPQ_WINDOWS)
#include "os_windows.hpp"
#else
#include "os_none.hpp"
#endif
