// Texts to the ids of a Unigram vocabulary: what a tokenizer needs for models with SentencePiece's tokenizer.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "../core/copy_bytes.hpp"
#include "../core/platform.hpp"
#include "byte_block.hpp"
#include "piece_key.hpp"
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

/// The words of a stretch from its begin on that are of printable ASCII with a blank between them, read from the bytes.
class plain_words {
 public:
  plain_words(const tokenizer& t, const unigram& pieces, stretch& part, bool match, unigram_path& path,
              token_sink& out) noexcept
      : tokenizer_(t), pieces_(pieces), part_(part), match_(match), path_(path), out_(out) {}

  /// Returns where a word begins that has something else in it or behind it.
  const char* add() noexcept {
    const char* const p = read();
    give_out();
    return p;
  }

 private:
  /// Printable ASCII in a row: its bytes, and how many of the first ones are letters and digits.
  struct row {
    std::size_t size, plain;
  };
  /// From `p` to the known end of the stretch at most.
  row printable_row(const char* p) const noexcept {
    row r{0, 0};
    for (;;) {
      const char* const from = p + r.size;
      const auto readable = static_cast<std::size_t>(part_.limit() - from);
      const std::size_t room = std::min(static_cast<std::size_t>(part_.end() - from), byte_block::size);
      char copy[byte_block::size] = {};
      if (readable < sizeof copy) copy_bytes(copy, from, readable);
      const byte_block::classes k = byte_block::classify(readable < sizeof copy ? copy : from, copy, false);
      const auto lowest = [](std::uint32_t bits) { return static_cast<std::size_t>(std::countr_zero(bits)); };
      const std::size_t n = lowest(k.blank | k.other | std::uint32_t{1} << room);
      if (r.plain == r.size) r.plain += std::min(n, lowest(~k.word));
      r.size += n;
      if (n < sizeof copy) return r;
    }
  }

  const char* read() noexcept {
    const auto printable = [](const char* p) { return *p > ' ' && *p < '\x7F'; };
    for (const char* p = part_.begin();;) {
      if (p >= part_.end() && !part_.extend(p)) return p;
      row word = printable_row(p);
      while (p + word.size == part_.end() && part_.extend(p + word.size)) word = printable_row(p);
      const char* const end = part_.end();
      const char* const q = p + word.size;
      const bool ends = q == end;
      if (q == p || static_cast<std::size_t>(q - p) > unigram_path::room / 2) return p;
      if (!ends) {
        if (q + 1 == end) part_.extend(q + 1);
        if (*q != ' ' || q + 1 >= part_.end() || !printable(q + 1)) return p;
      }
      if (match_) {
        const auto starts = [&](char c) { return tokenizer_.may_start(static_cast<unsigned char>(c)); };
        if (std::any_of(p, q, starts) || (!ends && starts(q[1]))) return p;
      }
      take({p, word.size}, word.plain);
      if (out_.full() || ends) return q;
      p = q + 1;
    }
  }

  /// Words wait until there are several: by then their places in the table, which does not fit into near caches, are
  /// there.
  void take(std::string_view word, std::size_t plain) noexcept {
    waiting& w = waiting_[count_++];
    w.word = word, w.head = 0;
    if (!pieces_.words().empty()) {
      const std::size_t n = head_of(word, plain);
      if (n <= piece_key::capacity) {
        w.head = n;
        const bool readable = part_.limit() - word.data() >= static_cast<std::ptrdiff_t>(piece_key::readable);
        w.key = readable ? piece_key::read(word.data(), n, false) : piece_key::of(word.substr(0, n), false);
        pieces_.words().prefetch(w.key);
      }
    }
    if (count_ == std::size(waiting_)) give_out();
  }
  /// Of the `n` letters and digits that a word begins with, where every path has a place behind them; else of all.
  std::size_t head_of(std::string_view word, std::size_t n) const noexcept {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool apart =
        n != 0 && n < word.size() && pieces_.breaks_before(static_cast<unsigned char>(word[n]), is_digit(word[n - 1]));
    return apart ? n : word.size();
  }
  void give_out() noexcept {
    for (std::size_t i = 0; i < count_ && !out_.full(); ++i) {
      const waiting& w = waiting_[i];
      const std::int32_t id = w.head != 0 ? pieces_.words().find(w.key) : -1;
      if (id < 0) {
        path_.add("\xE2\x96\x81", w.word);
        continue;
      }
      out_.push(id);
      const std::string_view rest = w.word.substr(w.head);
      if (rest.empty() || out_.full() || (rest.size() == 1 && one_byte(rest.front()))) continue;
      path_.add({}, rest, pieces_.score(static_cast<std::size_t>(id)));
    }
    count_ = 0;
  }
  /// A path of one byte has no choice, where that is a piece.
  bool one_byte(char c) noexcept {
    piece_trie::cursor at(pieces_.trie());
    if (!at.step(static_cast<unsigned char>(c)) || at.id() < 0 || at.id() == pieces_.unknown() || at.special())
      return false;
    out_.push(at.id());
    return true;
  }

  struct waiting {
    std::string_view word;
    piece_key key;     ///< of its head
    std::size_t head;  ///< bytes that may be a word of the table; 0: none
  };

  const tokenizer& tokenizer_;
  const unigram& pieces_;
  stretch& part_;
  bool match_;
  unigram_path& path_;
  token_sink& out_;
  std::size_t count_ = 0;
  waiting waiting_[16];
};

struct unigram_reading {
  static result<void> check(const normalizer_steps& steps, arena& storage) noexcept { return steps.check(storage); }

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

  static void add(const tokenizer& t, stretch& part, bool match, token_sink& out) noexcept {
    const auto& model = *static_cast<const unigram_model*>(t.options().pieces);
    using text_type = token_finder<step_reader>;
    unigram_path path(model.pieces, part.finds_tokens(), out);
    const char* const from =
        model.plain_ascii ? plain_words(t, model.pieces, part, match, path, out).add() : part.begin();
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
