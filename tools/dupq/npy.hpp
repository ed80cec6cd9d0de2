// NumPy's array file, version 1.0: a header of fixed size, then the floats of the rows.
// NumPy's documentation describes it under numpy.lib.format.
#pragma once

#include <cstddef>
#include <string>

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

}  // namespace dupq_tool
