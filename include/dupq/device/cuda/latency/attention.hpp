// Attention and the layer behind it in one kernel: a warp's head is a part of the depth of the output projection, and
// its result already lies in the registers as that product takes it. Every block computes all heads for its 16 queries
// anew: for few texts that takes less time than another kernel.
#pragma once

#include "../attention.hpp"
#include "units.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// sums = (attention W^T + b) + x.
struct few_attention_args {
  attention_args of;  ///< y is not used
  packed_linear by;   ///< inputs: [heads][Dims]
  const half* x = nullptr;
  float* sums = nullptr;  ///< as x [rows][width]
  int width = 0;
};

/// Warps of a block, each of which takes a head at a time: as many as there are registers for.
template <int Dims>
inline constexpr int head_warps = Dims <= 64 ? unit_warps : 8;

/// Blocks: tiles * (outputs / unit_columns); shared memory: unit_shared_bytes.
template <int Dims>
DUPQ_KERNEL(32 * head_warps<Dims>, 1)
few_attention_kernel(few_attention_args args) {
  constexpr int chunks = Dims / unit_depth;
  const int thread = ptx::thread_index(), lane = thread % 32;
  const int warp = ptx::uniform(thread / 32);
  const int column_blocks = args.by.outputs / unit_columns, columns = ptx::block_index() % column_blocks;
  const int heads = args.of.heads;
  ptx::launch_next_kernel();
  unit_weights weights[chunks];  // of the warp's next head
  DUPQ_GPU_UNROLL
  for (int c = 0; c < chunks; ++c)
    weights[c] = load_unit(args.by, columns, (warp < heads ? warp : heads - 1) * chunks + c, lane);
  const ptx::words4 bias = ptx::load_ahead4(args.by.bias + unit_column(columns, thread));
  ptx::wait_for_previous_kernel();

  const ptx::words4 tile = ptx::load_global4(args.of.tiles + ptx::block_index() / column_blocks);
  const int begin = static_cast<int>(tile.w[0]), end = static_cast<int>(tile.w[1]), first = static_cast<int>(tile.w[2]);
  if (first >= end) return;
  const int own_row = first + thread / 4;  // as an epilogue's thread
  const bool stores = thread < unit_epilogue && own_row < end;
  const std::size_t place = static_cast<std::size_t>(own_row) * static_cast<std::size_t>(args.width) +
                            static_cast<std::size_t>(unit_column(columns, thread));
  unit_residual residual;
  if (stores) residual.load(args.x + place);
  float sums[2][4] = {};
  DUPQ_GPU_ROLLED
  for (int head = warp; head < heads; head += head_warps<Dims>) {
    float values[chunks][4][4];
    attend<Dims, Dims <= 64>(args.of, head, begin, end, first, values);
    DUPQ_GPU_UNROLL
    for (int c = 0; c < chunks; ++c) {
      float top[8], bottom[8];
      row_of(values[c], 0, top);
      row_of(values[c], 1, bottom);
      multiply_unit(sums, narrow(top), narrow(bottom), weights[c]);
      if (head + head_warps<Dims> < heads)
        weights[c] = load_unit(args.by, columns, (head + head_warps<Dims>)*chunks + c, lane);
    }
  }
  float result[4];
  combine_units<head_warps<Dims>>(sums, result);
  if (stores) store_sums(result, bias, residual, args.sums + place);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
