// The tables of CPUs with VNNI, which adds four products of bytes in one instruction: AVX-VNNI over AVX2's lanes,
// AVX-512 VNNI over AVX-512's. Only the product of 8-bit integers is their own.
#pragma once

#include "lanes_avx2.hpp"
#include "lanes_avx512.hpp"

#if defined(DUPQ_X86)

#include <cpuid.h>

#define DUPQ_ISA DUPQ_TARGET("avxvnni,avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE

namespace dupq::inline DUPQ_ABI::avx_vnni_kernels {

using namespace avx2_kernels;
inline constexpr int tile8_rows = 6, tile8_accumulators = 6;
inline constexpr int tile8_tallest = 6;
inline constexpr int filter_tile_rows = 4, filter_tile_panels = 1;

// A type of their own keeps these apart from AVX2's functions of the same names.
struct i8x64 {
  __m256i low, high;
};
DUPQ_LANE i8x64 load_bytes(const std::int8_t* p) noexcept {
  const auto v = avx2_kernels::load_bytes(p);
  return {v.low, v.high};
}
DUPQ_LANE i32x16 add_products(i32x16 sum, i32x16 x, i8x64 w) noexcept {
  return {_mm256_dpbusd_avx_epi32(sum.low, x.low, w.low), _mm256_dpbusd_avx_epi32(sum.high, x.high, w.high)};
}

}  // namespace dupq::inline DUPQ_ABI::avx_vnni_kernels

#define DUPQ_KERNELS avx_vnni_kernels
#include "filter.inl"
#include "gemm8.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#define DUPQ_ISA DUPQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE

namespace dupq::inline DUPQ_ABI::avx512_vnni_kernels {

using namespace avx512_kernels;
inline constexpr int tile8_rows = 8, tile8_accumulators = 24;
inline constexpr int tile8_tallest = 14;  // with two panels: 28 of 32 registers
inline constexpr int filter_tile_rows = 8, filter_tile_panels = 3;

struct i8x64 {
  i32x16 all;
};
DUPQ_LANE i8x64 load_bytes(const std::int8_t* p) noexcept { return {avx512_kernels::load_bytes(p)}; }
DUPQ_LANE i32x16 add_products(i32x16 sum, i32x16 x, i8x64 w) noexcept {
  return i32x16::of(_mm512_dpbusd_epi32(sum.get(), x.get(), w.all.get()));
}

}  // namespace dupq::inline DUPQ_ABI::avx512_vnni_kernels

#define DUPQ_KERNELS avx512_vnni_kernels
#include "filter.inl"
#include "gemm8.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

namespace dupq::inline DUPQ_ABI {

namespace avx_vnni_kernels {
inline constexpr kernels table = with_gemm8("avx-vnni", avx2_kernels::table, gemm8);
inline constexpr filter_kernels filter_table{filter, integers, all_dots};
/// Compilers' __builtin_cpu_supports may not know it: CPUID leaf 7, subleaf 1, EAX bit 4.
inline bool supported() noexcept {
  static const bool yes = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
  }();
  return yes;  // asked once: in a virtual machine CPUID takes microseconds
}
}  // namespace avx_vnni_kernels

namespace avx512_vnni_kernels {
inline constexpr kernels table = with_gemm8("avx512-vnni", avx512_kernels::table, gemm8);
inline constexpr filter_kernels filter_table{filter, integers, all_dots};
}  // namespace avx512_vnni_kernels

}  // namespace dupq::inline DUPQ_ABI
#endif
