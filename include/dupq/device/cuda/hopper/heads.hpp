// Attention of one pair of heads within the texts of a bin, whose queries, keys and values lie in shared memory.
//
// A warp takes 16 queries of a text at a time, for both heads side by side. Keys go by in blocks of 16 from the start
// of the text, so the bits do not depend on where the text lies in its bin.
#pragma once

#include "../numbers.hpp"
#include "tape.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// 16 queries of a text in a bin, in one number: the text's rows begin .. end - 1, and the first query's row.
struct bin_tile {
  std::uint32_t begin, end, first;

  DUPQ_HOST_DEVICE static constexpr bin_tile of(std::uint32_t packed) noexcept {
    return {packed & 255, packed >> 8 & 255, packed >> 16 & 255};
  }
  constexpr std::uint32_t packed() const noexcept { return begin | end << 8 | first << 16; }
};
inline constexpr std::uint32_t bin_tile_queries = 16;

/// Bytes from the start of a panel to 16-byte chunk 0..7 of a row. Eight rows in a row and four chunks of two rows are
/// free of conflicts.
DUPQ_HOST_DEVICE constexpr std::uint32_t head_offset(std::uint32_t row, std::uint32_t chunk) noexcept {
  return row * 128 + ((chunk ^ (row >> 1 & 3) ^ (row & 1) << 2) << 4);
}

/// Panels of a bin: rows of two heads, 32 dimensions each. Queries are times log2(e) / sqrt(32).
struct head_panels {
  std::uint32_t queries, keys, values;
};

/// The tile's result takes the place of its queries. All lanes of a warp.
DUPQ_DEVICE inline void attend(const head_panels& panels, const bin_tile& tile, int lane) noexcept {
  const auto row_of = [&](std::uint32_t row) { return row < tile.end ? row : tile.end - 1; };
  const auto l = static_cast<std::uint32_t>(lane);
  std::uint32_t queries[2][2][4];
  DUPQ_GPU_UNROLL
  for (std::uint32_t h = 0; h < 2; ++h) DUPQ_GPU_UNROLL
  for (std::uint32_t k = 0; k < 2; ++k)
    ptx::load_matrices(queries[h][k],
                       panels.queries + head_offset(row_of(tile.first + l % 16), 4 * h + 2 * k + l / 16));
  float highest[2][2], sums[2][2], result[2][4][4];
  DUPQ_GPU_UNROLL
  for (int h = 0; h < 2; ++h) DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) {
    highest[h][r] = -1e30f, sums[h][r] = 0.0f;
    DUPQ_GPU_UNROLL
    for (int c = 0; c < 4; ++c) result[h][c][2 * r] = result[h][c][2 * r + 1] = 0.0f;
  }
  DUPQ_GPU_ROLLED
  for (std::uint32_t key = tile.begin; key < tile.end; key += 16) {
    float scores[2][2][4] = {};
    const std::uint32_t key_row = row_of(key + l % 8 + l / 16 * 8), value_row = row_of(key + l % 16);
    DUPQ_GPU_UNROLL
    for (std::uint32_t k = 0; k < 2; ++k) DUPQ_GPU_UNROLL
    for (std::uint32_t h = 0; h < 2; ++h) {
      std::uint32_t keys[4];
      ptx::load_matrices(keys, panels.keys + head_offset(key_row, 4 * h + 2 * k + l / 8 % 2));
      ptx::multiply(scores[h][0], queries[h][k], keys[0], keys[1]);
      ptx::multiply(scores[h][1], queries[h][k], keys[2], keys[3]);
    }
    std::uint32_t weights[2][4];
    DUPQ_GPU_UNROLL
    for (int h = 0; h < 2; ++h) {
      float now[2] = {highest[h][0], highest[h][1]};
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 2; ++i) DUPQ_GPU_UNROLL
      for (int e = 0; e < 4; ++e) {
        float& s = scores[h][i][e];
        if (key + static_cast<std::uint32_t>(8 * i + lane % 4 * 2 + e % 2) >= tile.end) s = -1e30f;
        now[e / 2] = s > now[e / 2] ? s : now[e / 2];
      }
      DUPQ_GPU_UNROLL
      for (int r = 0; r < 2; ++r) {
        now[r] = quad_max(now[r]);
        const float shrink = ptx::fast_exp2(highest[h][r] - now[r]);
        highest[h][r] = now[r];
        sums[h][r] *= shrink;
        DUPQ_GPU_UNROLL
        for (int c = 0; c < 4; ++c) result[h][c][2 * r] *= shrink, result[h][c][2 * r + 1] *= shrink;
      }
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 2; ++i) DUPQ_GPU_UNROLL
      for (int r = 0; r < 2; ++r) {
        const float a = ptx::fast_exp2(scores[h][i][2 * r] - now[r]);
        const float b = ptx::fast_exp2(scores[h][i][2 * r + 1] - now[r]);
        sums[h][r] += a + b;
        weights[h][2 * i + r] = ptx::pack_halves(a, b);
      }
    }
    DUPQ_GPU_UNROLL
    for (std::uint32_t c = 0; c < 2; ++c) DUPQ_GPU_UNROLL
    for (std::uint32_t h = 0; h < 2; ++h) {
      std::uint32_t values[4];
      ptx::load_matrices_transposed(values, panels.values + head_offset(value_row, 4 * h + 2 * c + l / 16));
      ptx::multiply(result[h][2 * c], weights[h], values[0], values[1]);
      ptx::multiply(result[h][2 * c + 1], weights[h], values[2], values[3]);
    }
  }
  ptx::warp_barrier();  // all lanes have their queries
  DUPQ_GPU_UNROLL
  for (std::uint32_t r = 0; r < 2; ++r) {
    const std::uint32_t row = tile.first + l / 4 + 8 * r;
    DUPQ_GPU_UNROLL
    for (std::uint32_t h = 0; h < 2; ++h) {
      const float part = ptx::fast_reciprocal(quad_sum(sums[h][r]));
      DUPQ_GPU_UNROLL
      for (std::uint32_t c = 0; c < 4; ++c)
        if (row < tile.end)
          ptx::store_shared(panels.queries + head_offset(row, 4 * h + c) + l % 4 * 4,
                            ptx::pack_halves(result[h][c][2 * r] * part, result[h][c][2 * r + 1] * part));
    }
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
