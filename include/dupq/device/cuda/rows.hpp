// Linear layers whose block owns whole rows, so that what follows them needs no other kernel: the residual connection
// with its norm, and a cross-encoder's head.
#pragma once

#include "linear.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// The tile for a width of 128, 256, 384, 512, 768 or 1024: all columns, as many rows as fit the registers.
template <int Width>
using row_tile = tile_shape<1, Width <= 384 ? Width / 32 : 8,
                            Width <= 512   ? 4
                            : Width == 768 ? 2
                                           : 1,
                            Width <= 384 ? 1 : Width / 256, 4>;

/// Shared memory of the kernels below: the ring, and two numbers for each row and warp.
template <int Width>
constexpr std::size_t row_shared_bytes() noexcept {
  using shape = row_tile<Width>;
  return shape::ring_bytes + 2 * sizeof(float) * shape::rows * shape::warp_columns;
}

/// Sums of rows over the warps of a block.
template <class Shape>
class row_sums {
 public:
  /// `room`: rows x warps floats in shared memory that nothing else uses.
  DUPQ_DEVICE row_sums(std::uint32_t room, int lane, int warp) noexcept : room_(room), lane_(lane), warp_(warp) {}

  /// parts[2 t + which]: this lane's part of row 16 t + lane / 4 + 8 which; becomes the row's sum.
  DUPQ_DEVICE void add_up(float (&parts)[2 * Shape::tiles]) const noexcept {
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 2 * Shape::tiles; ++i) {
      const float sum = quad_sum(parts[i]);
      if (lane_ % 4 == 0) ptx::store_shared(row(i) + static_cast<std::uint32_t>(warp_) * 4, ptx::as_bits(sum));
    }
    ptx::block_barrier();
    DUPQ_GPU_UNROLL
    for (int i = 0; i < 2 * Shape::tiles; ++i) {
      parts[i] = 0.0f;
      DUPQ_GPU_UNROLL
      for (int w = 0; w < Shape::warp_columns; w += 4) {
        const ptx::words4 four = ptx::load_shared4(row(i) + static_cast<std::uint32_t>(w) * 4);
        DUPQ_GPU_UNROLL
        for (int k = 0; k < 4; ++k) parts[i] += ptx::as_float(four.w[k]);
      }
    }
  }

 private:
  DUPQ_DEVICE std::uint32_t row(int i) const noexcept {
    return room_ + static_cast<std::uint32_t>((16 * (i / 2) + lane_ / 4 + 8 * (i % 2)) * Shape::warp_columns * 4);
  }
  std::uint32_t room_;
  int lane_, warp_;
};

/// y = norm((x W^T + b) + y); gain and bias of columns from `size` on are 0.
struct linear_norm_args {
  linear_args linear;
  const float* gain = nullptr;  ///< [width]
  const float* bias = nullptr;  ///< [width]
  int size = 0;                 ///< columns that count
  float epsilon = 0;
};

/// Blocks: rows / row_tile<Width>::rows, rounded up. Shared memory: row_shared_bytes<Width>().
template <int Width>
DUPQ_KERNEL(row_tile<Width>::threads, 1)
linear_norm_kernel(linear_norm_args args) {
  using shape = row_tile<Width>;
  const int thread = ptx::thread_index(), lane = thread % 32;
  const int warp = ptx::uniform(thread / 32);
  const int first_row = ptx::block_index() * shape::rows, column = warp * shape::groups * group_outputs;
  const linear_args& to = args.linear;
  ptx::wait_for_previous_kernel();
  const auto row_at = [&](int r) {
    const int row = first_row + r < to.rows ? first_row + r : to.rows - 1;
    return to.x + static_cast<std::size_t>(row) * static_cast<std::size_t>(to.x_stride);
  };
  tile_sums<shape> sums;
  multiply_tile<shape>(ptx::shared_base(), row_at,
                       to.by.weights + static_cast<std::size_t>(column) * static_cast<std::size_t>(to.by.inputs),
                       to.by.inputs, sums);
  ptx::launch_next_kernel();

  float means[2 * shape::tiles], squares[2 * shape::tiles];
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2 * shape::tiles; ++i) means[i] = squares[i] = 0.0f;
  const auto place = [&](int t, int which, int g) {
    const int row = first_row + 16 * t + lane / 4 + 8 * which;
    return to.y + static_cast<std::size_t>(row) * static_cast<std::size_t>(to.y_stride) + column + g * group_outputs +
           lane % 4 * 8;
  };
  const auto inside = [&](int t, int which) { return first_row + 16 * t + lane / 4 + 8 * which < to.rows; };
  DUPQ_GPU_UNROLL
  for (int g = 0; g < shape::groups; ++g) {
    float bias[8];
    load_floats(to.by.bias + column + g * group_outputs + lane % 4 * 8, bias);
    DUPQ_GPU_UNROLL
    for (int t = 0; t < shape::tiles; ++t) DUPQ_GPU_UNROLL
    for (int which = 0; which < 2; ++which) {
      float residual[8] = {};
      if (inside(t, which)) widen(ptx::load_global4(place(t, which, g)), residual);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 8; ++i) {
        float& v = sums[t][g][i / 2][2 * which + i % 2];
        v += bias[i] + residual[i];
        means[2 * t + which] += v;
      }
    }
  }
  const std::uint32_t room = ptx::shared_base() + shape::ring_bytes;
  row_sums<shape>(room, lane, warp).add_up(means);
  const float part = 1.0f / static_cast<float>(args.size);
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2 * shape::tiles; ++i) means[i] *= part;
  DUPQ_GPU_UNROLL
  for (int g = 0; g < shape::groups; ++g) DUPQ_GPU_UNROLL
  for (int i = 0; i < 8; ++i)
    if (column + g * group_outputs + lane % 4 * 8 + i < args.size) {
      DUPQ_GPU_UNROLL
      for (int t = 0; t < shape::tiles; ++t) DUPQ_GPU_UNROLL
      for (int which = 0; which < 2; ++which) {
        const float distance = sums[t][g][i / 2][2 * which + i % 2] - means[2 * t + which];
        squares[2 * t + which] += distance * distance;
      }
    }
  row_sums<shape>(room + shape::rows * shape::warp_columns * 4, lane, warp).add_up(squares);
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2 * shape::tiles; ++i) squares[i] = ptx::fast_rsqrt(squares[i] * part + args.epsilon);
  DUPQ_GPU_UNROLL
  for (int g = 0; g < shape::groups; ++g) {
    float gain[8], bias[8];
    load_floats(args.gain + column + g * group_outputs + lane % 4 * 8, gain);
    load_floats(args.bias + column + g * group_outputs + lane % 4 * 8, bias);
    DUPQ_GPU_UNROLL
    for (int t = 0; t < shape::tiles; ++t) DUPQ_GPU_UNROLL
    for (int which = 0; which < 2; ++which) {
      float v[8];
      row_of(sums[t][g], which, v);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 8; ++i) v[i] = (v[i] - means[2 * t + which]) * squares[2 * t + which] * gain[i] + bias[i];
      if (inside(t, which)) ptx::store_global4(place(t, which, g), narrow(v));
    }
  }
}

