// A file for what has no room in memory for a while. It has no name that others could find, and is gone with the
// program, however that ends.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "failure.hpp"
#include "os.hpp"
#include "output_file.hpp"
#include "unfinished.hpp"

namespace dupq_tool {

class scratch_file {
 public:
  explicit scratch_file(std::string folder) : folder_(std::move(folder)) {
    const std::string path = os::name_of(os::path_of(folder_) / os::path_of("dupq.partial-" + random_digits()));
    noted_.note(path);  // in case a signal comes before its name is gone
    file_ = os::create_scratch(path);
    noted_.forget();
    if (file_ < 0) fail("created");
  }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  ~scratch_file() {
    if (file_ >= 0) os::close(file_);
  }

  std::uint64_t size() const noexcept { return size_; }

  /// Adds to the end.
  void write(const void* bytes, std::size_t size) {
    const auto* from = static_cast<const char*>(bytes);
    for (std::size_t done = 0; done < size;) {
      const std::ptrdiff_t n = os::write_some(file_, from + done, size - done);
      if (n < 0) fail("written");
      done += static_cast<std::size_t>(n);
    }
    size_ += size;
  }
  /// Reads `size` bytes that were written.
  void read(std::uint64_t offset, void* to, std::size_t size) const {
    auto* const bytes = static_cast<char*>(to);
    for (std::size_t done = 0; done < size;) {
      const std::ptrdiff_t n = os::read_at(file_, offset + done, bytes + done, size - done);
      if (n == 0) errno = EIO;
      if (n <= 0) fail("read");
      done += static_cast<std::size_t>(n);
    }
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw failure(folder_ + ": a temporary file cannot be " + what + ": " + std::strerror(errno));
  }

  std::string folder_;
  unfinished noted_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace dupq_tool
