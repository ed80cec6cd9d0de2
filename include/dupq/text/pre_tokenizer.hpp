// How a text is cut into the words that a Unigram vocabulary is asked for, as a model file lists it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// SentencePiece's mark for a blank.
inline constexpr char32_t blank_mark = 0x2581;

/// tokenizer.json's pre_tokenizer as switches; all but `metaspace` cut between characters, whatever stands around
/// these.
struct pre_tokenizer {
  static constexpr char key[] = "dupq.tokenizer.pre_tokenizer";

  enum class marks : std::uint8_t {
    none,    ///< no Metaspace: blanks are characters
    never,   ///< blanks become marks, and no other mark is put in
    first,   ///< a mark goes before the text, where it begins with none
    always,  ///< and before every part that the steps before leave
  };

  bool split_blanks = false;       ///< WhitespaceSplit: white space separates parts and is dropped
  bool split_words = false;        ///< Whitespace: \w+ and [^\w\s]+, the rest is dropped
  bool split_punctuation = false;  ///< Punctuation, each a part of its own
  bool split_digits = false;       ///< Digits: numbers are parts of their own
  bool single_digits = false;      ///< and each digit is one
  marks metaspace = marks::none;
  bool split_marks = false;  ///< a word begins at every mark

  struct name {
    std::string_view text;
    bool pre_tokenizer::*flag;
  };
  static constexpr name names[] = {
      {"whitespace_split", &pre_tokenizer::split_blanks}, {"whitespace", &pre_tokenizer::split_words},
      {"punctuation", &pre_tokenizer::split_punctuation}, {"digits", &pre_tokenizer::split_digits},
      {"single_digits", &pre_tokenizer::single_digits},   {"split_marks", &pre_tokenizer::split_marks}};
  static constexpr std::string_view schemes[] = {"", "metaspace_never", "metaspace_first", "metaspace_always"};

  /// The file's list of strings: a u64 length and the bytes, `count` times. Errors: wrong_value.
  static result<pre_tokenizer> read(std::span<const std::byte> strings, std::uint64_t count) noexcept {
    pre_tokenizer out;
    const std::byte* p = strings.data();
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t length = 0;
      std::memcpy(&length, p, 8);
      const std::string_view word(reinterpret_cast<const char*>(p + 8), static_cast<std::size_t>(length));
      p += 8 + word.size();
      if (!out.take(word)) return error(errc::wrong_value, key, 0, i);
    }
    return out;
  }

 private:
  bool take(std::string_view word) noexcept {
    for (const name& n : names)
      if (n.text == word) return this->*n.flag = true;
    for (std::uint8_t i = 1; i < 4; ++i)
      if (schemes[i] == word) return metaspace = static_cast<marks>(i), true;
    return false;
  }
};

}  // namespace dupq::inline DUPQ_ABI
