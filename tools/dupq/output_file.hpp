// Where results go: a file that appears whole or not at all, or standard output.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>

#include "failure.hpp"
#include "os.hpp"
#include "unfinished.hpp"

namespace dupq_tool {

/// Whoever reads our output has gone away (`| head`): not an error, the command ends quietly.
struct closed_pipe {};

/// 16 digits that nobody can guess.
inline std::string random_digits() {
  std::random_device bits;
  std::string digits;
  for (int i = 0; i < 16; ++i) digits += "0123456789abcdef"[bits() % 16];
  return digits;
}

/// Buffered output. A regular file is written beside its target under a temporary name that nobody can guess, and
/// renamed by `commit`, which lets several writers of one name each write a whole file; without a commit the temporary
/// disappears and the target is as it was. Standard output ("-"), devices and pipes are written directly. Failures are
/// reported as `failure` naming the path, a reader that left as `closed_pipe`.
class output_file {
 public:
  explicit output_file(std::string path) : path_(std::move(path)) {
    if (path_ == "-") {
      descriptor_ = os::standard_output;
      path_ = "standard output";
      return;
    }
    const os::file_kind existing = os::look_at(path_);
    if (existing.folder) throw failure(path_ + ": is a directory");
    if (existing.there && !existing.regular) {
      descriptor_ = os::open_output(path_);
      if (descriptor_ < 0) fail("cannot be opened");
      return;
    }
    if (existing.there && !os::may_write(path_)) fail("cannot be replaced");
    std::error_code ignored;
    if (existing.there)
      target_ = os::name_of(std::filesystem::canonical(os::path_of(path_), ignored));  // a link stays a link
    if (target_.empty()) target_ = path_;
    create(existing.there, existing.mode);
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() {
    if (descriptor_ > os::standard_error) os::close(descriptor_);
    if (!temporary_.empty()) os::remove(temporary_.c_str());
  }

  void write(const void* bytes, std::size_t size) {
    buffer_.append(static_cast<const char*>(bytes), size);
    const std::size_t whole = buffer_.size() / piece() * piece();
    if (whole != 0) flush(whole);
  }
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// The same of many bytes, which are handed over without a copy, in pieces as the caller has them. Their way to the
  /// disk, for which `commit` waits, begins meanwhile.
  void write_through(const void* bytes, std::size_t size) {
    constexpr std::size_t enough = std::size_t{1} << 23;
    flush();
    put(static_cast<const char*>(bytes), size);
    if (!seekable() || (waiting_ += size) < enough) return;
    os::begin_sync(descriptor_);
    waiting_ = 0;
  }

  /// Hands everything written so far to the operating system.
  void flush() { flush(buffer_.size()); }

  /// Whether the output is a terminal.
  bool terminal() const noexcept { return os::is_terminal(descriptor_); }

  /// Whether `overwrite` works: true for files that appear at `commit`.
  bool seekable() const noexcept { return !temporary_.empty(); }

  /// Replaces bytes written earlier, for headers that count what follows them.
  void overwrite(std::size_t offset, std::string_view text) {
    flush();
    if (!os::write_at(descriptor_, offset, text)) fail("cannot be written");
  }

  /// The folder for temporary files of what does not fit into memory: the output's own, or the system's.
  std::string scratch_folder() const {
    std::error_code there_is_none;
    const std::filesystem::path folder =
        target_.empty() ? std::filesystem::temp_directory_path(there_is_none) : os::path_of(target_).parent_path();
    return folder.empty() ? "." : os::name_of(folder);
  }

  /// Where the bytes are until `commit`; empty where they go to their place directly.
  const std::string& temporary() const noexcept { return temporary_; }
  /// What it is called in messages.
  const std::string& name() const noexcept { return path_; }

  /// To be called when everything was written: syncs the file to the disk and renames it to its final name.
  void commit() {
    flush();
    const bool synced = temporary_.empty() || os::sync(descriptor_);
    if (!synced) fail("cannot be written");
    if (descriptor_ > os::standard_error) {
      const bool closed = os::close(descriptor_);
      descriptor_ = -1;
      if (!closed) fail("cannot be written");
    }
    if (temporary_.empty()) return;
    if (!os::rename(temporary_, target_)) fail("cannot be created");
    temporary_.clear();
    noted_.forget();
    os::sync_folder(os::name_of(os::path_of(target_).parent_path()));
  }

 private:
  /// Bytes of one write. Linux keeps a file in pieces of memory as large as it was written in, and maps large ones in a
  /// quarter of the time: this is what loads a model in 4 ms instead of 12.
  std::size_t piece() const noexcept { return seekable() ? std::size_t{1} << 22 : std::size_t{1} << 16; }

  /// Creates the temporary file beside the target; where the target exists, with its mode.
  void create(bool exists, unsigned mode) {
    const std::filesystem::path target = os::path_of(target_);
    std::string name = os::name_of(target.filename());
    if (name.size() > 200) name = "dupq";  // names have at most 255 bytes
    for (int attempt = 0; attempt < 16; ++attempt) {
      temporary_ = os::name_of(target.parent_path() / os::path_of(name + ".partial-" + random_digits()));
      noted_.note(temporary_);  // before the file is there, because a signal may come as soon as it is
      descriptor_ = os::create_new(temporary_, exists ? mode : 0666);
      if (descriptor_ >= 0) break;
      noted_.forget();
      if (errno != EEXIST) break;
    }
    if (descriptor_ < 0) {
      temporary_.clear();
      fail("cannot be created");
    }
    if (exists) os::set_mode(descriptor_, mode);
  }

  /// Hands over the first `size` bytes of the buffer.
  void flush(std::size_t size) {
    put(buffer_.data(), size);
    buffer_.erase(0, size);
  }
  void put(const char* bytes, std::size_t size) {
    for (std::size_t done = 0; done < size;) {
      const std::ptrdiff_t n = os::write_some(descriptor_, bytes + done, size - done);
      if (n < 0 && errno == EPIPE) throw closed_pipe{};
      if (n < 0) fail("cannot be written");
      done += static_cast<std::size_t>(n);
    }
  }

  [[noreturn]] void fail(const char* what) const { throw failure(path_ + ": " + what + ": " + std::strerror(errno)); }

  std::string path_, target_, temporary_, buffer_;
  unfinished noted_;
  std::size_t waiting_ = 0;  ///< bytes whose way to the disk has not begun
  int descriptor_ = -1;
};

}  // namespace dupq_tool
