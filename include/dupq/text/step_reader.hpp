// The normalised text of a list of steps, one character at a time.
//
// Each step takes characters from the one before it, the first from the raw text, and keeps back only what it must see
// before it can decide: nothing is allocated however long the text is, and the time is linear in it. A copy of a reader
// reads on independently. Where marks that reorder come in a row of more than normalizer_steps::form_memory, a
// normalisation form puts them in order piece by piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "../core/platform.hpp"
#include "added_tokens.hpp"
#include "charsmap.hpp"
#include "graphemes.hpp"
#include "normal_forms.hpp"
#include "normalizer.hpp"
#include "normalizer_steps.hpp"
#include "unicode.hpp"

namespace dupq::inline DUPQ_ABI {

class step_reader {
 public:
  static constexpr char32_t end_of_text = normalizer::end_of_text;

  /// Reads the stretch from its begin; the steps are sound, and both outlive the reader and its copies.
  step_reader(const normalizer_steps& steps, dupq::stretch& text) noexcept : stretch_(&text), p_(text.begin()) {
    steps.for_each([&](const normalizer_step& step) {
      states_[count_].step = step;
      states_[count_++].memory = static_cast<std::uint16_t>(used_);
      used_ += normalizer_steps::memory_of(step);
    });
  }
  step_reader(const step_reader& other) noexcept { copy(other); }
  step_reader& operator=(const step_reader& other) noexcept {
    if (this != &other) copy(other);
    return *this;
  }

  /// Begins at `p` instead, before anything is read.
  void move_to(const char* p) noexcept { p_ = p; }

  char32_t next() noexcept { return pull(count_); }

 private:
  static constexpr char32_t none = 0xFFFFFFFEu;

  struct state {
    normalizer_step step;
    std::uint16_t memory = 0;          ///< where its characters are kept
    std::uint16_t head = 0, size = 0;  ///< of them, those from head to size are still to be given out
    bool started = false;
    char32_t held = none;            ///< taken, but not looked at
    std::uint32_t run = 0;           ///< characters of the set so far
    std::string_view writing{};      ///< what is left of a text that goes in
    unicode::decomposition parts{};  ///< of a character that is being given out
    std::size_t part = 0;
    unicode::cluster_breaks breaks{};
  };

  void copy(const step_reader& other) noexcept {
    stretch_ = other.stretch_, p_ = other.p_, count_ = other.count_, used_ = other.used_;
    std::copy(other.states_, other.states_ + count_, states_);
    std::copy(other.memory_, other.memory_ + used_, memory_);
  }

  /// The next character after the first `level` steps.
  char32_t pull(std::size_t level) noexcept {
    if (level == 0) {
      if (p_ >= stretch_->end() && !stretch_->extend(p_)) return end_of_text;
      return unicode::decode(p_, stretch_->limit());
    }
    state& s = states_[--level];
    switch (s.step.kind) {
      case step_kind::clean_text:
      case step_kind::strip_marks:
      case step_kind::strip_accents:
      case step_kind::nmt: return filtered(s.step.kind, level);
      case step_kind::split_cjk: return split_cjk(s, level);
      case step_kind::lowercase: return lowercase(s, level);
      case step_kind::nfd:
      case step_kind::nfkd:
      case step_kind::nfc:
      case step_kind::nfkc: return form(s, level);
      case step_kind::strip_left: return strip_left(s, level);
      case step_kind::strip_right: return strip_right(s, level);
      case step_kind::prepend: return prepend(s, level);
      case step_kind::replace: return replace(s, level);
      case step_kind::replace_run: return replace_run(s, level);
      case step_kind::precompiled: return precompiled(s, level);
    }
    return end_of_text;
  }

  /// The next character that a step does not drop, as it leaves it.
  char32_t filtered(step_kind kind, std::size_t level) noexcept {
    for (;;) {
      const char32_t c = pull(level);
      if (c == end_of_text) return c;
      const std::uint8_t flags = unicode::properties(c).flags;
      switch (kind) {
        case step_kind::clean_text:
          if ((flags & unicode_tables::control) != 0) continue;
          return (flags & unicode_tables::space) != 0 ? U' ' : c;
        case step_kind::strip_marks:
          if ((flags & unicode_tables::mark) != 0) continue;
          return c;
        case step_kind::strip_accents:
          if (unicode::is_accent(c)) continue;
          return c;
        default:
          if (is_nmt_dropped(c)) continue;
          return is_nmt_space(c) ? U' ' : c;
      }
    }
  }
  static bool is_nmt_dropped(char32_t c) noexcept {
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
  }
  static bool is_nmt_space(char32_t c) noexcept {
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  }

  char32_t split_cjk(state& s, std::size_t level) noexcept {
    if (s.head < s.size) return memory_[s.memory + s.head++];
    const char32_t c = pull(level);
    if (c == end_of_text || (unicode::properties(c).flags & unicode_tables::cjk) == 0) return c;
    memory_[s.memory] = c, memory_[s.memory + 1] = U' ';
    s.head = 0, s.size = 2;
    return U' ';
  }

