// WordPiece: takes the normalised characters of one word after another and gives out the ids of their pieces.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"
#include "../core/prefix.hpp"
#include "unicode.hpp"
#include "vocabulary.hpp"

namespace dupq::inline DUPQ_ABI {

/// Counts tokens up to just above `limit`, and keeps the first `room` of them: at ids, ids + step, ...
struct token_sink {
  std::int32_t* ids;
  std::ptrdiff_t step;
  std::size_t room;
  std::size_t limit;
  std::size_t count = 0;

  void push(std::int32_t id) noexcept {
    if (count < room) ids[static_cast<std::ptrdiff_t>(count) * step] = id;
    ++count;
  }
  bool full() const noexcept { return count > limit; }
};

/// What an ASCII character of a text is before anything else is looked at: left to the slow path, the end of a word, a
/// word of its own, or a character of a word, given as its (lower-case) byte.
namespace ascii_step {
inline constexpr unsigned char other = 0, blank = 1, mark = 2;
using table = std::array<unsigned char, 256>;

constexpr table make(bool lowercase) noexcept {
  table t{};
  for (unsigned c = 0x21; c < 0x7F; ++c) t[c] = mark;
  for (unsigned c = '0'; c <= '9'; ++c) t[c] = static_cast<unsigned char>(c);
  for (unsigned c = 'a'; c <= 'z'; ++c) t[c] = static_cast<unsigned char>(c);
  for (unsigned c = 'A'; c <= 'Z'; ++c) t[c] = static_cast<unsigned char>(lowercase ? c + 32 : c);
  t[' '] = t['\t'] = t['\n'] = t['\r'] = blank;
  return t;
}
inline constexpr table tables[2] = {make(false), make(true)};
}  // namespace ascii_step

class word_builder {
 public:
  static constexpr std::uint32_t max_chars_limit = 200;

  /// Words of more than `max_chars` <= max_chars_limit characters are unknown.
  word_builder(const vocabulary& words, std::int32_t unknown, std::uint32_t max_chars, token_sink& out) noexcept
      : words_(words), out_(out), unknown_(unknown), max_chars_(max_chars) {}

  /// Takes the bytes from `p` on that `steps` has as a word's, as far as the word has room; returns where it stopped.
  /// What an unknown word still has is skipped.
  const char* take(const char* p, const char* end, const ascii_step::table& steps) noexcept {
    const char* const start = p;
    if (overlong_) {
      while (p < end && steps[static_cast<unsigned char>(*p)] > ascii_step::mark) ++p;
      return p;
    }
    if (end - p > static_cast<std::ptrdiff_t>(max_chars_ - chars_)) end = p + (max_chars_ - chars_);
    char* to = bytes_ + size_;
    std::uint32_t h = hash_;
    for (; p < end; ++p) {
      const unsigned char step = steps[static_cast<unsigned char>(*p)];
      if (step <= ascii_step::mark) break;
      *to = static_cast<char>(step);
      h = vocabulary::hash_step(h, *to++);
    }
    hash_ = h;
    const auto taken = static_cast<std::uint32_t>(p - start);
    size_ += taken, chars_ += taken;
    return p;
  }

  /// Takes any normalised character.
  void add(char32_t c) noexcept {
    const std::uint8_t flags = unicode::properties(c).flags;
    if ((flags & unicode_tables::space) != 0) {
      end_word();
    } else if ((flags & unicode_tables::punctuation) != 0) {
      add_punctuation(c);
    } else if (chars_ == max_chars_) {
      if (!overlong_) out_.push(unknown_);
      overlong_ = true;
    } else {
      const std::size_t n = unicode::encode(c, bytes_ + size_);
      for (std::size_t i = 0; i < n; ++i) hash_ = vocabulary::hash_step(hash_, bytes_[size_++]);
      ++chars_;
    }
  }

  /// Ends the word and makes one of `c`.
  void add_punctuation(char32_t c) noexcept {
    end_word();
    char bytes[4];
    const std::int32_t id = words_.find({bytes, unicode::encode(c, bytes)}, false);
    out_.push(id >= 0 ? id : unknown_);
  }

  void end_word() noexcept {
    if (size_ == 0) return;
    if (!overlong_) {
      const std::string_view word(bytes_, size_);
      const bool too_long = word.size() > words_.longest(false);
      const std::int32_t id = too_long ? -1 : words_.find(word, false, vocabulary::hash_finish(hash_));
      if (id >= 0)
        out_.push(id);
      else
        split(word);
    }
    size_ = chars_ = 0, hash_ = vocabulary::hash_start(false), overlong_ = false;
  }

 private:
  /// Longest match first. A word that leaves a rest without a piece is unknown as a whole.
  void split(std::string_view word) noexcept {
    // Only a word that succeeds may write: the two texts of a pair share one span of ids.
    std::int32_t pieces[max_chars_limit];
    std::size_t count = 0;
    for (bool continuing = false; !word.empty(); continuing = true) {
      std::size_t size = 0;
      const std::int32_t id = longest_piece(word, continuing, size);
      if (id < 0) {
        out_.push(unknown_);
        return;
      }
      pieces[count++] = id;
      word.remove_prefix(size);
    }
    for (std::size_t i = 0; i < count; ++i) out_.push(pieces[i]);
  }

  /// The longest piece that `word` begins with, and its size in bytes; -1 where there is none.
  std::int32_t longest_piece(std::string_view word, bool continuing, std::size_t& size) const noexcept {
    // Hashes of the beginnings, each a character longer, as far as any piece is as long.
    std::uint32_t hashes[max_chars_limit];
    std::size_t chars = 0;
    std::uint32_t h = vocabulary::hash_start(continuing);
    const std::size_t longest = std::min(word.size(), words_.longest(continuing));
    for (std::size_t i = 0; i < longest; size = i) {
      do h = vocabulary::hash_step(h, word[i++]);
      while (i < word.size() && is_inner(word[i]));
      if (i > longest) break;
      hashes[chars++] = h;
    }
    while (chars != 0) {
      const std::int32_t id = words_.find(first_of(word, size), continuing, vocabulary::hash_finish(hashes[--chars]));
      if (id >= 0) return id;
      do --size;
      while (size != 0 && is_inner(word[size]));
    }
    return -1;
  }

  static bool is_inner(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0u) == 0x80; }

  const vocabulary& words_;
  token_sink& out_;
  std::int32_t unknown_;
  std::uint32_t max_chars_;
  std::uint32_t size_ = 0;   ///< bytes of the word
  std::uint32_t chars_ = 0;  ///< its characters
  std::uint32_t hash_ = vocabulary::hash_start(false);
  bool overlong_ = false;  ///< already given out as unknown
  char bytes_[max_chars_limit * 4];
};

}  // namespace dupq::inline DUPQ_ABI
