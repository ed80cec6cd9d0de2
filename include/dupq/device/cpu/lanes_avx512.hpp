// AVX-512, without and with VNNI: sixteen floats as one register, and the kernels over them.
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

// Supersets are listed because GCC's avx512f does not imply fma.
#define DUPQ_ISA DUPQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE

namespace dupq::inline DUPQ_ABI::avx512_kernels {

inline constexpr int tile_rows = 8;      // 8 x 48 outputs: 24 of 32 registers
inline constexpr int tile_tallest = 14;  // with two panels: 28 of 32 registers
inline constexpr int tile_accumulators = 24;
inline constexpr int tile8_rows = 8, tile8_accumulators = 16;  // the products need registers too
inline constexpr int tile8_tallest = 8;
inline constexpr std::size_t quantized_rows = 4;  // at a time, three registers each
inline constexpr bool tile8_scaled_in_registers = true;
inline constexpr int filter_tile_rows = 8, filter_tile_panels = 2;
inline constexpr std::size_t dots_tile_side = 4;

struct f32x16 {
  __m512 all;
};

DUPQ_LANE f32x16 splat(float x) noexcept { return {_mm512_set1_ps(x)}; }
DUPQ_LANE f32x16 load(const float* p) noexcept { return {_mm512_loadu_ps(p)}; }
DUPQ_LANE f32x16 first_four(const float (&x)[4]) noexcept {
  return {_mm512_insertf32x4(_mm512_setzero_ps(), _mm_setr_ps(x[0], x[1], x[2], x[3]), 0)};
}
DUPQ_LANE void store(float* p, f32x16 v) noexcept { _mm512_storeu_ps(p, v.all); }
DUPQ_LANE f32x16 load_quarters(const float* a, const float* b, const float* c, const float* d) noexcept {
  const __m512 v = _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(a)), _mm_loadu_ps(b), 1);
  return {_mm512_insertf32x4(_mm512_insertf32x4(v, _mm_loadu_ps(c), 2), _mm_loadu_ps(d), 3)};
}
DUPQ_LANE void transpose_quarters(f32x16 (&v)[4]) noexcept {
  const __m512d low_01 = _mm512_castps_pd(_mm512_unpacklo_ps(v[0].all, v[1].all));
  const __m512d low_23 = _mm512_castps_pd(_mm512_unpacklo_ps(v[2].all, v[3].all));
  const __m512d high_01 = _mm512_castps_pd(_mm512_unpackhi_ps(v[0].all, v[1].all));
  const __m512d high_23 = _mm512_castps_pd(_mm512_unpackhi_ps(v[2].all, v[3].all));
  v[0].all = _mm512_castpd_ps(_mm512_unpacklo_pd(low_01, low_23));
  v[1].all = _mm512_castpd_ps(_mm512_unpackhi_pd(low_01, low_23));
  v[2].all = _mm512_castpd_ps(_mm512_unpacklo_pd(high_01, high_23));
  v[3].all = _mm512_castpd_ps(_mm512_unpackhi_pd(high_01, high_23));
}
DUPQ_LANE f32x16 add(f32x16 a, f32x16 b) noexcept { return {_mm512_add_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 sub(f32x16 a, f32x16 b) noexcept { return {_mm512_sub_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 mul(f32x16 a, f32x16 b) noexcept { return {_mm512_mul_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 div(f32x16 a, f32x16 b) noexcept { return {_mm512_div_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) noexcept { return {_mm512_fmadd_ps(a.all, b.all, c.all)}; }
DUPQ_LANE f32x16 greater(f32x16 a, f32x16 b) noexcept { return {_mm512_max_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 smaller(f32x16 a, f32x16 b) noexcept { return {_mm512_min_ps(a.all, b.all)}; }
DUPQ_LANE f32x16 greater_signed(f32x16 a, f32x16 b) noexcept {
  return {_mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a.all), _mm512_castps_si512(b.all)))};
}
DUPQ_LANE f32x16 greater_unsigned(f32x16 a, f32x16 b) noexcept {
  return {_mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a.all), _mm512_castps_si512(b.all)))};
}
DUPQ_LANE f32x16 zero_below(f32x16 x, f32x16 test, f32x16 limit) noexcept {
  return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(test.all, limit.all, _CMP_GE_OQ), x.all)};
}
/// A bit for each lane in which a >= b
DUPQ_LANE unsigned at_least(f32x16 a, f32x16 b) noexcept { return _mm512_cmp_ps_mask(a.all, b.all, _CMP_GE_OQ); }
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

// A vector of int, not __m512i: GCC 12 stores accumulators of that type to the stack at every step.
struct i32x16 {
  int all __attribute__((vector_size(64)));
  DUPQ_LANE static i32x16 of(__m512i v) noexcept { return {reinterpret_cast<decltype(all)>(v)}; }
  DUPQ_LANE __m512i get() const noexcept { return reinterpret_cast<__m512i>(all); }
};
using i8x64 = i32x16;  // 16 lanes of four bytes

DUPQ_LANE i32x16 splat(std::int32_t x) noexcept { return i32x16::of(_mm512_set1_epi32(x)); }
DUPQ_LANE i32x16 load(const std::int32_t* p) noexcept { return i32x16::of(_mm512_loadu_si512(p)); }
DUPQ_LANE void store(std::int32_t* p, i32x16 v) noexcept { _mm512_storeu_si512(p, v.get()); }
DUPQ_LANE i8x64 load_bytes(const std::int8_t* p) noexcept { return i32x16::of(_mm512_loadu_si512(p)); }
/// sum + the four products of unsigned bytes of x and signed bytes of w, in each lane
DUPQ_LANE i32x16 add_products(i32x16 sum, i32x16 x, i8x64 w) noexcept {
  const __m512i pairs = _mm512_maddubs_epi16(x.get(), w.get());
  return i32x16::of(_mm512_add_epi32(sum.get(), _mm512_madd_epi16(pairs, _mm512_set1_epi16(1))));
}
DUPQ_LANE i32x16 subtract_product(i32x16 sum, i32x16 a, i32x16 b) noexcept {
  return i32x16::of(_mm512_sub_epi32(sum.get(), _mm512_mullo_epi32(a.get(), b.get())));
}
DUPQ_LANE i32x16 plus(i32x16 a, i32x16 b) noexcept { return i32x16::of(_mm512_add_epi32(a.get(), b.get())); }
DUPQ_LANE f32x16 to_float(i32x16 v) noexcept { return {_mm512_cvtepi32_ps(v.get())}; }
/// The integers in the low bits of t (formulas.hpp, round_magic) plus `zero`, limited to 0..255
DUPQ_LANE void store_bytes(std::uint8_t* p, f32x16 t, std::int32_t zero) noexcept {
  const __m512i offset = _mm512_set1_epi32(zero - std::bit_cast<std::int32_t>(formulas::round_magic));
  const __m512i n = _mm512_max_epi32(_mm512_add_epi32(_mm512_castps_si512(t.all), offset), _mm512_setzero_si512());
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(n));
}
/// The same of 64 floats
DUPQ_LANE void store_bytes(std::uint8_t* p, const f32x16 (&t)[4], std::int32_t zero) noexcept {
  const __m512i offset = _mm512_set1_epi32(zero - std::bit_cast<std::int32_t>(formulas::round_magic));
  const __m512i a = _mm512_add_epi32(_mm512_castps_si512(t[0].all), offset);
  const __m512i b = _mm512_add_epi32(_mm512_castps_si512(t[1].all), offset);
  const __m512i c = _mm512_add_epi32(_mm512_castps_si512(t[2].all), offset);
  const __m512i d = _mm512_add_epi32(_mm512_castps_si512(t[3].all), offset);
  const __m512i mixed = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));  // in each quarter
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, mixed));
}

}  // namespace dupq::inline DUPQ_ABI::avx512_kernels

#define DUPQ_KERNELS avx512_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

namespace dupq::inline DUPQ_ABI::avx512_kernels {
inline constexpr kernels table{"avx512", gemm, widen, add_rows, norm,     softmax, transpose,
                               mean,     max,  dots,  divide,   quantize, gemm8};
inline constexpr filter_kernels filter_table{filter, integers, all_dots};
}  // namespace dupq::inline DUPQ_ABI::avx512_kernels

#endif