  char32_t lowercase(state& s, std::size_t level) noexcept {
    if (s.held != none) return take(s.held);
    const char32_t c = pull(level);
    if (c == end_of_text) return c;
    if (c == 0x130) {  // the only character whose lower case is two: i and a dot above
      s.held = 0x307;
      return U'i';
    }
    return static_cast<char32_t>(static_cast<std::int32_t>(c) + unicode::properties(c).lower);
  }

  char32_t strip_left(state& s, std::size_t level) noexcept {
    char32_t c = pull(level);
    while (!s.started && c != end_of_text && unicode::is_space(c)) c = pull(level);
    s.started = true;
    return c;
  }

  /// White space is kept back as pairs of a character and how often it comes, until something else follows.
  char32_t strip_right(state& s, std::size_t level) noexcept {
    char32_t* const pairs = memory_ + s.memory;
    for (;;) {
      if (s.head < s.size && s.held != none) {  // something followed
        if (--pairs[s.head + 1] == 0) return s.head = static_cast<std::uint16_t>(s.head + 2), pairs[s.head - 2];
        return pairs[s.head];
      }
      if (s.held != none) return s.head = s.size = 0, take(s.held);
      const char32_t c = pull(level);
      if (c == end_of_text) return s.size = 0, c;
      if (!unicode::is_space(c)) {
        s.held = c;
      } else if (s.size != 0 && pairs[s.size - 2] == c) {
        ++pairs[s.size - 1];
      } else if (s.size == normalizer_steps::strip_memory) {
        s.held = c;  // no more room: so long a mixture of blanks is taken to be inside of the text, and is given out
      } else {
        pairs[s.size] = c, pairs[s.size + 1] = 1;
        s.size = static_cast<std::uint16_t>(s.size + 2);
      }
    }
  }

  char32_t prepend(state& s, std::size_t level) noexcept {
    if (!s.started) {
      s.started = true;
      s.held = pull(level);
      if (s.held != end_of_text) s.writing = s.step.text;
    }
    if (!s.writing.empty()) return write(s);
    return s.held != none ? take(s.held) : pull(level);
  }

  char32_t replace(state& s, std::size_t level) noexcept {
    char32_t* const window = memory_ + s.memory;
    const std::size_t whole = normalizer_steps::memory_of(s.step);
    for (;;) {
      if (!s.writing.empty()) return write(s);
      while (s.size < whole && s.held != end_of_text) {
        const char32_t c = pull(level);
        if (c == end_of_text)
          s.held = c;
        else
          window[s.size++] = c;
      }
      if (s.size < whole || !equals(window, s.step.pattern)) break;
      s.size = 0;
      s.writing = s.step.text;
    }
    if (s.size == 0) return end_of_text;
    const char32_t first = window[0];
    std::copy(window + 1, window + s.size, window);
    --s.size;
    return first;
  }
  static bool equals(const char32_t* window, std::string_view pattern) noexcept {
    for (const char *p = pattern.data(), *end = p + pattern.size(); p != end;)
      if (unicode::decode(p, end) != *window++) return false;
    return true;
  }

  /// Characters of the set are counted and, until they are enough to be a run, kept.
  char32_t replace_run(state& s, std::size_t level) noexcept {
    char32_t* const kept = memory_ + s.memory;
    for (;;) {
      if (!s.writing.empty()) return write(s);
      if (s.head < s.size) return kept[s.head++];
      if (s.held != none) return s.held == end_of_text ? end_of_text : take(s.held);
      s.head = s.size = 0;
      char32_t c;
      for (s.run = 0; (c = pull(level)) != end_of_text && in_set(s.step, c);) {
        if (s.run < s.step.least) kept[s.run] = c;
        if (++s.run == s.step.most) break;
      }
      if (s.step.most == 0 || s.run < s.step.most) s.held = c;
      if (s.run >= s.step.least)
        s.writing = s.step.text;
      else
        s.size = static_cast<std::uint16_t>(s.run);
    }
  }
  static bool in_set(const normalizer_step& step, char32_t c) noexcept {
    bool in = false;
    for (const char *p = step.pattern.data(), *end = p + step.pattern.size(); p != end && !in;) {
      const char32_t first = unicode::decode(p, end);
      in = c >= first;
      in = c <= unicode::decode(p, end) && in;
    }
    return in != step.inverted;
  }

