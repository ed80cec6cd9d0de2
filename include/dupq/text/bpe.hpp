// Byte-pair encoding: a word's bytes to tokens, by merging neighbours in the order of a list.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"
#include "bpe_short.hpp"
#include "bpe_table.hpp"
#include "unicode.hpp"
#include "word_builder.hpp"

namespace dupq::inline DUPQ_ABI {

/// Merges the bytes of words and gives out the tokens.
///
/// A word of more than `room` bytes is merged in windows that overlap by half: what is given out of one has that much
/// text behind it, and the next begins with the window's next token. So a word's tokens are those of all of it unless
/// one merge depends on another over hundreds of bytes.
class bpe_merger {
 public:
  static constexpr std::size_t room = 512;

  bpe_merger(const bpe& merges, token_sink& out) noexcept : merges_(merges), out_(out) {}

  /// Takes one word: next(c) gives its characters, false after the last.
  template <class Next>
  void add_characters(Next&& next) noexcept {
    size_ = 0;
    char32_t c;
    while (next(c)) {
      char utf8[4];
      const std::size_t n = unicode::encode(c, utf8);
      for (std::size_t i = 0; i < n; ++i) put(utf8[i]);
      if (size_ + 4 > room && !give_half()) return;
    }
    finish();
  }
  void add(std::string_view word) noexcept {
    if (word.size() <= 8) return short_bpe_word<8>(merges_, word).give_out(out_);
    if (word.size() <= 16) return short_bpe_word<16>(merges_, word).give_out(out_);
    size_ = 0;
    for (const char c : word) {
      put(c);
      if (size_ == room && !give_half()) return;
    }
    finish();
  }

 private:
  void put(char byte) noexcept {
    const std::int32_t id = merges_.byte_token(static_cast<unsigned char>(byte));
    if (id >= 0) bytes_[size_++] = static_cast<std::uint32_t>(id);
  }
  void finish() noexcept {
    merge_all();
    for (std::size_t i = 0; i < size_; i = next_[i]) out_.push(static_cast<std::int32_t>(ids_[i]));
  }
  /// Gives out the tokens that begin in the first half of the window; false where the sink is full.
  bool give_half() noexcept {
    merge_all();
    std::size_t taken = 0;
    for (; taken < room / 2 && taken < size_; taken = next_[taken]) out_.push(static_cast<std::int32_t>(ids_[taken]));
    std::copy(bytes_ + taken, bytes_ + size_, bytes_);
    size_ -= taken;
    return !out_.full();
  }

  /// Merges the window's bytes, the lowest rank first and of equal ones the leftmost. A token stays at the place of its
  /// first byte, and knows the places of those beside it.
  void merge_all() noexcept {
    const std::size_t n = size_;
    if (n == 0) return;
    for (std::size_t i = 0; i < n; ++i) {
      ids_[i] = bytes_[i];
      next_[i] = static_cast<std::uint16_t>(i + 1);
      before_[i] = static_cast<std::uint16_t>(i - 1);
    }
    for (std::size_t i = 0; i + 1 < n; ++i) look(i, i + 1);
    merges_of_[n - 1] = none;
    for (;;) {
      std::uint64_t least = none;
      for (std::size_t i = 0; i < n; ++i) least = std::min(least, merges_of_[i]);
      if (least == none) return;
      const std::size_t at = least % room, gone = next_[at], next = next_[gone];
      ids_[at] = made_[at];
      next_[at] = static_cast<std::uint16_t>(next);
      merges_of_[at] = merges_of_[gone] = none;
      if (next < n) {
        before_[next] = static_cast<std::uint16_t>(at);
        look(at, next);
      }
      if (at != 0) look(before_[at], at);
    }
  }
  void look(std::size_t at, std::size_t next) noexcept {
    const bpe::merge m = merges_.find(ids_[at], ids_[next]);
    merges_of_[at] = m.rank == bpe::no_merge ? none : std::uint64_t{m.rank} * room + at;
    made_[at] = m.id;
  }

  static constexpr std::uint64_t none = ~std::uint64_t{0};

  const bpe& merges_;
  token_sink& out_;
  std::size_t size_ = 0;
  std::uint32_t bytes_[room];  ///< tokens of the word's bytes
  // At the place of a token's first byte:
  std::uint32_t ids_[room];
  std::uint64_t merges_of_[room];  ///< its merge with the next one: the rank, and below it the place
  std::uint32_t made_[room];       ///< what that makes
  std::uint16_t next_[room];       ///< where the next one begins
  std::uint16_t before_[room];     ///< and the one before
};

}  // namespace dupq::inline DUPQ_ABI
