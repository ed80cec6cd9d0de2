// The steps of a normaliser that is not BERT's own, as a model file lists them: what tokenizer.json calls a Sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/error.hpp"
#include "../core/platform.hpp"
#include "charsmap.hpp"
#include "unicode.hpp"

namespace dupq::inline DUPQ_ABI {

enum class step_kind : std::uint8_t {
  clean_text,     ///< BERT's: control characters go, white space becomes ' '
  split_cjk,      ///< BERT's: spaces around Chinese characters
  strip_marks,    ///< BERT's: marks without a width go
  strip_accents,  ///< marks of any kind go
  lowercase,
  nfd,
  nfkd,
  nfc,
  nfkc,
  nmt,         ///< SentencePiece's: some control characters go, others become ' '
  strip_left,  ///< white space at the begin goes
  strip_right,
  prepend,      ///< a text goes before one that is not empty
  replace,      ///< a text for each place of another
  replace_run,  ///< a text for each run of characters of a set
  precompiled,  ///< SentencePiece's map of characters: `text` is its bytes
};

/// One step and its operands.
struct normalizer_step {
  step_kind kind{};
  std::string_view text{};     ///< what goes before, or in place of what is replaced
  std::string_view pattern{};  ///< replace: the text; replace_run: the set, first and last character of each range
  std::uint32_t least = 1;     ///< replace_run: characters that are a run; shorter ones stay
  std::uint32_t most = 0;      ///< replace_run: after so many another run begins; 0: never
  bool inverted = false;       ///< replace_run: all characters but those of the set
};

/// A view of the file's list of strings: the name of a step, then its operands, then the next step.
class normalizer_steps {
 public:
  static constexpr char key[] = "dupq.tokenizer.normalizer";
  static constexpr std::size_t max_steps = 32;
  static constexpr std::size_t max_pattern = 64;   ///< characters of a text to replace, and of a run that counts
  static constexpr std::size_t max_memory = 1024;  ///< characters that all steps together look ahead
  static constexpr std::size_t form_memory = 96;   ///< of them for a normalisation form
  static constexpr std::size_t strip_memory = 32;  ///< of them for white space that may be the last

  struct name {
    std::string_view text;
    step_kind kind;
    int operands;
  };
  static constexpr name names[] = {
      {"clean_text", step_kind::clean_text, 0},
      {"split_cjk", step_kind::split_cjk, 0},
      {"strip_marks", step_kind::strip_marks, 0},
      {"strip_accents", step_kind::strip_accents, 0},
      {"lowercase", step_kind::lowercase, 0},
      {"nfd", step_kind::nfd, 0},
      {"nfkd", step_kind::nfkd, 0},
      {"nfc", step_kind::nfc, 0},
      {"nfkc", step_kind::nfkc, 0},
      {"nmt", step_kind::nmt, 0},
      {"strip_left", step_kind::strip_left, 0},
      {"strip_right", step_kind::strip_right, 0},
      {"prepend", step_kind::prepend, 1},
      {"replace", step_kind::replace, 2},
      {"replace_run", step_kind::replace_run, 5},
      {"precompiled", step_kind::precompiled, 1},
  };

  normalizer_steps() noexcept = default;
  /// Strings as GGUF stores them: a u64 length and the bytes, `count` times.
  normalizer_steps(std::span<const std::byte> strings, std::uint64_t count) noexcept
      : bytes_(strings.data()), size_(strings.size()), count_(static_cast<std::size_t>(count)) {}

  /// Errors: truncated, wrong_value (an unknown step, operands that are missing or mean nothing), out_of_range (too
  /// many steps, or steps that look too far ahead).
  result<void> check() const noexcept {
    std::size_t place = 0, steps = 0, memory = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      std::uint64_t length = 0;
      if (size_ - place < 8) return error(errc::truncated, key, place + 8, size_);
      std::memcpy(&length, bytes_ + place, 8);
      if (size_ - place - 8 < length) return error(errc::truncated, key, length, size_ - place - 8);
      place += 8 + static_cast<std::size_t>(length);
    }
    if (place != size_) return error(errc::wrong_size, key, place, size_);
    for (cursor at{bytes_, count_}; at.left != 0; ++steps) {
      normalizer_step step;
      const std::size_t index = count_ - at.left;
      if (!read(at, step) || !is_sound(step)) return error(errc::wrong_value, key, 0, index);
      if (steps == max_steps) return error(errc::out_of_range, key, max_steps, steps + 1);
      memory += memory_of(step);
    }
    if (memory > max_memory) return error(errc::out_of_range, key, max_memory, memory);
    return {};
  }

