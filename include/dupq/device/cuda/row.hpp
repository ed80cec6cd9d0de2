// A row of half precision in the registers of a warp: widened, summed, normalised.
#pragma once

#include <cstdint>

#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// The sum of v over the lanes of groups of `Lanes`; the same bits in each of them.
template <machine M, unsigned Lanes = warp_size>
DUPQ_DEVICE float sum_over_lanes(float v) {
  DUPQ_UNROLL
  for (unsigned lanes = 1; lanes < Lanes; lanes *= 2) v += M::exchange(v, lanes);
  return v;
}

/// A row of `Hidden` floats, spread over a warp in groups of four: group c belongs to lane c % 32.
template <machine M, unsigned Hidden>
struct row {
  static_assert(Hidden % 4 == 0);
  static constexpr unsigned groups = Hidden / 4;
  static constexpr unsigned each = (groups + warp_size - 1) / warp_size;  ///< groups of a lane

  float v[each][4];

  /// Calls f(group's first column, its four values) for the groups of this lane.
  template <class F>
  DUPQ_DEVICE void for_each(F f) {
    DUPQ_UNROLL
    for (unsigned n = 0; n < each; ++n) {
      const unsigned group = M::thread() % warp_size + n * warp_size;
      if (groups % warp_size == 0 || group < groups) f(4 * group, v[n]);
    }
  }
  DUPQ_DEVICE void set(float value) {
    DUPQ_UNROLL
    for (unsigned n = 0; n < each; ++n) DUPQ_UNROLL
    for (unsigned i = 0; i < 4; ++i) v[n][i] = value;
  }
  /// f(this row's value, the other's) for each value of a stored row, which begins at a multiple of 8 bytes.
  template <class F>
  DUPQ_DEVICE void combine(const std::uint16_t* stored, F f) {
    for_each([&](unsigned column, float(&mine)[4]) {
      const half4 four = M::load(reinterpret_cast<const half4*>(stored + column));
      DUPQ_UNROLL
      for (unsigned p = 0; p < 2; ++p) {
        const float_pair both = M::unpack(four.pair[p]);
        mine[2 * p] = f(mine[2 * p], both.low);
        mine[2 * p + 1] = f(mine[2 * p + 1], both.high);
      }
    });
  }
  DUPQ_DEVICE void add(const std::uint16_t* stored) {
    combine(stored, [](float a, float b) { return a + b; });
  }
  DUPQ_DEVICE void store(std::uint16_t* to) {
    for_each([&](unsigned column, float(&mine)[4]) {
      M::store(reinterpret_cast<half4*>(to + column), half4{{M::pack(mine[0], mine[1]), M::pack(mine[2], mine[3])}});
    });
  }
  /// warp: the sum of f(value) over the row.
  template <class F>
  DUPQ_DEVICE float sum(F f) {
    float s = 0;
    for_each([&](unsigned, float(&mine)[4]) {
      DUPQ_UNROLL
      for (unsigned i = 0; i < 4; ++i) s += f(mine[i]);
    });
    return sum_over_lanes<M>(s);
  }
};

/// Layer normalisation on the device; see layer_norm in device.hpp.
struct norm {
  const float* gain;
  const float* bias;
  float epsilon;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
