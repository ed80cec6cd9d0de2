// UTF-8 in and out, and what a character is: the functions over the generated tables.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/platform.hpp"
#include "unicode_tables.hpp"

namespace dupq::inline DUPQ_ABI {
namespace unicode {

inline constexpr char32_t replacement = 0xFFFD;

/// Decodes the character at `p` < `end` and moves `p` past it. Broken bytes give U+FFFD, one for each maximal part of a
/// well-formed sequence (Unicode 15, section 3.9), as Python's and Rust's lossy decoders do.
inline char32_t decode(const char*& p, const char* end) noexcept {
  const auto lead = static_cast<unsigned char>(*p++);
  if (lead < 0x80) return lead;
  if (lead < 0xC2 || lead > 0xF4) return replacement;
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  char32_t c = lead & (0x3Fu >> more);
  // The second byte of E0, ED, F0 and F4 has a narrower range: overlong forms, surrogates, beyond U+10FFFF.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (int i = 0; i < more; ++i) {
    if (p == end) return replacement;
    const auto next = static_cast<unsigned char>(*p);
    if (next < low || next > high) return replacement;
    c = c << 6 | (next & 0x3Fu);
    ++p;
    low = 0x80, high = 0xBF;
  }
  return c;
}

/// The character that ends at `p` > `begin`, decoded as `decode` would on its way there.
inline char32_t decode_before(const char* begin, const char* p) noexcept {
  for (int length = 1; length <= 4 && p - begin >= length; ++length) {
    const char* start = p - length;
    if ((static_cast<unsigned char>(*start) & 0xC0u) == 0x80) continue;
    const char32_t c = decode(start, p);
    return start == p ? c : replacement;
  }
  return replacement;
}

/// Writes `c` as UTF-8 into `out`, which has room for 4 bytes; returns their number.
inline std::size_t encode(char32_t c, char* out) noexcept {
  const auto put = [&](int i, char32_t bits) { out[i] = static_cast<char>(bits); };
  if (c < 0x80) return put(0, c), 1;
  if (c < 0x800) return put(0, 0xC0 | c >> 6), put(1, 0x80 | (c & 0x3F)), 2;
  if (c < 0x10000) return put(0, 0xE0 | c >> 12), put(1, 0x80 | (c >> 6 & 0x3F)), put(2, 0x80 | (c & 0x3F)), 3;
  put(0, 0xF0 | c >> 18), put(1, 0x80 | (c >> 12 & 0x3F)), put(2, 0x80 | (c >> 6 & 0x3F)), put(3, 0x80 | (c & 0x3F));
  return 4;
}

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

/// The most characters that `strip` gives.
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
