// The kernels that training needs beside those of inference: a table for each instruction set, all of the same bits,
// and `scalar` in plain loops, which defines them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../../device/cpu/scalar.hpp"
#include "../adamw.hpp"
#include "../random.hpp"

namespace dupq::inline DUPQ_ABI {

/// Rows are of n floats, one behind the other. Sums over a row run over 16 partial sums, as in device/cpu/kernels.hpp;
/// sums over rows are chains in their order.
struct training_kernels {
  /// In place: x becomes x^ = (x - mean) * inverse, of each row; y = x^ * gain + bias, the bits of `norm`.
  void (*norm)(std::size_t rows, std::size_t n, const float* gain, const float* bias, float epsilon, float* x,
               float* inverse, float* y) noexcept;
  /// y = x * gain + bias
  void (*norm_output)(std::size_t rows, std::size_t n, const float* gain, const float* bias, const float* x,
                      float* y) noexcept;
  /// With a = dy * gain: dx = inverse * (a - mean(a) - x * mean(a x)). dx may be dy.
  void (*norm_gradient)(std::size_t rows, std::size_t n, const float* gain, const float* x, const float* inverse,
                        const float* dy, float* dx) noexcept;
  /// products = sum over rows of x * y, sums = that of y. x and products may be null.
  void (*column_sums)(std::size_t rows, std::size_t n, const float* x, const float* y, float* products,
                      float* sums) noexcept;
  void (*gelu)(std::size_t n, const float* x, float* y) noexcept;
  /// dy = dy * gelu'(x) and x = gelu(x), in place.
  void (*gelu_gradient)(std::size_t n, float* x, float* dy) noexcept;
  /// Row r is dropped as the key r says; in place. See dropout_rule.
  void (*drop)(std::size_t rows, std::size_t n, dropout_rule rule, const std::uint32_t* keys, float* x) noexcept;
  /// The same of columns: number k of column q, for which keys[q] stands, is x[k * stride + q]. `stride` is a multiple
  /// of 16, and there are as many columns; those from `columns` on become 0. y may be x.
  void (*drop_columns)(std::size_t rows, std::size_t columns, std::size_t stride, dropout_rule rule,
                       const std::uint32_t* keys, const float* x, float* y) noexcept;
  /// Of each column, [rows][stride]: dp = p * (dp - sum of p dp) * scale; sums over 4 partial sums, row mod 4.
  void (*softmax_gradient)(std::size_t rows, std::size_t stride, float scale, const float* p, float* dp) noexcept;
  /// One step of AdamW (see adamw.hpp); g may be null: a gradient of zeros. A first moment below least_first in
  /// magnitude and a second one below least_second become 0: no parameter sees the difference, and a moment that decays
  /// for long would become a denormal, which many CPUs are slow at.
  void (*adamw)(std::size_t n, const adamw_factors& f, const float* g, float* p, float* m, float* v) noexcept;
  /// The sum of squares, over 16 partial sums, in double.
  double (*squares)(std::size_t n, const float* x) noexcept;
  /// y = y + x
  void (*add_to)(std::size_t n, const float* x, float* y) noexcept;
  /// x = x * factor
  void (*multiply)(std::size_t n, float factor, float* x) noexcept;
};

inline constexpr float least_first = 1e-30f, least_second = 1e-36f;

namespace formulas {

/// The derivative of gelu at -a, Phi(-a) - a phi(a), as a polynomial in s = 2a / end - 1 on [0, end]: our own fit
/// (Chebyshev points), within 5e-9 before rounding, 4.3e-7 with it. Beyond `end` it is what it is there. That at a is
/// one less.
inline constexpr gelu_fit<21> gelu_slope{
    5.5f,
    {0.008824889548122883f, 0.0027877390384674072f, -0.07001357525587082f, 0.006835270207375288f, 0.25010913610458374f,
     -0.14515213668346405f, -0.48101168870925903f,  0.6064041256904602f,   0.3488158881664276f,   -1.2164052724838257f,
     0.5868969559669495f,   1.0385414361953735f,    -1.6532036066055298f,  0.42656806111335754f,  1.1419800519943237f,
     -1.368835210800171f,   0.4764948785305023f,    0.2601524591445923f,   -0.33686569333076477f, 0.13910318911075592f,
     -0.022027533501386642f}};

inline float gelu_derivative(float x) noexcept {
  const float positive = x >= 0.0f ? 1.0f : 0.0f, negated = 0.0f - x;
  const float size = x > negated ? x : negated;
  const float a = size < gelu_slope.end ? size : gelu_slope.end;
  const float s = fused(a, 2.0f / gelu_slope.end, -1.0f);
  const float s2 = s * s, s4 = s2 * s2;
  float q = gelu_slope.terms[0];
  for (int i = 1; i < 21; i += 4) {
    const float* const t = gelu_slope.terms + i;
    q = fused(q, s4, fused(fused(t[0], s, t[1]), s2, fused(t[2], s, t[3])));
  }
  return fused(fused(-2.0f, positive, 1.0f), q, positive);
}

}  // namespace formulas

namespace scalar_kernels {

inline void norm_row(std::size_t n, const float* gain, const float* bias, float epsilon, float* x, float* inverse,
                     float* y) noexcept {
  float sums[16] = {}, squares[16] = {};
  for (std::size_t i = 0; i < n; ++i) sums[i % 16] = sums[i % 16] + x[i];
  const float mean = sum_lanes(sums) / static_cast<float>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const float d = x[i] - mean;
    squares[i % 16] = fused(d, d, squares[i % 16]);
  }
  *inverse = 1.0f / std::sqrt(sum_lanes(squares) / static_cast<float>(n) + epsilon);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = (x[i] - mean) * *inverse;
    y[i] = fused(x[i], gain[i], bias[i]);
  }
}

