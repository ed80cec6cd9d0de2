// The constants and the scalar form of every formula that the CPU kernels share. They define the bits of a result.
//
// No product feeds a sum except through `fused`: a compiler may contract a * b + c or not, and results would differ.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "../../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::formulas {

/// a * b + c with one rounding.
inline float fused(float a, float b, float c) noexcept {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  // Without the instruction: the product is exact in double; the sum is rounded to odd, so that the rounding to float
  // that follows is the only one that counts. (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums",
  // 2008)
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double sum = product + addend;
  const double back = sum - product;
  const double lost = (product - (sum - back)) + (addend - back);
  auto bits = std::bit_cast<std::uint64_t>(sum);
  if (lost != 0 && (bits & 1) == 0) bits += (lost > 0) == (sum > 0) ? std::uint64_t{1} : ~std::uint64_t{0};
  return static_cast<float>(std::bit_cast<double>(bits));
#endif
}

/// Adding it to |x| < 2^22 leaves x, rounded to the nearest even integer, in the low bits of the sum.
inline constexpr float round_magic = 12582912.0f;
inline constexpr float log2_e = 1.44269504f;
inline constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // ln 2 in two parts (Cody and Waite)
inline constexpr float exp_low = -87.0f;  ///< below it exp is exactly 0, so that no denormal is made
inline constexpr float exp_terms[7] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

/// e^x for x <= 0 within 2 ulp.
inline float exp_negative(float x) noexcept {
  const float t = fused(x, log2_e, round_magic);
  const float n = t - round_magic;
  const float r = fused(n, -ln2_low, fused(n, -ln2_high, x));
  float p = exp_terms[0];
  for (int i = 1; i < 7; ++i) p = fused(p, r, exp_terms[i]);
  const std::uint32_t scaled = std::bit_cast<std::uint32_t>(p) + (std::bit_cast<std::uint32_t>(t) << 23);
  return x < exp_low ? 0.0f : std::bit_cast<float>(scaled);
}

// gelu(x) = x * (1/2 + h(x)) with h(x) = erf(x / sqrt 2) / 2 ~ x P(x^2) / Q(x^2) on |x| <= gelu_clamp: our own fit of
// the absolute error of gelu (weighted least squares, iterated towards minimax); at most 1.1e-6 with float rounding.
inline constexpr float gelu_clamp = 5.4f;
inline constexpr float gelu_p[5] = {0.398938686f, 0.0664451122f, 0.00671573868f, 0.000507235702f, 9.20827824e-06f};
inline constexpr float gelu_q[6] = {1.0f, 0.333182424f, 0.0474163666f, 0.00378500298f, 0.00018531832f, 7.47943147e-07f};

inline float gelu(float x) noexcept {
  float z = x > -gelu_clamp ? x : -gelu_clamp;
  z = z < gelu_clamp ? z : gelu_clamp;
  const float u = z * z;
  float p = gelu_p[4], q = gelu_q[5];
  for (int i = 3; i >= 0; --i) p = fused(p, u, gelu_p[i]);
  for (int i = 4; i >= 0; --i) q = fused(q, u, gelu_q[i]);
  return fused(x, z * p / q, 0.5f * x);
}

/// (1 - e) / (1 + e) with e = e^(-2|x|), and the sign of x.
inline float tanh(float x) noexcept {
  const float e = exp_negative(-2.0f * std::fabs(x));
  return std::copysign((1.0f - e) / (1.0f + e), x);
}

inline float sigmoid(float x) noexcept {
  const float e = exp_negative(-std::fabs(x));
  return (x < 0 ? e : 1.0f) / (1.0f + e);
}

}  // namespace dupq::inline DUPQ_ABI::formulas
