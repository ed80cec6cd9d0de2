// The first and the last layer: tokens to rows, and the rows of each text to its vector.
#pragma once

#include "../../core/config.hpp"
#include "hopper/tape.hpp"
#include "layouts.hpp"
#include "numbers.hpp"
#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// A token, as it is sent to the GPU.
struct alignas(16) token {
  std::uint32_t word, position, type;
  std::uint32_t bin_row;  ///< its row in bins of 64 rows, counted from 1; 0: it goes by rows of `stride` columns
};

/// y = norm((words[word] + types[type]) + positions[position]); tables are [count][stride] halves, or null. Columns of
/// tables, gain and bias from `size` on are 0, and so are those of y.
struct embed_args {
  const half* words = nullptr;
  const half* types = nullptr;
  const half* positions = nullptr;
  const float* gain = nullptr;
  const float* bias = nullptr;
  const token* tokens = nullptr;
  half* y = nullptr;
  half* bins = nullptr;  ///< for tokens with a bin_row, see bin_offset; `stride` is a multiple of 64 then
  int count = 0;         ///< tokens
  int stride = 0;        ///< of tables and y, a multiple of 8
  int size = 0;
  float epsilon = 0;
};

inline constexpr int embed_warps = 4;

/// Chunks: `stride` in chunks of 256 columns, rounded up. A warp a token; blocks: tokens / embed_warps, rounded up.
template <int Chunks>
DUPQ_KERNEL(32 * embed_warps, 1)
embed_kernel(embed_args args) {
  const int lane = ptx::thread_index() % 32;
  const int row = ptx::block_index() * embed_warps + ptx::uniform(ptx::thread_index() / 32);
  if (row >= args.count) return;
  ptx::launch_next_kernel();
  ptx::wait_for_previous_kernel();
  const ptx::words4 which = ptx::load_global4(args.tokens + row);
  const auto add_row = [&](const half* table, std::uint32_t of, int column, float(&to)[8]) {
    if (table == nullptr) return;
    float v[8];
    widen(ptx::load_constant4(table + static_cast<std::size_t>(of) * static_cast<std::size_t>(args.stride) + column),
          v);
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i) to[i] += v[i];
  };
  float v[Chunks][8] = {}, mean = 0.0f, variance = 0.0f;
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) {
    const int column = 256 * c + 8 * lane;
    if (column < args.stride) {
      add_row(args.words, which.w[0], column, v[c]);
      add_row(args.types, which.w[2], column, v[c]);
      add_row(args.positions, which.w[1], column, v[c]);
    }
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i) mean += v[c][i];
  }
  const float part = 1.0f / static_cast<float>(args.size);
  mean = warp_sum(mean) * part;
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) DUPQ_GPU_UNROLL
  for (int i = 0; i < 8; ++i)
    if (256 * c + 8 * lane + i < args.size) variance += (v[c][i] - mean) * (v[c][i] - mean);
  const float inverse = ptx::fast_rsqrt(warp_sum(variance) * part + args.epsilon);
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) {
    const int column = 256 * c + 8 * lane;
    if (column >= args.stride) continue;
    float gain[8], bias[8];
    load_floats(args.gain + column, gain);
    load_floats(args.bias + column, bias);
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i) v[c][i] = (v[c][i] - mean) * inverse * gain[i] + bias[i];
    half* to = args.y + static_cast<std::size_t>(row) * static_cast<std::size_t>(args.stride) + column;
    if (which.w[3] != 0)
      to = args.bins +
           static_cast<std::size_t>((which.w[3] - 1) / bin_rows * bin_rows) * static_cast<std::size_t>(args.stride) +
           bin_offset((which.w[3] - 1) % bin_rows, static_cast<std::uint32_t>(column / 8)) / 2;
    ptx::store_global4(to, narrow(v[c]));
  }
}

/// y: [texts][modes * size]: first token, maximum, mean, those that `mode` has; of length 1 where `normalize` says so.
struct pool_args {
  const half* x = nullptr;                 ///< [tokens][stride]
  const std::uint32_t* offsets = nullptr;  ///< [texts + 1]
  const std::uint32_t* places = nullptr;   ///< [texts]: the row of y that a text's vector is; null: the text's number
  float* y = nullptr;
  int size = 0, stride = 0;
  pooling mode;
  bool normalize = false;
};

inline constexpr int pool_threads = 128;  ///< of 8 columns each
inline constexpr std::size_t pool_shared_bytes = pool_threads / 32 * sizeof(float);

/// Blocks: texts.
template <int Threads>
DUPQ_KERNEL(Threads, 1)
pool_kernel(pool_args args) {
  const int thread = ptx::thread_index(), column = 8 * thread, text = ptx::block_index();
  ptx::launch_next_kernel();
  ptx::wait_for_previous_kernel();
  const auto begin = static_cast<int>(ptx::load_global(args.offsets + text));
  const auto end = static_cast<int>(ptx::load_global(args.offsets + text + 1));
  float pooled[3][8] = {}, squares = 0.0f;  // first, maximum, mean
  if (column < args.size) {
    DUPQ_GPU_ROLLED
    for (int row = begin; row < end; ++row) {
      float v[8];
      widen(ptx::load_global4(args.x + static_cast<std::size_t>(row) * static_cast<std::size_t>(args.stride) + column),
            v);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 8; ++i) {
        if (row == begin) pooled[0][i] = pooled[1][i] = v[i];
        pooled[1][i] = v[i] > pooled[1][i] ? v[i] : pooled[1][i];
        pooled[2][i] += v[i];
      }
    }
    const float count = static_cast<float>(end - begin);
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i) {
      pooled[2][i] = pooled[2][i] / count;
      squares += (args.mode.cls ? pooled[0][i] * pooled[0][i] : 0.0f) +
                 (args.mode.max ? pooled[1][i] * pooled[1][i] : 0.0f) +
                 (args.mode.mean ? pooled[2][i] * pooled[2][i] : 0.0f);
    }
  }
  float scale = 1.0f;
  if (args.normalize) {
    squares = warp_sum(squares);
    const std::uint32_t room = ptx::shared_base();
    if (thread % 32 == 0) ptx::store_shared(room + static_cast<std::uint32_t>(thread / 32) * 4, ptx::as_bits(squares));
    ptx::block_barrier();
    squares = 0.0f;
    DUPQ_GPU_UNROLL
    for (std::uint32_t w = 0; w < Threads / 32; ++w) squares += ptx::as_float(ptx::load_shared(room + w * 4));
    scale = ptx::fast_rsqrt(squares > 1e-24f ? squares : 1e-24f);
  }
  const bool wanted[3] = {args.mode.cls, args.mode.max, args.mode.mean};
  const std::size_t modes = std::size_t{wanted[0]} + std::size_t{wanted[1]} + std::size_t{wanted[2]};
  const std::uint32_t place =
      args.places == nullptr ? static_cast<std::uint32_t>(text) : ptx::load_global(args.places + text);
  float* to = args.y + std::size_t{place} * modes * static_cast<std::size_t>(args.size) + column;
  DUPQ_GPU_UNROLL
  for (int m = 0; m < 3; ++m) {
    if (!wanted[m]) continue;
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i)
      if (column + i < args.size) ptx::store_global(to + i, ptx::as_bits(pooled[m][i] * scale));
    to += args.size;
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
