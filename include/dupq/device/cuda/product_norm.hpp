// A linear layer with its bias, residual connection and norm: a block owns whole rows.
#pragma once

#include <cstdint>

#include "block_product.hpp"
#include "quad.hpp"
#include "row.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// y = norm((x W^T + bias) + y), [rows][Hidden] of half precision, as are x [rows][inputs] and W [Hidden][inputs];
/// `inputs` is a multiple of 32.
struct product_norm_task {
  const std::uint16_t* x;
  const std::uint16_t* weights;
  const float* bias;
  norm scale;
  std::uint16_t* y;
  unsigned rows, inputs;
};

template <unsigned Hidden>
struct product_norm {
  using block = block_product<Hidden>;
  static constexpr unsigned threads = block::threads;
  static constexpr unsigned shared_bytes(bool asynchronous) noexcept { return block::shared_bytes(asynchronous); }
  static constexpr unsigned blocks(unsigned rows) noexcept { return (rows + block::rows - 1) / block::rows; }

  template <machine M>
  static DUPQ_DEVICE void run(const product_norm_task& task) {
    const unsigned first_row = M::block() * block::rows;
    const unsigned own_row = first_row + block::template first_row_of_lane<M>();
    std::uint16_t* const y = task.y + std::size_t{own_row} * Hidden + block::template first_column<M>();
    block made;
    made.template start<M>(task.bias);
    add_residual<M>(task, y, own_row, made);  // first: afterwards, registers are scarce
    made.template run<M>(task.x, nullptr, first_row, task.rows, task.weights, task.inputs);

    float of_row[8];  // of this lane's rows, in the order of for_each_row
    block::for_each_row([&](unsigned m, unsigned half, unsigned) {
      float sum = 0;
      DUPQ_UNROLL
      for (unsigned n = 0; n < 6; ++n) sum += made.sums[m][n][2 * half] + made.sums[m][n][2 * half + 1];
      of_row[2 * m + half] = sum;
    });
    M::sync();  // nobody reads the last stage any more
    sum_rows<M>(of_row);
    block::for_each_row([&](unsigned m, unsigned half, unsigned) {
      const float mean = of_row[2 * m + half] * (1.0f / Hidden);
      float squares = 0;
      DUPQ_UNROLL
      for (unsigned n = 0; n < 6; ++n) DUPQ_UNROLL
      for (unsigned i = 0; i < 2; ++i) {
        float& v = made.sums[m][n][2 * half + i];
        v -= mean;
        squares += v * v;
      }
      of_row[2 * m + half] = squares;
    });
    sum_rows<M>(of_row);
    DUPQ_UNROLL
    for (float& v : of_row) v = M::inverse_sqrt(v * (1.0f / Hidden) + task.scale.epsilon);
    store<M>(task, y, own_row, made, of_row);
  }

 private:
  /// v of this lane's rows becomes its sum over the whole row, added up in a fixed order.
  template <machine M>
  static DUPQ_DEVICE void sum_rows(float (&v)[8]) {
    const std::uint32_t parts = M::shared(), totals = parts + block::warps * block::rows * 4;  // [warps][rows], [rows]
    const unsigned own = block::template first_row_of_lane<M>();
    block::for_each_row([&](unsigned m, unsigned half, unsigned row) {
      const float sum = sum_over_lanes<M, 4>(v[2 * m + half]);
      if (M::thread() % 4 == 0) M::store_shared(parts + (M::thread() / warp_size * block::rows + own + row) * 4, sum);
    });
    M::sync();
    if (M::thread() < block::rows) {
      float sum = 0;
      DUPQ_UNROLL
      for (unsigned w = 0; w < block::warps; ++w) sum += M::load_shared(parts + (w * block::rows + M::thread()) * 4);
      M::store_shared(totals + M::thread() * 4, sum);
    }
    M::sync();
    block::for_each_row(
        [&](unsigned m, unsigned half, unsigned row) { v[2 * m + half] = M::load_shared(totals + (own + row) * 4); });
  }

  template <machine M>
  static DUPQ_DEVICE void add_residual(const product_norm_task& task, const std::uint16_t* y, unsigned own_row,
                                       block& made) {
    block::for_each_row([&](unsigned m, unsigned half, unsigned row) {
      DUPQ_UNROLL
      for (unsigned n = 0; n < 6; n += 2) {
        const quad_pairs before = quad_load<M>(y + row * Hidden + 8 * n, own_row + row < task.rows);
        const float_pair a = M::unpack(before.first), b = M::unpack(before.second);
        made.sums[m][n][2 * half] += a.low;
        made.sums[m][n][2 * half + 1] += a.high;
        made.sums[m][n + 1][2 * half] += b.low;
        made.sums[m][n + 1][2 * half + 1] += b.high;
      }
    });
  }

  template <machine M>
  static DUPQ_DEVICE void store(const product_norm_task& task, std::uint16_t* y, unsigned own_row, block& made,
                                const float (&inverse)[8]) {
    const unsigned column = block::template first_column<M>();
    DUPQ_UNROLL
    for (unsigned n = 0; n < 6; n += 2) {
      const unsigned mine = column + 8 * n + M::thread() % 4 * 2;
      const auto pair = [mine](const float* of, unsigned tile) {
        return M::load(reinterpret_cast<const float_pair*>(of + mine + 8 * tile));
      };
      const float_pair gain[2] = {pair(task.scale.gain, 0), pair(task.scale.gain, 1)};
      const float_pair bias[2] = {pair(task.scale.bias, 0), pair(task.scale.bias, 1)};
      block::for_each_row([&](unsigned m, unsigned half, unsigned row) {
        const auto values = [&](unsigned tile) {
          const float(&v)[4] = made.sums[m][n + tile];
          const float by = inverse[2 * m + half];
          return M::pack(v[2 * half] * by * gain[tile].low + bias[tile].low,
                         v[2 * half + 1] * by * gain[tile].high + bias[tile].high);
        };
        quad_store<M>(y + row * Hidden + 8 * n, {values(0), values(1)}, own_row + row < task.rows);
      });
    }
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
