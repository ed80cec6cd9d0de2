// Attention within each text: a warp takes 16 queries of one head, and needs nothing but its registers.
//
// Rows are loaded 16 bytes a lane. The order of dimensions within a product is free as long as queries and keys agree,
// so a lane's 16 bytes are its fragments of two products; and the values, transposed in registers, give each lane
// eight neighbouring numbers of the result. Keys go by in blocks of 16 from the start of the text, with a running
// maximum (flash attention), so the bits do not depend on where the text lies in the batch.
#pragma once

#include "hopper/tape.hpp"
#include "layouts.hpp"
#include "numbers.hpp"
#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// 16 queries of a text: rows begin .. end - 1 are the text's, `first` is the first query's row. All 0: none.
struct alignas(16) query_tile {
  std::uint32_t begin, end, first, unused;
};
inline constexpr int tile_queries = 16;

struct attention_args {
  const half* qkv = nullptr;  ///< [tokens][stride]: queries, keys and values, each [heads][Dims]
  half* y = nullptr;          ///< [tokens][y_stride]: [heads][Dims]
  const query_tile* tiles = nullptr;
  int tile_count = 0, heads = 0, stride = 0, y_stride = 0;
  float scale = 0;                  ///< log2(e) / sqrt(head_dim)
  const float* relative = nullptr;  ///< MPNet, times log2(e): [heads][2 * span - 1], see attention_shape; or null
  int span = 0;
  bool y_bins = false;  ///< y lies as bins of 64 rows do, with y_stride columns: see bin_offset
};

inline constexpr int attention_warps = 4;
constexpr int attention_blocks(int tiles, int heads) noexcept {
  return (tiles * heads + attention_warps - 1) / attention_warps;
}

/// What the head's attention makes of queries first .. first + 15 of a text: of row lane / 4 + 8 (e / 2),
/// values[c][w][e] is dimension 32 c + 8 (lane % 4) + 2 w + e % 2. `Together`: values are fetched along with keys,
/// which takes more registers, and less time where too few warps run to hide the waiting.
template <int Dims, bool Together>
DUPQ_DEVICE inline void attend(const attention_args& args, int head, int begin, int end, int first,
                               float (&values)[Dims / 32][4][4]) noexcept {
  constexpr int chunks = Dims / 32;  // of 16 bytes a lane
  const int lane = ptx::thread_index() % 32, row = lane / 4;
  const auto load_row = [&](int which, int of, ptx::words4(&to)[chunks]) {  // the last row instead of those behind it
    const half* const from = args.qkv +
                             static_cast<std::size_t>(of < end ? of : end - 1) * static_cast<std::size_t>(args.stride) +
                             (which * args.heads + head) * Dims + lane % 4 * 8;
    DUPQ_GPU_UNROLL
    for (int c = 0; c < chunks; ++c) to[c] = ptx::load_global4(from + 32 * c);
  };

  ptx::words4 queries[2][chunks];
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2; ++i) load_row(0, first + row + 8 * i, queries[i]);
  const float* const relative =
      args.relative == nullptr ? nullptr : args.relative + head * (2 * args.span - 1) + args.span - 1;
  float highest[2] = {-1e30f, -1e30f}, sums[2] = {};
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 16 * chunks; ++i) values[i / 16][i / 4 % 4][i % 4] = 0.0f;

  DUPQ_GPU_ROLLED
  for (int key = begin; key < end; key += 16) {
    ptx::words4 rows[2][chunks];
    const auto load_values = [&] {
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 2; ++i) load_row(2, key + 8 * i + row, rows[i]);
    };
    float scores[2][4] = {};
    ptx::words4 keys[2][chunks];
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 2 && Together; ++i) load_row(1, key + 8 * i + row, keys[i]);
    if (Together) load_values();
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 2; ++i) {
      if (!Together) load_row(1, key + 8 * i + row, keys[i]);
      DUPQ_GPU_UNROLL
      for (int c = 0; c < chunks; ++c) DUPQ_GPU_UNROLL
      for (int w = 0; w < 4; w += 2) {
        const std::uint32_t a[4] = {queries[0][c].w[w], queries[1][c].w[w], queries[0][c].w[w + 1],
                                    queries[1][c].w[w + 1]};
        ptx::multiply(scores[i], a, keys[i][c].w[w], keys[i][c].w[w + 1]);
      }
    }
    float highest_now[2] = {highest[0], highest[1]};
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 2; ++i) DUPQ_GPU_UNROLL
    for (int e = 0; e < 4; ++e) {
      const int k = key + 8 * i + lane % 4 * 2 + e % 2, q = first + row + e / 2 * 8;
      float v = scores[i][e] * args.scale;
      if (relative != nullptr && k < end && q < end) v += ptx::as_float(ptx::load_constant(relative + (q - k)));
      v = k < end ? v : -1e30f;
      scores[i][e] = v;
      highest_now[e / 2] = v > highest_now[e / 2] ? v : highest_now[e / 2];
    }
    DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r) {
      highest_now[r] = quad_max(highest_now[r]);
      const float shrink = ptx::fast_exp2(highest[r] - highest_now[r]);
      highest[r] = highest_now[r];
      sums[r] *= shrink;
      DUPQ_GPU_UNROLL
      for (int c = 0; c < chunks; ++c) DUPQ_GPU_UNROLL
      for (int w = 0; w < 4; ++w) {
        values[c][w][2 * r] *= shrink;
        values[c][w][2 * r + 1] *= shrink;
      }
    }
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 2; ++i) DUPQ_GPU_UNROLL
    for (int e = 0; e < 4; ++e) {
      scores[i][e] = ptx::fast_exp2(scores[i][e] - highest[e / 2]);
      sums[e / 2] += scores[i][e];
    }
    const std::uint32_t weights[4] = {
        ptx::pack_halves(scores[0][0], scores[0][1]), ptx::pack_halves(scores[0][2], scores[0][3]),
        ptx::pack_halves(scores[1][0], scores[1][1]), ptx::pack_halves(scores[1][2], scores[1][3])};
    if (!Together) load_values();
    DUPQ_GPU_UNROLL
    for (int c = 0; c < chunks; ++c) DUPQ_GPU_UNROLL
    for (int w = 0; w < 4; ++w)
      ptx::multiply(values[c][w], weights, ptx::transpose_matrix(rows[0][c].w[w]),
                    ptx::transpose_matrix(rows[1][c].w[w]));
  }
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) {
    const float part = ptx::fast_reciprocal(quad_sum(sums[r]));
    DUPQ_GPU_UNROLL
    for (int c = 0; c < chunks; ++c) DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i) values[c][i / 2][2 * r + i % 2] *= part;
  }
}

