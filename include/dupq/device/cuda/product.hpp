// A linear layer with its bias and activation.
#pragma once

#include <cstdint>

#include "../device.hpp"
#include "block_product.hpp"
#include "quad.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// y = act(x W^T + bias), [rows][outputs] of half precision, as are x [..][inputs] and W [outputs][inputs].
/// `outputs` is a multiple of the kernel's columns, `inputs` of 32.
struct product_task {
  const std::uint16_t* x;
  const std::uint32_t* gather;  ///< [rows], the rows of x; null: all in turn
  const std::uint16_t* weights;
  const float* bias;
  std::uint16_t* y;
  unsigned rows, outputs, inputs;
};

template <machine M, activation Activation>
DUPQ_DEVICE float activated(float v) {
  if constexpr (Activation == activation::tanh) return M::tanh(v);
  if constexpr (Activation == activation::gelu) {  // within 5e-4 of the exact one, as half precision is at 1
    const float half = 0.5f * v;
    return half + half * M::tanh(v * (0.7978845608f + 0.0356774081f * (v * v)));
  }
  return v;
}

template <unsigned Columns, activation Activation>
struct product {
  using block = block_product<Columns>;
  static constexpr unsigned threads = block::threads;
  static constexpr unsigned shared_bytes(bool asynchronous) noexcept { return block::shared_bytes(asynchronous); }
  static constexpr unsigned blocks(unsigned rows, unsigned outputs) noexcept {
    return (rows + block::rows - 1) / block::rows * (outputs / Columns);
  }

  template <machine M>
  static DUPQ_DEVICE void run(const product_task& task) {
    const unsigned across = task.outputs / Columns;  // blocks that follow each other share their rows of x
    const unsigned first_row = M::block() / across * block::rows, first_output = M::block() % across * Columns;
    block made;
    made.template start<M>(task.bias + first_output);
    made.template run<M>(task.x, task.gather, first_row, task.rows,
                         task.weights + std::size_t{first_output} * task.inputs, task.inputs);
    const unsigned own_row = first_row + block::template first_row_of_lane<M>();
    std::uint16_t* const y =
        task.y + std::size_t{own_row} * task.outputs + first_output + block::template first_column<M>();
    block::for_each_row([&](unsigned m, unsigned half, unsigned row) {
      DUPQ_UNROLL
      for (unsigned n = 0; n < 6; n += 2) {
        const auto pair = [&](const float(&v)[4]) {
          return M::pack(activated<M, Activation>(v[2 * half]), activated<M, Activation>(v[2 * half + 1]));
        };
        quad_store<M>(y + row * task.outputs + 8 * n, {pair(made.sums[m][n]), pair(made.sums[m][n + 1])},
                      own_row + row < task.rows);
      }
    });
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