  /// Collects a starter and the marks after it, up to the next starter, which is held: then they are put in order and,
  /// for the composed forms, made one with the starter as far as they can.
  char32_t form(state& s, std::size_t level) noexcept {
    const bool compatible = s.step.kind == step_kind::nfkd || s.step.kind == step_kind::nfkc;
    const bool composes = s.step.kind == step_kind::nfc || s.step.kind == step_kind::nfkc;
    char32_t* const items = memory_ + s.memory;
    if (s.head < s.size) return items[s.head++];
    s.head = s.size = 0;
    std::size_t n = 0;
    for (;;) {
      const char32_t c = s.held != none ? s.held : part(s, level, compatible);
      const bool starts = c == end_of_text || unicode::combining_class(c) == 0;
      s.held = none;
      if ((starts && n != 0) || n == normalizer_steps::form_memory) {
        n = order(items, n, composes);
        const char32_t one = composes && n == 1 && starts && c != end_of_text ? unicode::compose(items[0], c) : 0;
        if (one == 0) {
          s.held = c;
          break;
        }
        items[0] = one;
      } else if (c == end_of_text) {
        s.held = c;
        return c;
      } else {
        items[n++] = c;
      }
    }
    s.size = static_cast<std::uint16_t>(n);
    return items[s.head++];
  }

  /// The next character of the decomposed text.
  char32_t part(state& s, std::size_t level, bool compatible) noexcept {
    if (s.part < s.parts.size()) return s.parts[s.part++];
    const char32_t c = pull(level);
    if (c == end_of_text) return c;
    s.parts = unicode::decomposition(c, compatible);
    s.part = 1;
    return s.parts.size() == 0 ? c : s.parts[0];
  }

  /// Puts a starter (where there is one) and its marks into canonical order and composes them; returns how many
  /// characters that makes.
  static std::size_t order(char32_t* items, std::size_t n, bool composes) noexcept {
    const bool starter = unicode::combining_class(items[0]) == 0;
    const auto rank = [](char32_t c) { return unicode::combining_class(c); };
    for (std::size_t i = starter ? 2 : 1; i < n; ++i)
      for (std::size_t j = i; j > (starter ? 1u : 0u) && rank(items[j - 1]) > rank(items[j]); --j)
        std::swap(items[j - 1], items[j]);
    if (!composes || !starter) return n;
    std::size_t kept = 1;
    for (std::size_t i = 1; i < n; ++i) {
      const bool blocked = kept > 1 && rank(items[kept - 1]) == rank(items[i]);
      const char32_t one = blocked ? 0 : unicode::compose(items[0], items[i]);
      if (one != 0)
        items[0] = one;
      else
        items[kept++] = items[i];
    }
    return kept;
  }

  /// A cluster of up to most_cluster bytes is looked up as a whole, and where the map has no beginning of it, or it is
  /// longer, its characters one by one. `held` is what comes next, `started` that it belongs to a long cluster.
  char32_t precompiled(state& s, std::size_t level) noexcept {
    char32_t* const cluster = memory_ + s.memory;
    for (;;) {
      if (!s.writing.empty()) return write(s);
      if (s.head < s.size) {
        const char32_t c = cluster[s.head++];
        if (!maps(s, &c, 1)) return c;
        continue;
      }
      s.head = s.size = 0;
      if (s.held == none && (s.held = pull(level)) != end_of_text) s.breaks.joins(s.held);
      if (s.held == end_of_text) return end_of_text;
      std::size_t bytes = 0;
      bool joined;
      do {
        cluster[s.size++] = s.held;
        char utf8[4];
        bytes += unicode::encode(s.held, utf8);
        s.held = pull(level);
        joined = s.held != end_of_text && s.breaks.joins(s.held);
      } while (joined && bytes <= charsmap::most_cluster);
      const bool whole = !s.started && !joined && bytes <= charsmap::most_cluster;
      s.started = joined;
      if (whole && maps(s, cluster, s.size)) s.size = 0;
    }
  }
  /// Whether the map has a beginning of these characters; then its replacement is written next.
  static bool maps(state& s, const char32_t* characters, std::size_t n) noexcept {
    char utf8[charsmap::most_cluster + 4];
    std::size_t size = 0;
    for (std::size_t i = 0; i < n; ++i) size += unicode::encode(characters[i], utf8 + size);
    const auto found = charsmap(s.step.text).find({utf8, size});
    if (found) s.writing = *found;
    return found.has_value();
  }

  static char32_t take(char32_t& held) noexcept {
    const char32_t c = held;
    if (c != end_of_text) held = none;
    return c;
  }
  static char32_t write(state& s) noexcept {
    const char* p = s.writing.data();
    const char32_t c = unicode::decode(p, p + s.writing.size());
    s.writing.remove_prefix(static_cast<std::size_t>(p - s.writing.data()));
    return c;
  }

  dupq::stretch* stretch_;
  const char* p_;
  std::size_t count_ = 0;  ///< steps
  std::size_t used_ = 0;   ///< of memory_
  state states_[normalizer_steps::max_steps];
  char32_t memory_[normalizer_steps::max_memory];
};

}  // namespace dupq::inline DUPQ_ABI
