// The table of kernels that every instruction set fills in. All tables give the same bits; `scalar` defines them.
#pragma once

#include <cstddef>

#include "../device.hpp"

namespace dupq::inline DUPQ_ABI {

/// Products of one chain of fused multiply-adds. With chains of all 768 products one odd text came out 1.2e-5 from the
/// truth through all-mpnet-base-v2, with chains of 96 it is 3e-7; shorter ones cost time.
inline constexpr std::size_t chain = 96;

/// c = act(a b + bias) + residual. Each output is the sum, in order, of chains over k ascending, started at 0.
struct gemm_args {
  const float* a = nullptr;  ///< [m][k], rows `a_stride` apart
  std::size_t a_stride = 0;
  const float* b = nullptr;  ///< element (k, n) at b[n / 16 * panel_stride + k * b_stride + n % 16]
  std::size_t panel_stride = 0;
  std::size_t b_stride = panel_width;
  float* c = nullptr;  ///< [m][n], rows `c_stride` apart
  std::size_t c_stride = 0;
  std::size_t m = 0, n = 0, k = 0;
  const float* bias = nullptr;      ///< [n], or none
  const float* residual = nullptr;  ///< as c, or none; may be c itself
  activation act = activation::none;
};

/// Sums of n terms run over 16 partial sums, lane = index mod 16, each started at +0, then halves 8, 4, 2, 1.
/// max(x, m) is x > m ? x : m.
struct kernels {
  const char* name;
  void (*gemm)(const gemm_args& args) noexcept;
  /// y = (a + b) + c; b may be null.
  void (*add_rows)(std::size_t n, const float* a, const float* b, const float* c, float* y) noexcept;
  /// In place, over `rows` rows of n, `stride` apart.
  void (*norm)(std::size_t rows, std::size_t n, std::size_t stride, const float* gain, const float* bias, float epsilon,
               float* x) noexcept;
  /// x = softmax(x * scale + bias), in place; bias may be null. Writes zeros up to the next multiple of 16.
  void (*softmax)(std::size_t n, float scale, const float* bias, float* x) noexcept;
  /// Panels of x^T: element (column, row) of x at panels[row / 16 * columns * 16 + column * 16 + row % 16], pads 0.
  void (*transpose)(std::size_t rows, std::size_t columns, std::size_t stride, const float* x, float* panels) noexcept;
  void (*mean)(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept;
  void (*max)(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept;
  /// y[r] = a . b[r] for `rows` rows of n, `stride` apart
  void (*dots)(std::size_t n, const float* a, std::size_t rows, std::size_t stride, const float* b, float* y) noexcept;
  /// x = x / divisor
  void (*divide)(std::size_t n, float divisor, float* x) noexcept;
};

}  // namespace dupq::inline DUPQ_ABI
