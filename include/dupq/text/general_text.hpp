// Texts whose normaliser is a list of steps (step_reader.hpp) rather than BERT's own: what a tokenizer needs for them.
#pragma once

#include <string_view>

#include "../core/platform.hpp"
#include "step_reader.hpp"
#include "wordpiece.hpp"

namespace dupq::inline DUPQ_ABI {

struct general_reading {
  static result<void> check(const normalizer_steps& steps, arena& storage) noexcept { return steps.check(storage); }
  static void add(const tokenizer& t, stretch& part, bool match, token_sink& out) noexcept {
    const tokenizer_options& o = t.options();
    word_cutter cutter(t.words_, o.unk, o.max_word_chars, out);
    step_reader text(o.steps, part);
    t.add_any(text, match, cutter, nullptr);
  }
  static char32_t first(const normalizer_steps& steps, std::string_view text) noexcept {
    stretch all(text);
    return step_reader(steps, all).next();
  }
};

inline constexpr text_extension general_text{general_reading::check, general_reading::add, general_reading::first};

}  // namespace dupq::inline DUPQ_ABI
