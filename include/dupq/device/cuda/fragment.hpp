// Where matrices lie: which lane holds which elements of a fragment, and where tiles keep their rows in shared memory.
#pragma once

#include <cstdint>

#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// The fragments of multiply_add. Register r of lane l holds elements (row, column) and (row, column + 1) of a, and
/// (row, column) and (row + 1, column) of b; float i of lane l is element (row, column) of the sums.
struct fragment {
  unsigned row, column;

  static constexpr fragment a(unsigned lane, unsigned r) noexcept {
    return {lane / 4 + 8 * (r % 2), lane % 4 * 2 + 8 * (r / 2)};
  }
  static constexpr fragment b(unsigned lane, unsigned r) noexcept { return {lane % 4 * 2 + 8 * r, lane / 4}; }
  static constexpr fragment sums(unsigned lane, unsigned i) noexcept {
    return {lane / 4 + 8 * (i / 2), lane % 4 * 2 + i % 2};
  }
};

/// A tile of rows of 32, 64 or 128 bytes in chunks of 16. Chunks are permuted within lines of 128 bytes, so that
/// both eight rows of one chunk (load_matrices) and eight chunks in a row (copies) lie in different banks.
template <unsigned RowBytes>
struct tile {
  static_assert(RowBytes == 32 || RowBytes == 64 || RowBytes == 128);
  static constexpr unsigned chunks = RowBytes / 16;  ///< of a row

  /// Bytes from the tile's beginning, which is a multiple of 128.
  static constexpr DUPQ_DEVICE std::uint32_t at(unsigned row, unsigned chunk) noexcept {
    return row * RowBytes + ((chunk ^ (row / (128 / RowBytes) % chunks)) * 16);
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
