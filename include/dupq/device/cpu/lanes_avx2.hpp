// AVX2 and FMA: sixteen floats as two 8-lane registers, and the kernels over them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "filter_kernels.hpp"
#include "formulas.hpp"
#include "intrinsics.hpp"
#include "kernels.hpp"
#include "scalar.hpp"

#if defined(DUPQ_X86)

#define DUPQ_ISA DUPQ_TARGET("avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE

namespace dupq::inline DUPQ_ABI::avx2_kernels {

inline constexpr int tile_rows = 6;  // 6 x 16 outputs: 12 of 16 registers
inline constexpr int tile_tallest = tile_rows;
inline constexpr int tile_accumulators = 6;  // of 16 floats each
inline constexpr int tile8_rows = 4, tile8_accumulators = 4;
inline constexpr int tile8_tallest = 4;
inline constexpr std::size_t quantized_rows = 2;  // at a time, three registers each
inline constexpr bool tile8_scaled_in_registers = false;
inline constexpr int filter_tile_rows = 4, filter_tile_panels = 1;
inline constexpr std::size_t dots_tile_side = 2;

struct f32x16 {
  __m256 low, high;
};

DUPQ_LANE f32x16 splat(float x) noexcept { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
DUPQ_LANE f32x16 load(const float* p) noexcept { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
/// Four numbers, then zeros
DUPQ_LANE f32x16 first_four(const float (&x)[4]) noexcept {
  return {_mm256_zextps128_ps256(_mm_setr_ps(x[0], x[1], x[2], x[3])), _mm256_setzero_ps()};
}
DUPQ_LANE void store(float* p, f32x16 v) noexcept {
  _mm256_storeu_ps(p, v.low);
  _mm256_storeu_ps(p + 8, v.high);
}
DUPQ_LANE f32x16 load_quarters(const float* a, const float* b, const float* c, const float* d) noexcept {
  return {_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(a)), _mm_loadu_ps(b), 1),
          _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(c)), _mm_loadu_ps(d), 1)};
}
/// In each quarter, element j of v[i] and element i of v[j] change places.
DUPQ_LANE void transpose_quarters(__m256& a, __m256& b, __m256& c, __m256& d) noexcept {
  const __m256d low_ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b)),
                low_cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
  const __m256d high_ab = _mm256_castps_pd(_mm256_unpackhi_ps(a, b)),
                high_cd = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
  a = _mm256_castpd_ps(_mm256_unpacklo_pd(low_ab, low_cd));
  b = _mm256_castpd_ps(_mm256_unpackhi_pd(low_ab, low_cd));
  c = _mm256_castpd_ps(_mm256_unpacklo_pd(high_ab, high_cd));
  d = _mm256_castpd_ps(_mm256_unpackhi_pd(high_ab, high_cd));
}
DUPQ_LANE void transpose_quarters(f32x16 (&v)[4]) noexcept {
  transpose_quarters(v[0].low, v[1].low, v[2].low, v[3].low);
  transpose_quarters(v[0].high, v[1].high, v[2].high, v[3].high);
}
DUPQ_LANE f32x16 add(f32x16 a, f32x16 b) noexcept {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
DUPQ_LANE f32x16 sub(f32x16 a, f32x16 b) noexcept {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
DUPQ_LANE f32x16 mul(f32x16 a, f32x16 b) noexcept {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
DUPQ_LANE f32x16 div(f32x16 a, f32x16 b) noexcept {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
DUPQ_LANE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) noexcept {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
/// a > b ? a : b
DUPQ_LANE f32x16 greater(f32x16 a, f32x16 b) noexcept {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
/// a < b ? a : b
DUPQ_LANE f32x16 smaller(f32x16 a, f32x16 b) noexcept {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
/// The greater of a and b where their bits are compared as signed integers
DUPQ_LANE __m256 greater_signed(__m256 a, __m256 b) noexcept {
  return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
DUPQ_LANE f32x16 greater_signed(f32x16 a, f32x16 b) noexcept {
  return {greater_signed(a.low, b.low), greater_signed(a.high, b.high)};
}
DUPQ_LANE __m256 greater_unsigned(__m256 a, __m256 b) noexcept {
  return _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
DUPQ_LANE f32x16 greater_unsigned(f32x16 a, f32x16 b) noexcept {
  return {greater_unsigned(a.low, b.low), greater_unsigned(a.high, b.high)};
}
/// x where test >= limit, 0 elsewhere, also where test is NaN
DUPQ_LANE f32x16 zero_below(f32x16 x, f32x16 test, f32x16 limit) noexcept {
  return {_mm256_and_ps(_mm256_cmp_ps(test.low, limit.low, _CMP_GE_OQ), x.low),
          _mm256_and_ps(_mm256_cmp_ps(test.high, limit.high, _CMP_GE_OQ), x.high)};
}
/// A bit for each lane in which a >= b
DUPQ_LANE unsigned at_least(f32x16 a, f32x16 b) noexcept {
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.low, b.low, _CMP_GE_OQ));
  return static_cast<unsigned>(low | _mm256_movemask_ps(_mm256_cmp_ps(a.high, b.high, _CMP_GE_OQ)) << 8);
}
/// p * 2^n, where the low bits of t hold n (formulas.hpp, exp_negative)
DUPQ_LANE __m256 scale_by_power(__m256 p, __m256 t) noexcept {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
}
DUPQ_LANE f32x16 scale_by_power(f32x16 p, f32x16 t) noexcept {
  return {scale_by_power(p.low, t.low), scale_by_power(p.high, t.high)};
}
/// Halves 8, 4, 2, 1, as scalar_kernels::sum_lanes
DUPQ_LANE float sum_lanes(f32x16 v) noexcept {
  const __m256 eight = _mm256_add_ps(v.low, v.high);
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
DUPQ_LANE float max_lanes(f32x16 v) noexcept {
  const __m256 eight = _mm256_max_ps(v.high, v.low);
  __m128 x = _mm_max_ps(_mm256_extractf128_ps(eight, 1), _mm256_castps256_ps128(eight));
  x = _mm_max_ps(_mm_movehl_ps(x, x), x);
  return _mm_cvtss_f32(_mm_max_ss(_mm_shuffle_ps(x, x, 1), x));
}

struct i32x16 {
  __m256i low, high;
};
using i8x64 = i32x16;  // 16 lanes of four bytes

DUPQ_LANE i32x16 splat(std::int32_t x) noexcept { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
DUPQ_LANE i8x64 load_bytes(const std::int8_t* p) noexcept {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
DUPQ_LANE i32x16 load(const std::int32_t* p) noexcept {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
DUPQ_LANE void store(std::int32_t* p, i32x16 v) noexcept {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), v.high);
}
/// sum + the four products of unsigned bytes of x and signed bytes of w, in each lane
DUPQ_LANE __m256i add_products(__m256i sum, __m256i x, __m256i w) noexcept {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)));
}
DUPQ_LANE i32x16 add_products(i32x16 sum, i32x16 x, i8x64 w) noexcept {
  return {add_products(sum.low, x.low, w.low), add_products(sum.high, x.high, w.high)};
}
DUPQ_LANE i32x16 subtract_product(i32x16 sum, i32x16 a, i32x16 b) noexcept {
  return {_mm256_sub_epi32(sum.low, _mm256_mullo_epi32(a.low, b.low)),
          _mm256_sub_epi32(sum.high, _mm256_mullo_epi32(a.high, b.high))};
}
DUPQ_LANE i32x16 plus(i32x16 a, i32x16 b) noexcept {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
DUPQ_LANE f32x16 to_float(i32x16 v) noexcept { return {_mm256_cvtepi32_ps(v.low), _mm256_cvtepi32_ps(v.high)}; }
/// The integers in the low bits of t (formulas.hpp, round_magic) plus `zero`, limited to 0..255
DUPQ_LANE void store_bytes(std::uint8_t* p, f32x16 t, std::int32_t zero) noexcept {
  const __m256i offset = _mm256_set1_epi32(zero - std::bit_cast<std::int32_t>(formulas::round_magic));
  const __m256i low = _mm256_add_epi32(_mm256_castps_si256(t.low), offset);
  const __m256i high = _mm256_add_epi32(_mm256_castps_si256(t.high), offset);
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xD8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
/// The same of 64 floats
DUPQ_LANE void store_bytes(std::uint8_t* p, const f32x16 (&t)[4], std::int32_t zero) noexcept {
  const __m256i offset = _mm256_set1_epi32(zero - std::bit_cast<std::int32_t>(formulas::round_magic));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // packing works within halves
  DUPQ_UNROLL
  for (int i = 0; i < 4; i += 2, p += 32) {
    const __m256i a = _mm256_add_epi32(_mm256_castps_si256(t[i].low), offset);
    const __m256i b = _mm256_add_epi32(_mm256_castps_si256(t[i].high), offset);
    const __m256i c = _mm256_add_epi32(_mm256_castps_si256(t[i + 1].low), offset);
    const __m256i d = _mm256_add_epi32(_mm256_castps_si256(t[i + 1].high), offset);
    const __m256i mixed = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(mixed, order));
  }
}

}  // namespace dupq::inline DUPQ_ABI::avx2_kernels

#define DUPQ_KERNELS avx2_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

namespace dupq::inline DUPQ_ABI::avx2_kernels {
inline constexpr kernels table{"avx2", gemm, widen, add_rows, norm,     softmax, transpose,
                               mean,   max,  dots,  divide,   quantize, gemm8};
inline constexpr filter_kernels filter_table{filter, integers, all_dots};
}  // namespace dupq::inline DUPQ_ABI::avx2_kernels

#endif
