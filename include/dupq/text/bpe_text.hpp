// Texts to the ids of byte-level BPE: GPT-2's words, whose bytes are merged. What a tokenizer needs for RoBERTa.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"
#include "bpe.hpp"
#include "graphemes.hpp"
#include "step_reader.hpp"
#include "token_finder.hpp"
#include "wordpiece.hpp"

namespace dupq::inline DUPQ_ABI {

/// What a model file has of a byte-level BPE tokenizer.
struct bpe_model {
  static constexpr char prefix_key[] = "dupq.bpe.prefix_space";
  static constexpr char split_key[] = "dupq.bpe.split";

  bpe merges;
  bool prefix_space = false;  ///< a blank goes before a part that begins with none
  bool split = true;          ///< into GPT-2's words; otherwise a part is one word
};

namespace gpt2 {

enum class kind : std::uint8_t { letter, number, other, space, none };

inline kind kind_of(char32_t c) noexcept {
  if (c < 0x80) {
    const char32_t lower = c | 0x20;
    if (lower >= 'a' && lower <= 'z') return kind::letter;
    if (c >= '0' && c <= '9') return kind::number;
    return c == ' ' || (c >= 9 && c <= 13) ? kind::space : kind::other;
  }
  const std::uint8_t flags = unicode::split_class(c);
  if ((flags & split_tables::letter) != 0) return kind::letter;
  if ((flags & split_tables::number) != 0) return kind::number;
  return unicode::is_space(c) ? kind::space : kind::other;
}

/// Characters of "'s", "'re" and the like, where these are the next three characters; else 0.
inline int contraction(char32_t a, char32_t b, char32_t c) noexcept {
  if (a != '\'') return 0;
  if (b == 's' || b == 't' || b == 'm' || b == 'd') return 2;
  return (b == 'r' && c == 'e') || (b == 'v' && c == 'e') || (b == 'l' && c == 'l') ? 3 : 0;
}

}  // namespace gpt2

/// The words of a text as GPT-2 has them: contractions; letters, numbers or other characters in a row, perhaps with a
/// blank before them; white space, of which the last character is left to the next word.
template <class Text>
class byte_level_words {
 public:
  enum class what : std::uint8_t { word, token, end };

  byte_level_words(const bpe_model& model, const Text& text, bool part_begins) noexcept
      : model_(&model), text_(text), part_begins_(part_begins) {}

  what start() noexcept {
    const char32_t c = peek(0);
    if (c == Text::end_of_text) return what::end;
    if (c == Text::token) {
      pop();
      part_begins_ = true;
      return what::token;
    }
    prefixed_ = part_begins_ && model_->prefix_space && c != U' ';
    if (prefixed_) {
      for (std::size_t i = count_; i != 0; --i) ahead_[i] = ahead_[i - 1];
      ahead_[0] = U' ', ++count_;
    }
    part_begins_ = contraction_ = false, first_ = true;
    if (!model_->split) return what::word;
    // Peeking does not go beyond a token or the end.
    const char32_t head = peek(0), second = peek(1);
    fixed_ = gpt2::contraction(head, second, head == U'\'' && second < Text::token ? peek(2) : 0);
    contraction_ = fixed_ != 0;
    row_ = kind_at(0);
    if (head == U' ' && kind_at(1) != gpt2::kind::space && kind_at(1) != gpt2::kind::none) row_ = kind_at(1);
    return what::word;
  }
  std::int32_t token() const noexcept { return text_.id(); }
  /// Whether the word's first character is a blank that the text does not have.
  bool prefixed() const noexcept { return prefixed_; }

  /// The next character of the word; false after its last.
  bool next(char32_t& c) noexcept {
    if (!goes_on()) return false;
    first_ = false;
    c = pop();
    return true;
  }

 private:
  bool goes_on() noexcept {
    if (peek(0) >= Text::token) return false;
    if (!model_->split) return true;
    if (contraction_) return fixed_-- > 0;
    if (first_) return true;
    if (kind_at(0) != row_) return false;
    return row_ != gpt2::kind::space || kind_at(1) == gpt2::kind::space || kind_at(1) == gpt2::kind::none;
  }
  gpt2::kind kind_at(std::size_t i) noexcept {
    const char32_t c = peek(i);
    return c >= Text::token ? gpt2::kind::none : gpt2::kind_of(c);
  }
  char32_t peek(std::size_t i) noexcept {
    while (count_ <= i) {
      if (count_ != 0 && ahead_[count_ - 1] >= Text::token) return ahead_[count_ - 1];
      ahead_[count_++] = text_.next();
    }
    return ahead_[i];
  }
  char32_t pop() noexcept {
    const char32_t c = ahead_[0];
    for (std::size_t i = 1; i < count_; ++i) ahead_[i - 1] = ahead_[i];
    --count_;
    return c;
  }

  const bpe_model* model_;
  Text text_;
  char32_t ahead_[4] = {};
  std::size_t count_ = 0;
  bool part_begins_;
  bool first_ = false, prefixed_ = false;
  bool contraction_ = false;
  int fixed_ = 0;  ///< characters left of a contraction
  gpt2::kind row_{};
};

/// A stretch's characters as they are.
class raw_text {
 public:
  static constexpr char32_t end_of_text = normalizer::end_of_text, token = 0xFFFFFFFDu;

