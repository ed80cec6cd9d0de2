// Bytes of other encodings to UTF-8, piece by piece.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "utf8.hpp"

namespace dupq_tool {

enum class text_encoding { utf8, latin1, windows1252, utf16, utf16_big };

inline std::string_view encoding_name(text_encoding e) noexcept {
  constexpr std::string_view names[] = {"UTF-8", "Latin-1", "Windows-1252", "UTF-16", "UTF-16"};
  return names[static_cast<int>(e)];
}

/// UTF-8's byte-order mark, which begins what other programs wrote as "UTF-8 with signature".
inline constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// The byte that is written for what is no character. It never occurs in UTF-8, so whoever reads the result sees that
/// something was broken there and counts it.
inline constexpr char no_character = '\xFF';

/// Whether a file that begins so is UTF-16 without a byte-order mark: of two ASCII characters, each has a zero.
inline bool looks_like_utf16(std::string_view bytes, text_encoding order) noexcept {
  const std::size_t high = order == text_encoding::utf16_big ? 0 : 1;
  return bytes.size() >= 4 && bytes[high] == 0 && bytes[high + 2] == 0 && bytes[1 - high] != 0 && bytes[3 - high] != 0;
}

/// UTF-16's byte-order mark.
inline std::string_view utf16_mark(text_encoding order) noexcept {
  return order == text_encoding::utf16_big ? "\xFE\xFF" : "\xFF\xFE";
}

/// Decodes the pieces of a file, one after another.
class decoder {
 public:
  explicit decoder(text_encoding from) : from_(from) {}

  /// Appends the characters of the next piece.
  void decode(std::string_view bytes, std::string& out) {
    switch (from_) {
      case text_encoding::utf8: out += bytes; break;
      case text_encoding::latin1:
        for (const char c : bytes) append_utf8(out, static_cast<unsigned char>(c));
        break;
      case text_encoding::windows1252:
        for (const char c : bytes) windows1252(static_cast<unsigned char>(c), out);
        break;
      case text_encoding::utf16:
      case text_encoding::utf16_big:
        for (const char c : bytes) utf16(static_cast<unsigned char>(c), out);
        break;
    }
  }

  /// The file ends here: half a character that is left over is broken.
  void finish(std::string& out) {
    if (half_ >= 0 || high_ != 0) out += no_character;
    half_ = -1, high_ = 0;
  }

 private:
  static void windows1252(unsigned char c, std::string& out) {
    // What windows-1252 has at 0x80 to 0x9F; five of these stand for nothing. All other bytes are as in Latin-1.
    static constexpr std::array<char16_t, 32> table{0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                                    0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};
    const char32_t is = c >= 0x80 && c < 0xA0 ? table[c - 0x80] : c;
    if (c != 0 && is == 0)
      out += no_character;
    else
      append_utf8(out, is);
  }

  void utf16(unsigned char c, std::string& out) {
    if (half_ < 0) {
      half_ = c;
      return;
    }
    const char32_t first = static_cast<char32_t>(half_),
                   unit = from_ == text_encoding::utf16_big ? first << 8 | c : char32_t{c} << 8 | first;
    half_ = -1;
    const bool low = unit >= 0xDC00 && unit < 0xE000;
    if (high_ != 0 && low) {
      append_utf8(out, 0x10000 + ((high_ - 0xD800) << 10) + (unit - 0xDC00));
      high_ = 0;
      return;
    }
    if (high_ != 0 || low) out += no_character;  // half a surrogate pair
    high_ = unit >= 0xD800 && unit < 0xDC00 ? unit : 0;
    if (high_ == 0 && !low) append_utf8(out, unit);
  }

  text_encoding from_;
  int half_ = -1;      ///< the first byte of a unit whose second one is still to come
  char32_t high_ = 0;  ///< the first half of a surrogate pair
};

}  // namespace dupq_tool
