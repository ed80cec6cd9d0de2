// The contract of os.hpp on Windows.
#pragma once

#if !defined(NOMINMAX)
#define NOMINMAX
#endif
#if !defined(WIN32_LEAN_AND_MEAN)
#define WIN32_LEAN_AND_MEAN
#endif
#include <fcntl.h>
#include <io.h>
#include <windows.h>
// After what it needs:
#include <shellapi.h>
#undef near
#undef far

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "os.hpp"

namespace dupq_tool::os {

/// The system's UTF-16, with room for a NUL at its end. What is no UTF-8 becomes U+FFFD.
inline std::wstring wide(std::string_view text) {
  std::wstring out(text.size(), L'\0');
  out.resize(static_cast<std::size_t>(::MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()),
                                                            out.data(), static_cast<int>(out.size()))));
  return out;
}
inline std::string narrow(std::wstring_view text) {
  std::string out(3 * text.size(), '\0');
  out.resize(
      static_cast<std::size_t>(::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), out.data(),
                                                     static_cast<int>(out.size()), nullptr, nullptr)));
  return out;
}

/// errno for what a function of Windows, which has failed, reports.
inline void set_errno() noexcept {
  switch (::GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_BAD_NETPATH:
    case ERROR_INVALID_NAME: errno = ENOENT; break;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS: errno = EEXIST; break;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
    case ERROR_WRITE_PROTECT: errno = EACCES; break;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL: errno = ENOSPC; break;
    case ERROR_TOO_MANY_OPEN_FILES: errno = EMFILE; break;
    case ERROR_BROKEN_PIPE:
    case ERROR_PIPE_NOT_CONNECTED:
    case ERROR_NO_DATA: errno = EPIPE; break;
    case ERROR_FILENAME_EXCED_RANGE: errno = ENAMETOOLONG; break;
    default: errno = EIO;
  }
}

inline HANDLE handle_of(int file) noexcept { return reinterpret_cast<HANDLE>(::_get_osfhandle(file)); }

// ---- the process

// The arguments of `main` have been through the code page, and names with wildcards replaced by those that match.
inline std::vector<std::string> arguments(int, char**) {
  int count = 0;
  wchar_t** const words = ::CommandLineToArgvW(::GetCommandLineW(), &count);
  std::vector<std::string> all;
  for (int i = 1; i < count; ++i) all.push_back(narrow(words[i]));
  ::LocalFree(words);
  return all;
}

