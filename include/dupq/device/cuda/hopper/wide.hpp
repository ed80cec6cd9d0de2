// Products by warpgroups for models 768 wide: blocks of 128 rows and 384 outputs, whose sums fill the registers of two
// warpgroups. Rows lie in bins of 64 as elsewhere here, but a bin's rows are just 64 tokens in a row.
//
//   y = x W^T + b, also with GELU;  y = norm(x W^T + b + y), by a cluster of two blocks that own whole rows together
#pragma once

#include "ring.hpp"
#include "sums.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr int wide_outputs = 384, wide_rows = 2 * bin_rows;
inline constexpr std::size_t most_shared_bytes = 227 * 1024;  ///< that a block of Hopper can have

/// Weights: for each 384 outputs and 64 inputs a piece, in the order of inputs.
struct wide_tape {
  static constexpr int piece_bytes = wide_outputs * panel_columns * 2;

  static constexpr std::size_t index(int output, int input, int inputs) noexcept {
    const int piece = output / wide_outputs * (inputs / panel_columns) + input / panel_columns;
    const int row = group_place(output % wide_outputs), depth = input % panel_columns;
    return static_cast<std::size_t>(piece) * (piece_bytes / 2) +
           swizzled128(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(depth / 8)) / 2 +
           static_cast<std::size_t>(depth % 8);
  }
};

enum class wide_end { plain, gelu, norm };

struct wide_args {
  const half* x = nullptr;        ///< bins of `inputs` columns
  const half* weights = nullptr;  ///< see wide_tape
  const float* bias = nullptr;    ///< [outputs]
  half* y = nullptr;              ///< bins of `outputs` columns, or [rows][y_stride]
  int inputs = 0;                 ///< a multiple of 64
  int outputs = 0;                ///< a multiple of 384
  int rows = 0;                   ///< bins have room for a multiple of 128
  int y_stride = 0;               ///< 0: y is bins

  DUPQ_HOST_DEVICE constexpr int tiles() const noexcept {
    return (rows + wide_rows - 1) / wide_rows * (outputs / wide_outputs);
  }
};
/// outputs: 768.
struct wide_norm_args : wide_args {
  static constexpr int cluster = 2;  ///< blocks that own rows together
  const half* residual = nullptr;    ///< bins of `outputs` columns; may be y
  const float* gain = nullptr;       ///< [outputs]
  const float* norm_bias = nullptr;  ///< [outputs]
  float epsilon = 0;
};

/// A stage: 64 columns of the block's rows, a bin each warpgroup, and the weights for them.
struct wide_stages {
  static constexpr std::uint32_t bytes = 2 * panel_bytes + wide_tape::piece_bytes;
  const wide_args& args;

  DUPQ_DEVICE void operator()(int item, std::uint32_t to, std::uint32_t barrier) const noexcept {
    const int panels = args.inputs / panel_columns, columns = args.outputs / wide_outputs;
    const int tile = ptx::block_index() + item / panels * ptx::block_count(), panel = item % panels;
    const auto bin = static_cast<std::size_t>(tile / columns * 2), all = static_cast<std::size_t>(panels);
    const std::size_t piece = static_cast<std::size_t>(tile % columns) * all + static_cast<std::size_t>(panel);
    DUPQ_GPU_UNROLL
    for (std::uint32_t b = 0; b < 2; ++b)
      ptx::bulk_load(to + b * panel_bytes,
                     args.x + ((bin + b) * all + static_cast<std::size_t>(panel)) * (panel_bytes / 2), panel_bytes,
                     barrier);
    ptx::bulk_load(to + 2 * panel_bytes, args.weights + piece * (wide_tape::piece_bytes / 2), wide_tape::piece_bytes,
                   barrier);
  }
};

struct wide_shape {
  using ring = stage_ring<3, wide_stages::bytes, 8, wide_stages>;
  static constexpr int threads = 256;
  static constexpr std::uint32_t barriers = ring::bytes;
  static constexpr std::uint32_t exchange =
      round_up(barriers + ring::barrier_bytes, 16);  ///< two of 128 rows, by turns
  static constexpr std::uint32_t vectors = exchange + 2 * wide_rows * 8;
  static constexpr std::uint32_t vector_bytes = wide_outputs * 4;

  static constexpr std::size_t shared_bytes(int outputs) noexcept {
    return vectors + static_cast<std::size_t>(outputs / wide_outputs) * vector_bytes;
  }
  static constexpr std::size_t norm_shared_bytes = vectors + 3 * vector_bytes;
};

/// Where a lane's two rows of a block of outputs lie.
struct wide_place {
  char* at;
  std::uint32_t next;
  bool wanted[2];
  std::uint32_t stride;
  int odd;

