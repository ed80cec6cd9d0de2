// Compiles the AVX-512 kernels through SIMDe, which emulates their instructions by AVX2's: a CPU without AVX-512 runs
// them too. Included before everything else (-include); the program is compiled with -mavx2 -mfma.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <cpuid.h>
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>

#include <cstdint>
#include <dupq/core/platform.hpp>

// The emulation has no such instructions.
inline simde__m512 simde_to_float(simde__m512i v) {
  std::int32_t integers[16];
  float floats[16];
  simde_mm512_storeu_si512(integers, v);
  for (int i = 0; i < 16; ++i) floats[i] = static_cast<float>(integers[i]);
  return simde_mm512_loadu_ps(floats);
}
#define _mm512_cvtepi32_ps simde_to_float

inline simde__m128i simde_to_bytes(simde__m512i v) {
  std::uint32_t integers[16];
  std::uint8_t bytes[16];
  simde_mm512_storeu_si512(integers, v);
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(integers[i] < 255 ? integers[i] : 255);
  return simde_mm_loadu_si128(bytes);
}
#define _mm512_cvtusepi32_epi8 simde_to_bytes

// Defined by the emulation as its masked sibling.
#undef _mm512_madd_epi16
#define _mm512_madd_epi16 simde_mm512_madd_epi16

// AVX-VNNI's name of what AVX-512 VNNI has too.
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32

// A function that carries AVX-512 would be compiled to it.
#undef DUPQ_TARGET
#define DUPQ_TARGET(isa)
#define __builtin_cpu_supports(feature) 1
// All features of a leaf.
#define __get_cpuid_count(leaf, subleaf, a, b, c, d) (*(a) = *(b) = *(c) = *(d) = ~0u, 1)
