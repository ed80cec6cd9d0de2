// The kernels in plain loops: they run everywhere and are the specification of bits for every other table.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include "../widen.hpp"
#include "formulas.hpp"
#include "kernels.hpp"

namespace dupq::inline DUPQ_ABI::scalar_kernels {

using formulas::exp_negative;
using formulas::fused;

/// 16 partial sums or maxima to one.
inline float sum_lanes(float* lanes) noexcept {
  for (std::size_t half = 8; half != 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] = lanes[i] + lanes[i + half];
  return lanes[0];
}
inline float max_lanes(float* lanes) noexcept {
  for (std::size_t half = 8; half != 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] = lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i];
  return lanes[0];
}

template <bool Short>
float activate(float x, activation act) noexcept {
  switch (act) {
    case activation::gelu: return Short ? gelu(x, formulas::gelu_short) : gelu(x, formulas::gelu_full);
    case activation::tanh: return formulas::tanh(x);
    case activation::none: break;
  }
  return x;
}

/// Activation and residual of one output, whose bias is added already. `Short`: GELU's less exact polynomial suffices.
template <bool Short>
void finish(const gemm_output& g, float v, std::size_t row, std::size_t column) noexcept {
  v = activate<Short>(v, g.act);
  if (g.residual != nullptr) v = v + g.residual[row * g.c_stride + column];
  g.c[row * g.c_stride + column] = v;
}

inline void gemm(const gemm_args& g) noexcept {
  for (std::size_t i = 0; i < g.m; ++i)
    for (std::size_t first = 0; first < g.n; first += panel_width) {
      const std::size_t width = std::min(panel_width, g.n - first);
      const float* const b = g.b + first / panel_width * g.panel_stride;
      float totals[panel_width] = {};
      for (std::size_t k = 0; k < g.k;) {
        float sums[panel_width] = {};
        const bool start = k == 0;
        for (const std::size_t end = std::min(g.k, k + chain); k < end; ++k)
          for (std::size_t j = 0; j < width; ++j)
            sums[j] = fused(g.a[i * g.a_stride + k * g.a_step], b[k * g.b_stride + j], sums[j]);
        for (std::size_t j = 0; j < width; ++j) totals[j] = start ? sums[j] : totals[j] + sums[j];
      }
      for (std::size_t j = 0; j < width; ++j)
        finish<false>(g, g.bias == nullptr ? totals[j] : totals[j] + g.bias[first + j], i, first + j);
    }
}

inline void add_rows(std::size_t n, const float* a, const float* b, const float* c, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) y[i] = (b == nullptr ? a[i] : a[i] + b[i]) + c[i];
}

inline void norm(std::size_t rows, std::size_t n, std::size_t stride, const float* gain, const float* bias,
                 float epsilon, float* x) noexcept {
  for (std::size_t r = 0; r < rows; ++r, x += stride) {
    float sums[16] = {}, squares[16] = {};
    for (std::size_t i = 0; i < n; ++i) sums[i % 16] = sums[i % 16] + x[i];
    const float mean = sum_lanes(sums) / static_cast<float>(n);
    for (std::size_t i = 0; i < n; ++i) {
      const float d = x[i] - mean;
      squares[i % 16] = fused(d, d, squares[i % 16]);
    }
    const float inverse = 1.0f / std::sqrt(sum_lanes(squares) / static_cast<float>(n) + epsilon);
    for (std::size_t i = 0; i < n; ++i) x[i] = fused((x[i] - mean) * inverse, gain[i], bias[i]);
  }
}

inline void softmax(std::size_t keys, std::size_t queries, std::size_t stride, float scale, const float* bias,
                    float* x) noexcept {
  for (std::size_t q = 0; q < round_up(queries, panel_width); ++q) {
    float top = -HUGE_VALF, sums[16] = {};
    for (std::size_t k = 0; k < keys; ++k) {
      float& v = x[k * stride + q];
      v = bias == nullptr ? v * scale : fused(v, scale, *(bias + q - k));
      top = v > top ? v : top;
    }
    for (std::size_t k = 0; k < keys; ++k) {
      float& v = x[k * stride + q];
      v = exp_negative(v - top);
      sums[k % 16] = sums[k % 16] + v;
    }
    const float inverse = 1.0f / sum_lanes(sums);
    for (std::size_t k = 0; k < keys; ++k) x[k * stride + q] = x[k * stride + q] * inverse;
  }
}

