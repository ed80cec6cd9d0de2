// The contract of os.hpp with nothing but the C library: microcontrollers, WebAssembly.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "os.hpp"

namespace dupq::inline DUPQ_ABI::os {

inline result<file_bytes> map_file(const char* path, bool) noexcept { return read_file(path); }

inline result<file_bytes> read_file(const char* path) noexcept {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr)
    return errno == ENOENT ? error(errc::no_such_file).in(path) : file_error(errc::cannot_open, path, errno);
  long length = -1;
  if (std::fseek(file, 0, SEEK_END) == 0) length = std::ftell(file);
  const auto size = static_cast<std::size_t>(std::max(length, 0L));
  void* const data = size == 0 ? nullptr : allocate(size);
  const bool complete =
      data != nullptr && std::fseek(file, 0, SEEK_SET) == 0 && std::fread(data, 1, size, file) == size;
  std::fclose(file);
  if (complete) return file_bytes{data, size, [](void* p, std::size_t) noexcept { release(p); }};
  if (data != nullptr) release(data);
  if (size != 0 && data == nullptr) return error(errc::out_of_memory, "", size).in(path);
  return error(length == 0 ? errc::not_gguf : errc::cannot_read).in(path);
}

inline void* allocate(std::size_t bytes) noexcept {
  return ::aligned_alloc(alignment, round_up(std::max(bytes, alignment), alignment));
}

inline void release(void* memory) noexcept { std::free(memory); }

inline std::size_t cores() noexcept { return 1; }

inline unsigned forks() noexcept { return 0; }

inline bool ask_for_tiles() noexcept { return false; }

namespace none {

inline bool cannot() noexcept { return errno = ENOSYS, false; }

}  // namespace none

inline int create_new(const char*) noexcept { return none::cannot() - 1; }
inline bool write_all(int, const void*, std::size_t) noexcept { return none::cannot(); }
inline bool sync(int) noexcept { return none::cannot(); }
inline bool close(int) noexcept { return none::cannot(); }
inline bool rename(const char*, const char*) noexcept { return none::cannot(); }
inline bool remove(const char*) noexcept { return none::cannot(); }
inline bool make_folder(const char*) noexcept { return none::cannot(); }
inline bool remove_folder(const char*) noexcept { return none::cannot(); }
inline bool sync_folder(const char*) noexcept { return none::cannot(); }
inline int lock_file(const char*) noexcept { return none::cannot() - 1; }
inline bool for_each_name(const char*, void (*)(void*, const char*) noexcept, void*) noexcept { return none::cannot(); }

inline constexpr bool control_groups = false;

}  // namespace dupq::inline DUPQ_ABI::os
