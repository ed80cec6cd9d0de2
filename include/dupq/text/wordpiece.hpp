// The tokenizer: a text, or a pair of texts, to the ids that Hugging Face's BERT and MPNet tokenizers give.
//
// A text is cut at its added tokens (added_tokens.hpp), normalised (normalizer.hpp), split at white space and around
// punctuation, and each word is cut into the longest pieces that the vocabulary has. All of it runs over the text once,
// without a buffer larger than a word, and stops when there are enough tokens.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "../core/error.hpp"
#include "../core/platform.hpp"
#include "added_tokens.hpp"
#include "ascii_chunk.hpp"
#include "normalizer.hpp"
#include "normalizer_steps.hpp"
#include "prompted_text.hpp"
#include "unicode.hpp"
#include "vocabulary.hpp"
#include "word_builder.hpp"

namespace dupq::inline DUPQ_ABI {

/// What "[SEP]" in a user's text is.
enum class special_tokens : std::uint8_t {
  parse,    ///< the special token, as Hugging Face has it
  literal,  ///< characters like any others: a text cannot pose as two
};

class tokenizer;
template <class Reader>
class token_finder;

/// How texts are read whose normaliser is a list of steps. It is a table of functions so that a program that has no
/// such model need not contain them: `general_text` (general_text.hpp) is one, which model::open hands on.
struct text_extension {
  /// An error where the steps mean nothing; the others below take steps without one. It may take memory for its work;
  /// with an arena that has none it only counts.
  result<void> (*check)(const normalizer_steps& steps, arena& storage) noexcept;
  /// Adds the tokens of a stretch of text.
  void (*add)(const tokenizer& t, stretch& part, bool match, token_sink& out) noexcept;
  /// The first character of a text after all steps; normalizer::end_of_text where nothing is left of it.
  char32_t (*first)(const normalizer_steps& steps, std::string_view text) noexcept;
};

struct tokenizer_options {
  normalization normal{};
  normalizer_steps steps{};                   ///< the normaliser where it is not BERT's: `normal` is not used then
  const text_extension* extension = nullptr;  ///< what reads texts by these steps
  const void* pieces = nullptr;               ///< what else the extension has read of the model file
  std::uint32_t max_word_chars = 100;         ///< longer words are unknown; at most tokenizer::max_word_chars_limit
  std::int32_t unk = 0, cls = 0, sep = 0, pad = 0;
  std::uint32_t pair_separators = 1;  ///< separators between the texts of a pair: 1 BERT, 2 MPNet
};

class tokenizer {
 public:
  static constexpr std::uint32_t max_word_chars_limit = word_cutter::max_chars_limit;

  struct encoding {
    std::uint32_t tokens = 0;         ///< ids written
    std::uint32_t first_segment = 0;  ///< ids with token type 0, which come first; the rest have type 1
    bool truncated = false;
  };

  /// Without a vocabulary: a text has no tokens but the special ones around it.
  constexpr tokenizer() noexcept = default;

  /// Errors: out_of_range for an id beyond the vocabulary, a max_word_chars or pair_separators that is not possible.
  static result<tokenizer> make(const dupq::vocabulary& words, const tokenizer_options& options,
                                const added_tokens& added = {}) noexcept {
    static constexpr struct {
      const char* key;
      std::int32_t tokenizer_options::*id;
    } ids[] = {{"tokenizer.ggml.unknown_token_id", &tokenizer_options::unk},
               {"tokenizer.ggml.cls_token_id", &tokenizer_options::cls},
               {"tokenizer.ggml.seperator_token_id", &tokenizer_options::sep},
               {"tokenizer.ggml.padding_token_id", &tokenizer_options::pad}};
    for (const auto& one : ids)
      if (const auto id = static_cast<std::uint32_t>(options.*one.id); id >= words.size())
        return error(errc::out_of_range, one.key, words.size(), id);
    if (options.max_word_chars == 0 || options.max_word_chars > max_word_chars_limit)
      return error(errc::out_of_range, "dupq.tokenizer.max_word_chars", max_word_chars_limit, options.max_word_chars);
    if (options.pair_separators == 0 || options.pair_separators > 2)
      return error(errc::out_of_range, "dupq.tokenizer.pair_separators", 2, options.pair_separators);
    return tokenizer(words, options, added);
  }

  /// Special tokens around a text or a pair: the least max_length.
  std::size_t special_count(bool pair) const noexcept { return pair ? 2 + options_.pair_separators : 2; }

