// Sums of a table's rows, which is nearly all that a static model computes: one function for each instruction set, all
// of the same bits. A table of its own, so that programs without static models do not carry it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "../../core/prefix.hpp"
#include "../device.hpp"
#include "../widen.hpp"
#include "cpu.hpp"

namespace dupq::inline DUPQ_ABI {

/// The rows that tokens have, and what each counts for.
struct token_rows {
  table<host_memory> rows;
  std::size_t dim = 0;                   ///< numbers of a row
  const std::byte* row_of = nullptr;     ///< u32 for each token, at any address; null: token t has row t
  const std::byte* weight_of = nullptr;  ///< f32 for each token, at any address; null: 1

  std::uint32_t row_number(std::int32_t token) const noexcept {
    auto r = static_cast<std::uint32_t>(token);
    if (row_of != nullptr) std::memcpy(&r, row_of + 4 * std::size_t{r}, 4);
    return r;
  }
  const std::byte* row(std::int32_t token) const noexcept { return rows.rows + row_number(token) * rows.row_bytes; }
  float weight(std::int32_t token) const noexcept {
    float w;
    std::memcpy(&w, weight_of + 4 * static_cast<std::size_t>(token), 4);
    return w;
  }
};

/// y = the sum of the tokens' rows, each times its weight: started at +0, in order, each sum rounded to float (one with
/// a weight to double first).
using sum_rows_function = void (*)(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept;

/// The function that goes with a table of kernels.
DUPQ_TABLES sum_rows_function sum_rows_of(const kernels& table) noexcept;

/// Asks the memory for the tokens' rows, which are needed soon: a large table is in no cache. (Inlined in any case:
/// GCC takes a function that only asks for one that does nothing, and leaves out its calls.)
DUPQ_ALWAYS_INLINE void request_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n) noexcept {
  constexpr std::size_t line = 64, most = 1024;  // bytes; of longer rows the CPU sees where they go on
  for (std::size_t k = 0; k < n; ++k) {
    const std::byte* const row = t.row(tokens[k]);
    for (std::size_t at = 0; at < t.rows.row_bytes && at < most; at += line) __builtin_prefetch(row + at, 0, 3);
  }
}

}  // namespace dupq::inline DUPQ_ABI

#if DUPQ_KERNELS_HERE
namespace dupq::inline DUPQ_ABI {
namespace sum_rows_detail {

/// The definition: sums of the rows' numbers from `column` on (for q8_0 a multiple of 32).
template <row_format Format, bool Weighted>
void sum_columns(const token_rows& t, const std::int32_t* tokens, std::size_t n, std::size_t column,
                 float* y) noexcept {
  constexpr std::size_t block = Format == row_format::q8_0 ? 32 : 1;
  for (std::size_t i = column; i < t.dim; ++i) y[i] = 0.0f;
  for (std::size_t k = 0; k < n; ++k) {
    const std::byte* const row = t.row(tokens[k]);
    for (std::size_t i = column; i < t.dim; i += block) {
      float values[block];
      widen_inlined(row + stored_bytes(Format, i), Format, block, values);
      for (std::size_t j = 0; j < block; ++j)
        if constexpr (Weighted)  // the product is exact in double, so a fused multiply-add gives the same
          y[i + j] = static_cast<float>(double{values[j]} * double{t.weight(tokens[k])} + double{y[i + j]});
        else
          y[i + j] = y[i + j] + values[j];
    }
  }
}

template <bool Weighted>
void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  switch (t.rows.format) {
    case row_format::f32: return sum_columns<row_format::f32, Weighted>(t, tokens, n, 0, y);
    case row_format::f16: return sum_columns<row_format::f16, Weighted>(t, tokens, n, 0, y);
    case row_format::bf16: return sum_columns<row_format::bf16, Weighted>(t, tokens, n, 0, y);
    case row_format::q8_0: return sum_columns<row_format::q8_0, Weighted>(t, tokens, n, 0, y);
  }
}

}  // namespace sum_rows_detail

