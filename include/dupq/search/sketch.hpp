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

/// Finds directions by subspace iteration on the second moments of some rows. The bits are the same from any number of
/// workers, table and compiler: an index keeps them.
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
    take_columns(row, rows, dim, k, workers, columns);
    find_moments(filters, dim, workers, columns, moments);
    float* const turned = columns;  // [dim][size]
    std::uint32_t state = 1;        // any start that has something of every direction
    for (std::size_t i = 0; i < size * dim; ++i)
      basis[i] = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
    make_orthonormal(k, dim, size, basis, turned, product);
    for (int step = 0; step < steps; ++step) {
      multiply(filters, dim, size, workers, basis, moments, product);
      multiply(filters, dim, size, workers, product, moments, basis);
      make_orthonormal(k, dim, size, basis, turned, product);
    }
    make_orthonormal(k, dim, size, basis, turned, product);
    return distance_from_orthonormal(k, dim, size, basis, product);
  }

 private:
  static constexpr int steps = 5;                    // of two products each: floats have digits to spare for the second
  static constexpr std::size_t rows_at_a_time = 16;  // sketches have whole multiples of them

  /// Rows from all parts of the set, of the length 1, transposed. Those that are not finite, or nothing, are left out.
  template <class Row>
  static void take_columns(Row&& row, std::size_t rows, std::size_t dim, const kernels& k, const executor& workers,
                           float* to) noexcept {
    constexpr std::size_t line = 16;  // floats of a cache line: rows at a time
    const std::size_t n = samples(dim);
    workers.run(n / line, [&](std::size_t part, std::size_t) {
      const float_environment ieee;
      const float* x[line];
      float times[line];
      for (std::size_t s = 0; s < line; ++s) {
        x[s] = row((part * line + s) * rows / n);
        float square = 0;
        k.dots(dim, x[s], 1, dim, x[s], &square);
        times[s] = square >= 1e-20f && square <= 1e20f ? 1 / std::sqrt(square) : 0.0f;
      }
      for (std::size_t c = 0; c < dim; ++c)
        for (std::size_t s = 0; s < line; ++s) to[c * n + part * line + s] = times[s] > 0 ? x[s][c] * times[s] : 0.0f;
    });
  }
  /// moments[i][j] = columns[i] . columns[j]
  static void find_moments(const filter_kernels& filters, std::size_t dim, const executor& workers,
                           const float* columns, float* moments) noexcept {
    const std::size_t n = samples(dim);
    workers.run((dim + rows_at_a_time - 1) / rows_at_a_time, [&](std::size_t part, std::size_t) {
      const float_environment ieee;
      const std::size_t i = part * rows_at_a_time, count = std::min(rows_at_a_time, dim - i);
      filters.all_dots(n, count, columns + i * n, dim - i, columns + i * n, dim, moments + i * dim + i);
    });
    for (std::size_t i = 0; i < dim; ++i)
      for (std::size_t j = 0; j < i; ++j) moments[i * dim + j] = moments[j * dim + i];
  }
  /// to[i][j] = rows[i] . moments[j]
  static void multiply(const filter_kernels& filters, std::size_t dim, std::size_t size, const executor& workers,
                       const float* rows, const float* moments, float* to) noexcept {
    workers.run(size / rows_at_a_time, [&](std::size_t part, std::size_t) {
      const float_environment ieee;
      const std::size_t at = part * rows_at_a_time * dim;
      filters.all_dots(dim, rows_at_a_time, rows + at, dim, moments, dim, to + at);
    });
  }
  /// Each row without what it has of those before it, some rows at a time, which are products of matrices then. In
  /// `turned`, [dim][size], rows become columns; `room` is for [size][dim] floats.
  static void make_orthonormal(const kernels& k, std::size_t dim, std::size_t size, float* basis, float* turned,
                               float* room) noexcept {
    const filter_kernels& filters = filter_of(k);
    float *const sums = room, *const shares = room + rows_at_a_time * dim;
    for (std::size_t i = 0; i < size; i += rows_at_a_time) {
      float* const rows = basis + i * dim;
      for (int twice = 0; i != 0 && twice < 2; ++twice) {  // once is not exact
        std::fill_n(shares, rows_at_a_time * size, 0.0f);
        filters.all_dots(dim, rows_at_a_time, rows, i, basis, size, shares);
        filters.all_dots(size, rows_at_a_time, shares, dim, turned, dim, sums);
        for (std::size_t c = 0; c < rows_at_a_time * dim; ++c) rows[c] = rows[c] - sums[c];
      }
      for (std::size_t r = 0; r < rows_at_a_time; ++r) make_orthogonal(k, dim, rows, r);
      for (std::size_t c = 0; c < dim; ++c)
        for (std::size_t r = 0; r < rows_at_a_time; ++r) turned[c * size + i + r] = rows[r * dim + c];
    }
  }
  /// Row r without what it has of rows 0..r-1, of the length 1.
  static void make_orthogonal(const kernels& k, std::size_t dim, float* rows, std::size_t r) noexcept {
    float* const row = rows + r * dim;
    float shares[rows_at_a_time];
    for (int twice = 0; twice < 2; ++twice) {
      k.dots(dim, row, r, dim, rows, shares);
      for (std::size_t j = 0; j < r; ++j) subtract(dim, shares[j], rows + j * dim, row);
    }
    float square = 0;
    k.dots(dim, row, 1, dim, row, &square);
    // Rows that are all alike have fewer directions than are asked for: nothing is left, and a row of zeros does no
    // harm but says nothing.
    const float times = square > 1e-30f ? 1 / std::sqrt(square) : 0.0f;
    for (std::size_t c = 0; c < dim; ++c) row[c] = row[c] * times;
  }
  /// row -= share * other, whose products are rounded before they are subtracted.
  static void subtract(std::size_t dim, float share, const float* other, float* row) noexcept {
    struct {
      float products[16];
    } line;
    for (std::size_t c = 0; c < dim; c += 16) {
      const std::size_t count = std::min<std::size_t>(16, dim - c);
      for (std::size_t i = 0; i < count; ++i) line.products[i] = share * other[c + i];
      line = float_environment::pinned(line);
      for (std::size_t i = 0; i < count; ++i) row[c + i] = row[c + i] - line.products[i];
    }
  }
  static float distance_from_orthonormal(const kernels& k, std::size_t dim, std::size_t size, const float* basis,
                                         float* products) noexcept {
    filter_of(k).all_dots(dim, size, basis, size, basis, size, products);
    float sum = 0;
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < size; ++j) {
        const float d = products[i * size + j] - (i == j && products[i * size + j] != 0 ? 1.0f : 0.0f);
        sum += float_environment::pinned(d * d);  // the product is rounded before it is added
      }
    return std::sqrt(sum);
  }
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
