// Weights as small integers: those of linear matrices for the int8 kernels, ggml's q8_0 blocks for embedding tables.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "half.hpp"

namespace dupq_tool {

/// Weights are in -64..64, so that the sum of two products with 8-bit activations fits 16 bits.
inline constexpr int weight_limit = 64;

inline float largest_magnitude(std::span<const float> values) noexcept {
  float most = 0.0f;
  for (float v : values) most = std::max(most, std::abs(v));
  return most;
}

/// value / scale as an integer, ties to even.
inline std::int8_t quantize(float value, float scale, int limit) noexcept {
  const double q = std::nearbyint(double{value} / double{scale});
  return static_cast<std::int8_t>(std::clamp(q, -double(limit), double(limit)));
}

/// The scale of a row's integers; 0 where all weights are 0.
inline float scale_of_row(std::span<const float> weights) noexcept {
  return largest_magnitude(weights) / float{weight_limit};
}

inline constexpr std::size_t q8_0_values = 32, q8_0_bytes = 2 + q8_0_values;

/// A block of q8_0: the scale as a half, then the integers.
inline std::array<std::byte, q8_0_bytes> quantize_block(std::span<const float, q8_0_values> values) noexcept {
  constexpr int limit = 127;
  const std::uint16_t half = to_half(largest_magnitude(values) / float{limit});
  const float scale = from_half(half);
  std::array<std::byte, q8_0_bytes> block{};
  std::memcpy(block.data(), &half, sizeof half);
  if (scale == 0.0f) return block;
  for (std::size_t i = 0; i < values.size(); ++i)
    block[2 + i] = static_cast<std::byte>(quantize(values[i], scale, limit));
  return block;
}

}  // namespace dupq_tool
