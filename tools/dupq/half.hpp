// The 16-bit floats of checkpoints: IEEE half precision and bfloat16.
#pragma once

#include <bit>
#include <cstdint>
#include <dupq/device/narrow.hpp>
#include <dupq/device/widen.hpp>

namespace dupq_tool {

inline float from_bfloat16(std::uint16_t v) noexcept { return std::bit_cast<float>(std::uint32_t{v} << 16); }
inline float from_half(std::uint16_t v) noexcept { return dupq::widen_f16(v); }
/// Nearest half, ties to even; what is too large becomes infinite.
inline std::uint16_t to_half(float f) noexcept { return dupq::narrow_f16(f); }

}  // namespace dupq_tool
