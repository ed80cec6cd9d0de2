// The contract of os.hpp on Windows. <windows.h> defines thousands of macros, so the few functions that are needed of
// it are declared here, exactly as there: a program may include both, in any order.
#pragma once

#include <direct.h>
#include <fcntl.h>
#include <io.h>
#include <malloc.h>
#include <share.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <type_traits>

#include "os.hpp"

extern "C" {
struct _SECURITY_ATTRIBUTES;
__declspec(dllimport) int __stdcall MultiByteToWideChar(unsigned, unsigned long, const char*, int, wchar_t*, int);
__declspec(dllimport) void* __stdcall CreateFileMappingW(void*, _SECURITY_ATTRIBUTES*, unsigned long, unsigned long,
                                                         unsigned long, const wchar_t*);
__declspec(dllimport) void* __stdcall MapViewOfFile(
    void*, unsigned long, unsigned long, unsigned long,
    std::conditional_t<sizeof(void*) == 8, unsigned long long, unsigned long>);
__declspec(dllimport) int __stdcall UnmapViewOfFile(const void*);
__declspec(dllimport) int __stdcall CloseHandle(void*);
__declspec(dllimport) int __stdcall MoveFileExW(const wchar_t*, const wchar_t*, unsigned long);
__declspec(dllimport) void __stdcall Sleep(unsigned long);
__declspec(dllimport) int __stdcall WideCharToMultiByte(unsigned, unsigned long, const wchar_t*, int, char*, int,
                                                        const char*, int*);
__declspec(dllimport) void* __stdcall GetCurrentProcess();
__declspec(dllimport) int __stdcall GetProcessAffinityMask(
    void*, std::conditional_t<sizeof(void*) == 8, unsigned long long, unsigned long>*,
    std::conditional_t<sizeof(void*) == 8, unsigned long long, unsigned long>*);
}

namespace dupq::inline DUPQ_ABI::os {
namespace windows {

constexpr unsigned utf8 = 65001;

/// A path as the system has it, in UTF-16.
struct wide_path {
  static constexpr int longest = 32768;
  wchar_t text[longest];

  /// errno is EILSEQ for what is no UTF-8.
  bool set(const char* path) noexcept {
    constexpr unsigned long refuse_what_is_not = 8;  // MB_ERR_INVALID_CHARS
    return ::MultiByteToWideChar(utf8, refuse_what_is_not, path, -1, text, longest) != 0 || (errno = EILSEQ, false);
  }
};

/// A file open for reading.
struct descriptor {
  int number = -1;

  descriptor() noexcept = default;
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (number >= 0) ::_close(number);
  }

  /// Opens a regular file that is not empty; returns its size.
  result<std::size_t> open(const char* path) noexcept {
    wide_path name;
    if (!name.set(path)) return file_error(errc::cannot_open, path, EILSEQ);
    wchar_t* const wide = name.text;
    struct _stat64 status {};
    std::size_t length = 0;  // no directory is found under a name that ends in a separator
    while (wide[length] != L'\0') ++length;
    const wchar_t end = length > 1 ? wide[length - 1] : L'.';
    const bool cut = (end == L'/' || end == L'\\') && wide[length - 2] != L':';
    if (cut) wide[length - 1] = L'\0';
    if (::_wstat64(wide, &status) == 0 && (status.st_mode & _S_IFMT) == _S_IFDIR)  // nothing opens a directory
      return error(errc::is_a_directory).in(path);
    if (cut) wide[length - 1] = end;
    number = ::_wsopen(wide, _O_RDONLY | _O_BINARY | _O_NOINHERIT, _SH_DENYNO, 0);
    if (number < 0)
      return errno == ENOENT ? error(errc::no_such_file).in(path) : file_error(errc::cannot_open, path, errno);
    if (::_fstat64(number, &status) != 0) return file_error(errc::cannot_read, path, errno);
    if ((status.st_mode & _S_IFMT) != _S_IFREG || status.st_size <= 0) return error(errc::not_gguf).in(path);
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    if (bytes > SIZE_MAX / 2) return error(errc::out_of_memory, "", bytes).in(path);  // 32-bit systems
    return static_cast<std::size_t>(bytes);
  }
};

}  // namespace windows

inline result<file_bytes> map_file(const char* path, bool) noexcept {
  windows::descriptor file;
  const auto size = file.open(path);
  if (!size) return size.error();
  constexpr unsigned long page_readonly = 2, file_map_read = 4;
  void* data = nullptr;
  // The view keeps the file and the mapping open. It also keeps the file from being deleted or replaced.
  if (void* const mapping = ::CreateFileMappingW(reinterpret_cast<void*>(::_get_osfhandle(file.number)), nullptr,
                                                 page_readonly, 0, 0, nullptr)) {
    data = ::MapViewOfFile(mapping, file_map_read, 0, 0, 0);
    ::CloseHandle(mapping);
  }
  if (data == nullptr) return file_error(errc::cannot_read, path, EIO);
  return file_bytes{data, *size, [](void* p, std::size_t) noexcept { ::UnmapViewOfFile(p); }};
}

