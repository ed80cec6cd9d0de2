// Where things lie: swizzled shared memory, fragments of matrices, weights in the order that lanes read them.
//
// `multiply` computes 16 x 8 numbers from 16 x 16 and 16 x 8 halves. A lane holds of them
//   a[i]: row lane / 4 + 8 (i % 2), depths 2 (lane % 4) + 8 (i / 2) and the next
//   b[i]: column lane / 4,          depths 2 (lane % 4) + 8 i and the next
//   d[i]: row lane / 4 + 8 (i / 2), column 2 (lane % 4) + i % 2
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

using half = std::uint16_t;  ///< the bits of an IEEE half

/// Bytes from the start of a matrix with rows of 128 bytes to 16-byte chunk 0..7 of a row. Eight lanes that read the
/// same chunk of eight rows, or eight chunks of one row, touch all banks once.
DUPQ_HOST_DEVICE constexpr std::uint32_t swizzled128(std::uint32_t row, std::uint32_t chunk) noexcept {
  return row * 128 + ((chunk ^ (row & 7)) << 4);
}
/// The same for rows of 64 bytes, chunks 0..3.
DUPQ_HOST_DEVICE constexpr std::uint32_t swizzled64(std::uint32_t row, std::uint32_t chunk) noexcept {
  return row * 64 + ((chunk ^ (row >> 1 & 3)) << 4);
}

/// Depths that one product takes.
inline constexpr int step_depth = 16;
/// Outputs whose weights lie together: four products side by side. Their columns are numbered such that a lane's
/// results are eight neighbours: of group g, outputs 32 g + 8 (lane % 4) + 0..7.
inline constexpr int group_outputs = 32;

/// Column of a group that product 0..3 computes as its column 0..7.
DUPQ_HOST_DEVICE constexpr int group_column(int product, int column) noexcept {
  return column / 2 * 8 + product * 2 + column % 2;
}

/// Index of a weight: [outputs / 32][inputs / 16][two products][lane][b of the first, b of the second product].
DUPQ_HOST_DEVICE constexpr std::size_t weight_index(int output, int input, int inputs) noexcept {
  const int in_group = output % group_outputs, depth = input % step_depth;
  const int product = in_group % 8 / 2, column = in_group / 8 * 2 + in_group % 2;
  const int lane = column * 4 + depth % 8 / 2, word = product % 2 * 2 + depth / 8;
  const auto unit = static_cast<std::size_t>(output / group_outputs) * static_cast<std::size_t>(inputs / step_depth) +
                    static_cast<std::size_t>(input / step_depth);
  return unit * group_outputs * step_depth +
         static_cast<std::size_t>(((product / 2 * 32 + lane) * 4 + word) * 2 + depth % 2);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
