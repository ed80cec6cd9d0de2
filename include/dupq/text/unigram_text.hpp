// Texts to the ids of a Unigram vocabulary: what a tokenizer needs for models with SentencePiece's tokenizer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"
#include "pre_tokenizer.hpp"
#include "step_reader.hpp"
#include "token_finder.hpp"
#include "unigram.hpp"
#include "wordpiece.hpp"

namespace dupq::inline DUPQ_ABI {

/// What a model file has of a Unigram tokenizer.
struct unigram_model {
  unigram pieces;
  pre_tokenizer cut;
  /// Words of printable ASCII between single blanks are read from the text's bytes: no step changes them.
  bool plain_ascii = false;
};

/// The words of a stretch, each as characters. A copy reads on independently.
template <class Text>
class piece_words {
 public:
  enum class kind : std::uint8_t { word, token, end };

  piece_words(const pre_tokenizer& cut, const Text& text, bool text_begins) noexcept
      : cut_(&cut), text_(text), text_begins_(text_begins) {}

  /// Goes to the next word, of which next() then gives the characters, or to an added token.
  kind start() noexcept {
    for (;; held_ = none) {
      if (held_ == none) held_ = text_.next();
      if (held_ == Text::end_of_text) return kind::end;
      if (held_ == Text::token) {
        held_ = none, part_begins_ = true, text_begins_ = false;
        return kind::token;
      }
      if (!is_dropped(held_)) break;
      part_begins_ = true, text_begins_ = false;
    }
    word_begins_ = true;
    return kind::word;
  }
  std::int32_t token() const noexcept { return text_.id(); }

  /// The next character of the word; unigram_path::end after its last.
  char32_t next() noexcept {
    if (held_ == none) held_ = text_.next();
    if (held_ >= Text::token) return unigram_path::end;
    if (!word_begins_ && ends_before(held_)) return unigram_path::end;
    const bool marks = cut_->metaspace != pre_tokenizer::marks::none;
    const char32_t c = marks && held_ == U' ' ? blank_mark : held_;
    if (word_begins_) {
      word_begins_ = false;
      const bool begins = part_begins_, first = text_begins_;
      part_begins_ = text_begins_ = false, before_ = none;
      if (begins && c != blank_mark &&
          (cut_->metaspace == pre_tokenizer::marks::always ||
           (cut_->metaspace == pre_tokenizer::marks::first && first)))
        return blank_mark;
    }
    before_ = held_, held_ = none;
    return c;
  }

 private:
  static constexpr char32_t none = 0xFFFFFFFEu;

  bool is_dropped(char32_t c) const noexcept {
    return (cut_->split_blanks || cut_->split_words) && unicode::is_space(c);
  }
  /// Whether a word ends between the character before and this one.
  bool ends_before(char32_t c) noexcept {
    if (is_dropped(c)) return true;
    if (cuts_between(before_, c)) return part_begins_ = true;
    return cut_->split_marks && (c == blank_mark || (c == U' ' && cut_->metaspace != pre_tokenizer::marks::none));
  }
  bool cuts_between(char32_t a, char32_t b) const noexcept {
    if (a == none) return false;
    if (cut_->split_words && unicode::is_word(a) != unicode::is_word(b)) return true;
    if (cut_->split_punctuation && (unicode::is_punctuation(a) || unicode::is_punctuation(b))) return true;
    if (!cut_->split_digits) return false;
    const bool first = unicode::is_number(a), second = unicode::is_number(b);
    return first != second || (first && cut_->single_digits);
  }

  const pre_tokenizer* cut_;
  Text text_;
  char32_t held_ = none;     ///< read, but not given out
  char32_t before_ = none;   ///< the character before it in the word
  bool part_begins_ = true;  ///< no character of this part has been given out
  bool text_begins_;
  bool word_begins_ = true;
};

struct unigram_reading {
  static result<void> check(const normalizer_steps& steps) noexcept { return steps.check(); }

  static char32_t first(const normalizer_steps& steps, std::string_view text) noexcept {
    stretch all(text);
    return step_reader(steps, all).next();
  }

