// Exact widening of stored numbers to float: half precision, bfloat16 and ggml's q8_0 blocks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "device.hpp"

namespace dupq::inline DUPQ_ABI {

/// IEEE 754 binary16 to binary32; every value is representable. Without a branch and independent of the rounding mode
/// and of the flushing of denormals, so that loops over it become vector code.
constexpr float widen_f16(std::uint16_t half) noexcept {
  constexpr std::uint32_t step = 1u << 23;  // of the exponent
  const std::uint32_t bits = (half & 0x7FFFu) << 13, sign = (half & 0x8000u) << 16;
  const std::uint32_t normal = 0u - std::uint32_t{bits >= step}, top = 0u - std::uint32_t{bits >= 31 * step};
  const float subnormal = std::bit_cast<float>(bits + 113 * step) - 0x1p-14f;  // exact: both are multiples of 2^-24
  const std::uint32_t small = std::bit_cast<std::uint32_t>(subnormal) & 0x7FFFFFFFu;
  return std::bit_cast<float>(sign | (small & ~normal) | ((bits + 112 * step + (top & (112 * step))) & normal));
}

/// Bytes of a row's first `n` numbers; for q8_0, `n` is a multiple of 32.
constexpr std::size_t stored_bytes(row_format format, std::size_t n) noexcept {
  switch (format) {
    case row_format::f32: return n * 4;
    case row_format::f16:
    case row_format::bf16: return n * 2;
    case row_format::q8_0: return n / 32 * 34;
  }
  return 0;
}

/// `widen` below, for kernels to compile for their instruction set.
DUPQ_ALWAYS_INLINE void widen_inlined(const std::byte* row, row_format format, std::size_t n, float* out) noexcept {
  switch (format) {
    case row_format::f32: std::memcpy(out, row, n * sizeof(float)); return;
    case row_format::f16:
      for (; n >= 16; n -= 16, row += 32, out += 16) {  // a fixed number of steps from an array becomes vector code
        std::uint16_t halves[16];
        std::memcpy(halves, row, sizeof halves);
        for (std::size_t i = 0; i < 16; ++i) out[i] = widen_f16(halves[i]);
      }
      for (std::size_t i = 0; i < n; ++i) {
        std::uint16_t half;
        std::memcpy(&half, row + 2 * i, 2);
        out[i] = widen_f16(half);
      }
      return;
    case row_format::bf16:
      for (std::size_t i = 0; i < n; ++i) {
        std::uint16_t upper;
        std::memcpy(&upper, row + 2 * i, 2);
        out[i] = std::bit_cast<float>(std::uint32_t{upper} << 16);
      }
      return;
    case row_format::q8_0:
      for (std::size_t block = 0; block < n / 32; ++block, row += 34) {
        std::uint16_t half;
        std::memcpy(&half, row, 2);
        const float scale = widen_f16(half);
        std::int8_t bytes[32];
        std::memcpy(bytes, row + 2, sizeof bytes);
        for (std::size_t i = 0; i < 32; ++i)
          out[32 * block + i] = scale * static_cast<float>(bytes[i]);  // exact: 11 bits by 8 bits
      }
      return;
  }
}

/// Writes `n` floats of a stored row; for q8_0, `n` is a multiple of 32. The row may lie at any address.
inline void widen(const std::byte* row, row_format format, std::size_t n, float* out) noexcept {
  widen_inlined(row, format, n, out);
}

}  // namespace dupq::inline DUPQ_ABI