  /// The same, and that every way through a map of characters ends: for that it takes memory out of `storage`. Where
  /// that has none, it only counts.
  result<void> check(arena& storage) const noexcept {
    if (const auto sound = check(); !sound) return sound.error();
    bool sound = true;
    for_each([&](const normalizer_step& step) {
      if (step.kind != step_kind::precompiled) return;
      const charsmap map(step.text);
      auto* const memory = storage.take<std::uint64_t>(charsmap_ways::words(map));
      if (memory != nullptr && !charsmap_ways::check(map, memory)) sound = false;
    });
    return sound ? result<void>() : error(errc::wrong_value, key);
  }

  /// Calls f(step) for each step; only of a list that check() has found sound.
  template <class F>
  void for_each(F&& f) const noexcept {
    normalizer_step step;
    for (cursor at{bytes_, count_}; at.left != 0 && read(at, step);) f(step);
  }
  bool empty() const noexcept { return count_ == 0; }

  /// Characters that a step keeps back while it looks ahead.
  static std::size_t memory_of(const normalizer_step& step) noexcept {
    switch (step.kind) {
      case step_kind::nfd:
      case step_kind::nfkd:
      case step_kind::nfc:
      case step_kind::nfkc: return form_memory;
      case step_kind::strip_right: return strip_memory;
      case step_kind::replace: return characters(step.pattern);
      case step_kind::replace_run: return step.least;
      case step_kind::split_cjk: return 2;
      case step_kind::precompiled: return charsmap::most_cluster + 1;
      default: return 1;
    }
  }

  /// Characters of a text; 0 also for one that is not UTF-8.
  static std::size_t characters(std::string_view text) noexcept {
    std::size_t n = 0;
    for (const char *p = text.data(), *end = p + text.size(); p != end; ++n) {
      const char* const start = p;
      if (unicode::decode(p, end) == unicode::replacement && p - start != 3) return 0;
    }
    return n;
  }

 private:
  struct cursor {
    const std::byte* p;
    std::size_t left;

    bool take(std::string_view& out) noexcept {
      if (left == 0) return false;
      std::uint64_t length = 0;
      std::memcpy(&length, p, 8);
      out = {reinterpret_cast<const char*>(p + 8), static_cast<std::size_t>(length)};
      p += 8 + out.size();
      --left;
      return true;
    }
  };

  static bool number(std::string_view text, std::uint32_t& out) noexcept {
    out = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return false;
      out = out * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return !text.empty() && text.size() <= 4;
  }

  static bool read(cursor& at, normalizer_step& out) noexcept {
    std::string_view word;
    if (!at.take(word)) return false;
    for (const name& n : names) {
      if (n.text != word) continue;
      out = normalizer_step{};
      out.kind = n.kind;
      if (n.kind == step_kind::replace_run) {
        std::string_view inverted, least, most;
        if (!at.take(inverted) || !at.take(least) || !at.take(most)) return false;
        if (!number(least, out.least) || !number(most, out.most)) return false;
        out.inverted = inverted == "1";
      }
      if (n.operands > 1 && !at.take(out.pattern)) return false;
      return n.operands == 0 || at.take(out.text);
    }
    return false;
  }

  static bool is_sound(const normalizer_step& step) noexcept {
    if (step.kind == step_kind::precompiled) return charsmap::is_sound(step.text);
    if (!step.text.empty() && characters(step.text) == 0) return false;
    if (step.kind == step_kind::replace)
      return characters(step.pattern) != 0 && characters(step.pattern) <= max_pattern;
    if (step.kind != step_kind::replace_run) return true;
    const bool whole_ranges = characters(step.pattern) != 0 && characters(step.pattern) % 2 == 0;
    return whole_ranges && step.least >= 1 && step.least <= max_pattern && (step.most == 0 || step.most >= step.least);
  }

  const std::byte* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t count_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
