// y = act(x W^T + b), in blocks of rows and columns.
#pragma once

#include "../device.hpp"
#include "product.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// A weight matrix and its bias on the GPU: outputs and inputs are padded with zeros.
struct packed_linear {
  const half* weights = nullptr;  ///< see weight_index
  const float* bias = nullptr;    ///< [outputs]
  int outputs = 0;                ///< a multiple of 128
  int inputs = 0;                 ///< a multiple of 64
};

/// Rows of halves; a stride is a multiple of 8.
struct linear_args {
  packed_linear by;
  const half* x = nullptr;  ///< [rows][x_stride]
  half* y = nullptr;        ///< [rows][y_stride]
  int rows = 0, x_stride = 0, y_stride = 0;
};

using large_tile = tile_shape<2, 4, 4, 1, 3>;  ///< 128 x 128, for throughput
using small_tile = tile_shape<1, 2, 1, 1, 4>;  ///< 16 x 64, so that few rows occupy many processors

template <class Shape>
constexpr int linear_blocks(int rows, int outputs) noexcept {
  return (rows + Shape::rows - 1) / Shape::rows * (outputs / Shape::columns);
}

/// Where the tile of a warp begins. It is asked for twice, since what is known before the product would be kept in
/// registers that the product needs (on sm_100 it was spilled).
struct tile_place {
  int block_row, row, column;
};
template <class Shape>
DUPQ_DEVICE inline tile_place place_of_tile(int outputs) noexcept {
  const int warp = ptx::uniform(ptx::thread_index() / 32), block = ptx::uniform(ptx::block_index());
  const int column_blocks = outputs / Shape::columns, block_row = block / column_blocks * Shape::rows;
  return {block_row, block_row + warp / Shape::warp_columns * Shape::tiles * 16,
          block % column_blocks * Shape::columns + warp % Shape::warp_columns * Shape::groups * group_outputs};
}

/// Blocks: linear_blocks(rows, outputs). Shared memory: Shape::ring_bytes.
template <class Shape, activation Act>
DUPQ_KERNEL(Shape::threads, Shape::threads == 256 ? 2 : 1)
linear_kernel(linear_args args) {
  const tile_place from = place_of_tile<Shape>(args.by.outputs);
  ptx::wait_for_previous_kernel();
  const auto row_at = [&](int r) {
    const int row = from.block_row + r < args.rows ? from.block_row + r : args.rows - 1;
    return args.x + static_cast<std::size_t>(row) * static_cast<std::size_t>(args.x_stride);
  };
  tile_sums<Shape> sums;
  multiply_tile<Shape>(
      ptx::shared_base(), row_at,
      args.by.weights + static_cast<std::size_t>(from.column) * static_cast<std::size_t>(args.by.inputs),
      args.by.inputs, sums);
  ptx::launch_next_kernel();
  const tile_place to = place_of_tile<Shape>(args.by.outputs);
  const int lane = ptx::thread_index() % 32;
  DUPQ_GPU_UNROLL
  for (int g = 0; g < Shape::groups; ++g) {
    const int column = to.column + g * group_outputs + lane % 4 * 8;
    float bias[8];
    load_floats(args.by.bias + column, bias);
    DUPQ_GPU_UNROLL
    for (int t = 0; t < Shape::tiles; ++t) DUPQ_GPU_UNROLL
    for (int which = 0; which < 2; ++which) {
      const int row = to.row + t * 16 + lane / 4 + 8 * which;
      float v[8];
      row_of(sums[t][g], which, v);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 8; ++i) {
        v[i] += bias[i];
        if (Act == activation::gelu) v[i] = gelu(v[i]);
      }
      if (row < args.rows)
        ptx::store_global4(args.y + static_cast<std::size_t>(row) * static_cast<std::size_t>(args.y_stride) + column,
                           narrow(v));
    }
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
