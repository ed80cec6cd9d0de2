// What loading looks for in weights: numbers that are not finite, and 8-bit matrices that are not as they say.
//
// Plain loops over whole words, at the speed of memory on any machine, whose sums a compiler need not reorder.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../device/device.hpp"
#include "../device/widen.hpp"

namespace dupq::inline DUPQ_ABI {

/// True if a number among `bytes` bytes, a multiple of its size, has an exponent of ones only: it is infinite or NaN.
/// `low` has the exponent's lowest bit in each number of a word, `sign` the bit above its highest.
inline bool any_not_finite(const std::byte* p, std::size_t bytes, std::uint64_t low, std::uint64_t sign) noexcept {
  const std::uint64_t exponent = sign - low;  // adding `low` to it carries into the sign where it has ones only
  std::uint64_t seen = 0, words[4];
  std::size_t at = 0;
  for (; bytes - at >= sizeof words; at += sizeof words) {
    std::memcpy(words, p + at, sizeof words);
    seen |= ((words[0] & exponent) + low) | ((words[1] & exponent) + low) | ((words[2] & exponent) + low) |
            ((words[3] & exponent) + low);
  }
  std::uint64_t rest[4] = {};
  std::memcpy(rest, p + at, bytes - at);
  for (const std::uint64_t word : rest) seen |= (word & exponent) + low;
  return (seen & sign) != 0;
}

/// True if none of `n` stored numbers is NaN or infinite; else `where` is the first that is. For q8_0, `n` is a
/// multiple of 32. They may lie at any address.
inline bool all_finite(const std::byte* stored, row_format format, std::size_t n, std::size_t& where) noexcept {
  constexpr std::uint64_t singles = 0x0000000100000001u, halves = 0x0001000100010001u;
  bool bad = false;
  switch (format) {
    case row_format::f32: bad = any_not_finite(stored, n * 4, singles << 23, singles << 31); break;
    case row_format::f16: bad = any_not_finite(stored, n * 2, halves << 10, halves << 15); break;
    case row_format::bf16: bad = any_not_finite(stored, n * 2, halves << 7, halves << 15); break;
    case row_format::q8_0: {  // a block is finite where its scale is
      unsigned seen = 0;
      for (std::size_t block = 0; block < n / 32; ++block) {
        std::uint16_t scale;
        std::memcpy(&scale, stored + 34 * block, 2);
        seen |= (scale & 0x7C00u) + 0x0400u;
      }
      bad = (seen & 0x8000u) != 0;
    }
  }
  if (!bad) return true;
  const std::size_t step = format == row_format::q8_0 ? 32 : 1;
  float numbers[32];
  for (where = 0; where < n; where += step) {
    widen(stored + stored_bytes(format, where), format, step, numbers);
    std::uint32_t bits;
    for (std::size_t i = 0; i < step; ++i)
      if (std::memcpy(&bits, numbers + i, 4); (bits & 0x7F800000u) == 0x7F800000u) return where += i, false;
  }
  return false;
}

/// Adds up the weights of a panel of 8-bit integers, [groups][panel_width][4], by output; true if all are in [-64, 64].
inline bool sum_panel(const std::byte* panel, std::size_t groups, std::int32_t* sums) noexcept {
  constexpr std::size_t width = 4 * panel_width,
                        exact = 127;  // groups whose sums of two fit 16 bits, whatever they are
  std::int8_t beyond[width] = {};
  std::fill_n(sums, panel_width, 0);
  for (std::size_t g = 0; g < groups;) {
    std::int16_t pairs[width / 2] = {};
    for (const std::size_t end = std::min(groups, g + exact); g < end; ++g) {
      std::int8_t bytes[width];
      std::int16_t two[width / 2];
      std::memcpy(bytes, panel + g * width, width);
      std::memcpy(two, panel + g * width, width);
      for (std::size_t i = 0; i < width; ++i)
        beyond[i] = static_cast<std::int8_t>(beyond[i] | (bytes[i] > 64) | (bytes[i] < -64));
      for (std::size_t i = 0; i < width / 2; ++i) {
        const auto low = static_cast<std::int16_t>(static_cast<std::uint16_t>(two[i]) << 8);
        pairs[i] = static_cast<std::int16_t>(pairs[i] + (two[i] >> 8) + (low >> 8));
      }
    }
    for (std::size_t o = 0; o < panel_width; ++o) sums[o] += pairs[2 * o] + pairs[2 * o + 1];
  }
  return std::find_if(beyond, beyond + width, [](std::int8_t b) { return b != 0; }) == beyond + width;
}

}  // namespace dupq::inline DUPQ_ABI
