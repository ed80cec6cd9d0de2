// Linear layers of few rows. Where a norm comes before one, every block applies it for itself: what is read are sums of
// floats, and no kernel is needed between.
#pragma once

#include "units.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

struct few_linear_args {
  packed_linear by;
  const half* from = nullptr;  ///< [rows][from_stride]: the input that has its norm already
  half* x = nullptr;           ///< [rows][width]: norm(sums), or what is added to the result
  float* sums = nullptr;       ///< [rows][width]: the input before its norm, or the result before the next one
  const float* gain = nullptr;
  const float* bias = nullptr;  ///< [width], as gain 0 from `size` on
  half* y = nullptr;            ///< [rows][y_stride]
  int from_stride = 0, width = 0, size = 0, y_stride = 0;
  float epsilon = 0;
};

/// Units that each warp has of a row of `width` numbers, at most.
constexpr int units_of(int width) noexcept { return (width / unit_depth + unit_warps - 1) / unit_warps; }
constexpr int few_blocks(int rows, int outputs) noexcept { return rows / unit_rows * (outputs / unit_columns); }

/// Where an epilogue's thread stores, in rows of `stride`.
DUPQ_DEVICE inline std::size_t few_place(int thread, const packed_linear& by, int stride) noexcept {
  const int column_blocks = by.outputs / unit_columns;
  const int row = ptx::block_index() / column_blocks * unit_rows + thread / 4;
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(stride) +
         static_cast<std::size_t>(unit_column(ptx::block_index() % column_blocks, thread));
}

/// The sum of a row over lanes and warps; `part` is this lane's of rows lane / 4 and 8 below, `room` unit_row_bytes.
DUPQ_DEVICE inline void add_up_rows(float (&part)[2], std::uint32_t room) noexcept {
  const int lane = ptx::thread_index() % 32, warp = ptx::thread_index() / 32;
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) {
    const float sum = quad_sum(part[r]);
    if (lane % 4 == 0)
      ptx::store_shared(room + static_cast<std::uint32_t>((lane / 4 + 8 * r) * unit_warps + warp) * 4,
                        ptx::as_bits(sum));
  }
  ptx::block_barrier();
  DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) {
    part[r] = 0.0f;
    DUPQ_GPU_UNROLL
    for (int w = 0; w < unit_warps; w += 4) {
      const ptx::words4 four =
          ptx::load_shared4(room + static_cast<std::uint32_t>((lane / 4 + 8 * r) * unit_warps + w) * 4);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 4; ++i) part[r] += ptx::as_float(four.w[i]);
    }
  }
}

/// act(v + bias) to halves.
template <activation Act>
DUPQ_DEVICE inline void store_halves(const float (&v)[4], const ptx::words4& bias, half* to) noexcept {
  float biased[4];
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 4; ++i) {
    biased[i] = v[i] + ptx::as_float(bias.w[i]);
    if (Act == activation::gelu) biased[i] = gelu(biased[i]);
    if (Act == activation::tanh) biased[i] = tanh(biased[i]);
  }
  ptx::store_global(to, ptx::pack_halves(biased[0], biased[1]));
  ptx::store_global(to + 2, ptx::pack_halves(biased[2], biased[3]));
}