  /// cls, the text, sep. Writes at most `max_length` ids, which `ids` has room for. With a max_length below
  /// special_count(false) nothing is written.
  /// `text` is a std::string_view or a prompted_text.
  template <class Text>
  encoding encode(const Text& text, std::size_t max_length, std::span<std::int32_t> ids,
                  special_tokens mode = special_tokens::parse) const noexcept {
    max_length = std::min(max_length, ids.size());
    if (max_length < special_count(false)) return {0, 0, true};
    const std::size_t budget = max_length - special_count(false);
    token_sink out{ids.data() + 1, 1, budget, budget};
    add_text(text, mode, out);
    const std::size_t n = std::min(out.count, budget);
    ids[0] = options_.cls;
    ids[n + 1] = options_.sep;
    const auto total = static_cast<std::uint32_t>(n + 2);
    return {total, total, out.count > budget};
  }

  /// The text's own ids, without special tokens around them; at most `max_length`, which `ids` has room for.
  template <class Text>
  encoding encode_bare(const Text& text, std::size_t max_length, std::span<std::int32_t> ids,
                       special_tokens mode = special_tokens::parse) const noexcept {
    max_length = std::min(max_length, ids.size());
    token_sink out{ids.data(), 1, max_length, max_length};
    add_text(text, mode, out);
    const auto n = static_cast<std::uint32_t>(std::min(out.count, max_length));
    return {n, n, out.count > max_length};
  }

  /// How many ids `encode` writes, for a max_length of at least special_count(false).
  std::size_t count(std::string_view text, std::size_t max_length,
                    special_tokens mode = special_tokens::parse) const noexcept {
    const std::size_t budget = max_length - special_count(false);
    token_sink out{nullptr, 0, 0, budget};
    add_text(text, mode, out);
    return std::min(out.count, budget) + special_count(false);
  }

  /// cls, a, sep (pair_separators times), b, sep, within `max_length` as the strategy 'longest_first' has it: while
  /// both are longer than half, both are cut to half, and the longer one has the odd token.
  template <class First>
  encoding encode_pair(const First& a, std::string_view b, std::size_t max_length, std::span<std::int32_t> ids,
                       special_tokens mode = special_tokens::parse) const noexcept {
    max_length = std::min(max_length, ids.size());
    if (max_length < special_count(true)) return {0, 0, true};
    const std::size_t budget = max_length - special_count(true);
    const std::size_t half = budget / 2;
    token_sink first{ids.data() + 1, 1, budget, budget};
    add_text(a, mode, first);
    // The second text is written backwards from the end of `ids`: of the first one only what will be cut off reaches
    // there.
    const std::size_t room = std::max(budget - std::min(first.count, budget), budget - half);
    token_sink second{ids.data() + max_length - 1, -1, room, budget};
    add_text(b, mode, second);

    std::size_t n_a = first.count;
    std::size_t n_b = second.count;
    const bool truncated = n_a + n_b > budget;
    if (truncated) {
      if (2 * std::min(n_a, n_b) > budget) {
        const bool first_longer = budget % 2 != 0 && longer(a, b, n_a, n_b, budget, mode);
        n_a = first_longer ? budget - half : half;
        n_b = budget - n_a;
      } else if (n_a < n_b) {
        n_b = budget - n_a;
      } else {
        n_a = budget - n_b;
      }
    }
    std::int32_t* end = ids.data() + 1 + n_a + options_.pair_separators;
    std::reverse(ids.data() + max_length - n_b, ids.data() + max_length);
    std::copy(ids.data() + max_length - n_b, ids.data() + max_length, end);
    ids[0] = options_.cls;
    for (std::uint32_t i = 0; i < options_.pair_separators; ++i) ids[1 + n_a + i] = options_.sep;
    end[n_b] = options_.sep;
    const std::size_t total = n_a + n_b + special_count(true);
    const std::size_t types = options_.pair_separators == 1 ? n_a + 2 : total;
    return {static_cast<std::uint32_t>(total), static_cast<std::uint32_t>(types), truncated};
  }

  /// Whether a token that is looked for in normalised text may begin with this character.
  bool may_start(char32_t c) const noexcept { return normalized_starts_[c % normalized_starts_.size()]; }
  const tokenizer_options& options() const noexcept { return options_; }
  const dupq::vocabulary& vocabulary() const noexcept { return words_; }
  const added_tokens& added() const noexcept { return added_; }

