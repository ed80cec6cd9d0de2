// Rows of 384 floats in the registers of a warpgroup: what becomes of products over whole rows of a bin.
#pragma once

#include "../numbers.hpp"
#include "tape.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Of rows 16 warp + lane / 4 and that + 8, two halves of 192 columns; group g of a half holds eight neighbours of each
/// row, from column 192 half + 32 g + 8 (lane % 4) on, at [half][16 g + 4 (i / 2) + 2 row + i % 2].
using row_halves = float[2][96];

/// Calls visit(half, group, chunk), chunk the first column / 8 but for the lane's part: unrolled.
template <class Visit>
DUPQ_DEVICE inline void each_group(Visit&& visit) noexcept {
  DUPQ_GPU_UNROLL
  for (int h = 0; h < 2; ++h) DUPQ_GPU_UNROLL
  for (int g = 0; g < 6; ++g) visit(h, g, 24 * h + 4 * g);
}
/// One of the eight numbers of a row in a group.
DUPQ_DEVICE inline float& number(float (&sums)[96], int group, int row, int i) noexcept {
  return sums[16 * group + 4 * (i / 2) + 2 * row + i % 2];
}

/// Adds of(x, row) of a lane's numbers to the rows' sums, in pairs: chains of additions would take long.
template <class Of>
DUPQ_DEVICE inline void add_up(row_halves& sums, float (&rows)[2], Of&& of) noexcept {
  each_group([&](int h, int g, int) {
    DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r) {
      float pairs[4];
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 4; ++i)
        pairs[i] = of(number(sums[h], g, r, 2 * i), r) + of(number(sums[h], g, r, 2 * i + 1), r);
      rows[r] += (pairs[0] + pairs[1]) + (pairs[2] + pairs[3]);
    }
  });
}

/// Where column `c` of 384 floats lies in shared memory: a lane's eight are apart, because a load of several
/// neighbours needs as many registers side by side, and no such row of registers is free.
DUPQ_DEVICE inline std::uint32_t vector_offset(int c) noexcept {
  return static_cast<std::uint32_t>(c % 8 * 48 + c / 8) * 4;
}
/// The eight numbers of such a vector for a group; `from` is the address of the lane's first column.
DUPQ_DEVICE inline void load_vector(std::uint32_t from, int chunk, float (&to)[8]) noexcept {
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 8; ++i) to[i] = ptx::as_float(ptx::load_shared(from + vector_offset(8 * chunk + i)));
}

/// The means of the rows' 384 numbers, and the sums of their squared distances from these.
DUPQ_DEVICE inline void measure_rows(row_halves& sums, float (&means)[2], float (&squares)[2]) noexcept {
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) means[r] = squares[r] = 0.0f;
  add_up(sums, means, [](float x, int) { return x; });
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) means[r] = quad_sum(means[r]) * (1.0f / 384);
  add_up(sums, squares, [&](float x, int r) { return (x - means[r]) * (x - means[r]); });
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) squares[r] = quad_sum(squares[r]);
}
/// Calls take(chunk, row, numbers) with eight numbers each of (x - mean) * scale * gain + bias; `gain` and `bias` are
/// addresses of the lane's first column, see load_vector.
template <class Take>
DUPQ_DEVICE inline void scale_rows(row_halves& sums, const float (&means)[2], const float (&scales)[2],
                                   std::uint32_t gain, std::uint32_t bias, Take&& take) noexcept {
  float shifts[2];
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) shifts[r] = -means[r] * scales[r];
  each_group([&](int h, int g, int chunk) {
    float gains[8], biases[8];
    load_vector(gain, chunk, gains);
    load_vector(bias, chunk, biases);
    DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r) {
      float v[8];
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 8; ++i) v[i] = (number(sums[h], g, r, i) * scales[r] + shifts[r]) * gains[i] + biases[i];
      take(chunk, r, v);
    }
  });
}
/// Both: take gets (x - mean) / sqrt(variance + epsilon) * gain + bias.
template <class Take>
DUPQ_DEVICE inline void normalize_rows(row_halves& sums, std::uint32_t gain, std::uint32_t bias, float epsilon,
                                       Take&& take) noexcept {
  float means[2], scales[2];
  measure_rows(sums, means, scales);
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) scales[r] = ptx::fast_rsqrt(scales[r] * (1.0f / 384) + epsilon);
  scale_rows(sums, means, scales, gain, bias, take);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
