// Where a cluster of characters ends that a reader sees as one (Unicode 15, UAX 29): SentencePiece's map is applied to
// clusters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/platform.hpp"
#include "split_tables.hpp"
#include "unicode.hpp"

namespace dupq::inline DUPQ_ABI {
namespace unicode {

/// The flags of split_tables.
inline std::uint8_t split_class(char32_t c) noexcept {
  namespace t = split_tables;
  if (c < t::end) return t::classes[t::blocks[c / t::block] * t::block + c % t::block];
  for (const t::range& r : t::ranges)
    if (c >= r.first && c <= r.last) return r.flags;
  return 0;
}
inline bool is_letter(char32_t c) noexcept { return (split_class(c) & split_tables::letter) != 0; }
inline bool is_number(char32_t c) noexcept { return (split_class(c) & split_tables::number) != 0; }

/// Takes the characters of a text one after another and says which go on with the cluster of those before. Flags,
/// which are pairs of characters of four bytes, are left out: none of them is short enough for the map.
class cluster_breaks {
 public:
  bool joins(char32_t c) noexcept {
    namespace t = split_tables;
    const std::uint8_t is = split_class(c);
    const std::uint8_t before = class_;
    const jamo now = jamo_of(c), last = jamo_;
    const bool after_return = returned_;
    const bool emoji_goes_on = emoji_ && (is & t::joiner) != 0;
    const bool after_zwj = emoji_zwj_;
    const bool first = first_;
    class_ = is, jamo_ = now, returned_ = c == U'\r', first_ = false;
    emoji_zwj_ = emoji_goes_on && c == 0x200D;
    emoji_ = emoji_goes_on || (is & t::pictograph) != 0;
    if (first) return false;
    if (after_return && c == U'\n') return true;
    if (((before | is) & t::control) != 0) return false;
    if (is & t::joiner) return true;
    if (before & t::prepended) return true;
    if (after_zwj && (is & t::pictograph) != 0) return true;
    return (last == jamo::lead &&
            (now == jamo::lead || now == jamo::vowel || now == jamo::open || now == jamo::closed)) ||
           ((last == jamo::vowel || last == jamo::open) && (now == jamo::vowel || now == jamo::tail)) ||
           ((last == jamo::tail || last == jamo::closed) && now == jamo::tail);
  }

 private:
  /// Hangul: consonants before, vowels, consonants after, syllables without and with these.
  enum class jamo : std::uint8_t { none, lead, vowel, tail, open, closed };
  static jamo jamo_of(char32_t c) noexcept {
    const auto in = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
    if (c < 0x1100) return jamo::none;
    if (in(0x1100, 0x115F) || in(0xA960, 0xA97C)) return jamo::lead;
    if (in(0x1160, 0x11A7) || in(0xD7B0, 0xD7C6)) return jamo::vowel;
    if (in(0x11A8, 0x11FF) || in(0xD7CB, 0xD7FB)) return jamo::tail;
    if (!is_hangul_syllable(c)) return jamo::none;
    return (c - 0xAC00) % 28 == 0 ? jamo::open : jamo::closed;
  }

  std::uint8_t class_ = 0;
  jamo jamo_ = jamo::none;
  bool first_ = true, returned_ = false, emoji_ = false, emoji_zwj_ = false;
};

}  // namespace unicode
}  // namespace dupq::inline DUPQ_ABI
