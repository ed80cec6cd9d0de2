// The product at the heart of all layers: 64 rows of x by `Columns` rows of W, in one block of threads.
#pragma once

#include <cstdint>

#include "fragment.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// x W^T for 64 rows of x [..][inputs] and `Columns` of W [..][inputs], both of half precision; sums are floats.
///
/// Every warp makes all 64 rows of 48 columns: 4 x 6 tiles of 16 x 8. Inputs stream through shared memory in stages;
/// each sum adds its products in the order of the inputs, wherever its row lies, so a row's bits depend on nothing
/// else.
template <unsigned Columns>
struct block_product {
  static_assert(Columns % 48 == 0);
  static constexpr unsigned rows = 64;
  static constexpr unsigned warp_columns = 48;
  static constexpr unsigned warps = Columns / warp_columns;
  static constexpr unsigned threads = warps * warp_size;
  static constexpr unsigned step = Columns > 512 ? 16 : 32;  ///< inputs of a stage, so that three fit 99 KB
  static constexpr unsigned stage_bytes = (rows + Columns) * step * 2;

  template <bool Asynchronous>
  static constexpr unsigned stages = Asynchronous ? 3 : 2;
  /// Of shared memory, for machines with and without asynchronous copies.
  static constexpr unsigned shared_bytes(bool asynchronous) noexcept {
    return (asynchronous ? stages<true> : stages<false>)*stage_bytes;
  }

  float sums[4][6][4];

  /// Sets all sums of a column to its bias, [Columns].
  template <machine M>
  DUPQ_DEVICE void start(const float* bias) {
    DUPQ_UNROLL
    for (unsigned n = 0; n < 6; ++n) {
      const unsigned column = first_column<M>() + 8 * n + M::thread() % 4 * 2;
      const float_pair of = M::load(reinterpret_cast<const float_pair*>(bias + column));
      for_each_row([&](unsigned m, unsigned half, unsigned) {
        sums[m][n][2 * half] = of.low, sums[m][n][2 * half + 1] = of.high;
      });
    }
  }

  /// Adds the products to the sums. `gather` names the rows of x, or is null where they are first_row, first_row + 1,
  /// ...; rows from `end_row` on are zeros. `w` points at the first of the W's rows. x has fewer than 2^32 numbers.
  /// Shared memory is free again after the next barrier.
  template <machine M>
  DUPQ_DEVICE void run(const std::uint16_t* x, const std::uint32_t* gather, unsigned first_row, unsigned end_row,
                       const std::uint16_t* w, unsigned inputs) {
    constexpr int deep = static_cast<int>(stages<M::asynchronous>);
    const unsigned thread = M::thread();
    std::uint32_t x_from[x_each];  // this thread's chunks of the first stage
    bool x_wanted[x_each];
    DUPQ_UNROLL
    for (unsigned n = 0; n < x_each; ++n) {
      const unsigned row = first_row + (thread + n * threads) / chunks;
      x_wanted[n] = row < end_row;
      const unsigned at = x_wanted[n] ? (gather == nullptr ? row : M::load(gather + row)) : 0;
      x_from[n] = at * inputs + thread % chunks * 8;
    }
    const std::uint32_t w_from = thread / chunks * inputs + thread % chunks * 8;
    // Copies that are not asynchronous hold their bytes in registers, which are scarce.
    constexpr unsigned together = M::asynchronous ? w_each : w_each % 2 == 0 ? w_each / 2 : 1;
    const auto copy = [&](unsigned stage) {
      const std::uint32_t to = M::shared() + stage % deep * stage_bytes;
      const unsigned input = stage * step;
      if (input < inputs) {
        DUPQ_UNROLL
        for (unsigned n = 0; n < x_each; ++n)
          if (rows * chunks % threads == 0 || thread + n * threads < rows * chunks)
            M::copy_16(to + place(thread + n * threads), x + (x_from[n] + input), x_wanted[n]);
        DUPQ_NO_UNROLL
        for (unsigned group = 0; group < w_each; group += together) DUPQ_UNROLL
        for (unsigned n = group; n < group + together; ++n)
          M::copy_16(to + rows * step * 2 + place(thread + n * threads),
                     w + (w_from + n * (threads / chunks) * inputs + input), true);
      }
      M::copy_commit();
    };

    DUPQ_UNROLL
    for (int stage = 0; stage < deep - 1; ++stage) copy(static_cast<unsigned>(stage));
    DUPQ_NO_UNROLL
    for (unsigned stage = 0; stage * step < inputs; ++stage) {
      M::template copy_wait<deep - 2>();
      M::sync();  // this stage has landed everywhere, and nobody reads the one before it any more
      copy(stage + deep - 1);
      multiply<M>(M::shared() + stage % deep * stage_bytes);
    }
  }

  /// The first of the 8 rows, of 64, that this lane has values of.
  template <machine M>
  static DUPQ_DEVICE unsigned first_row_of_lane() {
    return M::thread() % warp_size / 4;
  }
  /// Calls f(m, half, row) for these rows: `row` counts from the first, sums are sums[m][0 .. 5][2 half and 2 half +
  /// 1].
  template <class F>
  static DUPQ_DEVICE void for_each_row(F f) {
    DUPQ_UNROLL
    for (unsigned m = 0; m < 4; ++m) DUPQ_UNROLL
    for (unsigned half = 0; half < 2; ++half) f(m, half, 16 * m + 8 * half);
  }
  /// The first column of this warp.
  template <machine M>
  static DUPQ_DEVICE unsigned first_column() {
    return M::thread() / warp_size * warp_columns;
  }

 private:
  using in_rows = gpu::tile<step * 2>;
  static constexpr unsigned chunks = in_rows::chunks;
  static constexpr unsigned x_each = (rows * chunks + threads - 1) / threads;
  static constexpr unsigned w_each = Columns * chunks / threads;
  static_assert(Columns * chunks % threads == 0 && threads % chunks == 0);

  static DUPQ_DEVICE std::uint32_t place(unsigned chunk) { return in_rows::at(chunk / chunks, chunk % chunks); }

  template <machine M>
  DUPQ_DEVICE void multiply(std::uint32_t stage) {
    const unsigned lane = M::thread() % warp_size;
    DUPQ_UNROLL
    for (unsigned k = 0; k < step / 16; ++k) {
      std::uint32_t b[3][4];
      DUPQ_UNROLL
      for (unsigned n = 0; n < 3; ++n) {
        const unsigned row = first_column<M>() + 16 * n + lane / 16 * 8 + lane % 8;
        M::load_matrices(b[n], stage + rows * step * 2 + in_rows::at(row, 2 * k + lane / 8 % 2));
      }
      DUPQ_UNROLL
      for (unsigned m = 0; m < 4; ++m) {
        std::uint32_t a[4];
        M::load_matrices(a, stage + in_rows::at(16 * m + lane % 16, 2 * k + lane / 16));
        DUPQ_UNROLL
        for (unsigned n = 0; n < 6; ++n) M::multiply_add(sums[m][n], a, b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
      }
    }
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