inline void training_norm(std::size_t rows, std::size_t n, const float* gain, const float* bias, float epsilon,
                          float* x, float* inverse, float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r) norm_row(n, gain, bias, epsilon, x + r * n, inverse + r, y + r * n);
}

inline void norm_output(std::size_t rows, std::size_t n, const float* gain, const float* bias, const float* x,
                        float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < n; ++i) y[r * n + i] = fused(x[r * n + i], gain[i], bias[i]);
}

inline void norm_gradient(std::size_t rows, std::size_t n, const float* gain, const float* x, const float* inverse,
                          const float* dy, float* dx) noexcept {
  for (std::size_t r = 0; r < rows; ++r, x += n, dy += n, dx += n) {
    float sums[16] = {}, products[16] = {};
    for (std::size_t i = 0; i < n; ++i) {
      const float a = dy[i] * gain[i];
      sums[i % 16] = fused(dy[i], gain[i], sums[i % 16]);
      products[i % 16] = fused(a, x[i], products[i % 16]);
    }
    const float mean = sum_lanes(sums) / static_cast<float>(n);
    const float slope = sum_lanes(products) / static_cast<float>(n);
    for (std::size_t i = 0; i < n; ++i) dx[i] = fused(-slope, x[i], fused(dy[i], gain[i], -mean)) * inverse[r];
  }
}

inline void column_sums(std::size_t rows, std::size_t n, const float* x, const float* y, float* products,
                        float* sums) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    float sum = 0, product = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      sum = sum + y[r * n + i];
      if (x != nullptr) product = fused(x[r * n + i], y[r * n + i], product);
    }
    sums[i] = sum;
    if (x != nullptr) products[i] = product;
  }
}

inline void training_gelu(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = formulas::gelu(x[i], formulas::gelu_full);
}

inline void gelu_gradient(std::size_t n, float* x, float* dy) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    dy[i] = dy[i] * formulas::gelu_derivative(x[i]);
    x[i] = formulas::gelu(x[i], formulas::gelu_full);
  }
}

inline void drop(std::size_t rows, std::size_t n, dropout_rule rule, const std::uint32_t* keys, float* x) noexcept {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < n; ++i) {
      float& v = x[r * n + i];
      v = rule.keeps(keys[r], static_cast<std::uint32_t>(i)) ? v * rule.scale : 0.0f;
    }
}

inline void drop_columns(std::size_t rows, std::size_t columns, std::size_t stride, dropout_rule rule,
                         const std::uint32_t* keys, const float* x, float* y) noexcept {
  for (std::size_t k = 0; k < rows; ++k)
    for (std::size_t q = 0; q < stride; ++q) {
      const bool kept = q < columns && rule.keeps(keys[q], static_cast<std::uint32_t>(k));
      y[k * stride + q] = kept ? x[k * stride + q] * rule.scale : 0.0f;
    }
}

inline void softmax_gradient(std::size_t rows, std::size_t stride, float scale, const float* p, float* dp) noexcept {
  for (std::size_t q = 0; q < stride; ++q) {
    float sums[4] = {};
    for (std::size_t k = 0; k < rows; ++k) sums[k % 4] = fused(p[k * stride + q], dp[k * stride + q], sums[k % 4]);
    const float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (std::size_t k = 0; k < rows; ++k) {
      float& d = dp[k * stride + q];
      d = (d - sum) * p[k * stride + q] * scale;
    }
  }
}

inline void adamw(std::size_t n, const adamw_factors& f, const float* g, float* p, float* m, float* v) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const float gradient = g == nullptr ? 0.0f : g[i] * f.scale;
    const float kept = p[i] * f.decay, part = gradient * f.rest1, square = gradient * f.rest2;
    const float first = fused(m[i], f.beta1, part), old = v[i] * f.beta2, second = fused(square, gradient, old);
    m[i] = (first > 0.0f - first ? first : 0.0f - first) >= least_first ? first : 0.0f;
    v[i] = second >= least_second ? second : 0.0f;
    p[i] = fused(-f.rate, m[i] / fused(std::sqrt(v[i]), f.root, f.epsilon), kept);
  }
}

inline double squares(std::size_t n, const float* x) noexcept {
  double sums[16] = {};
  for (std::size_t i = 0; i < n; ++i) {  // the product of two floats is exact
    const auto one = static_cast<double>(x[i]);
    sums[i % 16] += one * one;
  }
  for (std::size_t half = 8; half != 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  return sums[0];
}

inline void add_to(std::size_t n, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = y[i] + x[i];
}

inline void multiply(std::size_t n, float factor, float* x) noexcept {
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] * factor;
}

inline constexpr training_kernels training_table{
    training_norm, norm_output,      norm_gradient, column_sums, training_gelu, gelu_gradient, drop,
    drop_columns,  softmax_gradient, adamw,         squares,     add_to,        multiply};

}  // namespace scalar_kernels
}  // namespace dupq::inline DUPQ_ABI