namespace scalar_kernels {
inline void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  t.weight_of == nullptr ? sum_rows_detail::sum_rows<false>(t, tokens, n, y)
                         : sum_rows_detail::sum_rows<true>(t, tokens, n, y);
}
}  // namespace scalar_kernels

}  // namespace dupq::inline DUPQ_ABI

#if defined(DUPQ_X86)

#define DUPQ_ISA DUPQ_TARGET("avx2,fma,f16c")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE
namespace dupq::inline DUPQ_ABI::avx2_kernels {
inline constexpr std::size_t tile_sums = 4;  // 8 of 16 registers
DUPQ_LANE __m128i load_16(const std::byte* p) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
DUPQ_LANE f32x16 load_halves(const std::byte* p) noexcept {
  return {_mm256_cvtph_ps(load_16(p)), _mm256_cvtph_ps(load_16(p + 16))};
}
DUPQ_LANE __m256 upper_halves(__m128i v) noexcept {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}
DUPQ_LANE f32x16 load_upper_halves(const std::byte* p) noexcept {
  return {upper_halves(load_16(p)), upper_halves(load_16(p + 16))};
}
DUPQ_LANE f32x16 splat_half(const std::byte* p) noexcept {
  std::int16_t half;
  std::memcpy(&half, p, 2);
  const __m256 scale = _mm256_cvtph_ps(_mm_set1_epi16(half));
  return {scale, scale};
}
DUPQ_LANE f32x16 load_bytes_as_floats(const std::byte* p) noexcept {
  const __m128i bytes = load_16(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}
DUPQ_LANE __m128 add_weighted(__m128 sum, __m128 v, __m256d weight) noexcept {
  return _mm256_cvtpd_ps(_mm256_fmadd_pd(_mm256_cvtps_pd(v), weight, _mm256_cvtps_pd(sum)));
}
DUPQ_LANE __m256 add_weighted(__m256 sum, __m256 v, __m256d weight) noexcept {
  const __m128 low = add_weighted(_mm256_castps256_ps128(sum), _mm256_castps256_ps128(v), weight);
  const __m128 high = add_weighted(_mm256_extractf128_ps(sum, 1), _mm256_extractf128_ps(v, 1), weight);
  return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}
DUPQ_LANE f32x16 add_weighted(f32x16 sum, f32x16 v, float weight) noexcept {
  const __m256d w = _mm256_set1_pd(double{weight});
  return {add_weighted(sum.low, v.low, w), add_weighted(sum.high, v.high, w)};
}
}  // namespace dupq::inline DUPQ_ABI::avx2_kernels
#define DUPQ_KERNELS avx2_kernels
#include "sum_rows.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#define DUPQ_ISA DUPQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE
namespace dupq::inline DUPQ_ABI::avx512_kernels {
inline constexpr std::size_t tile_sums = 16;  // of 32 registers
DUPQ_LANE __m128i load_16(const std::byte* p) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
DUPQ_LANE __m256i load_32(const std::byte* p) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
DUPQ_LANE f32x16 load_halves(const std::byte* p) noexcept { return {_mm512_cvtph_ps(load_32(p))}; }
DUPQ_LANE f32x16 load_upper_halves(const std::byte* p) noexcept {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_32(p)), 16))};
}
DUPQ_LANE f32x16 splat_half(const std::byte* p) noexcept {
  std::int16_t half;
  std::memcpy(&half, p, 2);
  return {_mm512_cvtph_ps(_mm256_set1_epi16(half))};
}
DUPQ_LANE f32x16 load_bytes_as_floats(const std::byte* p) noexcept {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_16(p)))};
}
DUPQ_LANE __m256 add_weighted(__m256 sum, __m256 v, __m512d weight) noexcept {
  return _mm512_cvtpd_ps(_mm512_fmadd_pd(_mm512_cvtps_pd(v), weight, _mm512_cvtps_pd(sum)));
}
DUPQ_LANE f32x16 add_weighted(f32x16 sum, f32x16 v, float weight) noexcept {
  const __m512d w = _mm512_set1_pd(double{weight});
  const __m256 low = add_weighted(_mm512_castps512_ps256(sum.all), _mm512_castps512_ps256(v.all), w);
  const __m256 high = add_weighted(upper(sum.all), upper(v.all), w);
  return {
      _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castps_pd(_mm512_castps256_ps512(low)), _mm256_castps_pd(high), 1))};
}
}  // namespace dupq::inline DUPQ_ABI::avx512_kernels
#define DUPQ_KERNELS avx512_kernels
#include "sum_rows.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#elif defined(DUPQ_ARM64)

