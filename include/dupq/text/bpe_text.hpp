// Texts to the ids of byte-level BPE: GPT-2's words, whose bytes are merged. What a tokenizer needs for RoBERTa.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

#include "../core/platform.hpp"
#include "bpe.hpp"
#include "byte_block.hpp"
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
  /// Up to 64 bytes of text, a bit for each by its kind, and where words of plain ASCII begin in them.
  class block {
   public:
    std::size_t size = 0;

    /// Of the text from `p` to `end`; up to `limit` it can be read.
    void read(const char* p, const char* end, const char* limit) noexcept {
      size = std::min<std::size_t>(static_cast<std::size_t>(end - p), 64);
      bytes_ = p;
      if (static_cast<std::size_t>(limit - p) < sizeof copy_) {
        std::memcpy(copy_, p, size);
        bytes_ = copy_;
      }
      letter_ = digit_ = space_ = mark_ = high_ = quote_ = 0;
      for (std::size_t i = 0; i < size; i += byte_block::size) {
        const byte_block::kinds k = byte_block::kinds_of(bytes_ + i);
        letter_ |= std::uint64_t{k.letter} << i, digit_ |= std::uint64_t{k.digit} << i;
        space_ |= std::uint64_t{k.space} << i, mark_ |= std::uint64_t{k.mark} << i;
        high_ |= std::uint64_t{k.high} << i;
        quote_ |= std::uint64_t{byte_block::equal(bytes_ + i, '\'')} << i;
      }
      const std::uint64_t valid = before(size);
      letter_ &= valid, digit_ &= valid, space_ &= valid, mark_ &= valid, high_ &= valid, quote_ &= valid;
    }

    /// The words that begin at the first byte and end for sure within the block, whatever follows it where there is
    /// `more`: the bits of their first bytes, and where the last one ends.
    struct words {
      std::uint64_t starts;
      std::size_t end;
      bool stopped;  ///< something else follows there: other characters, other white space, a word too long
    };
    words find_words(bool more) const noexcept {
      const std::uint64_t valid = before(size), plain = letter_ | digit_ | mark_;
      const std::uint64_t others = valid & ~(plain | space_);
      // A blank belongs to the plain character after it; there must be one.
      const std::uint64_t stop = others | (space_ & ~(plain >> 1));
      const std::uint64_t same = (letter_ & letter_ << 1) | (digit_ & digit_ << 1) | (mark_ & mark_ << 1);
      std::uint64_t starts = space_ | (plain & ~same & ~(space_ << 1));
      std::size_t end = stop == 0 ? size : lowest(stop);
      for (std::uint64_t quotes = quote_ & starts & before(end); quotes != 0; quotes &= quotes - 1) {
        const std::size_t at = lowest(quotes);
        if (more && at + 3 > size) {
          end = at;
          break;
        }
        const auto next = [&](std::size_t i) {
          return char32_t{at + i < size ? static_cast<unsigned char>(bytes_[at + i]) : std::uint8_t{0}};
        };
        const auto n = static_cast<std::size_t>(gpt2::contraction(U'\'', next(1), next(2)));
        if (n == 0) continue;
        starts &= ~(before(n) << at) | std::uint64_t{1} << at;
        if (at + n < size) starts |= letter_ & std::uint64_t{1} << (at + n);
      }
      starts &= before(end);
      // A word that touches a character of another alphabet, or the block's end, may go on there.
      const bool open = end == size ? more : (high_ >> end & 1) != 0;
      if (open && starts != 0) {
        end = 63u - static_cast<std::size_t>(std::countl_zero(starts));
        starts &= before(end);
      }
      const bool blank_at_edge = more && stop == std::uint64_t{1} << (size - 1) && is_space(size - 1);
      return {starts, end, starts == 0 || (stop != 0 && !blank_at_edge)};
    }
    bool is_space(std::size_t at) const noexcept { return (space_ >> at & 1) != 0; }
    /// At least piece_key::readable bytes from a place on, whatever stands beyond the end.
    const char* at(std::size_t place) const noexcept { return bytes_ + place; }
    static std::size_t lowest(std::uint64_t bits) noexcept { return static_cast<std::size_t>(std::countr_zero(bits)); }

   private:
    static std::uint64_t before(std::size_t n) noexcept {
      return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
    }

    const char* bytes_ = nullptr;
    std::uint64_t letter_, digit_, space_, mark_, high_, quote_;
    char copy_[64 + piece_key::readable] = {};
  };

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
    p = read_ascii(p);
    give_out();
    return p;
  }
  const char* read_ascii(const char* p) noexcept {
    block here;
    while (p < part_.end() || part_.extend(p)) {
      here.read(p, part_.end(), part_.limit());
      bool more = p + here.size < part_.end();
      if (!more && part_.extend(p + here.size)) {
        if (here.size < 64) continue;
        more = true;
      }
      const auto words = here.find_words(more);
      for (std::uint64_t left = words.starts; left != 0;) {
        const std::size_t at = block::lowest(left);
        left &= left - 1;
        const std::size_t end = left == 0 ? words.end : block::lowest(left), blank = here.is_space(at) ? 1 : 0;
        add_word({p + at, end - at}, here.at(at + blank), end - at - blank, blank != 0);
      }
      p += words.end;
      if (words.stopped || out_.full()) break;
    }
    return p;
  }
  /// Words wait until there are several: by then their places in the table, which does not fit into near caches, are
  /// there.
  /// `key` is where the word stands without the blank before it, with what may be read behind it.
  void add_word(std::string_view text, const char* key, std::size_t size, bool blank) noexcept {
    waiting& w = waiting_[count_++];
    w.text = text;
    w.is_short = size <= piece_key::capacity;
    if (w.is_short) {
      w.key = piece_key::read(key, size, blank);
      model_.merges.words().prefetch(w.key);
    }
    if (count_ == std::size(waiting_)) give_out();
  }
  void give_out() noexcept {
    for (std::size_t i = 0; i < count_ && !out_.full(); ++i) {
      const waiting& w = waiting_[i];
      const std::int32_t id = w.is_short ? model_.merges.words().find(w.key) : -1;
      if (id >= 0)
        out_.push(id);
      else
        merger_.add(w.text);
    }
    count_ = 0;
  }

  struct waiting {
    std::string_view text;
    piece_key key;
    bool is_short;  ///< the key is the word's, without the blank before it
  };

  const bpe_model& model_;
  stretch& part_;
  token_sink& out_;
  bpe_merger merger_;
  std::size_t count_ = 0;
  waiting waiting_[16];
};

struct bpe_reading {
  static result<void> check(const normalizer_steps& steps, arena& storage) noexcept { return steps.check(storage); }

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
