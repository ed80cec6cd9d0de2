// NumPy's array file, version 1.0: a header of fixed size, then the floats of the rows.
// NumPy's documentation describes it under numpy.lib.format.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/core/copy_bytes.hpp>
#include <dupq/core/file.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "folder_file.hpp"

namespace dupq_tool {

inline constexpr std::size_t npy_header_bytes = 128;

/// The header of a float32 array [rows, columns]: as long for any size, so that the number of rows can be filled in
/// when the last one is known.
inline std::string npy_header(std::size_t rows, std::size_t columns) {
  std::string description = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                            std::to_string(columns) + "), }";
  std::string header("\x93NUMPY\x01\x00", 8);
  const std::size_t rest = npy_header_bytes - header.size() - 2;
  description.resize(rest - 1, ' ');
  description += '\n';
  header += static_cast<char>(rest & 0xFF);
  header += static_cast<char>(rest >> 8);
  return header + description;
}

/// A float32 array [rows, columns] in a file, which stays mapped. What is something else is a failure that names it.
class npy_file {
 public:
  explicit npy_file(const std::string& path) : path_(path), file_(open_folder_file(os::path_of(path))) {
    const std::string_view bytes = as_text(file_.bytes());
    if (!bytes.starts_with("\x93NUMPY") || bytes.size() < 12) fail("is no NumPy array");
    const bool wide = bytes[6] != 1;  // versions 2 and 3 count the header's bytes in four
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
    std::size_t header = byte(8) | byte(9) << 8, begin = wide ? 12 : 10;
    if (wide) header |= byte(10) << 16 | byte(11) << 24;
    if (bytes[6] < 1 || bytes[6] > 3) fail("is a NumPy array of an unknown version");
    if (header > bytes.size() - begin) fail("ends within its header");
    const std::string_view description = bytes.substr(begin, header);
    if (description.find("'descr': '<f4'") == description.npos) fail("descr: float32 ('<f4') is needed");
    if (description.find("'fortran_order': False") == description.npos) fail("fortran_order: False is needed");
    read_shape(description);
    begin += header;
    if ((bytes.size() - begin) / sizeof(float) < rows_ * columns_) fail("ends before its last row");
    if (bytes.size() - begin != rows_ * columns_ * sizeof(float)) fail("goes on after its last row");
    const auto* const data = bytes.data() + begin;
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0) {
      copy_.resize(rows_ * columns_);
      dupq::copy_bytes(copy_.data(), data, bytes.size() - begin);
    } else {
      values_ = {reinterpret_cast<const float*>(data), rows_ * columns_};
    }
  }

  const std::string& path() const noexcept { return path_; }
  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }
  std::span<const float> values() const noexcept { return copy_.empty() ? values_ : std::span<const float>(copy_); }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw failure(path_ + ": " + what); }

  void read_shape(std::string_view description) {
    constexpr std::string_view key = "'shape': (";
    const std::size_t at = description.find(key);
    const char *p = description.data() + (at == description.npos ? description.size() : at + key.size()),
               *const end = description.data() + description.size();
    const auto number = [&](std::size_t& to, std::string_view behind) {
      const auto [after, trouble] = std::from_chars(p, end, to);
      if (trouble != std::errc{} || !std::string_view(after, end).starts_with(behind))
        fail("shape: two numbers are needed");
      p = after + behind.size();
    };
    number(rows_, ", ");
    number(columns_, ")");
    if (columns_ == 0 || columns_ > std::size_t{1} << 24) fail("shape: " + std::to_string(columns_) + " columns");
    if (rows_ > SIZE_MAX / sizeof(float) / columns_) fail("shape: too many rows");
  }

  std::string path_;
  dupq::mapped_file file_;
  std::size_t rows_ = 0, columns_ = 0;
  std::span<const float> values_;
  std::vector<float> copy_;
};

}  // namespace dupq_tool
