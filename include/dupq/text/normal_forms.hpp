// Unicode's normalisation forms, one character at a time: decomposition, combining class, composition, accents.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "../core/platform.hpp"
#include "normal_form_tables.hpp"
#include "unicode.hpp"

namespace dupq::inline DUPQ_ABI {
namespace unicode {

/// The canonical combining class; 0: a starter, which does not reorder.
inline std::uint8_t combining_class(char32_t c) noexcept {
  namespace t = normal_form_tables;
  if (c >= t::class_end) return 0;
  return t::records[t::classes[t::class_blocks[c / t::block] * t::block + c % t::block]].combining_class;
}

/// A mark of any kind: what the step StripAccents drops.
inline bool is_accent(char32_t c) noexcept {
  namespace t = normal_form_tables;
  if (c >= t::class_end) return c >= t::high_accents[0] && c <= t::high_accents[1];
  return t::records[t::classes[t::class_blocks[c / t::block] * t::block + c % t::block]].accent != 0;
}

/// What a character decomposes into, with its parts decomposed as well.
class decomposition {
 public:
  decomposition() noexcept = default;
  decomposition(char32_t c, bool compatible) noexcept : c_(c) {
    namespace t = normal_form_tables;
    if (is_hangul_syllable(c)) {
      char32_t jamo[3];
      size_ = static_cast<std::uint8_t>(strip_hangul(c, jamo));
    } else if (c < t::form_end) {
      const t::entry& e = t::entries[t::forms[t::form_blocks[c / t::block] * t::block + c % t::block]];
      const bool own = compatible && e.compatible != 0;
      parts_ = t::parts + e.place + (own ? e.canonical : 0);
      size_ = own ? e.compatible : e.canonical;
    }
  }

  /// 0: the character stays as it is.
  std::size_t size() const noexcept { return size_; }
  char32_t operator[](std::size_t i) const noexcept {
    if (parts_ != nullptr) return parts_[i];
    char32_t jamo[3];
    strip_hangul(c_, jamo);
    return jamo[i];
  }

 private:
  const char32_t* parts_ = nullptr;
  char32_t c_ = 0;
  std::uint8_t size_ = 0;
};

/// The one character that NFC and NFKC make of two; 0 where they stay two.
inline char32_t compose(char32_t first, char32_t second) noexcept {
  namespace t = normal_form_tables;
  constexpr char32_t leads = 19, vowels = 21, tails = 28;
  if (first - 0x1100u < leads && second - 0x1161u < vowels)
    return 0xAC00u + ((first - 0x1100u) * vowels + (second - 0x1161u)) * tails;
  if (is_hangul_syllable(first) && (first - 0xAC00u) % tails == 0 && second - 0x11A8u < tails - 1)
    return first + (second - 0x11A7u);
  const auto before = [](const t::pair& p, const t::pair& wanted) {
    return p.first != wanted.first ? p.first < wanted.first : p.second < wanted.second;
  };
  const t::pair wanted{first, second, 0};
  const t::pair* const found = std::lower_bound(std::begin(t::pairs), std::end(t::pairs), wanted, before);
  return found != std::end(t::pairs) && found->first == first && found->second == second ? found->composed : 0;
}

}  // namespace unicode
}  // namespace dupq::inline DUPQ_ABI
