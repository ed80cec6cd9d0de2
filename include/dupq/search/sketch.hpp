// The directions in which rows differ most: in them a third of the numbers says of nearly all pairs that they are not
// alike. Any orthonormal rows give a bound that holds; these make it a close one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../core/executor.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"
#include "../device/cpu/filter.hpp"

namespace dupq::inline DUPQ_ABI::search_detail {

/// Longer rows have no sketches.
inline constexpr std::size_t most_sketched = 2048;

/// Numbers of a sketch of rows: a third of theirs; 0 where a set is so small that finding the directions takes longer
/// than they save, or rows are too short or long. On 96,843 questions as all-MiniLM-L6-v2 sees them, at a threshold of
/// 0.8, a sketch of a third settles 96 of 100 tiles, of a quarter 92, of a half 98.
constexpr std::size_t sketch_size(std::size_t rows, std::size_t dim) noexcept {
  return rows < 16'384 || dim < 96 || dim > most_sketched ? 0 : dim / 3 / 16 * 16;
}

/// Finds directions by subspace iteration on the second moments of some rows.
class sketch_basis {
 public:
  static constexpr std::size_t samples(std::size_t dim) noexcept { return dim <= 1024 ? 4096 : 2048; }
  static constexpr std::size_t scratch_floats(std::size_t dim) noexcept { return (samples(dim) + dim + dim / 3) * dim; }

  /// row(i) is row i of `rows`; `scratch` has room for scratch_floats(dim) floats. `basis` is [size][dim]; returns how
  /// far it is from orthonormal.
  template <class Row>
  static float find(Row&& row, std::size_t rows, std::size_t dim, std::size_t size, const kernels& k,
                    const executor& workers, float* scratch, float* basis) noexcept {
    float* const columns = scratch;  // [dim][samples]
    float* const moments = columns + samples(dim) * dim;
    float* const product = moments + dim * dim;
    const filter_kernels& filters = filter_of(k);
    take_columns(row, rows, dim, k, columns);
    const std::size_t n = samples(dim), parts = (dim + rows_at_a_time - 1) / rows_at_a_time;
    workers.run(parts, [&](std::size_t part, std::size_t) {
      const float_environment ieee;
      const std::size_t first = part * rows_at_a_time, count = std::min(rows_at_a_time, dim - first);
      filters.all_dots(n, count, columns + first * n, dim, columns, dim, moments + first * dim);
    });
    std::uint32_t state = 1;  // any start that has something of every direction
    for (std::size_t i = 0; i < size * dim; ++i)
      basis[i] = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
    make_orthonormal(k, dim, size, basis);
    for (int step = 0; step < steps; ++step) {
      filters.all_dots(dim, size, basis, dim, moments, dim, product);
      std::copy_n(product, size * dim, basis);
      make_orthonormal(k, dim, size, basis);
    }
    make_orthonormal(k, dim, size, basis);
    return distance_from_orthonormal(k, dim, size, basis, product);
  }

 private:
  static constexpr int steps = 10;
  static constexpr std::size_t rows_at_a_time = 32;

  /// Rows from all parts of the set, of the length 1, transposed. Those that are not finite, or nothing, are left out.
  template <class Row>
  static void take_columns(Row&& row, std::size_t rows, std::size_t dim, const kernels& k, float* to) noexcept {
    const std::size_t n = samples(dim);
    for (std::size_t s = 0; s < n; ++s) {
      const float* const x = row(s * rows / n);
      float square = 0;
      k.dots(dim, x, 1, dim, x, &square);
      const float times = square >= 1e-20f && square <= 1e20f ? 1 / std::sqrt(square) : 0.0f;
      for (std::size_t c = 0; c < dim; ++c) to[c * n + s] = times > 0 ? x[c] * times : 0.0f;
    }
  }
  /// Each row without what it has of those before it, taken away twice, since once is not exact.
  static void make_orthonormal(const kernels& k, std::size_t dim, std::size_t size, float* basis) noexcept {
    float shares[most_sketched / 3];
    for (std::size_t i = 0; i < size; ++i) {
      float* const row = basis + i * dim;
      for (int twice = 0; twice < 2; ++twice) {
        k.dots(dim, row, i, dim, basis, shares);
        for (std::size_t j = 0; j < i; ++j) {
          const float share = shares[j];
          const float* const other = basis + j * dim;
          for (std::size_t c = 0; c < dim; ++c) row[c] = row[c] - share * other[c];
        }
      }
      float square = 0;
      k.dots(dim, row, 1, dim, row, &square);
      // Rows that are all alike have fewer directions than are asked for: nothing is left, and a row of zeros does no
      // harm but says nothing.
      const float times = square > 1e-30f ? 1 / std::sqrt(square) : 0.0f;
      for (std::size_t c = 0; c < dim; ++c) row[c] = row[c] * times;
    }
  }
  static float distance_from_orthonormal(const kernels& k, std::size_t dim, std::size_t size, const float* basis,
                                         float* products) noexcept {
    filter_of(k).all_dots(dim, size, basis, size, basis, size, products);
    float sum = 0;
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < size; ++j) {
        const float d = products[i * size + j] - (i == j && products[i * size + j] != 0 ? 1.0f : 0.0f);
        sum += d * d;
      }
    return std::sqrt(sum);
  }
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
