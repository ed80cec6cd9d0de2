// A file or standard input, read in blocks.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "failure.hpp"
#include "os.hpp"

namespace dupq_tool {

class input_file {
 public:
  /// "-" is standard input.
  explicit input_file(const std::string& path)
      : name_(path == "-" ? "standard input" : path),
        descriptor_(path == "-" ? os::standard_input : os::open_input(path)) {
    if (descriptor_ < 0) fail("cannot be opened");
    const os::file_kind kind = os::look_at(descriptor_);
    if (kind.folder) throw failure(name_ + ": is a directory");
    size_ = kind.size;
  }
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;
  ~input_file() { close(); }

  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }  ///< in bytes; 0 where it is not known

  /// Whether `read` would wait for whoever writes the other end of a pipe.
  bool would_wait() const noexcept { return os::would_wait(descriptor_); }

  /// Reads up to `room` bytes: as many as are there, but waits for at least one; 0 at the end.
  std::size_t read(char* to, std::size_t room) {
    if (descriptor_ < 0) return 0;
    const std::ptrdiff_t n = os::read_some(descriptor_, to, room);
    if (n < 0) fail("cannot be read");
    if (n == 0) close();  // so that an output may replace its own input on every system
    return static_cast<std::size_t>(n);
  }

 private:
  void close() noexcept {
    if (descriptor_ > os::standard_error) os::close(descriptor_);
    descriptor_ = -1;
  }
  [[noreturn]] void fail(const char* what) const {
    if (errno == EISDIR) throw failure(name_ + ": is a directory");
    throw failure(name_ + ": " + what + ": " + std::strerror(errno));
  }

  std::string name_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

}  // namespace dupq_tool
