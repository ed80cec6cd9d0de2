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
  const bool inexact = lost < 0 || lost > 0;  // it is NaN where the sum is infinite, and right as it is
  if (inexact && (bits & 1) == 0) bits += (lost > 0) == (sum > 0) ? std::uint64_t{1} : ~std::uint64_t{0};
  return static_cast<float>(std::bit_cast<double>(bits));
#endif
}

/// Adding it to |x| < 2^22 leaves x, rounded to the nearest even integer, in the low bits of the sum.
inline constexpr float round_magic = 12582912.0f;
inline constexpr float log2_e = 1.44269504f;
inline constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;  // ln 2 in two parts (Cody and Waite)
inline constexpr float exp_low = -87.0f;  ///< below it exp is exactly 0, so that no denormal is made
inline constexpr float exp_terms[7] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

/// e^x for x <= 0 within 2 ulp; 0 for NaN, whose bits would come out as any number.
inline float exp_negative(float x) noexcept {
  const float t = fused(x, log2_e, round_magic);
  const float n = t - round_magic;
  const float r = fused(n, -ln2_low, fused(n, -ln2_high, x));
  float p = exp_terms[0];
  for (int i = 1; i < 7; ++i) p = fused(p, r, exp_terms[i]);
  const std::uint32_t scaled = std::bit_cast<std::uint32_t>(p) + (std::bit_cast<std::uint32_t>(t) << 23);
  return x >= exp_low ? std::bit_cast<float>(scaled) : 0.0f;
}

// gelu(x) = max(x, 0) - |x| Phi(-|x|), so that neither tail cancels. Phi(-a) is one polynomial in s = 2a / end - 1,
// without an exponential or a division: our own fits of the absolute error of gelu (weighted least squares, iterated
// towards minimax). Beyond `end`, -|x| Phi is what it is there.
template <int Terms>
struct gelu_fit {
  float end;
  float terms[Terms];
};
/// At most 3.3e-8 before rounding; with it 2.7e-7 below 0 and 1.3e-7 on [0, 2]. Below -5.5 it is 0.
inline constexpr gelu_fit<17> gelu_full{
    5.5f,
    {0.0023757366f, -0.00814160518f, -0.00216967729f, 0.0383773893f, -0.034240745f, -0.0595674217f, 0.127540916f,
     -0.0282222256f, -0.161288276f, 0.216179445f, -0.0516571254f, -0.176783487f, 0.271902651f, -0.206835896f,
     0.0945580527f, -0.0250074919f, 0.00297976914f}};
/// At most 1.1e-4, for what becomes one of 256 steps next.
inline constexpr gelu_fit<9> gelu_short{4.5f,
                                        {0.0123656318f, 0.0185020473f, -0.102608941f, 0.0532081053f, 0.144109592f,
                                         -0.24917683f, 0.182678014f, -0.0712380558f, 0.0121847698f}};

template <int Terms>
inline float gelu(float x, const gelu_fit<Terms>& fit) noexcept {
  const float positive = x > 0.0f ? x : 0.0f;
  const float negated = (x < 0.0f ? x : 0.0f) - positive;
  const float a = negated > -fit.end ? negated : -fit.end;  // -|x|
  const float s = fused(a, -2.0f / fit.end, -1.0f);
  const float s2 = s * s, s4 = s2 * s2;
  float q = fit.terms[0];
  for (int i = 1; i < Terms; i += 4)  // four terms at a time: one chain over all of them would be waited for
    q = fused(q, s4, fused(fused(fit.terms[i], s, fit.terms[i + 1]), s2, fused(fit.terms[i + 2], s, fit.terms[i + 3])));
  return fused(a, q, positive);
}

/// GELU by a tanh, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), which is x / (1 + e^(-2 u)) with u inside the
/// tanh: (max(x, 0) + min(x, 0) e) / (1 + e) with e = e^(-2 |u|).
inline constexpr float gelu_tanh_linear = 1.5957691216f, gelu_tanh_cubic = 0.0713548162726f;  // twice those of u
inline float gelu_tanh(float x) noexcept {
  const float positive = x > 0.0f ? x : 0.0f, negative = x < 0.0f ? x : 0.0f;
  const float a = negative - positive, squared = a * a;
  const float e = exp_negative(a * fused(squared, gelu_tanh_cubic, gelu_tanh_linear));
  return fused(negative, e, positive) / (1.0f + e);
}

/// (1 - e) / (1 + e) with e = e^(-2|x|), and the sign of x.
inline float tanh(float x) noexcept {
  if (std::isnan(x)) return x;
  const float e = exp_negative(-2.0f * std::fabs(x));
  return std::copysign((1.0f - e) / (1.0f + e), x);
}

inline float sigmoid(float x) noexcept {
  if (std::isnan(x)) return x;
  const float e = exp_negative(-std::fabs(x));
  return (x < 0 ? e : 1.0f) / (1.0f + e);
}

}  // namespace dupq::inline DUPQ_ABI::formulas
