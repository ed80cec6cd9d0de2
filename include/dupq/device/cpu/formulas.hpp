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

// gelu(x) = max(x, 0) - |x| Phi(-|x|), so that neither tail cancels, with Phi(-a) = e^(-a^2 / 2) P(t), t = 1 / (1 + p
// a), the form of Abramowitz and Stegun 7.1.26. The terms are our own fit of the absolute error of gelu (weighted least
// squares, iterated towards minimax): at most 6.2e-9 before rounding; with it 5.7e-8 below 0 and 1e-7 on [0, 2].
inline constexpr float gelu_p = 0.4f;
inline constexpr float gelu_terms[6] = {0.156521082f, 0.190047249f,  0.00934294518f,
                                        0.345144302f, -0.258487403f, 0.0574322417f};

inline float gelu(float x) noexcept {
  const float positive = x > 0.0f ? x : 0.0f;
  const float magnitude = positive - (x < 0.0f ? x : 0.0f);
  const float t = 1.0f / fused(gelu_p, magnitude, 1.0f);
  float q = gelu_terms[5];
  for (int i = 4; i >= 0; --i) q = fused(q, t, gelu_terms[i]);
  const float e = exp_negative(magnitude * magnitude * -0.5f);
  return fused(-(magnitude * e), q * t, positive);
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
