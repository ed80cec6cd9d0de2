// What the kernels for few rows share: a block takes 16 rows by 16 outputs, and its warps share the depth, so that a
// layer occupies many processors and each waits for memory only once or twice.
//
// The depth goes by in units of 32. Within a unit the weights' inputs are numbered such that 16 bytes a lane of a row,
// inputs 8 (lane % 4) + 0..7, are its fragments of two products. Everything that no kernel writes is fetched before a
// kernel waits for the one before it.
#pragma once

#include "../linear.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr int unit_depth = 32;
inline constexpr int unit_warps = 12;  ///< that share the depth
inline constexpr int unit_threads = 32 * unit_warps;
inline constexpr int unit_rows = 16, unit_columns = 16;

/// Where input i of a layer lies among its weights' inputs.
DUPQ_HOST_DEVICE constexpr int unit_input(int i) noexcept {
  const int lane = i % unit_depth / 8, word = i % 8 / 2;
  return i / unit_depth * unit_depth + word / 2 * 16 + word % 2 * 8 + lane * 2 + i % 2;
}

/// A unit's weights for the block's columns: four words of two products for each of two steps.
struct unit_weights {
  ptx::words4 step[2];
};

/// `columns` counts in unit_columns. Reads weights alone, which no kernel writes, so it may be called before the wait
/// for the kernel before this one.
DUPQ_DEVICE inline unit_weights load_unit(const packed_linear& by, int columns, int unit, int lane) noexcept {
  const half* const from = by.weights +
                           static_cast<std::size_t>(columns / 2) * static_cast<std::size_t>(by.inputs) * group_outputs +
                           static_cast<std::size_t>((unit * 4 + columns % 2) * 256 + lane * 8);
  return {{ptx::load_ahead4(from), ptx::load_ahead4(from + 512)}};
}

/// sums[product][2 * row + column]: += two rows' 16 bytes of a unit (rows lane / 4 and 8 below) by its weights.
DUPQ_DEVICE inline void multiply_unit(float (&sums)[2][4], const ptx::words4& top, const ptx::words4& bottom,
                                      const unit_weights& by) noexcept {
  DUPQ_GPU_UNROLL
  for (int s = 0; s < 2; ++s) {
    const std::uint32_t a[4] = {top.w[2 * s], bottom.w[2 * s], top.w[2 * s + 1], bottom.w[2 * s + 1]};
    DUPQ_GPU_UNROLL
    for (int p = 0; p < 2; ++p) ptx::multiply(sums[p], a, by.step[s].w[2 * p], by.step[s].w[2 * p + 1]);
  }
}

/// Shared memory: what rows' sums of two kinds take, and the warps' parts of the products behind them.
inline constexpr std::uint32_t unit_row_bytes = unit_rows * unit_warps * 4;
inline constexpr std::uint32_t unit_part_bytes = unit_rows * unit_columns * 4;
inline constexpr std::uint32_t unit_shared_bytes = 2 * unit_row_bytes + unit_warps * unit_part_bytes;

/// Row and columns that an epilogue's thread, below unit_epilogue, has: four neighbours.
inline constexpr int unit_epilogue = unit_rows * 4;
DUPQ_DEVICE inline int unit_column(int columns, int thread) noexcept {
  return columns / 2 * group_outputs + thread % 4 * 8 + columns % 2 * 4;
}

/// Adds the sums of Warps warps up, in their order; the threads below unit_epilogue get their four columns.
template <int Warps>
DUPQ_DEVICE inline void combine_units(const float (&sums)[2][4], float (&to)[4]) noexcept {
  const int thread = ptx::thread_index(), lane = thread % 32;
  const std::uint32_t room = ptx::shared_base() + 2 * unit_row_bytes;
  const std::uint32_t own =
      room + static_cast<std::uint32_t>(thread / 32) * unit_part_bytes + static_cast<std::uint32_t>(lane) * 16;
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r)
    ptx::store_shared4(own + static_cast<std::uint32_t>(r) * 512,
                       {{ptx::as_bits(sums[0][2 * r]), ptx::as_bits(sums[0][2 * r + 1]), ptx::as_bits(sums[1][2 * r]),
                         ptx::as_bits(sums[1][2 * r + 1])}});
  ptx::block_barrier();
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 4; ++i) to[i] = 0.0f;
  if (thread >= unit_epilogue) return;
  DUPQ_GPU_UNROLL
  for (int w = 0; w < Warps; ++w) {
    const ptx::words4 part = ptx::load_shared4(room + static_cast<std::uint32_t>(w) * unit_part_bytes +
                                               static_cast<std::uint32_t>(thread) * 16);
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 4; ++i) to[i] += ptx::as_float(part.w[i]);
  }
}

/// An epilogue's four columns of the row that a layer's result is added to, fetched long before.
struct unit_residual {
  std::uint32_t w[2] = {};

  DUPQ_DEVICE void load(const half* from) noexcept {
    w[0] = ptx::load_global(from);
    w[1] = ptx::load_global(from + 2);
  }
};

/// The epilogue of layers with a residual connection: v + bias + the row, as floats, for the norm that whoever reads
/// them applies.
DUPQ_DEVICE inline void store_sums(const float (&v)[4], const ptx::words4& bias, const unit_residual& residual,
                                   float* to) noexcept {
  float before[4];
  ptx::unpack_halves(residual.w[0], before[0], before[1]);
  ptx::unpack_halves(residual.w[1], before[2], before[3]);
  ptx::words4 bits;
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 4; ++i) bits.w[i] = ptx::as_bits(v[i] + (ptx::as_float(bias.w[i]) + before[i]));
  ptx::store_global4(to, bits);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
