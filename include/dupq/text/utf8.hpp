// UTF-8 in and out.
#pragma once

#include <cstddef>
#include <string_view>

#include "../core/platform.hpp"

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

/// Bytes of the character that `s` begins with; 0 where it begins with broken bytes, or is empty.
inline std::size_t character_bytes(std::string_view s) noexcept {
  if (s.empty()) return 0;
  const char* p = s.data();
  const bool broken = decode(p, p + s.size()) == replacement && s.substr(0, 3) != "\xEF\xBF\xBD";
  return broken ? 0 : static_cast<std::size_t>(p - s.data());
}

inline bool is_utf8(std::string_view s) noexcept {
  while (!s.empty()) {
    const std::size_t n = character_bytes(s);
    if (n == 0) return false;
    s.remove_prefix(n);
  }
  return true;
}

}  // namespace unicode
}  // namespace dupq::inline DUPQ_ABI