/// y = act(norm(sums) W^T + b), and x = norm(sums). Rows are a multiple of 16; Units: units_of(width). Blocks:
/// few_blocks(rows, outputs); shared memory: unit_shared_bytes.
template <int Units, activation Act>
DUPQ_KERNEL(unit_threads, Units == 1 ? 2 : 1)
norm_linear_kernel(few_linear_args args) {
  const int thread = ptx::thread_index(), lane = thread % 32;
  const int warp = ptx::uniform(thread / 32);
  const int column_blocks = args.by.outputs / unit_columns, columns = ptx::block_index() % column_blocks;
  const int row = ptx::block_index() / column_blocks * unit_rows + lane / 4, units = args.by.inputs / unit_depth;
  ptx::launch_next_kernel();
  unit_weights weights[Units];
  float gain[Units][8], bias[Units][8], v[Units][2][8];
  const auto unit_of = [&](int i) { return warp + i * unit_warps < units ? warp + i * unit_warps : units - 1; };
  const auto own = [&](int i) { return warp + i * unit_warps < units; };
  const auto column = [&](int i) { return unit_of(i) * unit_depth + lane % 4 * 8; };
  DUPQ_GPU_UNROLL
  for (int i = 0; i < Units; ++i) {
    weights[i] = load_unit(args.by, columns, unit_of(i), lane);
    load_floats<true>(args.gain + column(i), gain[i]);
    load_floats<true>(args.bias + column(i), bias[i]);
  }
  ptx::wait_for_previous_kernel();

  float means[2] = {}, squares[2] = {};
  DUPQ_GPU_UNROLL
  for (int i = 0; i < Units; ++i) DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) DUPQ_GPU_UNROLL
  for (int k = 0; k < 2; ++k) {
    const ptx::words4 four = ptx::load_global4(
        args.sums + static_cast<std::size_t>(row + 8 * r) * static_cast<std::size_t>(args.width) + column(i) + 4 * k);
    DUPQ_GPU_UNROLL
    for (int e = 0; e < 4; ++e) v[i][r][4 * k + e] = ptx::as_float(four.w[e]);
  }
  DUPQ_GPU_UNROLL
  for (int i = 0; i < Units; ++i) DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) DUPQ_GPU_UNROLL
  for (int e = 0; e < 8; ++e) means[r] += own(i) ? v[i][r][e] : 0.0f;
  add_up_rows(means, ptx::shared_base());
  const float part = 1.0f / static_cast<float>(args.size);
  DUPQ_GPU_UNROLL
  for (int i = 0; i < Units; ++i) DUPQ_GPU_UNROLL
  for (int r = 0; r < 2; ++r) DUPQ_GPU_UNROLL
  for (int e = 0; e < 8; ++e) {
    v[i][r][e] -= means[r] * part;
    squares[r] += own(i) && column(i) + e < args.size ? v[i][r][e] * v[i][r][e] : 0.0f;
  }
  add_up_rows(squares, ptx::shared_base() + unit_row_bytes);
  const ptx::words4 added = ptx::load_constant4(args.by.bias + unit_column(columns, thread));
  float sums[2][4] = {};
  DUPQ_GPU_UNROLL
  for (int i = 0; i < Units; ++i) {
    ptx::words4 rows[2];
    DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r) {
      const float inverse = ptx::fast_rsqrt(squares[r] * part + args.epsilon);
      DUPQ_GPU_UNROLL
      for (int e = 0; e < 8; ++e) v[i][r][e] = v[i][r][e] * inverse * gain[i][e] + bias[i][e];
      rows[r] = narrow(v[i][r]);
      if (columns == 0 && own(i))
        ptx::store_global4(
            args.x + static_cast<std::size_t>(row + 8 * r) * static_cast<std::size_t>(args.width) + column(i), rows[r]);
    }
    if (own(i)) multiply_unit(sums, rows[0], rows[1], weights[i]);
  }
  float result[4];
  combine_units<unit_warps>(sums, result);
  if (thread < unit_epilogue) store_halves<Act>(result, added, args.y + few_place(thread, args.by, args.y_stride));
}

/// y = from W^T + b; or with Residual sums = (from W^T + b) + x. The rest as above.
template <bool Residual>
DUPQ_KERNEL(unit_threads, 2)
few_linear_kernel(few_linear_args args) {
  constexpr int ahead = 4;  // units: all that a warp has of 1,536 inputs
  const int thread = ptx::thread_index(), lane = thread % 32;
  const int warp = ptx::uniform(thread / 32);
  const int column_blocks = args.by.outputs / unit_columns, columns = ptx::block_index() % column_blocks;
  const int row = ptx::block_index() / column_blocks * unit_rows + lane / 4, units = args.by.inputs / unit_depth;
  const auto inside = [&](int unit) { return unit < units ? unit : units - 1; };
  ptx::launch_next_kernel();
  unit_weights weights[ahead];
  DUPQ_GPU_UNROLL
  for (int i = 0; i < ahead; ++i) weights[i] = load_unit(args.by, columns, inside(warp + i * unit_warps), lane);
  const ptx::words4 added = ptx::load_ahead4(args.by.bias + unit_column(columns, thread));
  ptx::wait_for_previous_kernel();

  unit_residual residual;
  if (Residual && thread < unit_epilogue) residual.load(args.x + few_place(thread, args.by, args.width));
  float sums[2][4] = {};
  DUPQ_GPU_ROLLED
  for (int first = warp; first < units; first += ahead * unit_warps) {
    ptx::words4 rows[ahead][2];
    DUPQ_GPU_UNROLL
    for (int i = 0; i < ahead; ++i) DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r)
      rows[i][r] = ptx::load_global4(
          args.from + static_cast<std::size_t>(row + 8 * r) * static_cast<std::size_t>(args.from_stride) +
          inside(first + i * unit_warps) * unit_depth + lane % 4 * 8);
    DUPQ_GPU_UNROLL
    for (int i = 0; i < ahead; ++i) {
      const int unit = first + i * unit_warps, next = unit + ahead * unit_warps;
      if (unit < units) multiply_unit(sums, rows[i][0], rows[i][1], weights[i]);
      if (next < units) weights[i] = load_unit(args.by, columns, next, lane);
    }
  }
  float result[4];
  combine_units<unit_warps>(sums, result);
  if (thread >= unit_epilogue) return;
  if (Residual)
    store_sums(result, added, residual, args.sums + few_place(thread, args.by, args.width));
  else
    store_halves<activation::none>(result, added, args.y + few_place(thread, args.by, args.y_stride));
}

}  // namespace dupq::inline DUPQ_ABI::gpu
