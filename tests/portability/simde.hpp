// Compiles the AVX-512 kernels through SIMDe, which emulates their instructions by AVX2's: a CPU without AVX-512 runs
// them too. Included before everything else (-include); the program is compiled with -mavx2 -mfma.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <cpuid.h>
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
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

// AMX's tile registers, which no emulation has: shapes, then eight of 16 rows of 64 bytes.
namespace tiles {
struct shapes {
  std::uint8_t palette, first_row, reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};
inline shapes shape;
inline std::uint8_t registers[8][16][64];

inline void clear(int t) { std::memset(registers[t], 0, sizeof registers[t]); }
inline void load_shapes(const void* from) {
  std::memcpy(&shape, from, sizeof shape);
  for (int t = 0; t < 8; ++t) clear(t);
}
inline void load(int t, const void* from, std::size_t stride) {
  clear(t);
  for (std::size_t r = 0; r < shape.rows[t]; ++r)
    std::memcpy(registers[t][r], static_cast<const std::uint8_t*>(from) + r * stride, shape.row_bytes[t]);
}
inline void store(int t, void* to, std::size_t stride) {
  for (std::size_t r = 0; r < shape.rows[t]; ++r)
    std::memcpy(static_cast<std::uint8_t*>(to) + r * stride, registers[t][r], shape.row_bytes[t]);
}
inline void add_products(int sums, int a, int b) {
  for (std::size_t r = 0; r < shape.rows[sums]; ++r)
    for (std::size_t column = 0; column < shape.row_bytes[sums]; column += 4) {
      std::int32_t sum;
      std::memcpy(&sum, &registers[sums][r][column], 4);
      for (std::size_t k = 0; k < shape.row_bytes[a]; ++k)
        sum += registers[a][r][k] * static_cast<std::int8_t>(registers[b][k / 4][column + k % 4]);
      std::memcpy(&registers[sums][r][column], &sum, 4);
    }
}
}  // namespace tiles
#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbusd
#define _tile_loadconfig tiles::load_shapes
#define _tile_release() static_cast<void>(0)
#define _tile_zero tiles::clear
#define _tile_loadd tiles::load
#define _tile_stored tiles::store
#define _tile_dpbusd tiles::add_products
inline long give_tiles(...) { return 0; }
#define syscall give_tiles

// A function that carries AVX-512 would be compiled to it.
#undef DUPQ_TARGET
#define DUPQ_TARGET(isa)
#define __builtin_cpu_supports(feature) 1
// All features of a leaf.
#define __get_cpuid_count(leaf, subleaf, a, b, c, d) (*(a) = *(b) = *(c) = *(d) = ~0u, 1)
