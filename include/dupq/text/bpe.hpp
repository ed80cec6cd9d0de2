// Byte-pair encoding: a word's bytes to tokens, by merging neighbours in the order of a list.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/platform.hpp"
#include "key_slots.hpp"
#include "piece_key.hpp"
#include "word_builder.hpp"

namespace dupq::inline DUPQ_ABI {

/// The merges and the tokens of bytes: views of a model file's arrays, ready without memory of their own.
///  - bytes: i32 ids of the tokens of the 256 bytes; -1 for a byte that has none, which is left out of a text.
///  - merges: a hash table with linear probing, slots of two u64, a power of two of them: the ids of two neighbours
///    (left in the high half; all ones: an empty slot), then the rank of their merge (in the high half) and the id of
///    what it makes.
///  - filter, which older files lack: bits, a power of two of them and 64 at least; a merge sets the one at the highest
///    bits of its hash. Most neighbours do not merge, and are mostly found out here, in a fraction of the table's
///    memory.
///  - words: a table as that of `vocabulary`, of the tokens of up to 12 bytes that are what their bytes become, so that
///    most words are found at once. A blank before them is not among their bytes but in the key's kind.
class bpe {
 public:
  static constexpr char bytes_key[] = "dupq.bpe.bytes";
  static constexpr char merges_key[] = "dupq.bpe.merges";
  static constexpr char filter_key[] = "dupq.bpe.filter";
  static constexpr char words_key[] = "dupq.bpe.words";
  static constexpr std::uint64_t no_pair = ~std::uint64_t{0};
  static constexpr std::uint32_t no_merge = 0xFFFFFFFFu;

  struct merge {
    std::uint32_t rank;  ///< no_merge: there is none
    std::uint32_t id;
  };

  bpe() noexcept = default;

  /// Of a vocabulary of `count` tokens. Errors: wrong_size, out_of_range, bad_vocabulary.
  static result<bpe> view(std::span<const std::byte> bytes, std::span<const std::byte> merges,
                          std::span<const std::byte> words, std::size_t count,
                          std::span<const std::byte> filter = {}) noexcept {
    if (bytes.size() != 1024) return error(errc::wrong_size, bytes_key, 256, bytes.size() / 4);
    bpe b;
    b.bytes_ = bytes.data();
    for (std::size_t i = 0; i < 256; ++i)
      if (b.byte_token(static_cast<unsigned char>(i)) >= static_cast<std::int64_t>(count))
        return error(errc::out_of_range, bytes_key, count - 1, i);
    if (!b.merges_.take(merges)) return error(errc::wrong_size, merges_key, 0, merges.size() / 16);
    if (!b.words_.take(words)) return error(errc::wrong_size, words_key, 0, words.size() / 16);
    const auto is_empty = [](std::uint64_t first, std::uint64_t) { return first == no_pair; };
    const auto merge_fits = [&](std::uint64_t, std::uint64_t second) { return (second & 0xFFFFFFFFu) < count; };
    if (!b.merges_.is_sound(is_empty, merge_fits)) return error(errc::bad_vocabulary, merges_key);
    if (!b.words_.is_sound(count)) return error(errc::bad_vocabulary, words_key);
    if (!filter.empty()) {
      if (filter.size() % 8 != 0 || !std::has_single_bit(filter.size()) || filter.size() > std::size_t{1} << 30)
        return error(errc::wrong_size, filter_key, std::bit_ceil(filter.size()) / 8, filter.size() / 8);
      b.filter_ = filter.data();
      b.filter_shift_ = 64 - static_cast<int>(std::bit_width(filter.size() * 8 - 1));
    }
    return b;
  }

  std::int32_t byte_token(unsigned char byte) const noexcept {
    std::int32_t id;
    std::memcpy(&id, bytes_ + std::size_t{byte} * 4, sizeof id);
    return id;
  }
  merge find(std::uint32_t left, std::uint32_t right) const noexcept {
    const std::uint64_t pair = std::uint64_t{left} << 32 | right;
    const std::uint64_t h = hash(pair);
    if (filter_ != nullptr && !passes(h)) return {no_merge, 0};
    for (std::size_t at = merges_.home(h);; at = merges_.next(at)) {
      const std::uint64_t first = merges_.first(at);
      if (first == pair) {
        const std::uint64_t second = merges_.second(at);
        return {static_cast<std::uint32_t>(second >> 32), static_cast<std::uint32_t>(second)};
      }
      if (first == no_pair) return {no_merge, 0};
    }
  }
  /// Of whole words, by the keys of their bytes; one that is none, or not at once, is not there.
  const word_slots& words() const noexcept { return words_; }

  // How the tables are made.
  static bool put_merge(std::span<std::uint64_t> table, std::uint64_t pair, merge m) noexcept {
    return key_slots::put(table, hash(pair), pair, std::uint64_t{m.rank} << 32 | m.id,
                          [&](std::uint64_t first, std::uint64_t) { return first == no_pair || first == pair; });
  }
  /// u64 of a filter for `n` merges: eight to sixteen bits each.
  static std::size_t filter_for(std::size_t n) noexcept { return std::bit_ceil(8 * std::max<std::size_t>(n, 8)) / 64; }
  static void put_filter(std::span<std::uint64_t> filter, std::uint64_t pair) noexcept {
    const std::uint64_t at = hash(pair) >> (64 - static_cast<int>(std::bit_width(filter.size() * 64 - 1)));
    filter[static_cast<std::size_t>(at / 64)] |= std::uint64_t{1} << at % 64;
  }

 private:
  static std::uint64_t hash(std::uint64_t pair) noexcept {
    const std::uint64_t h = pair * 0x9E3779B97F4A7C15u;
    return (h ^ h >> 29) * 0xBF58476D1CE4E5B9u;
  }

  bool passes(std::uint64_t h) const noexcept {
    const auto at = static_cast<std::size_t>(h >> filter_shift_);
    return (static_cast<unsigned>(filter_[at / 8]) >> at % 8 & 1) != 0;
  }

  const std::byte* bytes_ = nullptr;
  const std::byte* filter_ = nullptr;
  int filter_shift_ = 63;
  key_slots merges_;
  word_slots words_;
};

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