  /// Whether words are those between blanks, and the steps leave printable ASCII as it is whose blanks stand alone.
  static bool keeps_ascii(const pre_tokenizer& cut, const normalizer_steps& steps) noexcept {
    bool keeps = cut.metaspace == pre_tokenizer::marks::always && cut.split_marks && !cut.split_words &&
                 !cut.split_punctuation && !cut.split_digits;
    steps.for_each([&](const normalizer_step& step) {
      switch (step.kind) {
        case step_kind::nfd:
        case step_kind::nfkd:
        case step_kind::nfc:
        case step_kind::nfkc:
        case step_kind::nmt:
        case step_kind::clean_text:
        case step_kind::split_cjk:
        case step_kind::strip_marks:
        case step_kind::strip_accents: return;
        case step_kind::precompiled: {
          const charsmap map(step.text);
          for (char c = ' '; c <= '~'; ++c) keeps = keeps && !map.find({&c, 1});
          return;
        }
        case step_kind::replace_run: keeps = keeps && !step.inverted && step.pattern == "  " && step.least > 1; return;
        default: keeps = false;
      }
    });
    return keeps;
  }

  /// Whether the steps drop the text's first character, so that what is left does not begin where the text does. (What
  /// SentencePiece's map drops counts as if it were there.)
  static bool drops_first(const normalizer_steps& steps, stretch& part) noexcept {
    if (part.begin() >= part.end() && !part.extend(part.begin())) return false;
    const char* end = part.begin();
    unicode::decode(end, part.limit());
    const std::string_view one(part.begin(), static_cast<std::size_t>(end - part.begin()));
    bool mapped = false;
    steps.for_each([&](const normalizer_step& step) {
      if (step.kind != step_kind::precompiled) return;
      const auto to = charsmap(step.text).find(one);
      mapped = mapped || (to && to->empty());
    });
    return !mapped && first(steps, one) == normalizer::end_of_text;
  }

  /// Words of printable ASCII with a blank between them. Returns where a word begins that has something else in it or
  /// behind it.
  static const char* add_ascii(const tokenizer& t, stretch& part, bool match, unigram_path& path,
                               token_sink& out) noexcept {
    const auto printable = [](const char* p) { return *p > ' ' && *p < '\x7F'; };
    for (const char* p = part.begin();;) {
      if (p >= part.end() && !part.extend(p)) return p;
      const char* end = part.end();
      const char* q = p;
      for (;;) {
        while (q < end && printable(q)) ++q;
        if (q < end || !part.extend(q)) break;
        end = part.end();
      }
      const bool ends = q == end;
      if (q == p || static_cast<std::size_t>(q - p) > unigram_path::room / 2) return p;
      if (!ends) {
        if (q + 1 == end) part.extend(q + 1);
        if (*q != ' ' || q + 1 >= part.end() || !printable(q + 1)) return p;
      }
      if (match) {
        const auto starts = [&](char c) { return t.may_start(static_cast<unsigned char>(c)); };
        if (std::any_of(p, q, starts) || (!ends && starts(q[1]))) return p;
      }
      path.add("\xE2\x96\x81", {p, static_cast<std::size_t>(q - p)});
      if (out.full() || ends) return q;
      p = q + 1;
    }
  }

  static void add(const tokenizer& t, stretch& part, bool match, token_sink& out) noexcept {
    const auto& model = *static_cast<const unigram_model*>(t.options().pieces);
    using text_type = token_finder<step_reader>;
    unigram_path path(model.pieces, part.finds_tokens(), out);
    const char* const from = model.plain_ascii ? add_ascii(t, part, match, path, out) : part.begin();
    if (out.full() || (from >= part.end() && !part.extend(from))) return;
    step_reader text(t.options().steps, part);
    text.move_to(from);
    const bool begins = model.cut.metaspace == pre_tokenizer::marks::first && part.at_text_begin() &&
                        !drops_first(t.options().steps, part);
    piece_words<text_type> words(model.cut, text_type(t, text, match), begins);
    for (;;) {
      const auto kind = words.start();
      if (kind == piece_words<text_type>::kind::end) return;
      if (kind == piece_words<text_type>::kind::token)
        out.push(words.token());
      else
        path.add(words);
      if (out.full()) return;
    }
  }
};

inline constexpr text_extension unigram_text{unigram_reading::check, unigram_reading::add, unigram_reading::first};

}  // namespace dupq::inline DUPQ_ABI