/// logits[text] = classifier . tanh(dense(x[first token of the text])) + its bias.
struct head_args {
  packed_linear dense;
  const float* classifier = nullptr;       ///< [width], 0 from the model's hidden size on
  const float* classifier_bias = nullptr;  ///< one number; null: 0
  const half* x = nullptr;                 ///< [tokens][x_stride]
  const std::uint32_t* offsets = nullptr;  ///< [texts + 1]
  const std::uint32_t* places = nullptr;   ///< [texts]: a text's place among the logits; null: its number
  float* logits = nullptr;                 ///< [texts]
  int texts = 0, x_stride = 0;
};

/// Blocks: texts / row_tile<Width>::rows, rounded up. Shared memory: row_shared_bytes<Width>().
template <int Width>
DUPQ_KERNEL(row_tile<Width>::threads, 1)
head_kernel(head_args args) {
  using shape = row_tile<Width>;
  const int thread = ptx::thread_index(), lane = thread % 32;
  const int warp = ptx::uniform(thread / 32);
  const int first = ptx::block_index() * shape::rows, column = warp * shape::groups * group_outputs;
  ptx::wait_for_previous_kernel();
  const auto row_at = [&](int r) {
    const int text = first + r < args.texts ? first + r : args.texts - 1;
    return args.x +
           static_cast<std::size_t>(ptx::load_global(args.offsets + text)) * static_cast<std::size_t>(args.x_stride);
  };
  tile_sums<shape> sums;
  multiply_tile<shape>(
      ptx::shared_base(), row_at,
      args.dense.weights + static_cast<std::size_t>(column) * static_cast<std::size_t>(args.dense.inputs),
      args.dense.inputs, sums);
  ptx::launch_next_kernel();
  float parts[2 * shape::tiles];
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2 * shape::tiles; ++i) parts[i] = 0.0f;
  DUPQ_GPU_UNROLL
  for (int g = 0; g < shape::groups; ++g) {
    float bias[8], weights[8];
    load_floats(args.dense.bias + column + g * group_outputs + lane % 4 * 8, bias);
    load_floats(args.classifier + column + g * group_outputs + lane % 4 * 8, weights);
    DUPQ_GPU_UNROLL
    for (int t = 0; t < shape::tiles; ++t) DUPQ_GPU_UNROLL
    for (int which = 0; which < 2; ++which) DUPQ_GPU_UNROLL
    for (int i = 0; i < 8; ++i)
      parts[2 * t + which] += tanh(sums[t][g][i / 2][2 * which + i % 2] + bias[i]) * weights[i];
  }
  row_sums<shape>(ptx::shared_base() + shape::ring_bytes, lane, warp).add_up(parts);
  const float bias = args.classifier_bias == nullptr ? 0.0f : ptx::as_float(ptx::load_constant(args.classifier_bias));
  DUPQ_GPU_UNROLL
  for (int i = 0; i < 2 * shape::tiles; ++i) {
    const int text = first + 16 * (i / 2) + lane / 4 + 8 * (i % 2);
    if (warp == 0 && lane % 4 == 0 && text < args.texts)
      ptx::store_global(args.logits + (args.places == nullptr ? static_cast<std::uint32_t>(text)
                                                              : ptx::load_global(args.places + text)),
                        ptx::as_bits(parts[i] + bias));
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
