// The normalised text, one character at a time: what Hugging Face's BertNormalizer makes of a stretch of raw text.
//
// Order: clean (control characters go, white space becomes ' '), spaces around Chinese characters, canonical
// decomposition in canonical order without its marks, lower case. Nothing is buffered however long the text is, and a
// copy of a `normalizer` reads on independently.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/platform.hpp"
#include "added_tokens.hpp"
#include "unicode.hpp"

namespace dupq::inline DUPQ_ABI {

/// The normaliser's switches, as in tokenizer.json ("strip_accents": null means the same as lowercase).
struct normalization {
  bool clean_text = true;
  bool split_cjk = true;
  bool strip_accents = true;
  bool lowercase = true;
};

class normalizer {
 public:
  static constexpr char32_t end_of_text = 0xFFFFFFFFu;

  /// Reads the stretch from its begin; both must outlive the normalizer and its copies.
  normalizer(const normalization& options, dupq::stretch& text) noexcept
      : options_(&options), stretch_(&text), here_{text.begin()} {}

  /// True where the next character is the raw one at `position()`: no character of it was given out, or is kept back.
  bool plain() const noexcept { return here_.head == here_.count && in_order_ == 0 && !selecting_; }
  const char* position() const noexcept { return here_.p; }
  /// Goes on at `p`; only while plain().
  void move_to(const char* p) noexcept { here_.p = p; }

  char32_t next() noexcept {
    for (;;) {
      if (selecting_) {
        const char32_t c = select();
        if (selecting_) return c;
      }
      const place before = here_;
      const item i = next_item(here_);
      if (i.c == boundary) continue;
      if (i.combining_class == 0) return i.c;
      if (in_order_ == 0 && !order_run(before, i)) continue;
      --in_order_;
      return i.c;
    }
  }

 private:
  static constexpr char32_t boundary = 0xFFFFFFFEu;  ///< a dropped mark over which nothing is reordered

  struct item {
    char32_t c;
    std::uint8_t combining_class;
  };
  /// A place in the sequence of items: a raw character, or within what one became.
  struct place {
    const char* p;
    std::uint8_t head = 0;
    std::uint8_t count = 0;
    char32_t pending[unicode::max_parts + 2] = {};
  };

  item next_item(place& at) const noexcept {
    namespace t = unicode_tables;
    for (;;) {
      if (at.head < at.count) {
        const char32_t c = at.pending[at.head++];
        return c == boundary ? item{c, 0} : finish(c, unicode::properties(c));
      }
      if (at.p >= stretch_->end() && !stretch_->extend(at.p)) return {end_of_text, 0};
      const char32_t c = unicode::decode(at.p, stretch_->limit());
      const t::character& is = unicode::properties(c);
      if ((is.flags & (t::control | t::space)) != 0 && options_->clean_text) {
        if ((is.flags & t::control) != 0) continue;
        return {U' ', 0};
      }
      const bool spaced = (is.flags & t::cjk) != 0 && options_->split_cjk;
      if (options_->strip_accents) {
        const bool hangul = unicode::is_hangul_syllable(c);
        if (spaced || hangul || (is.flags & t::decomposes) != 0) {
          expand(at, c, is, spaced);
        } else if ((is.flags & t::mark) == 0) {
          return finish(c, is);
        } else if (is.combining_class == 0) {
          return {boundary, 0};
        }
      } else if (spaced) {
        at.head = 0, at.count = 3;
        at.pending[0] = at.pending[2] = U' ', at.pending[1] = c;
      } else if (c == 0x130 && options_->lowercase) {
        // The only character whose lower case is two: i and a dot above.
        at.head = 0, at.count = 1;
        at.pending[0] = 0x307;
        return {U'i', 0};
      } else {
        return finish(c, is);
      }
    }
  }

  item finish(char32_t c, const unicode_tables::character& is) const noexcept {
    if (options_->lowercase) c = static_cast<char32_t>(static_cast<std::int32_t>(c) + is.lower);
    return {c, options_->strip_accents ? is.combining_class : std::uint8_t{0}};
  }

  static void expand(place& at, char32_t c, const unicode_tables::character& is, bool spaced) noexcept {
    std::size_t n = 0;
    if (spaced) at.pending[n++] = U' ';
    if (unicode::is_hangul_syllable(c)) {
      n += unicode::strip_hangul(c, at.pending + n);
    } else if ((is.flags & unicode_tables::decomposes) != 0) {
      const std::size_t first = n;
      n += unicode::strip(c, at.pending + n);
      if (n > first && at.pending[first] == 0) at.pending[first] = boundary;
    } else {
      at.pending[n++] = c;
    }
    if (spaced) at.pending[n++] = U' ';
    at.head = 0;
    at.count = static_cast<std::uint8_t>(n);
  }

  /// At the first of a run of marks that have to be in canonical order: true where they are already (in_order_ is then
  /// their number); otherwise select() will give them out in that order.
  bool order_run(const place& before, const item& first) noexcept {
    place ahead = here_;
    std::uint8_t last = first.combining_class;
    bool sorted = true;
    std::size_t n = 1;
    for (place next = here_;; ahead = next, ++n) {
      const item i = next_item(next);
      if (i.combining_class == 0) break;
      sorted = sorted && i.combining_class >= last;
      last = i.combining_class;
    }
    if (sorted) {
      in_order_ = n;
      return true;
    }
    here_ = ahead;
    run_ = walk_ = before;
    run_length_ = walk_left_ = n;
    class_ = 0, next_class_ = no_class;
    selecting_ = true;
    return false;
  }

  /// The run's next character in canonical order: one walk over the run for each combining class, lowest first. Ends
  /// selecting_ when there is none left.
  char32_t select() noexcept {
    for (;;) {
      while (walk_left_ != 0) {
        const item i = next_item(walk_);
        if (i.combining_class == 0) continue;
        --walk_left_;
        if (i.combining_class == class_) return i.c;
        if (i.combining_class > class_ && i.combining_class < next_class_) next_class_ = i.combining_class;
      }
      if (next_class_ == no_class) {
        selecting_ = false;
        return 0;
      }
      class_ = next_class_, next_class_ = no_class;
      walk_ = run_, walk_left_ = run_length_;
    }
  }

  static constexpr unsigned no_class = 256;

  const normalization* options_;
  dupq::stretch* stretch_;
  place here_;
  std::size_t in_order_ = 0;  ///< items ahead that are known to be in order
  bool selecting_ = false;
  place run_{}, walk_{};
  std::size_t run_length_ = 0, walk_left_ = 0;
  unsigned class_ = 0, next_class_ = no_class;
};

}  // namespace dupq::inline DUPQ_ABI
