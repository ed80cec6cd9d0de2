// The kernels in plain loops: they run everywhere and are the specification of bits for every other table.
#pragma once

#include <algorithm>
#include <cmath>

#include "formulas.hpp"
#include "kernels.hpp"

namespace dupq::inline DUPQ_ABI::scalar_kernels {

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

inline float activate(float x, activation act) noexcept {
  switch (act) {
    case activation::gelu: return formulas::gelu(x);
    case activation::tanh: return formulas::tanh(x);
    case activation::none: break;
  }
  return x;
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
            sums[j] = fused(g.a[i * g.a_stride + k], b[k * g.b_stride + j], sums[j]);
        for (std::size_t j = 0; j < width; ++j) totals[j] = start ? sums[j] : totals[j] + sums[j];
      }
      for (std::size_t j = 0; j < width; ++j) {
        float v = totals[j];
        if (g.bias != nullptr) v = v + g.bias[first + j];
        v = activate(v, g.act);
        if (g.residual != nullptr) v = v + g.residual[i * g.c_stride + first + j];
        g.c[i * g.c_stride + first + j] = v;
      }
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

inline void softmax(std::size_t n, float scale, const float* bias, float* x) noexcept {
  float highest[16], sums[16] = {};
  for (float& h : highest) h = -HUGE_VALF;
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = bias == nullptr ? x[i] * scale : fused(x[i], scale, bias[i]);
    highest[i % 16] = x[i] > highest[i % 16] ? x[i] : highest[i % 16];
  }
  const float top = max_lanes(highest);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = formulas::exp_negative(x[i] - top);
    sums[i % 16] = sums[i % 16] + x[i];
  }
  const float inverse = 1.0f / sum_lanes(sums);
  for (std::size_t i = 0; i < n; ++i) x[i] = x[i] * inverse;
  for (std::size_t i = n; i % 16 != 0; ++i) x[i] = 0.0f;
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

inline constexpr kernels table{"scalar", gemm, add_rows, norm, softmax, transpose, mean, max, dots, divide};

}  // namespace dupq::inline DUPQ_ABI::scalar_kernels
