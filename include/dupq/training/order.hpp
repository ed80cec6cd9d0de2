// The order of rows in an epoch: a permutation that follows from the seed and the epoch alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "../core/platform.hpp"
#include "random.hpp"

namespace dupq::inline DUPQ_ABI {

/// Fills `order` with 0 .. size - 1 in a random order (Fisher and Yates'); fewer than 2^32 rows.
inline void epoch_order(std::uint64_t seed, std::uint64_t epoch, std::span<std::uint32_t> order) noexcept {
  const auto rows = static_cast<std::uint32_t>(order.size());
  for (std::uint32_t i = 0; i < rows; ++i) order[i] = i;
  constexpr std::uint64_t golden = 0x9E3779B97F4A7C15u;  // (mix(0) is 0)
  const std::uint64_t key = mix(mix(seed + golden) + epoch + golden);
  for (std::uint64_t i = rows; i-- > 1;) {
    // A number in 0 .. i: the upper half of a 64-bit number's product with i + 1.
    const std::uint64_t number = mix(key + i * golden), range = i + 1;
    const std::uint64_t chosen = ((number >> 32) * range + ((number & 0xFFFFFFFFu) * range >> 32)) >> 32;
    std::swap(order[i], order[chosen]);
  }
}

}  // namespace dupq::inline DUPQ_ABI