inline void transpose(std::size_t rows, std::size_t columns, std::size_t stride, const float* x,
                      float* panels) noexcept {
  for (std::size_t first = 0; first < rows; first += panel_width, panels += columns * panel_width)
    for (std::size_t c = 0; c < columns; ++c)
      for (std::size_t i = 0; i < panel_width; ++i)
        panels[c * panel_width + i] = first + i < rows ? x[(first + i) * stride + c] : 0.0f;
}

inline void mean(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    float sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum = sum + x[r * stride + i];
    y[i] = sum / static_cast<float>(rows);
  }
}

inline void max(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    float m = x[i];
    for (std::size_t r = 1; r < rows; ++r) m = x[r * stride + i] > m ? x[r * stride + i] : m;
    y[i] = m;
  }
}

inline void dots(std::size_t n, const float* a, std::size_t rows, std::size_t stride, const float* b,
                 float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r, b += stride) {
    float sums[16] = {};
    for (std::size_t i = 0; i < n; ++i) sums[i % 16] = fused(a[i], b[i], sums[i % 16]);
    y[r] = sum_lanes(sums);
  }
}

inline void divide(std::size_t n, float divisor, float* x) noexcept {
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] / divisor;
}

/// The nearest integer, ties to even, of a float below 2^22 in magnitude whose sum with round_magic is `t`.
inline std::int32_t rounded(float t) noexcept {
  return std::bit_cast<std::int32_t>(t) - std::bit_cast<std::int32_t>(formulas::round_magic);
}
/// The least range that is not taken for 0: the reciprocal of a smaller one could be infinite.
inline constexpr float least_range = std::bit_cast<float>(std::bit_cast<std::uint32_t>(1e-30f) + 1);
/// The scale for values within [low, high], which hold 0; `inverse` is what they are multiplied with.
inline row_scale scale_of(float low, float high, float& inverse) noexcept {
  const float range = high - low;
  inverse = range >= least_range ? 255.0f / range : 0.0f;
  // An infinite range has the inverse 0 as well; without this test its zero would be computed from a NaN.
  return {range / 255.0f, inverse == 0.0f ? 0 : rounded(fused(-low, inverse, formulas::round_magic))};
}
inline void quantize(std::size_t rows, std::size_t n, std::size_t stride, const float* x, const float* factors,
                     std::uint8_t* q, row_scale* scales) noexcept {
  for (; rows != 0; --rows, x += stride, ++scales) {
    const auto value = [&](std::size_t i) { return factors == nullptr ? x[i] : x[i] * factors[i]; };
    float low = 0, high = 0, spoiled = 0, inverse;
    for (std::size_t i = 0; i < n; ++i) {
      const float v = value(i);
      low = v < low ? v : low;
      high = v > high ? v : high;
      spoiled = fused(v, 0.0f, spoiled);
    }
    *scales = scale_of(low, high + spoiled, inverse);
    for (std::size_t i = 0; i < n; ++i)
      *q++ = static_cast<std::uint8_t>(
          std::clamp<std::int32_t>(rounded(fused(value(i), inverse, formulas::round_magic)) + scales->zero, 0, 255));
    for (std::size_t i = n; i % 4 != 0; ++i) *q++ = 0;
  }
}

inline void gemm8(const gemm8_args& g) noexcept {
  for (std::size_t i = 0; i < g.m; ++i)
    for (std::size_t o = 0; o < g.n; ++o) {
      const std::uint8_t* const a = g.a + i * 4 * g.groups;
      const std::int8_t* const b = g.b + o / panel_width * g.groups * 64 + o % panel_width * 4;
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < 4 * g.groups; ++k) sum += a[k] * b[k / 4 * 64 + k % 4];
      const row_scale& s = g.a_scales[i];
      const float exact = static_cast<float>(sum - s.zero * g.sums[o]);
      finish<true>(g, fused(exact, s.scale * g.scales[o], g.bias[o]), i, o);
    }
}

inline constexpr kernels table{"scalar", gemm, widen, add_rows, norm,     softmax, transpose,
                               mean,     max,  dots,  divide,   quantize, gemm8};

}  // namespace dupq::inline DUPQ_ABI::scalar_kernels