  /// `row` of the matrix, which has `outputs` columns in bins where `y_stride` is 0.
  DUPQ_DEVICE wide_place(half* y, int row, int first_column, int lane, const wide_args& args, int y_stride) noexcept {
    const bool bins = y_stride == 0;
    stride = bins ? panel_bytes : 2 * panel_columns;
    odd = !bins || row % 8 < 4 ? 64 : -64;
    DUPQ_GPU_UNROLL
    for (int r = 0; r < 2; ++r) wanted[r] = bins || row + 8 * r < args.rows;
    at = reinterpret_cast<char*>(y);
    if (bins)
      at += static_cast<std::size_t>(row / static_cast<int>(bin_rows)) * bin_bytes(args.outputs) +
            bin_bytes(first_column) +
            bin_offset(static_cast<std::uint32_t>(row) % bin_rows, static_cast<std::uint32_t>(lane % 4));
    else
      at += (static_cast<std::size_t>(row) * static_cast<std::size_t>(y_stride) +
             static_cast<std::size_t>(first_column + lane % 4 * 8)) *
            2;
    next = bins ? 1024 : 16 * static_cast<std::uint32_t>(y_stride);
  }
  DUPQ_DEVICE char* of(int r, int chunk) const noexcept {
    return at + static_cast<std::uint32_t>(r) * next + static_cast<std::uint32_t>(chunk / 8) * stride +
           (chunk % 8 == 0 ? 0 : odd);
  }
  DUPQ_DEVICE void store(int r, int chunk, const float (&v)[8]) const noexcept {
    if (wanted[r]) ptx::store_global4(of(r, chunk), narrow(v));
  }
};

/// sums = the block's rows by its outputs.
DUPQ_DEVICE inline void multiply_wide(wide_shape::ring& stages, int group, int lane, int panels,
                                      row_halves& sums) noexcept {
  DUPQ_GPU_ROLLED
  for (int k = 0; k < panels; ++k) {
    const std::uint32_t stage = stages.get();
    const std::uint64_t a = ptx::descriptor128(stage + static_cast<std::uint32_t>(group) * panel_bytes);
    const std::uint64_t b = ptx::descriptor128(stage + 2 * panel_bytes);
    ptx::warpgroup_fence();
    DUPQ_GPU_UNROLL
    for (std::uint32_t h = 0; h < 2; ++h) DUPQ_GPU_UNROLL
    for (std::uint32_t q = 0; q < 4; ++q)
      ptx::warpgroup_multiply(sums[h], a + q * 2, b + h * (wide_tape::piece_bytes / 32) + q * 2, k != 0 || q != 0);
    ptx::warpgroup_commit();
    ptx::warpgroup_wait<0>();
    stages.put(lane);
  }
}

/// What the products' kernels begin with: barriers, and vectors in shared memory that `vector(number)` points to.
/// Blocks of a cluster begin together: none may write to the other before it is there.
template <bool Cluster, class Vector>
DUPQ_DEVICE inline void prepare_wide(wide_shape::ring& stages, std::uint32_t vectors, int count,
                                     Vector&& vector) noexcept {
  const int thread = ptx::thread_index();
  if (thread == 0) {
    stages.init();
    ptx::fence_barriers();
  }
  DUPQ_GPU_ROLLED
  for (int i = thread; i < count * wide_outputs; i += wide_shape::threads)
    ptx::store_shared(vectors + static_cast<std::uint32_t>(i / wide_outputs) * wide_shape::vector_bytes +
                          vector_offset(i % wide_outputs),
                      ptx::load_constant(vector(i / wide_outputs) + i % wide_outputs));
  if (Cluster)
    ptx::cluster_barrier();
  else
    ptx::block_barrier();
  ptx::launch_next_kernel();
  ptx::wait_for_previous_kernel();
  if (thread == 0) stages.start();
}

/// y = act(x W^T + b). Blocks: up to args.tiles(). Shared memory: wide_shape::shared_bytes(outputs). sm_90a.
template <wide_end End>
DUPQ_KERNEL(wide_shape::threads, 1)
wide_kernel(wide_args args) {
#if DUPQ_WARPGROUPS
  const int thread = ptx::thread_index(), group = ptx::uniform(thread / 128), lane = thread % 32;
  const int panels = args.inputs / panel_columns, columns = args.outputs / wide_outputs;
  const int count = (args.tiles() - ptx::block_index() + ptx::block_count() - 1) / ptx::block_count();
  const std::uint32_t shared = ptx::shared_base(), vectors = shared + wide_shape::vectors;
  wide_shape::ring stages(shared, shared + wide_shape::barriers, {args}, count * panels);
  prepare_wide<false>(stages, vectors, columns, [&](int v) { return args.bias + v * wide_outputs; });
  DUPQ_GPU_ROLLED
  for (int n = 0; n < count; ++n) {
    const int tile = ptx::block_index() + n * ptx::block_count(), column = tile % columns;
    row_halves sums;
    multiply_wide(stages, group, lane, panels, sums);
    const int row = tile / columns * wide_rows + group * static_cast<int>(bin_rows) + thread % 128 / 32 * 16 + lane / 4;
    const wide_place to(args.y, row, column * wide_outputs, lane, args, args.y_stride);
    const std::uint32_t from = vectors + static_cast<std::uint32_t>(column) * wide_shape::vector_bytes +
                               static_cast<std::uint32_t>(lane % 4) * 4;
    each_group([&](int h, int g, int chunk) {
      float bias[8];
      load_vector(from, chunk, bias);
      DUPQ_GPU_UNROLL
      for (int r = 0; r < 2; ++r) {
        float v[8];
        DUPQ_GPU_UNROLL
        for (int i = 0; i < 8; ++i) {
          v[i] = number(sums[h], g, r, i) + bias[i];
          if (End == wide_end::gelu) v[i] = fast_gelu(v[i]);
        }
        to.store(r, chunk, v);
      }
    });
  }
#endif
}

