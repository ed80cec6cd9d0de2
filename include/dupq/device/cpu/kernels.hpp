// The table of kernels that every instruction set fills in. All tables give the same bits; `scalar` defines them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../device.hpp"

namespace dupq::inline DUPQ_ABI {

/// A row of activations is scale * (q - zero).
struct row_scale {
  float scale = 0;
  std::int32_t zero = 0;
};

/// Products of one chain of fused multiply-adds. With chains of all 768 products one odd text came out 1.2e-5 from the
/// truth through all-mpnet-base-v2, with chains of 96 it is 3e-7; shorter ones cost time.
inline constexpr std::size_t chain = 96;

/// Where a matrix product goes: c = act(sums + bias) + residual.
struct gemm_output {
  float* c = nullptr;  ///< [m][n], rows `c_stride` apart
  std::size_t c_stride = 0;
  std::size_t m = 0, n = 0;
  const float* bias = nullptr;      ///< [n], or none
  const float* residual = nullptr;  ///< as c, or none; may be c itself
  activation act = activation::none;

  /// From now on only the columns of panels first..last-1.
  void keep_panels(std::size_t first, std::size_t last) noexcept {
    const std::size_t column = first * panel_width;
    n = std::min(n, last * panel_width) - column;
    c += column;
    if (bias != nullptr) bias += column;
    if (residual != nullptr) residual += column;
  }
};

/// Each sum is made of chains over k ascending, started at 0 and added in order.
struct gemm_args : gemm_output {
  const float* a = nullptr;  ///< element (m, k) at a[m * a_stride + k * a_step]
  std::size_t a_stride = 0;
  std::size_t a_step = 1;
  const float* b = nullptr;  ///< element (k, n) at b[n / 16 * panel_stride + k * b_stride + n % 16]
  std::size_t panel_stride = 0;
  std::size_t b_stride = panel_width;
  std::size_t k = 0;

  /// Bytes from a panel of weights to the next, which kernels ask for ahead of time. 0 where b is no weights: such a
  /// product has no bias.
  std::size_t panel_bytes() const noexcept { return bias == nullptr ? 0 : panel_stride * sizeof(float); }
  /// The part of the product that has panels first..last-1.
  gemm_args panels(std::size_t first, std::size_t last) const noexcept {
    gemm_args part = *this;
    part.keep_panels(first, last);
    part.b += first * panel_stride;
    return part;
  }
};

/// The product of 8-bit integers: sum = (a b - zero * column sum of b), exact, times the row's and the column's scale.
struct gemm8_args : gemm_output {
  const std::uint8_t* a = nullptr;      ///< [m][4 * groups], what `quantize` writes
  const row_scale* a_scales = nullptr;  ///< [m]
  const std::int8_t* b = nullptr;       ///< [panels][groups][16][4], values in [-64, 64]: two products fit 16 bits
  const float* scales = nullptr;        ///< [n]
  const std::int32_t* sums = nullptr;   ///< [n], of each column of b
  std::size_t groups = 0;               ///< of four inputs

  std::size_t panel_bytes() const noexcept { return groups * 4 * panel_width; }
  /// The part of the product that has panels first..last-1.
  gemm8_args panels(std::size_t first, std::size_t last) const noexcept {
    gemm8_args part = *this;
    part.keep_panels(first, last);
    part.b += first * panel_bytes();
    part.scales += first * panel_width;
    part.sums += first * panel_width;
    return part;
  }
};

/// Sums of n terms run over 16 partial sums, lane = index mod 16, each started at +0, then halves 8, 4, 2, 1.
/// max(x, m) is x > m ? x : m.
struct kernels {
  const char* name;
  void (*gemm)(const gemm_args& args) noexcept;
  void (*widen)(const std::byte* row, row_format format, std::size_t n, float* out) noexcept;  ///< widen.hpp
  /// y = (a + b) + c; b may be null.
  void (*add_rows)(std::size_t n, const float* a, const float* b, const float* c, float* y) noexcept;
  /// In place, over `rows` rows of n, `stride` apart.
  void (*norm)(std::size_t rows, std::size_t n, std::size_t stride, const float* gain, const float* bias, float epsilon,
               float* x) noexcept;
  /// Over each column of x, [keys][stride]: x = softmax(x * scale + bias), in place, where key k of query q has
  /// bias[q - k]; bias may be null. Works on whole panels: x must have room for columns up to the next multiple of 16,
  /// and what stands in those beyond the last query is overwritten.
  void (*softmax)(std::size_t keys, std::size_t queries, std::size_t stride, float scale, const float* bias,
                  float* x) noexcept;
  /// Panels of x^T: element (column, row) of x at panels[row / 16 * columns * 16 + column * 16 + row % 16], pads 0.
  void (*transpose)(std::size_t rows, std::size_t columns, std::size_t stride, const float* x, float* panels) noexcept;
  void (*mean)(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept;
  void (*max)(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept;
  /// y[r] = a . b[r] for `rows` rows of n, `stride` apart
  void (*dots)(std::size_t n, const float* a, std::size_t rows, std::size_t stride, const float* b, float* y) noexcept;
  /// x = x / divisor
  void (*divide)(std::size_t n, float divisor, float* x) noexcept;
  /// Of each of `rows` rows of n, `stride` apart: q = x * factor / scale + zero, nearest even, in 0..255 with 0 among
  /// the values; zeros up to the next multiple of 4, where the next row of q begins. `factors` may be null: then all
  /// are 1. The scale is NaN where an x of the row is NaN or infinite.
  void (*quantize)(std::size_t rows, std::size_t n, std::size_t stride, const float* x, const float* factors,
                   std::uint8_t* q, row_scale* scales) noexcept;
  void (*gemm8)(const gemm8_args& args) noexcept;
};

/// A table that differs from another only in its product of 8-bit integers.
constexpr kernels with_gemm8(const char* name, kernels base, void (*gemm8)(const gemm8_args&) noexcept) noexcept {
  base.name = name;
  base.gemm8 = gemm8;
  return base;
}

}  // namespace dupq::inline DUPQ_ABI