inline void prepare_process(void (*clean_up)(int signal)) {
  for (int signal : {SIGINT, SIGTERM, SIGBREAK}) std::signal(signal, clean_up);
  for (std::FILE* stream : {stdin, stdout, stderr}) ::_setmode(::_fileno(stream), _O_BINARY);
  if (!is_terminal(standard_output) && !is_terminal(standard_error)) return;
  ::SetConsoleOutputCP(CP_UTF8);
  DWORD mode = 0;  // a progress line is erased by an escape sequence
  if (::GetConsoleMode(handle_of(standard_error), &mode) != 0)
    ::SetConsoleMode(handle_of(standard_error), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

// ---- names

inline file_kind look_at(int file) noexcept {
  file_kind kind;
  const HANDLE handle = handle_of(file);
  BY_HANDLE_FILE_INFORMATION status{};
  kind.there = ::GetFileType(handle) != FILE_TYPE_UNKNOWN;
  if (::GetFileType(handle) != FILE_TYPE_DISK || ::GetFileInformationByHandle(handle, &status) == 0) return kind;
  kind.folder = (status.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  kind.regular = !kind.folder;
  kind.mode = (status.dwFileAttributes & FILE_ATTRIBUTE_READONLY) != 0 ? 0444 : 0666;
  if (kind.regular) kind.size = std::uint64_t{status.nFileSizeHigh} << 32 | status.nFileSizeLow;
  return kind;
}
/// Opens a file for others to read, write, rename and delete meanwhile.
inline int open_file(const std::string& path, DWORD access, DWORD how, DWORD attributes, int flags) {
  const HANDLE handle =
      ::CreateFileW(wide(path).c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, how,
                    attributes, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return set_errno(), -1;
  const int file = ::_open_osfhandle(reinterpret_cast<intptr_t>(handle), flags | _O_BINARY | _O_NOINHERIT);
  if (file < 0) ::CloseHandle(handle);
  return file;
}
inline file_kind look_at(const std::string& path) {
  const int file = open_file(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, _O_RDONLY);
  if (file < 0) return {};
  const file_kind kind = look_at(file);
  ::_close(file);
  return kind;
}
inline bool may_write(const std::string& path) { return ::_waccess(wide(path).c_str(), 2) == 0; }

/// As POSIX renames: a program that has the file open which is replaced, or mapped, keeps it. Windows 10 can on its own
/// file systems.
inline bool rename_at_once(const std::wstring& from, const std::wstring& to) {
  constexpr auto file_rename_info_ex = static_cast<FILE_INFO_BY_HANDLE_CLASS>(22);
  struct rename_info {
    DWORD flags;  // 1: replace, 2: as POSIX does
    HANDLE folder;
    DWORD bytes;
    wchar_t name[1];
  };
  const std::size_t bytes = to.size() * sizeof(wchar_t);
  std::vector<rename_info> whole(2 + bytes / sizeof(rename_info));
  whole[0].flags = 1 | 2;
  whole[0].bytes = static_cast<DWORD>(bytes);
  std::memcpy(reinterpret_cast<char*>(whole.data()) + offsetof(rename_info, name), to.data(), bytes);
  const HANDLE file =
      ::CreateFileW(from.c_str(), DELETE | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    nullptr, OPEN_EXISTING, FILE_FLAG_WRITE_THROUGH, nullptr);
  if (file == INVALID_HANDLE_VALUE) return false;
  const bool done = ::SetFileInformationByHandle(file, file_rename_info_ex, whole.data(),
                                                 static_cast<DWORD>(whole.size() * sizeof(rename_info))) != 0;
  if (done) ::FlushFileBuffers(file);
  ::CloseHandle(file);
  return done;
}
// Where it cannot, a file that anybody has open is not replaced. Most have it open for a moment only: another writer of
// the same name that looks at it, a virus scanner. So it is tried for a second.
inline bool rename(const std::string& from, const std::string& to) {
  const std::wstring old_name = wide(from), new_name = wide(to);
  if (rename_at_once(old_name, new_name)) return true;
  for (DWORD pause = 1;; pause *= 2) {
    if (::MoveFileExW(old_name.c_str(), new_name.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) != 0)
      return true;
    set_errno();
    if (errno != EACCES || pause > 512) return false;
    ::Sleep(pause);
  }
}
inline void remove(const char* path) noexcept {
  static wchar_t name[32768];  // not on the stack of a signal handler, and no more than one of these runs
  if (::MultiByteToWideChar(CP_UTF8, 0, path, -1, name, 32768) == 0) return;
  if (::DeleteFileW(name) == 0) ::RemoveDirectoryW(name);
}
inline void sync_folder(const std::string&) {}  // names are written through

// ---- files

inline int open_input(const std::string& path) {
  const int file = open_file(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, _O_RDONLY);
  if (file >= 0 && look_at(file).folder) return ::_close(file), errno = EISDIR, -1;
  return file;
}
inline int open_output(const std::string& path) {
  return open_file(path, GENERIC_WRITE, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, _O_WRONLY);
}
inline int create_new(const std::string& path, unsigned) {
  return open_file(path, GENERIC_WRITE, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, _O_WRONLY);
}
inline int create_scratch(const std::string& path) {
  return open_file(path, GENERIC_READ | GENERIC_WRITE | DELETE, CREATE_NEW,
                   FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, _O_RDWR);
}

inline void set_mode(int, unsigned) noexcept {}  // may_write has seen that it is not read-only
inline bool is_terminal(int file) noexcept {
  DWORD mode = 0;
  return ::GetConsoleMode(handle_of(file), &mode) != 0;
}
inline bool would_wait(int file) noexcept {
  if (is_terminal(file)) return true;
  if (::GetFileType(handle_of(file)) != FILE_TYPE_PIPE) return false;
  DWORD bytes = 0;
  if (::PeekNamedPipe(handle_of(file), nullptr, 0, nullptr, &bytes, nullptr) != 0) return bytes == 0;
  return ::GetLastError() != ERROR_BROKEN_PIPE;  // a socket, or a pipe that may not be asked: it may well be so
}

inline constexpr std::size_t most_at_once = std::size_t{1} << 30;

inline std::ptrdiff_t read_some(int file, char* to, std::size_t room) noexcept {
  DWORD n = 0;
  if (::ReadFile(handle_of(file), to, static_cast<DWORD>(std::min(room, most_at_once)), &n, nullptr) != 0) return n;
  if (::GetLastError() == ERROR_HANDLE_EOF) return 0;
  set_errno();
  return errno == EPIPE ? 0 : -1;  // the other end is closed
}
inline std::ptrdiff_t write_some(int file, const char* bytes, std::size_t size) noexcept {
  DWORD n = 0;
  if (::WriteFile(handle_of(file), bytes, static_cast<DWORD>(std::min(size, most_at_once)), &n, nullptr) != 0) return n;
  return set_errno(), -1;
}
inline bool write_at(int file, std::uint64_t offset, std::string_view text) noexcept {
  const bool done = ::_lseeki64(file, static_cast<std::int64_t>(offset), SEEK_SET) >= 0 &&
                    write_some(file, text.data(), text.size()) == static_cast<std::ptrdiff_t>(text.size());
  return ::_lseeki64(file, 0, SEEK_END) >= 0 && done;
}
inline std::ptrdiff_t read_at(int file, std::uint64_t offset, char* to, std::size_t room) noexcept {
  const bool there = ::_lseeki64(file, static_cast<std::int64_t>(offset), SEEK_SET) >= 0;
  const std::ptrdiff_t n = there ? read_some(file, to, room) : -1;
  return ::_lseeki64(file, 0, SEEK_END) >= 0 ? n : -1;
}
inline void begin_sync(int) noexcept {}
inline bool sync(int file) noexcept {
  if (::FlushFileBuffers(handle_of(file)) != 0) return true;
  return set_errno(), false;
}
inline bool close(int file) noexcept { return ::_close(file) == 0; }

}  // namespace dupq_tool::os