#define DUPQ_ISA
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE
namespace dupq::inline DUPQ_ABI::neon_kernels {
inline constexpr std::size_t tile_sums = 4;  // 16 of 32 registers
DUPQ_LANE uint16x8_t load_8(const std::byte* p) noexcept {
  return vreinterpretq_u16_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(p)));
}
DUPQ_LANE f32x16 load_halves(const std::byte* p) noexcept {
  const float16x8_t a = vreinterpretq_f16_u16(load_8(p)), b = vreinterpretq_f16_u16(load_8(p + 16));
  return {{vcvt_f32_f16(vget_low_f16(a)), vcvt_high_f32_f16(a), vcvt_f32_f16(vget_low_f16(b)), vcvt_high_f32_f16(b)}};
}
DUPQ_LANE f32x16 load_upper_halves(const std::byte* p) noexcept {
  const uint16x8_t a = load_8(p), b = load_8(p + 16);
  return {{vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(a), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(a, 16)),
           vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(b), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(b, 16))}};
}
DUPQ_LANE f32x16 splat_half(const std::byte* p) noexcept {
  std::uint16_t half;
  std::memcpy(&half, p, 2);
  const float32x4_t scale = vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(half)));
  return {{scale, scale, scale, scale}};
}
DUPQ_LANE f32x16 load_bytes_as_floats(const std::byte* p) noexcept {
  const int8x16_t bytes = vld1q_s8(reinterpret_cast<const std::int8_t*>(p));
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
           vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
}
DUPQ_LANE f32x16 add_weighted(f32x16 sum, f32x16 v, float weight) noexcept {
  const float64x2_t w = vdupq_n_f64(static_cast<double>(weight));
  return each([&](int i) {
    const float32x4_t s = sum.quarter[i], x = v.quarter[i];
    const float64x2_t low = vfmaq_f64(vcvt_f64_f32(vget_low_f32(s)), vcvt_f64_f32(vget_low_f32(x)), w);
    const float64x2_t high = vfmaq_f64(vcvt_high_f64_f32(s), vcvt_high_f64_f32(x), w);
    return vcombine_f32(vcvt_f32_f64(low), vcvt_f32_f64(high));
  });
}
}  // namespace dupq::inline DUPQ_ABI::neon_kernels
#define DUPQ_KERNELS neon_kernels
#include "sum_rows.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#endif

namespace dupq::inline DUPQ_ABI {

DUPQ_TABLES sum_rows_function sum_rows_of(const kernels& table) noexcept {
  [[maybe_unused]] const std::string_view name = table.name;
#if defined(DUPQ_X86)
  if (begins_with(name, "avx512")) return avx512_kernels::sum_rows;
  // F16C is a bit of its own, though CPUs with AVX2 have it. Compilers' __builtin_cpu_supports may not know it.
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool halves = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
  if (name != "scalar" && halves) return avx2_kernels::sum_rows;
#elif defined(DUPQ_ARM64)
  if (name != "scalar") return neon_kernels::sum_rows;
#endif
  return scalar_kernels::sum_rows;
}

}  // namespace dupq::inline DUPQ_ABI
#endif
