// A stretch's normalised text, character by character, with the added tokens in it that are looked for there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/platform.hpp"
#include "added_tokens.hpp"
#include "normalizer.hpp"
#include "unicode.hpp"
#include "wordpiece.hpp"

namespace dupq::inline DUPQ_ABI {

/// Reads over `Reader`; a copy reads on independently.
template <class Reader>
class token_finder {
 public:
  static constexpr char32_t end_of_text = normalizer::end_of_text;
  static constexpr char32_t token = 0xFFFFFFFDu;  ///< in place of a token's characters: see id()

  token_finder(const tokenizer& t, const Reader& text, bool match) noexcept : tokens_(&t), text_(text), match_(match) {}

  char32_t next() noexcept {
    const char32_t c = text_.next();
    if (!match_ || c == end_of_text) return c;
    if (unseen_ != 0) {
      --unseen_;
    } else if (tokens_->may_start(c)) {
      if (take(c, text_, false)) return token;
    } else if (spaces_ != 0) {
      --spaces_;
    } else if (unicode::is_space(c) && take_after_spaces(c)) {
      return token;
    }
    return previous_ = c;
  }
  /// The token that has just been found.
  std::int32_t id() const noexcept { return id_; }

 private:
  using found = tokenizer::normalized_match<Reader>;

  /// Takes the token that begins with `c`, after which `after` stands; false where there is none.
  bool take(char32_t c, const Reader& after, bool only_lstrip) noexcept {
    const found m = tokens_->normalized_at(c, after);
    if (m.id < 0) return false;
    if (!m.stands_alone(previous_)) {
      if (!only_lstrip) unseen_ = m.chars - 1;
      return false;
    }
    if (only_lstrip && (m.flags & added_tokens::lstrip) == 0) return false;
    id_ = m.id, text_ = m.rest, previous_ = m.last;
    if ((m.flags & added_tokens::rstrip) != 0) {
      Reader ahead = text_;
      for (char32_t d = ahead.next(); d != end_of_text && unicode::is_space(d); d = ahead.next())
        previous_ = d, text_ = ahead;
    }
    return true;
  }

  /// At the first of a run of white space: takes the token after it that takes it away. Where there is none, the rest
  /// of the run is not looked at again.
  bool take_after_spaces(char32_t c) noexcept {
    Reader ahead = text_;
    const char32_t before = previous_;
    std::size_t more = 0;
    char32_t d;
    previous_ = c;
    while ((d = ahead.next()) != end_of_text && unicode::is_space(d)) ++more, previous_ = d;
    if (d != end_of_text && tokens_->may_start(d) && take(d, ahead, true)) return true;
    previous_ = before;
    spaces_ = more;
    return false;
  }

  const tokenizer* tokens_;
  Reader text_;
  bool match_;
  char32_t previous_ = 0;
  std::size_t unseen_ = 0;  ///< characters left of a match that was refused: no other match begins in them
  std::size_t spaces_ = 0;  ///< white space left of a run after which no token takes it
  std::int32_t id_ = -1;
};

}  // namespace dupq::inline DUPQ_ABI
