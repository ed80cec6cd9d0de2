// Reads the files that tests compare with: texts, token ids, NumPy arrays, numbers. A missing file is a failed test.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace fixtures {

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Texts that are each ended by a NUL, or by another character.
inline std::vector<std::string> read_texts(const std::string& path, char end = '\0') {
  std::vector<std::string> texts;
  std::istringstream all(read_file(path));
  for (std::string text; std::getline(all, text, end);) texts.push_back(text);
  REQUIRE(!texts.empty());
  return texts;
}

/// The texts that a real model is judged by, in a folder: its own, FOLDER/MODEL.txt, where it has some, or all models'.
inline std::vector<std::string> read_model_texts(const std::string& folder, const std::string& model) {
  const std::string own = folder + "/" + model + ".txt";
  return read_texts(std::ifstream(own).good() ? own : folder + "/texts.txt", '\n');
}

/// Numbers separated by blanks, a row a line.
template <class T>
std::vector<std::vector<T>> read_rows(const std::string& path) {
  std::vector<std::vector<T>> rows;
  std::istringstream all(read_file(path));
  for (std::string line; std::getline(all, line);) {
    std::istringstream numbers(line);
    rows.emplace_back(std::istream_iterator<T>(numbers), std::istream_iterator<T>());
  }
  return rows;
}

/// A little-endian float32 array of NumPy's file format, version 1.0.
inline std::vector<float> read_npy(const std::string& path) {
  const std::string bytes = read_file(path);
  REQUIRE(bytes.size() > 10);
  REQUIRE(bytes.find("'<f4'") < 128);
  const std::size_t header = 10 + static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  std::vector<float> values((bytes.size() - header) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + header, values.size() * sizeof(float));
  return values;
}

/// The largest distance of two arrays of the same size.
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    most = d <= most ? most : d;  // NaN counts as far
  }
  return most;
}

}  // namespace fixtures
