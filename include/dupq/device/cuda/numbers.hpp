// The formulas of the kernels, on floats.
#pragma once

#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// x / 2 (1 + erf(x / sqrt 2)), within 3e-7 max(1, |x|) (Abramowitz and Stegun, 7.1.26): the tail is
/// |x| / 2 poly(t) exp(-x^2 / 2) on either side.
DUPQ_DEVICE inline float gelu(float x) noexcept {
  const float magnitude = x < 0.0f ? -x : x;
  const float t = ptx::fast_reciprocal(1.0f + 0.23164190f * magnitude);
  float p = 0.5307027145f;
  p = p * t - 0.7265760135f;
  p = p * t + 0.7107068705f;
  p = p * t - 0.1422483680f;
  p = p * t + 0.1274147960f;
  const float tail = magnitude * p * t * ptx::fast_exp2(-0.7213475204f * x * x);
  return (x < 0.0f ? 0.0f : x) - tail;
}

/// The same within 3e-4; where tanh is an approximate instruction, within 2^-12 |x| more. For results that become
/// halves.
DUPQ_DEVICE inline float fast_gelu(float x) noexcept {
  const float h = 0.5f * x;
  return h + h * ptx::fast_tanh(x * (0.80015708f + 0.03470089f * (x * x)));
}

/// Within 3e-7.
DUPQ_DEVICE inline float tanh(float x) noexcept {
  return 1.0f - 2.0f * ptx::fast_reciprocal(1.0f + ptx::fast_exp2(2.885390082f * x));
}

/// Sum, or maximum, over the four lanes that hold a row.
DUPQ_DEVICE inline float quad_sum(float x) noexcept {
  x += ptx::shuffle_xor(x, 1);
  return x + ptx::shuffle_xor(x, 2);
}
DUPQ_DEVICE inline float quad_max(float x) noexcept {
  const float a = ptx::shuffle_xor(x, 1);
  x = a > x ? a : x;
  const float b = ptx::shuffle_xor(x, 2);
  return b > x ? b : x;
}
/// Sum over the warp, the same in every lane.
DUPQ_DEVICE inline float warp_sum(float x) noexcept {
  DUPQ_GPU_UNROLL
  for (int mask = 1; mask < 32; mask *= 2) x += ptx::shuffle_xor(x, mask);
  return x;
}

/// Eight halves to floats and back.
DUPQ_DEVICE inline void widen(const ptx::words4& from, float (&to)[8]) noexcept {
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 4; ++i) ptx::unpack_halves(from.w[i], to[2 * i], to[2 * i + 1]);
}
DUPQ_DEVICE inline ptx::words4 narrow(const float (&from)[8]) noexcept {
  ptx::words4 to;
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 4; ++i) to.w[i] = ptx::pack_halves(from[2 * i], from[2 * i + 1]);
  return to;
}
/// The eight columns that a lane holds of row lane / 4 + 8 `which` of a tile.
DUPQ_DEVICE inline void row_of(const float (&sums)[4][4], int which, float (&to)[8]) noexcept {
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 8; ++i) to[i] = sums[i / 2][2 * which + i % 2];
}

/// Eight floats that no kernel writes. Ahead: before the kernel waits for the one before it.
template <bool Ahead = false>
DUPQ_DEVICE inline void load_floats(const float* from, float (&to)[8]) noexcept {
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2; ++i) {
    const ptx::words4 four = Ahead ? ptx::load_ahead4(from + 4 * i) : ptx::load_constant4(from + 4 * i);
    DUPQ_GPU_UNROLL
    for (int k = 0; k < 4; ++k) to[4 * i + k] = ptx::as_float(four.w[k]);
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
