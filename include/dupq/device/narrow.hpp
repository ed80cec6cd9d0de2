// Floats to half precision, on the host: what a GPU or a model file gets is rounded here.
#pragma once

#include <bit>
#include <cstdint>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// The nearest half, ties to even; what is too large becomes infinite.
constexpr std::uint16_t narrow_f16(float f) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(f);
  const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65520 and up
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 puts multiples of 2^-24 into the last bits, rounded
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
  }
  const std::uint32_t odd = magnitude >> 13 & 1u;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000u + 0xFFFu + odd) >> 13));
}

}  // namespace dupq::inline DUPQ_ABI
