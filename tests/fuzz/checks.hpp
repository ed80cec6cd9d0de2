// What fuzz targets of tokenizers check with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>

inline void require(bool truth) {
  if (!truth) std::abort();
}

/// A copy on the heap of exactly its size, so that a sanitizer sees a read beyond it.
struct exact {
  explicit exact(std::string_view s) : bytes(new char[s.size()]), size(s.size()) {
    std::copy(s.begin(), s.end(), bytes.get());
  }
  operator std::string_view() const { return {bytes.get(), size}; }
  std::unique_ptr<char[]> bytes;
  std::size_t size;
};