  raw_text(stretch& part, const char* p) noexcept : part_(&part), p_(p) {}
  char32_t next() noexcept {
    if (p_ >= part_->end() && !part_->extend(p_)) return end_of_text;
    return unicode::decode(p_, part_->limit());
  }
  std::int32_t id() const noexcept { return -1; }

 private:
  stretch* part_;
  const char* p_;
};

/// The words of a stretch that is not normalised: those of plain ASCII are found in the bytes.
class raw_byte_words {
 public:
  raw_byte_words(const bpe_model& model, stretch& part, token_sink& out) noexcept
      : model_(model), part_(part), out_(out), merger_(model.merges, out) {}

  void add() noexcept {
    const char* p = part_.begin();
    bool begins = true;
    for (;;) {
      if (!begins || !model_.prefix_space) p = add_ascii(p);
      if (out_.full() || (p >= part_.end() && !part_.extend(p))) return;
      p = add_other(p, begins);
      begins = false;
      if (out_.full()) return;
    }
  }

 private:
  enum : std::uint8_t { other_byte, letter, number, mark, space };
  static constexpr auto kinds = [] {
    std::array<std::uint8_t, 256> k{};
    for (unsigned c = 0; c < 128; ++c) {
      const unsigned lower = c | 0x20;
      k[c] = lower >= 'a' && lower <= 'z' ? letter : c >= '0' && c <= '9' ? number : mark;
      if (c == ' ' || (c >= 9 && c <= 13)) k[c] = space;
    }
    return k;
  }();
  static std::uint8_t kind_at(const char* p) noexcept { return kinds[static_cast<unsigned char>(*p)]; }

  /// Any one word. Returns its end.
  const char* add_other(const char* p, bool begins) noexcept {
    byte_level_words<raw_text> words(model_, raw_text(part_, p), begins);
    words.start();
    std::size_t n = 0;
    merger_.add_characters([&](char32_t& c) { return words.next(c) && ++n != 0; });
    if (words.prefixed()) --n;
    for (; n != 0; --n) unicode::decode(p, part_.limit());
    return p;
  }

  /// Words from `p` on of ASCII with no white space but a blank before them. Returns where another begins.
  const char* add_ascii(const char* p) noexcept {
    for (;;) {
      if (p >= part_.end() && !part_.extend(p)) return p;
      const char* end = part_.end();
      const bool blank = *p == ' ';
      const char* const word = p + blank;
      if (word >= end) return p;
      const std::uint8_t kind = kind_at(word);
      if (kind != letter && kind != number && kind != mark) return p;
      const char* q = word + 1;
      if (*word == '\'' && !blank) {
        if (end - word < 3) return p;
        const auto at = [&](int i) { return char32_t{static_cast<unsigned char>(word[i])}; };
        if (const int n = gpt2::contraction(at(0), at(1), at(2)); n != 0) {
          add_word(p, word, word + n, false);
          if (out_.full()) return p;
          p = word + n;
          continue;
        }
      }
      for (;;) {
        while (q < end && kind_at(q) == kind) ++q;
        if (q < end || !part_.extend(q)) break;
        end = part_.end();
      }
      if (q < end && kind_at(q) == other_byte) return p;
      add_word(p, word, q, blank);
      if (out_.full()) return p;
      p = q;
    }
  }
  void add_word(const char* begin, const char* word, const char* end, bool blank) noexcept {
    const auto size = static_cast<std::size_t>(end - word);
    if (size <= piece_key::capacity) {
      const bool readable = part_.limit() - word >= static_cast<std::ptrdiff_t>(piece_key::readable);
      const std::int32_t id =
          model_.merges.find(readable ? piece_key::read(word, size, blank) : piece_key::of({word, size}, blank));
      if (id >= 0) return out_.push(id);
    }
    merger_.add({begin, static_cast<std::size_t>(end - begin)});
  }

  const bpe_model& model_;
  stretch& part_;
  token_sink& out_;
  bpe_merger merger_;
};

struct bpe_reading {
  static result<void> check(const normalizer_steps& steps) noexcept { return steps.check(); }

  static char32_t first(const normalizer_steps& steps, std::string_view text) noexcept {
    stretch all(text);
    return step_reader(steps, all).next();
  }

  static void add(const tokenizer& t, stretch& part, bool match, token_sink& out) noexcept {
    const auto& model = *static_cast<const bpe_model*>(t.options().pieces);
    if (t.options().steps.empty() && model.split && !match) return raw_byte_words(model, part, out).add();
    using text_type = token_finder<step_reader>;
    using words_type = byte_level_words<text_type>;
    bpe_merger merger(model.merges, out);
    words_type words(model, text_type(t, step_reader(t.options().steps, part), match), true);
    for (;;) {
      const auto kind = words.start();
      if (kind == words_type::what::end) return;
      if (kind == words_type::what::token)
        out.push(words.token());
      else
        merger.add_characters([&](char32_t& c) { return words.next(c); });
      if (out.full()) return;
    }
  }
};

inline constexpr text_extension bpe_text{bpe_reading::check, bpe_reading::add, bpe_reading::first};

}  // namespace dupq::inline DUPQ_ABI
