// Reads the arrays of vectors that searches are timed with.
#pragma once

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <ios>
#include <string>
#include <vector>

namespace bench {

struct array {
  std::vector<float> numbers;
  std::size_t rows = 0, dim = 0;
};

/// A little-endian array of float32 in C order of two dimensions, as numpy.save writes it.
inline bool read(const std::string& path, array& to) {
  std::ifstream in(path, std::ios::binary);
  std::string head(10, '\0');
  if (!in.read(head.data(), 10) || head.compare(0, 6, "\x93NUMPY") != 0 || head[6] != 1) return false;
  std::string text(static_cast<unsigned char>(head[8]) + 256u * static_cast<unsigned char>(head[9]), '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size()))) return false;
  const std::size_t shape = text.find("'shape': (");
  if (text.find("'<f4'") == std::string::npos || text.find("True") != std::string::npos || shape == std::string::npos)
    return false;
  unsigned long long rows = 0, dim = 0;
  if (std::sscanf(text.c_str() + shape, "'shape': (%llu, %llu)", &rows, &dim) != 2) return false;
  to.rows = rows, to.dim = dim;
  to.numbers.resize(to.rows * to.dim);
  return static_cast<bool>(in.read(reinterpret_cast<char*>(to.numbers.data()),
                                   static_cast<std::streamsize>(to.numbers.size() * sizeof(float))));
}

}  // namespace bench
