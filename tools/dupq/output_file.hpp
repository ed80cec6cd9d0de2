// Where results go: a file that appears whole or not at all, or standard output.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace dupq_tool {

/// Whoever reads our output has gone away (`| head`): not an error, the command ends quietly.
struct closed_pipe {};

/// Buffered output. A regular file is written beside its target under a temporary name and renamed by `commit`; without
/// a commit the temporary disappears and the target is as it was. Standard output ("-"), devices and pipes are written
/// directly. Failures are reported as `failure` naming the path, a reader that left as `closed_pipe`.
class output_file {
 public:
  explicit output_file(std::string path) : path_(std::move(path)) {
    if (path_ == "-") {
      descriptor_ = STDOUT_FILENO;
      path_ = "standard output";
      return;
    }
    struct stat existing {};
    const bool exists = ::stat(path_.c_str(), &existing) == 0;
    if (exists && S_ISDIR(existing.st_mode)) throw failure(path_ + ": is a directory");
    if (exists && !S_ISREG(existing.st_mode)) {
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
      if (descriptor_ < 0) fail("cannot be opened");
      return;
    }
    std::error_code ignored;
    if (exists) target_ = std::filesystem::canonical(path_, ignored).string();  // a link stays a link
    if (target_.empty()) target_ = path_;
    temporary_ = target_ + ".partial-" + std::to_string(::getpid());
    // Noted before the file is there, because a signal may come as soon as it is.
    std::snprintf(unfinished(), unfinished_size, "%s", temporary_.c_str());
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      temporary_.clear();
      unfinished()[0] = '\0';
      fail("cannot be created");
    }
    if (exists) (void)::fchmod(descriptor_, existing.st_mode & 07777);
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() {
    if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
    if (!temporary_.empty()) remove_unfinished();
  }

  void write(const void* bytes, std::size_t size) {
    buffer_.append(static_cast<const char*>(bytes), size);
    const std::size_t whole = buffer_.size() / piece() * piece();
    if (whole != 0) flush(whole);
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Hands everything written so far to the operating system.
  void flush() { flush(buffer_.size()); }

  /// Whether somebody looks at what is written.
  bool terminal() const noexcept { return ::isatty(descriptor_) == 1; }

  /// Whether `overwrite` works: true for files that appear at `commit`.
  bool seekable() const noexcept { return !temporary_.empty(); }

  /// Replaces bytes written earlier, for headers that count what follows them.
  void overwrite(std::size_t offset, std::string_view text) {
    flush();
    if (::pwrite(descriptor_, text.data(), text.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(text.size()))
      fail("cannot be written");
  }

  /// Everything is written: the file takes its name.
  void commit() {
    flush();
    if (descriptor_ > STDERR_FILENO) {
      const int closed = ::close(descriptor_);
      descriptor_ = -1;
      if (closed != 0) fail("cannot be written");
    }
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be created");
    temporary_.clear();
    unfinished()[0] = '\0';
  }

  /// Removes the temporary of an unfinished file, if there is one; safe inside a signal handler.
  static void remove_unfinished() noexcept {
    if (unfinished()[0] != '\0') ::unlink(unfinished());
    unfinished()[0] = '\0';
  }

 private:
  /// Bytes of one write. Linux keeps a file in pieces of memory as large as it was written in, and maps large ones in a
  /// quarter of the time: this is what loads a model in 4 ms instead of 12.
  std::size_t piece() const noexcept { return seekable() ? std::size_t{1} << 22 : std::size_t{1} << 16; }

  /// Hands over the first `size` bytes of the buffer.
  void flush(std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = ::write(descriptor_, buffer_.data() + done, size - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EPIPE) throw closed_pipe{};
      if (n < 0) fail("cannot be written");
      done += static_cast<std::size_t>(n);
    }
    buffer_.erase(0, size);
  }

  static constexpr std::size_t unfinished_size = 4096;
  /// The temporary's name where a signal handler finds it; the tool writes one file at a time.
  static char* unfinished() noexcept {
    static char name[unfinished_size];
    return name;
  }

  [[noreturn]] void fail(const char* what) const { throw failure(path_ + ": " + what + ": " + std::strerror(errno)); }

  std::string path_, target_, temporary_, buffer_;
  int descriptor_ = -1;
};

}  // namespace dupq_tool
