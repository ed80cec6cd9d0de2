// What a character is: the functions over the generated tables.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/platform.hpp"
#include "unicode_tables.hpp"
#include "utf8.hpp"

namespace dupq::inline DUPQ_ABI {
namespace unicode {

/// Flags, combining class and lower case of any code point.
inline const unicode_tables::character& properties(char32_t c) noexcept {
  namespace t = unicode_tables;
  if (c < t::end) return t::characters[t::classes[t::class_blocks[c / t::block] * t::block + c % t::block]];
  for (const t::range& r : t::ranges)
    if (c >= r.first && c <= r.last) return t::characters[r.index];
  return t::characters[0];
}

inline bool is_space(char32_t c) noexcept { return (properties(c).flags & unicode_tables::space) != 0; }
inline bool is_punctuation(char32_t c) noexcept { return (properties(c).flags & unicode_tables::punctuation) != 0; }
/// \w of Unicode's regular expressions.
inline bool is_word(char32_t c) noexcept { return (properties(c).flags & unicode_tables::word) != 0; }

/// The most characters that `strip` (below) writes.
inline constexpr std::size_t max_parts = 4;

/// Canonical decomposition of a character that has the flag `decomposes`, without its marks, into `out`; returns the
/// number of characters. A leading 0 says that a mark was dropped over which no character may be reordered.
inline std::size_t strip(char32_t c, char32_t* out) noexcept {
  namespace t = unicode_tables;
  const unsigned place = t::strips[t::strip_blocks[c / t::block] * t::block + c % t::block];
  const unsigned length = place & 7u;
  for (unsigned i = 0; i < length; ++i) out[i] = t::parts[(place >> 3) + i];
  return length;
}

inline bool is_hangul_syllable(char32_t c) noexcept { return c - 0xAC00u < 11172u; }

/// The two or three jamo of a Hangul syllable (Unicode 15, section 3.12).
inline std::size_t strip_hangul(char32_t c, char32_t* out) noexcept {
  const char32_t index = c - 0xAC00u;
  out[0] = 0x1100u + index / (21 * 28);
  out[1] = 0x1161u + index % (21 * 28) / 28;
  out[2] = 0x11A7u + index % 28;
  return index % 28 == 0 ? 2 : 3;
}

}  // namespace unicode
}  // namespace dupq::inline DUPQ_ABI
