// Sums of two neighbouring tiles to and from global memory, 8 bytes a lane instead of 4.
//
// The four lanes of a quad hold two values each of a row of a tile. Lanes with an even number take their neighbour's of
// the first tile, the others of the second, so that a quad moves 32 bytes in a row.
#pragma once

#include <cstdint>

#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// A lane's values of one row of two tiles.
struct quad_pairs {
  half2 first, second;
};

/// Columns from the first tile's beginning to the four values that a lane moves.
template <machine M>
DUPQ_DEVICE unsigned quad_column() {
  const unsigned lane = M::thread() % 4;
  return 8 * (lane % 2) + 4 * (lane / 2);
}

/// warp: writes 16 values of a row, if it is `wanted`; `row` points at the first tile's beginning, aligned to 8 bytes.
template <machine M>
DUPQ_DEVICE void quad_store(std::uint16_t* row, quad_pairs mine, bool wanted) {
  const bool odd = M::thread() % 2 != 0;
  const half2 received = M::exchange(odd ? mine.first : mine.second, 1);
  const half4 four = odd ? half4{{received, mine.second}} : half4{{mine.first, received}};
  if (wanted) M::store(reinterpret_cast<half4*>(row + quad_column<M>()), four);
}

/// warp: reads them; zeros if not `wanted`.
template <machine M>
DUPQ_DEVICE quad_pairs quad_load(const std::uint16_t* row, bool wanted) {
  const bool odd = M::thread() % 2 != 0;
  half4 four{{0, 0}};
  if (wanted) four = M::load(reinterpret_cast<const half4*>(row + quad_column<M>()));
  const half2 received = M::exchange(odd ? four.pair[0] : four.pair[1], 1);
  return odd ? quad_pairs{received, four.pair[1]} : quad_pairs{four.pair[0], received};
}

}  // namespace dupq::inline DUPQ_ABI::gpu
