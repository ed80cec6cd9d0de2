// Where texts come from: the bytes of a file or of standard input, read forward with a small buffer.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace dupq_tool {

/// The longest line or record, in bytes. It bounds the memory that an unclosed quote or a binary file can take.
inline constexpr std::size_t max_record = std::size_t{16} << 20;

class input_stream {
 public:
  /// "-" is standard input.
  explicit input_stream(const std::string& path) : name_(path == "-" ? "standard input" : path) {
    descriptor_ = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail("cannot be opened");
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) return;
    if (S_ISDIR(status.st_mode)) throw failure(name_ + ": is a directory");
    if (S_ISREG(status.st_mode)) size_ = static_cast<std::uint64_t>(status.st_size);
  }
  /// Reads from memory, which is copied.
  input_stream(std::string name, std::string_view bytes)
      : name_(std::move(name)), buffer_(bytes), size_(bytes.size()) {}
  input_stream(const input_stream&) = delete;
  input_stream& operator=(const input_stream&) = delete;
  ~input_stream() {
    if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
  }

  /// Called before a read that has to wait for whoever writes the other end of a pipe.
  std::function<void()> before_waiting;

  /// The next byte, or -1 at the end.
  int get() {
    if (at_ == buffer_.size() && !fill()) return -1;
    return static_cast<unsigned char>(buffer_[at_++]);
  }
  /// The next byte without taking it, or -1 at the end.
  int peek() {
    if (at_ == buffer_.size() && !fill()) return -1;
    return static_cast<unsigned char>(buffer_[at_]);
  }
  /// Puts bytes back in front of what is to be read.
  void unread(std::string_view bytes) {
    buffer_ = std::string(bytes) + buffer_.substr(at_);
    at_ = 0;
  }

  const std::string& name() const noexcept { return name_; }
  std::uint64_t size() const noexcept { return size_; }  ///< in bytes; 0 where it is not known
  std::uint64_t bytes_read() const noexcept { return read_ + at_ - buffer_.size(); }

 private:
  bool fill() {
    if (descriptor_ < 0) return false;
    if (before_waiting) {
      pollfd ready{descriptor_, POLLIN, 0};
      if (::poll(&ready, 1, 0) == 0) before_waiting();
    }
    buffer_.resize(1 << 16);
    at_ = 0;
    ssize_t n;
    do n = ::read(descriptor_, buffer_.data(), buffer_.size());
    while (n < 0 && errno == EINTR);
    buffer_.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    read_ += buffer_.size();
    if (n < 0) fail("cannot be read");
    return n > 0;
  }
  [[noreturn]] void fail(const char* what) const {
    if (errno == EISDIR) throw failure(name_ + ": is a directory");
    throw failure(name_ + ": " + what + ": " + std::strerror(errno));
  }

  std::string name_, buffer_;
  std::size_t at_ = 0;
  std::uint64_t size_ = 0, read_ = 0;
  int descriptor_ = -1;
};

}  // namespace dupq_tool
