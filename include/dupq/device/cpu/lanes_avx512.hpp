// AVX-512: sixteen floats as one register, and the kernels over them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "formulas.hpp"
#include "intrinsics.hpp"
#include "kernels.hpp"
#include "scalar.hpp"

#if defined(DUPQ_X86)

// Supersets are listed because GCC's avx512f does not imply fma.
#define DUPQ_ISA DUPQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE

namespace dupq::inline DUPQ_ABI::avx512_kernels {

inline constexpr char isa_name[] = "avx512";
inline constexpr int tile_rows = 8;  // 8 x 48 outputs: 24 of 32 registers
inline constexpr int tile_accumulators = 24;

struct f32x16 {
  __m512 all;
};

DUPQ_LANE f32x16 splat(float x) noexcept { return {_mm512_set1_ps(x)}; }
DUPQ_LANE f32x16 load(const float* p) noexcept { return {_mm512_loadu_ps(p)}; }
DUPQ_LANE void store(float* p, f32x16 v) noexcept { _mm512_storeu_ps(p, v.all); }
DUPQ_LANE f32x16 add(f32x16 a, f32x16 b) noexcept { return {_mm512_add_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 sub(f32x16 a, f32x16 b) noexcept { return {_mm512_sub_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 mul(f32x16 a, f32x16 b) noexcept { return {_mm512_mul_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 div(f32x16 a, f32x16 b) noexcept { return {_mm512_div_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) noexcept { return {_mm512_fmadd_ps(a.all, b.all, c.all)}; }
DUPQ_LANE f32x16 greater(f32x16 a, f32x16 b) noexcept { return {_mm512_max_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 smaller(f32x16 a, f32x16 b) noexcept { return {_mm512_min_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 zero_below(f32x16 x, f32x16 test, f32x16 limit) noexcept {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(test.all, limit.all, _CMP_NLT_UQ), x.all)};
}
DUPQ_LANE f32x16 scale_by_power(f32x16 p, f32x16 t) noexcept {
  return {_mm512_castsi512_ps(
      _mm512_add_epi32(_mm512_castps_si512(p.all), _mm512_slli_epi32(_mm512_castps_si512(t.all), 23)))};
}
DUPQ_LANE __m256 upper(__m512 v) noexcept { return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1)); }
DUPQ_LANE float sum_lanes(f32x16 v) noexcept {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v.all), upper(v.all));
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
DUPQ_LANE float max_lanes(f32x16 v) noexcept {
  const __m256 eight = _mm256_max_ps(upper(v.all), _mm512_castps512_ps256(v.all));
  __m128 x = _mm_max_ps(_mm256_extractf128_ps(eight, 1), _mm256_castps256_ps128(eight));
  x = _mm_max_ps(_mm_movehl_ps(x, x), x);
  return _mm_cvtss_f32(_mm_max_ss(_mm_shuffle_ps(x, x, 1), x));
}

struct i32x16 {
  __m512i all;
};
using i8x64 = i32x16;  // 16 lanes of four bytes

DUPQ_LANE i32x16 splat(std::int32_t x) noexcept { return {_mm512_set1_epi32(x)}; }
DUPQ_LANE i8x64 load(const std::int8_t* p) noexcept { return {_mm512_loadu_si512(p)}; }
DUPQ_LANE void store(std::int32_t* p, i32x16 v) noexcept { _mm512_storeu_si512(p, v.all); }
/// sum + the four products of unsigned bytes of x and signed bytes of w, in each lane
DUPQ_LANE i32x16 add_products(i32x16 sum, i32x16 x, i8x64 w) noexcept {
  return {_mm512_dpbusd_epi32(sum.all, x.all, w.all)};
}
DUPQ_LANE f32x16 to_float(const std::int32_t* p) noexcept { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
DUPQ_LANE void store_bytes(std::uint8_t* p, f32x16 t, std::int32_t zero) noexcept {
  const __m512i offset = _mm512_set1_epi32(zero - std::bit_cast<std::int32_t>(formulas::round_magic));
  const __m512i n = _mm512_max_epi32(_mm512_add_epi32(_mm512_castps_si512(t.all), offset), _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(n));
}

}  // namespace dupq::inline DUPQ_ABI::avx512_kernels

#define DUPQ_KERNELS avx512_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#endif
