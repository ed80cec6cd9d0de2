// Exact widening of stored numbers to float: half precision, bfloat16 and ggml's q8_0 blocks.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "device.hpp"

namespace dupq::inline DUPQ_ABI {

/// IEEE 754 binary16 to binary32; every value is representable.
constexpr float widen_f16(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 31u;
  std::uint32_t fraction = half & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  if (fraction == 0) return std::bit_cast<float>(sign);
  std::uint32_t shift = 113;  // subnormal: normalise
  while ((fraction & 1024u) == 0) fraction <<= 1, --shift;
  return std::bit_cast<float>(sign | shift << 23 | (fraction & 1023u) << 13);
}

/// Bytes of a row's first `n` numbers; for q8_0, `n` is a multiple of 32.
constexpr std::size_t stored_bytes(row_format format, std::size_t n) noexcept {
  switch (format) {
    case row_format::f32: return n * 4;
    case row_format::f16: return n * 2;
    case row_format::q8_0: return n / 32 * 34;
  }
  return 0;
}

/// Writes `n` floats of a stored row; for q8_0, `n` is a multiple of 32. The row may lie at any address.
inline void widen(const std::byte* row, row_format format, std::size_t n, float* out) noexcept {
  switch (format) {
    case row_format::f32: std::memcpy(out, row, n * sizeof(float)); return;
    case row_format::f16:
      for (std::size_t i = 0; i < n; ++i) {
        std::uint16_t half;
        std::memcpy(&half, row + 2 * i, 2);
        out[i] = widen_f16(half);
      }
      return;
    case row_format::q8_0:
      for (std::size_t block = 0; block < n / 32; ++block, row += 34) {
        std::uint16_t half;
        std::memcpy(&half, row, 2);
        const float scale = widen_f16(half);
        for (std::size_t i = 0; i < 32; ++i)  // 11 bits by 8 bits: the product is exact
          out[32 * block + i] = scale * static_cast<float>(static_cast<std::int8_t>(row[2 + i]));
      }
      return;
  }
}

}  // namespace dupq::inline DUPQ_ABI