inline result<file_bytes> read_file(const char* path) noexcept {
  windows::descriptor file;
  const auto size = file.open(path);
  if (!size) return size.error();
  void* const data = allocate(*size);
  if (data == nullptr) return error(errc::out_of_memory, "", *size).in(path);
  constexpr std::size_t most = std::size_t{1} << 30;
  for (std::size_t done = 0; done < *size;) {
    const int n =
        ::_read(file.number, static_cast<char*>(data) + done, static_cast<unsigned>(std::min(*size - done, most)));
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

inline void* allocate(std::size_t bytes) noexcept { return ::_aligned_malloc(bytes + (bytes == 0), alignment); }

inline void release(void* memory) noexcept { ::_aligned_free(memory); }

inline std::size_t cores() noexcept {
  std::conditional_t<sizeof(void*) == 8, unsigned long long, unsigned long> own = 0, all = 0;
  const bool known = ::GetProcessAffinityMask(::GetCurrentProcess(), &own, &all) != 0;
  return known && own != 0 ? static_cast<std::size_t>(std::popcount(own)) : 1;  // 0: in several groups of processors
}

inline unsigned forks() noexcept { return 0; }

inline bool ask_for_tiles() noexcept { return false; }

inline int create_new(const char* path) noexcept {
  windows::wide_path name;
  if (!name.set(path)) return -1;
  return ::_wsopen(name.text, _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT, _SH_DENYNO,
                   _S_IREAD | _S_IWRITE);
}

inline bool write_all(int file, const void* bytes, std::size_t size) noexcept {
  constexpr std::size_t most = std::size_t{1} << 30;
  for (std::size_t done = 0; done < size;) {
    const int n =
        ::_write(file, static_cast<const char*>(bytes) + done, static_cast<unsigned>(std::min(size - done, most)));
    if (n < 0) return false;
    if (n == 0) return errno = ENOSPC, false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

inline bool sync(int file) noexcept { return ::_commit(file) == 0; }
inline bool close(int file) noexcept { return ::_close(file) == 0; }

inline bool rename(const char* from, const char* to) noexcept {
  constexpr unsigned long replace_and_write_through = 1 | 8;
  windows::wide_path old_name, new_name;
  if (!old_name.set(from) || !new_name.set(to)) return false;
  for (unsigned long wait = 1; wait < 1000; wait *= 2) {  // somebody may read what is to be replaced, for a moment
    if (::MoveFileExW(old_name.text, new_name.text, replace_and_write_through) != 0) return true;
    ::Sleep(wait);
  }
  return errno = EACCES, false;
}

inline bool remove(const char* path) noexcept {
  windows::wide_path name;
  return name.set(path) && ::_wunlink(name.text) == 0;
}
inline bool make_folder(const char* path) noexcept {
  windows::wide_path name;
  return name.set(path) && ::_wmkdir(name.text) == 0;
}
inline bool remove_folder(const char* path) noexcept {
  windows::wide_path name;
  return name.set(path) && ::_wrmdir(name.text) == 0;
}
inline bool sync_folder(const char*) noexcept { return true; }  // names are written through

// Whoever shares a file with nobody has it alone.
inline int lock_file(const char* path) noexcept {
  windows::wide_path name;
  if (!name.set(path)) return -1;
  const int file =
      ::_wsopen(name.text, _O_RDWR | _O_CREAT | _O_BINARY | _O_NOINHERIT, _SH_DENYRW, _S_IREAD | _S_IWRITE);
  if (file < 0 && errno == EACCES && ::_waccess(name.text, 2) == 0) errno = EWOULDBLOCK;
  return file;
}

inline bool for_each_name(const char* folder, void (*use)(void* context, const char* name) noexcept,
                          void* context) noexcept {
  windows::wide_path pattern;
  if (!pattern.set(folder)) return false;
  std::size_t length = 0;
  while (pattern.text[length] != L'\0') ++length;
  if (length + 3 > windows::wide_path::longest) return errno = ENAMETOOLONG, false;
  pattern.text[length] = L'/', pattern.text[length + 1] = L'*', pattern.text[length + 2] = L'\0';
  struct _wfinddata64_t entry;
  const auto search = ::_wfindfirst64(pattern.text, &entry);
  if (search == -1) return false;
  do {
    char name[4 * 260];
    if (::WideCharToMultiByte(windows::utf8, 0, entry.name, -1, name, sizeof name, nullptr, nullptr) != 0)
      use(context, name);
  } while (::_wfindnext64(search, &entry) == 0);
  ::_findclose(search);
  return true;
}

inline constexpr bool control_groups = false;

}  // namespace dupq::inline DUPQ_ABI::os