 private:
  friend struct general_reading;
  template <class Reader>
  friend class token_finder;

  tokenizer(const dupq::vocabulary& words, const tokenizer_options& options, const added_tokens& added) noexcept
      : words_(words), options_(options), added_(added) {
    added_.for_each([&](const added_tokens::token& t) {
      if ((t.flags & added_tokens::normalized) == 0) return;
      dupq::stretch content(t.content);
      const char32_t c = options_.extension != nullptr ? options_.extension->first(options_.steps, t.content)
                                                       : normalizer(options_.normal, content).next();
      if (c == normalizer::end_of_text) return;
      any_normalized_ = true;
      // The fast path looks for tokens at ASCII punctuation only.
      fast_ = fast_ && c < 0x80 && unicode::is_punctuation(c) && (t.flags & added_tokens::single_word) == 0;
      normalized_starts_.set(c % normalized_starts_.size());
    });
  }

  void add_text(std::string_view text, special_tokens mode, token_sink& out) const noexcept {
    if (words_.size() == 0) return;
    if (mode == special_tokens::literal) {
      stretch all(text);
      add_stretch(all, false, out);
      return;
    }
    const char* begin = text.data();
    const char* scan = begin;
    for (;;) {
      stretch part(added_, text, begin, scan);
      add_stretch(part, any_normalized_, out);
      // A full sink may have left the stretch before its end.
      if (out.full() || part.token().content.empty()) return;
      out.push(part.token().id);
      if (out.full()) return;
      begin = part.after(), scan = part.next_scan();
    }
  }

  void add_text(const prompted_text& text, special_tokens mode, token_sink& out) const noexcept {
    text.for_each_part([&](std::string_view part) {
      if (!out.full()) add_text(part, mode, out);
    });
  }

  /// Adds the words of a stretch, and the tokens that are looked for in normalised text.
  void add_stretch(stretch& part, bool match, token_sink& out) const noexcept {
    if (options_.extension != nullptr) return options_.extension->add(*this, part, match, out);
    word_cutter cutter(words_, options_.unk, options_.max_word_chars, out);
    ascii_chunk chunk;
    const char* p = part.begin();
    if (fast_ || !match) {
      p = add_ascii(p, part, chunk, match, cutter);
      if (p >= part.end() || out.full()) return;
    }
    normalizer text(options_.normal, part);
    text.move_to(p);
    const bool fast = fast_ || !match;
    add_any(text, match, cutter,
            [&](const char* here) { return fast ? add_ascii(here, part, chunk, match, cutter) : here; });
  }

  /// Adds the words from `p` on that are plain ASCII. Returns where it stopped: at the stretch's end, where the sink
  /// was full, or where a word begins that has something else in it or beside it.
  const char* add_ascii(const char* p, stretch& part, ascii_chunk& chunk, bool match,
                        word_cutter& cutter) const noexcept {
    bool fresh = !chunk.covers(p);
    for (;;) {
      if (fresh && !read_chunk(p, part, chunk, match)) return p;
      const bool text_ends = chunk.end() == part.end() && !part.extend(chunk.end());
      const auto from = static_cast<std::size_t>(p - chunk.begin());
      const ascii_chunk::limit limit = chunk.limit_from(from, text_ends);
      chunk.for_each(from, limit.place, [&](std::size_t place, std::size_t length) {
        cutter.add(chunk.at(place), length);
        return !cutter.out().full();
      });
      p = chunk.begin() + limit.place;
      // A word may be as long as the whole chunk.
      if (cutter.out().full() || text_ends || limit.other || limit.place == 0) return p;
      fresh = true;
    }
  }

  /// False at the stretch's end.
  bool read_chunk(const char* p, stretch& part, ascii_chunk& chunk, bool match) const noexcept {
    if (p >= part.end() && !part.extend(p)) return false;
    const std::size_t n = std::min(static_cast<std::size_t>(part.end() - p), ascii_chunk::capacity);
    if (match)
      chunk.read(p, n, options_.normal.lowercase,
                 [&](char mark) { return normalized_starts_[static_cast<unsigned char>(mark)]; });
    else
      chunk.read(p, n, options_.normal.lowercase);
    return true;
  }