/// Dims: of a head, padded with zeros to 32, 64 or 128. Blocks: attention_blocks(...). No shared memory.
template <int Dims>
DUPQ_KERNEL(32 * attention_warps, 1)
attention_kernel(attention_args args) {
  const int lane = ptx::thread_index() % 32;
  const int warp = ptx::block_index() * attention_warps + ptx::uniform(ptx::thread_index() / 32);
  const int head = warp % args.heads;
  if (warp / args.heads >= args.tile_count) return;
  ptx::wait_for_previous_kernel();
  ptx::launch_next_kernel();
  const ptx::words4 tile = ptx::load_global4(args.tiles + warp / args.heads);
  const int begin = static_cast<int>(tile.w[0]), end = static_cast<int>(tile.w[1]), first = static_cast<int>(tile.w[2]);
  if (first >= end) return;  // a tile without queries: it only fills up a graph's list
  float values[Dims / 32][4][4];
  attend<Dims, false>(args, head, begin, end, first, values);
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int q = first + lane / 4 + 8 * r;
    if (q >= end) continue;
    DUPQ_GPU_UNROLL
    for (int c = 0; c < Dims / 32; ++c) {
      float v[8];
      row_of(values[c], r, v);
      const int column = head * Dims + 32 * c + lane % 4 * 8;
      half* to = args.y + static_cast<std::size_t>(q) * static_cast<std::size_t>(args.y_stride) + column;
      if (args.y_bins)
        to = args.y +
             static_cast<std::size_t>(q / static_cast<int>(bin_rows)) * bin_rows *
                 static_cast<std::size_t>(args.y_stride) +
             bin_offset(static_cast<std::uint32_t>(q) % bin_rows, static_cast<std::uint32_t>(column / 8)) / 2;
      ptx::store_global4(to, narrow(v));
    }
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
