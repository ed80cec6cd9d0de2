// The product that every linear layer is: rows of halves by packed weights, summed as floats in registers.
//
// A block's rows go through shared memory, 64 columns at a time in a ring of stages, for all its warps. Weights go from
// global memory straight to the registers of the warp that needs them, in the order in which they lie (layouts.hpp),
// one step ahead. Sums run over the depth in order, so they do not depend on the shape of the tiles.
#pragma once

#include "layouts.hpp"
#include "numbers.hpp"
#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// How a block shares its tile: WarpRows x WarpColumns warps, each with Tiles x 16 rows and Groups x 32 columns.
template <int WarpRows, int WarpColumns, int Tiles, int Groups, int Stages>
struct tile_shape {
  static constexpr int warp_rows = WarpRows, warp_columns = WarpColumns, tiles = Tiles, groups = Groups;
  static constexpr int stages = Stages;
  static constexpr int threads = 32 * WarpRows * WarpColumns;
  static constexpr int rows = 16 * Tiles * WarpRows;
  static constexpr int columns = group_outputs * Groups * WarpColumns;
  static constexpr int stage_depth = 64;
  static constexpr int stage_bytes = rows * stage_depth * 2;
  static constexpr int ring_bytes = Stages * stage_bytes;
};

/// What a lane holds of its warp's tile: [tile][group] hold eight columns of two rows, [product][2 * row + column].
template <class Shape>
using tile_sums = float[Shape::tiles][Shape::groups][4][4];

/// The weights of one step for one warp's group.
struct step_weights {
  ptx::words4 of[2];  ///< two products each
};

/// sums = rows of the tile * weights; row_at(r) is where row r of the block's tile begins, for any r below its rows.
/// `weights` belong to the warp's first group; `depth` is a multiple of 64.
template <class Shape, class RowAt>
DUPQ_DEVICE inline void multiply_tile(std::uint32_t ring, RowAt&& row_at, const half* weights, int depth,
                                      tile_sums<Shape>& sums) noexcept {
  const int thread = ptx::thread_index(), lane = thread % 32;
  const int warp_row = ptx::uniform(thread / 32) / Shape::warp_columns;
  const int stages = depth / Shape::stage_depth;
  const std::size_t group_stride = static_cast<std::size_t>(depth) * group_outputs;

  const auto fetch = [&](int stage) {
    const std::uint32_t to = ring + static_cast<std::uint32_t>(stage % Shape::stages * Shape::stage_bytes);
    DUPQ_GPU_ROLLED
    for (int i = 0; i < (Shape::rows * 8 + Shape::threads - 1) / Shape::threads; ++i) {
      const int chunk = thread + i * Shape::threads;
      if (Shape::rows * 8 % Shape::threads == 0 || chunk < Shape::rows * 8)
        ptx::copy_async(to + swizzled128(static_cast<std::uint32_t>(chunk / 8), static_cast<std::uint32_t>(chunk % 8)),
                        row_at(chunk / 8) + stage * Shape::stage_depth + chunk % 8 * 8);
    }
  };
  const auto load_weights = [&](int step, step_weights(&to)[Shape::groups]) {
    DUPQ_GPU_UNROLL
    for (int g = 0; g < Shape::groups; ++g) DUPQ_GPU_UNROLL
    for (int u = 0; u < 2; ++u)
      to[g].of[u] = ptx::load_constant4(weights + static_cast<std::size_t>(g) * group_stride +
                                        static_cast<std::size_t>((step * 2 + u) * 256 + lane * 8));
  };

  DUPQ_GPU_UNROLL
  for (int t = 0; t < Shape::tiles; ++t) DUPQ_GPU_UNROLL
  for (int g = 0; g < Shape::groups; ++g) DUPQ_GPU_UNROLL
  for (int i = 0; i < 16; ++i) sums[t][g][i / 4][i % 4] = 0.0f;

  DUPQ_GPU_UNROLL
  for (int s = 0; s < Shape::stages - 1; ++s) {
    if (s < stages) fetch(s);
    ptx::commit_copies();
  }
  step_weights next[2][Shape::groups];
  load_weights(0, next[0]);
  const int last_step = depth / step_depth - 1;

  DUPQ_GPU_ROLLED
  for (int stage = 0; stage < stages; ++stage) {
    ptx::wait_copies<Shape::stages - 2>();
    ptx::block_barrier();  // the stage is there for all, and none still reads the one before it, which is refilled
    if (stage + Shape::stages - 1 < stages) fetch(stage + Shape::stages - 1);
    ptx::commit_copies();
    const std::uint32_t from = ring + static_cast<std::uint32_t>(stage % Shape::stages * Shape::stage_bytes +
                                                                 warp_row * Shape::tiles * 16 * 128);
    DUPQ_GPU_UNROLL
    for (int k = 0; k < Shape::stage_depth / step_depth; ++k) {
      const int step = stage * (Shape::stage_depth / step_depth) + k;
      load_weights(step < last_step ? step + 1 : last_step, next[(k + 1) % 2]);
      DUPQ_GPU_UNROLL
      for (int t = 0; t < Shape::tiles; ++t) {
        std::uint32_t a[4];
        ptx::load_matrices(a, from + swizzled128(static_cast<std::uint32_t>(16 * t + lane % 16),
                                                 static_cast<std::uint32_t>(2 * k + lane / 16)));
        DUPQ_GPU_UNROLL
        for (int g = 0; g < Shape::groups; ++g) DUPQ_GPU_UNROLL
        for (int p = 0; p < 4; ++p)
          ptx::multiply(sums[t][g][p], a, next[k % 2][g].of[p / 2].w[p % 2 * 2],
                        next[k % 2][g].of[p / 2].w[p % 2 * 2 + 1]);
      }
    }
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