  /// Adds the words of the rest of `text`, character by character.
  template <class Reader, class Ascii>
  DUPQ_NOINLINE void add_any(Reader& text, bool match, word_cutter& cutter, const Ascii& add_plain) const noexcept {
    token_sink& out = cutter.out();
    word_builder word(cutter);
    char32_t previous = 0;         // the character before, for single words
    std::size_t out_of_match = 0;  // characters left of a match that was refused: no other match begins in them
    bool stripping = false;        // in white space that belongs to the token before (rstrip)
    for (;;) {
      const char32_t c = text.next();
      if (c == normalizer::end_of_text) break;
      if (match) {
        if (out_of_match != 0) {
          --out_of_match;
        } else if (normalized_starts_[c % normalized_starts_.size()]) {
          const auto m = normalized_at(c, text);
          if (m.id >= 0 && m.stands_alone(previous)) {
            word.end_word();
            // A token of white space within white space that the token before has taken: nothing is left of it.
            if (!(stripping && m.blank && (m.flags & added_tokens::lstrip) != 0)) out.push(m.id);
            if (out.full()) return;
            stripping = (m.flags & added_tokens::rstrip) != 0;
            text = m.rest;
            previous = m.last;
            continue;
          }
          if (m.id >= 0) out_of_match = m.chars - 1;
        }
        previous = c;
        stripping = stripping && unicode::is_space(c);
      }
      word.add(c);
      if (out.full()) return;
      if constexpr (std::is_same_v<Reader, normalizer>) {
        if (word.empty() && text.plain()) {
          text.move_to(add_plain(text.position()));
          if (out.full()) return;
        }
      }
    }
    word.end_word();
  }

  /// A token found in normalised text, and the text after it.
  template <class Reader>
  struct normalized_match {
    std::int32_t id;
    std::size_t chars;
    char32_t last;
    bool blank;  ///< nothing but white space
    std::uint32_t flags;
    Reader rest;

    bool stands_alone(char32_t previous) const noexcept {
      if ((flags & added_tokens::single_word) == 0) return true;
      const char32_t next = Reader(rest).next();
      return !unicode::is_word(previous) && (next == normalizer::end_of_text || !unicode::is_word(next));
    }
  };

  /// The longest token that begins with the character `c`, after which `text` stands; id -1 where there is none.
  template <class Reader>
  normalized_match<Reader> normalized_at(char32_t c, const Reader& text) const noexcept {
    normalized_match<Reader> best{-1, 0, 0, false, 0, text};
    added_.for_each([&](const added_tokens::token& t) {
      if ((t.flags & added_tokens::normalized) == 0) return;
      dupq::stretch content(t.content);
      Reader pattern = reader<Reader>(content);
      if (pattern.next() != c) return;
      Reader rest = text;
      char32_t last = c;
      bool blank = unicode::is_space(c);
      for (std::size_t chars = 1;; ++chars) {
        const char32_t wanted = pattern.next();
        if (wanted == normalizer::end_of_text) {
          if (chars > best.chars) best = {t.id, chars, last, blank, t.flags, rest};
          return;
        }
        if (rest.next() != wanted) return;
        last = wanted;
        blank = blank && unicode::is_space(wanted);
      }
    });
    return best;
  }

  template <class Reader>
  Reader reader(stretch& text) const noexcept {
    if constexpr (std::is_same_v<Reader, normalizer>)
      return Reader(options_.normal, text);
    else
      return Reader(options_.steps, text);
  }

  /// Whether the first text has more tokens than the second, where both have more than half of an odd budget. Counting
  /// stops just above the budget; where both counts did, both texts are counted further until the shorter one ends.
  template <class First>
  bool longer(const First& a, std::string_view b, std::size_t n_a, std::size_t n_b, std::size_t budget,
              special_tokens mode) const noexcept {
    for (std::size_t limit = budget; n_a > limit && n_b > limit;) {
      limit *= 8;
      token_sink counter_a{nullptr, 0, 0, limit}, counter_b{nullptr, 0, 0, limit};
      add_text(a, mode, counter_a);
      add_text(b, mode, counter_b);
      n_a = std::min(counter_a.count, limit + 1);
      n_b = std::min(counter_b.count, limit + 1);
    }
    return n_a > n_b;
  }

  dupq::vocabulary words_;
  tokenizer_options options_;
  added_tokens added_;
  std::bitset<128> normalized_starts_{};  ///< first characters of tokens looked for in normalised text, modulo 128
  bool any_normalized_ = false;
  bool fast_ = true;
};

}  // namespace dupq::inline DUPQ_ABI
