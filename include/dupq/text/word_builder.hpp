// WordPiece: takes the normalised words of a text, whole or one character after another, and gives out the ids of their
// pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/model_limits.hpp"
#include "../core/platform.hpp"
#include "../core/prefix.hpp"
#include "piece_key.hpp"
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

/// Cuts whole words.
class word_cutter {
 public:
  static constexpr std::uint32_t max_chars_limit = model_limits::word_chars;
  /// Bytes that are read beyond a word, whatever they are.
  static constexpr std::size_t slack = piece_key::readable;

  /// Words of more than `max_chars` <= max_chars_limit characters are unknown.
  word_cutter(const vocabulary& words, std::int32_t unknown, std::uint32_t max_chars, token_sink& out) noexcept
      : words_(words),
        out_(out),
        unknown_(unknown),
        max_chars_(max_chars),
        short_(std::min<std::size_t>(max_chars, piece_key::capacity)) {}

  /// A word of ASCII letters and digits or a punctuation mark, with `slack` bytes after it.
  void add(const char* word, std::size_t size) noexcept {
    if (size <= short_) {
      const std::int32_t id = words_.find(piece_key::read(word, size, false));
      if (id >= 0) return out_.push(id);
    } else if (size > max_chars_) {
      return out_.push(unknown_);
    }
    cut(word, size);
  }

  /// A word of no more than max_chars characters, with `slack` bytes after it. Longest match first; one that leaves a
  /// rest without a piece is unknown as a whole.
  DUPQ_NOINLINE void cut(const char* word, std::size_t size) noexcept {
    // Only a word that succeeds may write: the two texts of a pair share one span of ids.
    std::int32_t pieces[max_chars_limit];
    std::size_t count = 0;
    for (bool continuing = false; size != 0; continuing = true) {
      std::size_t taken = 0;
      const std::int32_t id = longest_piece(word, size, continuing, taken);
      if (id < 0) return out_.push(unknown_);
      pieces[count++] = id;
      word += taken, size -= taken;
    }
    for (std::size_t i = 0; i < count; ++i) out_.push(pieces[i]);
  }

  token_sink& out() const noexcept { return out_; }
  std::int32_t unknown() const noexcept { return unknown_; }
  std::uint32_t max_chars() const noexcept { return max_chars_; }

 private:
  /// The longest piece that a word begins with, and its size in bytes; -1 where there is none.
  std::int32_t longest_piece(const char* word, std::size_t size, bool continuing, std::size_t& taken) const noexcept {
    taken = std::min(size, words_.longest(continuing));
    for (; taken > piece_key::capacity; --taken) {
      if (taken < size && is_inner(word[taken])) continue;
      const std::int32_t id = words_.find(std::string_view(word, taken), continuing);
      if (id >= 0) return id;
    }
    const piece_key most = piece_key::read(word, taken, continuing);
    for (; taken != 0; --taken) {
      if (taken < size && is_inner(word[taken])) continue;
      const std::int32_t id = words_.find(most.first(taken, continuing));
      if (id >= 0) return id;
    }
    return -1;
  }

  static bool is_inner(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0u) == 0x80; }

  const vocabulary& words_;
  token_sink& out_;
  std::int32_t unknown_;
  std::uint32_t max_chars_;
  std::size_t short_;  ///< words of up to so many bytes are looked up in one go
};

/// Collects the characters of words.
class word_builder {
 public:
  explicit word_builder(word_cutter& cutter) noexcept : cutter_(cutter) {}

  /// True between words.
  bool empty() const noexcept { return size_ == 0; }

  /// Takes any normalised character.
  void add(char32_t c) noexcept {
    const std::uint8_t flags = unicode::properties(c).flags;
    if ((flags & unicode_tables::space) != 0) {
      end_word();
    } else if ((flags & unicode_tables::punctuation) != 0) {
      end_word();
      cutter_.cut(bytes_, unicode::encode(c, bytes_));
    } else if (chars_ == cutter_.max_chars()) {
      if (!overlong_) cutter_.out().push(cutter_.unknown());
      overlong_ = true;
    } else {
      size_ += static_cast<std::uint32_t>(unicode::encode(c, bytes_ + size_));
      ++chars_;
    }
  }

  void end_word() noexcept {
    if (size_ != 0 && !overlong_) cutter_.cut(bytes_, size_);
    size_ = chars_ = 0, overlong_ = false;
  }

 private:
  word_cutter& cutter_;
  std::uint32_t size_ = 0;   ///< bytes of the word
  std::uint32_t chars_ = 0;  ///< its characters
  bool overlong_ = false;    ///< already given out as unknown
  char bytes_[word_cutter::max_chars_limit * 4 + word_cutter::slack];
};

}  // namespace dupq::inline DUPQ_ABI
