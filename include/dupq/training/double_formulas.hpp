// Arithmetic in double that gives the same bits with every compiler and C library: what losses are computed with.
//
// A product feeds a sum only where it is exact (float times float) or through std::fma, which every C library rounds
// once; exponentials and logarithms of C libraries differ, so they are our own.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::double_formulas {

inline constexpr double ln2 = 0x1.62e42fefa39efp-1;
inline constexpr double ln2_rest = 0x1.abc9e3b39803fp-56;  ///< ln 2 - ln2

/// e^x for x <= 0 (and for x that rounding left a little above) within 2 ulp; 0 below -708, so that no denormal is
/// made; NaN for NaN.
inline double exp_negative(double x) noexcept {
  if (std::isnan(x)) return x;
  if (!(x >= -708.0)) return 0;
  constexpr double magic = 0x1.8p52;  // adding it leaves a number, rounded to an integer, in the low bits of the sum
  const double t = std::fma(x, 1.0 / ln2, magic);
  const double n = t - magic;
  const double r = std::fma(n, -ln2_rest, std::fma(n, -ln2, x));
  // Taylor's series: |r| <= 0.35, and r^14 / 14! < 5e-18.
  constexpr double terms[14] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       1.0 / 2,      1.0,         1.0};
  double p = terms[0];
  for (int i = 1; i < 14; ++i) p = std::fma(p, r, terms[i]);
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(p) + (std::bit_cast<std::uint64_t>(t) << 52));
}

/// log(1 + x) for 0 <= x <= 1 within 2 ulp: 2 atanh(x / (2 + x)), whose argument is at most 1/3.
inline double log_one_plus(double x) noexcept {
  const double t = x / (2 + x), t2 = t * t;
  double p = 1.0 / 35;
  for (int odd = 33; odd > 1; odd -= 2) p = std::fma(p, t2, 1.0 / odd);
  const double rest = p * t2;
  return 2 * std::fma(rest, t, t);
}

/// log(x) for finite x >= 1; anything else comes back as NaN.
inline double log_above_one(double x) noexcept {
  if (!(x >= 1 && x < HUGE_VAL)) return std::nan("");
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const auto power = static_cast<double>(static_cast<int>(bits >> 52) - 1023);
  const double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u);  // 1 <= m < 2
  return std::fma(power, ln2, log_one_plus(m - 1));
}

/// x.y: eight sums, number i in sum i mod 8, then halves.
inline double dot(const float* x, const float* y, std::size_t n) noexcept {
  double sums[8] = {};
  const auto add = [&](std::size_t lane, std::size_t i) {
    sums[lane] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  };
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane) add(lane, i + lane);
  for (std::size_t lane = 0; i < n; ++lane, ++i) add(lane, i);
  for (std::size_t half = 4; half > 0; half /= 2)
    for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

/// A factor of float vectors as the sum of two floats (48 of its 53 bits), so that its products are exact: sums of them
/// vectorise and need no fma.
struct factor {
  explicit factor(double value) noexcept
      : high(static_cast<double>(static_cast<float>(value))),
        low(static_cast<double>(static_cast<float>(value - high))) {}
  /// sum + value * x
  double plus(double sum, float x) const noexcept {
    const double wide = static_cast<double>(x);
    const double more = sum + high * wide;
    return more + low * wide;
  }
  double high;
  double low;
};

}  // namespace dupq::inline DUPQ_ABI::double_formulas
