// NEON (aarch64): sixteen floats as four registers, and the kernels over them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "filter_kernels.hpp"
#include "formulas.hpp"
#include "intrinsics.hpp"
#include "kernels.hpp"
#include "scalar.hpp"

#if defined(DUPQ_ARM64)

#define DUPQ_ISA  // every aarch64 CPU has it
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE

namespace dupq::inline DUPQ_ABI::neon_kernels {

inline constexpr int tile_rows = 6;  // 6 x 16 outputs: 24 of 32 registers, and 4 of weights
inline constexpr int tile_tallest = tile_rows;
inline constexpr int tile_accumulators = 6;  // of 16 floats each
inline constexpr int tile8_rows = 4, tile8_accumulators = 4;
inline constexpr int tile8_tallest = 4;
inline constexpr std::size_t quantized_rows = 2;  // at a time, three registers each
inline constexpr bool tile8_scaled_in_registers = false;
inline constexpr int filter_tile_rows = 4, filter_tile_panels = 1;
inline constexpr std::size_t dots_tile_side = 2;

struct f32x16 {
  float32x4_t quarter[4];
};

/// {f(0), f(1), f(2), f(3)}: an operation on each quarter.
template <class F>
DUPQ_LANE f32x16 each(F&& f) noexcept {
  return {{f(0), f(1), f(2), f(3)}};
}

DUPQ_LANE f32x16 splat(float x) noexcept {
  const float32x4_t four = vdupq_n_f32(x);
  return {{four, four, four, four}};
}
DUPQ_LANE f32x16 load(const float* p) noexcept {
  return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}
/// Four numbers, then zeros
DUPQ_LANE f32x16 first_four(const float (&x)[4]) noexcept {
  const float32x4_t none = vdupq_n_f32(0.0f);
  return {{vld1q_f32(x), none, none, none}};
}
DUPQ_LANE void store(float* p, f32x16 v) noexcept {
  vst1q_f32(p, v.quarter[0]);
  vst1q_f32(p + 4, v.quarter[1]);
  vst1q_f32(p + 8, v.quarter[2]);
  vst1q_f32(p + 12, v.quarter[3]);
}
DUPQ_LANE f32x16 load_quarters(const float* a, const float* b, const float* c, const float* d) noexcept {
  return {{vld1q_f32(a), vld1q_f32(b), vld1q_f32(c), vld1q_f32(d)}};
}
/// In each quarter, element j of v[i] and element i of v[j] change places.
DUPQ_LANE void transpose_quarters(f32x16 (&v)[4]) noexcept {
  for (int i = 0; i < 4; ++i) {
    const float32x4x2_t ab = vtrnq_f32(v[0].quarter[i], v[1].quarter[i]);
    const float32x4x2_t cd = vtrnq_f32(v[2].quarter[i], v[3].quarter[i]);
    v[0].quarter[i] = vcombine_f32(vget_low_f32(ab.val[0]), vget_low_f32(cd.val[0]));
    v[1].quarter[i] = vcombine_f32(vget_low_f32(ab.val[1]), vget_low_f32(cd.val[1]));
    v[2].quarter[i] = vcombine_f32(vget_high_f32(ab.val[0]), vget_high_f32(cd.val[0]));
    v[3].quarter[i] = vcombine_f32(vget_high_f32(ab.val[1]), vget_high_f32(cd.val[1]));
  }
}
DUPQ_LANE f32x16 add(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) { return vaddq_f32(a.quarter[i], b.quarter[i]); });
}
DUPQ_LANE f32x16 sub(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) { return vsubq_f32(a.quarter[i], b.quarter[i]); });
}
DUPQ_LANE f32x16 mul(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) { return vmulq_f32(a.quarter[i], b.quarter[i]); });
}
DUPQ_LANE f32x16 div(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) { return vdivq_f32(a.quarter[i], b.quarter[i]); });
}
DUPQ_LANE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) noexcept {
  return each([&](int i) { return vfmaq_f32(c.quarter[i], a.quarter[i], b.quarter[i]); });
}
/// a > b ? a : b. Not vmaxq_f32, which orders -0 before +0 and so gives other bits than x86.
DUPQ_LANE float32x4_t greater(float32x4_t a, float32x4_t b) noexcept { return vbslq_f32(vcgtq_f32(a, b), a, b); }
DUPQ_LANE f32x16 greater(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) { return greater(a.quarter[i], b.quarter[i]); });
}
/// a < b ? a : b
DUPQ_LANE f32x16 smaller(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) { return vbslq_f32(vcltq_f32(a.quarter[i], b.quarter[i]), a.quarter[i], b.quarter[i]); });
}
/// The greater of a and b where their bits are compared as signed integers
DUPQ_LANE f32x16 greater_signed(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) {
    return vreinterpretq_f32_s32(vmaxq_s32(vreinterpretq_s32_f32(a.quarter[i]), vreinterpretq_s32_f32(b.quarter[i])));
  });
}
DUPQ_LANE f32x16 greater_unsigned(f32x16 a, f32x16 b) noexcept {
  return each([&](int i) {
    return vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a.quarter[i]), vreinterpretq_u32_f32(b.quarter[i])));
  });
}
/// x where test >= limit, 0 elsewhere, also where test is NaN
DUPQ_LANE f32x16 zero_below(f32x16 x, f32x16 test, f32x16 limit) noexcept {
  return each([&](int i) {
    const uint32x4_t kept = vcgeq_f32(test.quarter[i], limit.quarter[i]);
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x.quarter[i]), kept));
  });
}
/// A bit for each lane in which a >= b
DUPQ_LANE unsigned at_least(f32x16 a, f32x16 b) noexcept {
  constexpr std::uint32_t bits[4] = {1, 2, 4, 8};
  const uint32x4_t lanes = vld1q_u32(bits);
  unsigned mask = 0;
  for (int i = 0; i < 4; ++i) mask |= vaddvq_u32(vandq_u32(vcgeq_f32(a.quarter[i], b.quarter[i]), lanes)) << 4 * i;
  return mask;
}
/// p * 2^n, where the low bits of t hold n (formulas.hpp, exp_negative)
DUPQ_LANE f32x16 scale_by_power(f32x16 p, f32x16 t) noexcept {
  return each([&](int i) {
    const int32x4_t shifted = vshlq_n_s32(vreinterpretq_s32_f32(t.quarter[i]), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p.quarter[i]), shifted));
  });
}
/// Halves 8, 4, 2, 1, as scalar_kernels::sum_lanes
DUPQ_LANE float sum_lanes(f32x16 v) noexcept {
  const float32x4_t four = vaddq_f32(vaddq_f32(v.quarter[0], v.quarter[2]), vaddq_f32(v.quarter[1], v.quarter[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
DUPQ_LANE float max_lanes(f32x16 v) noexcept {
  const float32x4_t x = greater(greater(v.quarter[3], v.quarter[1]), greater(v.quarter[2], v.quarter[0]));
  const float32x2_t high = vget_high_f32(x), low = vget_low_f32(x);
  const float32x2_t two = vbsl_f32(vcgt_f32(high, low), high, low);
  const float second = vget_lane_f32(two, 1), first = vget_lane_f32(two, 0);
  return second > first ? second : first;
}

struct i32x16 {
  int32x4_t quarters[4];
};
struct i8x64 {
  int8x16_t quarters[4];  // 4 lanes of four bytes each
};

DUPQ_LANE i32x16 splat(std::int32_t x) noexcept {
  const int32x4_t v = vdupq_n_s32(x);
  return {{v, v, v, v}};
}
DUPQ_LANE i8x64 load_bytes(const std::int8_t* p) noexcept {
  return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
}
DUPQ_LANE i32x16 load(const std::int32_t* p) noexcept {
  return {{vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)}};
}
/// sum + the four products of unsigned bytes of x and signed bytes of w, in each lane: products of 16 bits, of which
/// pairs still fit (weights are within [-64, 64])
DUPQ_LANE int32x4_t add_products(int32x4_t sum, int32x4_t x, int8x16_t w) noexcept {
  const int8x16_t half = vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s32(x), 1));
  const int8x16_t odd = vreinterpretq_s8_u8(vandq_u8(vreinterpretq_u8_s32(x), vdupq_n_u8(1)));
  const int16x8_t low = vaddq_s16(vshlq_n_s16(vmull_s8(vget_low_s8(half), vget_low_s8(w)), 1),
                                  vmull_s8(vget_low_s8(odd), vget_low_s8(w)));
  const int16x8_t high = vaddq_s16(vshlq_n_s16(vmull_high_s8(half, w), 1), vmull_high_s8(odd, w));
  return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}
DUPQ_LANE i32x16 add_products(i32x16 sum, i32x16 x, i8x64 w) noexcept {
  for (std::size_t i = 0; i < 4; ++i) sum.quarters[i] = add_products(sum.quarters[i], x.quarters[i], w.quarters[i]);
  return sum;
}
DUPQ_LANE i32x16 subtract_product(i32x16 sum, i32x16 a, i32x16 b) noexcept {
  for (std::size_t i = 0; i < 4; ++i) sum.quarters[i] = vmlsq_s32(sum.quarters[i], a.quarters[i], b.quarters[i]);
  return sum;
}
DUPQ_LANE i32x16 plus(i32x16 a, i32x16 b) noexcept {
  for (std::size_t i = 0; i < 4; ++i) a.quarters[i] = vaddq_s32(a.quarters[i], b.quarters[i]);
  return a;
}
DUPQ_LANE f32x16 to_float(i32x16 v) noexcept {
  return each([&](int i) { return vcvtq_f32_s32(v.quarters[i]); });
}
DUPQ_LANE void store(std::int32_t* p, i32x16 v) noexcept {
  for (std::size_t i = 0; i < 4; ++i) vst1q_s32(p + 4 * i, v.quarters[i]);
}
/// The integers in the low bits of t (formulas.hpp, round_magic) plus `zero`, limited to 0..255
DUPQ_LANE void store_bytes(std::uint8_t* p, f32x16 t, std::int32_t zero) noexcept {
  const int32x4_t offset = vdupq_n_s32(zero - std::bit_cast<std::int32_t>(formulas::round_magic));
  int16x4_t words[4];
  for (std::size_t i = 0; i < 4; ++i) words[i] = vqmovn_s32(vaddq_s32(vreinterpretq_s32_f32(t.quarter[i]), offset));
  const uint8x8_t low = vqmovun_s16(vcombine_s16(words[0], words[1]));
  vst1q_u8(p, vcombine_u8(low, vqmovun_s16(vcombine_s16(words[2], words[3]))));
}
/// The same of 64 floats
DUPQ_LANE void store_bytes(std::uint8_t* p, const f32x16 (&t)[4], std::int32_t zero) noexcept {
  for (std::size_t i = 0; i < 4; ++i) store_bytes(p + 16 * i, t[i], zero);
}

}  // namespace dupq::inline DUPQ_ABI::neon_kernels

#define DUPQ_KERNELS neon_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

namespace dupq::inline DUPQ_ABI::neon_kernels {
inline constexpr kernels table{"neon", gemm, widen, add_rows, norm,     softmax, transpose,
                               mean,   max,  dots,  divide,   quantize, gemm8};
inline constexpr filter_kernels filter_table{filter, integers, all_dots};
}  // namespace dupq::inline DUPQ_ABI::neon_kernels

#endif