/// y = norm(x W^T + b + residual). Blocks: an even number up to args.tiles(), in clusters of two. Shared memory:
/// wide_shape::norm_shared_bytes. sm_90a.
template <wide_end End>
DUPQ_KERNEL(wide_shape::threads, 1)
wide_norm_kernel(wide_norm_args args) {
#if DUPQ_WARPGROUPS
  static_assert(End == wide_end::norm);
  const int thread = ptx::thread_index(), group = ptx::uniform(thread / 128), lane = thread % 32;
  const int panels = args.inputs / panel_columns, rank = ptx::block_index() % 2;  // in its cluster
  const int count = (args.tiles() - ptx::block_index() + ptx::block_count() - 1) / ptx::block_count();
  const std::uint32_t shared = ptx::shared_base(), vectors = shared + wide_shape::vectors;
  wide_shape::ring stages(shared, shared + wide_shape::barriers, {args}, count * panels);
  prepare_wide<true>(stages, vectors, 3, [&](int v) {
    return (v == 0 ? args.bias : v == 1 ? args.gain : args.norm_bias) + rank * wide_outputs;
  });
  const std::uint32_t own_vectors = vectors + static_cast<std::uint32_t>(lane % 4) * 4;
  const int row_of_block = group * static_cast<int>(bin_rows) + thread % 128 / 32 * 16 + lane / 4;
  DUPQ_GPU_ROLLED
  for (int n = 0; n < count; ++n) {
    const int row = (ptx::block_index() + n * ptx::block_count()) / 2 * wide_rows + row_of_block;
    row_halves sums;
    multiply_wide(stages, group, lane, panels, sums);
    const wide_place residual(const_cast<half*>(args.residual), row, rank * wide_outputs, lane, args, 0);
    each_group([&](int h, int g, int chunk) {
      float bias[8];
      load_vector(own_vectors, chunk, bias);
      DUPQ_GPU_UNROLL
      for (int r = 0; r < 2; ++r) {
        float v[8];
        widen(ptx::load_global4(residual.of(r, chunk)), v);
        DUPQ_GPU_UNROLL
        for (int i = 0; i < 8; ++i) number(sums[h], g, r, i) = number(sums[h], g, r, i) + bias[i] + v[i];
      }
    });
    float means[2], squares[2];
    measure_rows(sums, means, squares);
    // The other block's half of the rows; there are two places for it, because it may be a tile ahead.
    const std::uint32_t slot =
        shared + wide_shape::exchange + static_cast<std::uint32_t>((n % 2 * wide_rows + row_of_block) * 8);
    DUPQ_GPU_UNROLL
    for (std::uint32_t r = 0; r < 2; ++r)
      if (lane % 4 == 0) {
        const std::uint32_t there = ptx::cluster_address(slot + r * 64, 1 - rank);
        ptx::store_cluster(there, ptx::as_bits(means[r]));
        ptx::store_cluster(there + 4, ptx::as_bits(squares[r]));
      }
    ptx::cluster_barrier();
    DUPQ_GPU_UNROLL
    for (std::uint32_t r = 0; r < 2; ++r) {
      const float mean = ptx::as_float(ptx::load_shared(slot + r * 64)), apart = means[r] - mean;
      const float all = squares[r] + ptx::as_float(ptx::load_shared(slot + r * 64 + 4)) + apart * apart * 192.0f;
      means[r] = 0.5f * (means[r] + mean);
      squares[r] = ptx::fast_rsqrt(all * (1.0f / 768) + args.epsilon);
    }
    const wide_place to(args.y, row, rank * wide_outputs, lane, args, args.y_stride);
    scale_rows(sums, means, squares, own_vectors + wide_shape::vector_bytes, own_vectors + 2 * wide_shape::vector_bytes,
               [&](int chunk, int r, const float(&v)[8]) { to.store(r, chunk, v); });
  }
#endif
}

}  // namespace dupq::inline DUPQ_ABI::gpu
