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
#include "piece_key.hpp"
#include "word_builder.hpp"

namespace dupq::inline DUPQ_ABI {

/// The merges and the tokens of bytes: views of a model file's arrays, ready without memory of their own.
///  - bytes: i32 ids of the tokens of the 256 bytes; -1 for a byte that has none, which is left out of a text.
///  - merges: a hash table with linear probing, slots of two u64, a power of two of them: the ids of two neighbours
///    (left in the high half; all ones: an empty slot), then the rank of their merge (in the high half) and the id of
///    what it makes.
///  - words: a table as that of `vocabulary`, of the tokens of up to 12 bytes that are what their bytes become, so that
///    most words are found at once. A blank before them is not among their bytes but in the key's kind.
class bpe {
 public:
  static constexpr char bytes_key[] = "dupq.bpe.bytes";
  static constexpr char merges_key[] = "dupq.bpe.merges";
  static constexpr char words_key[] = "dupq.bpe.words";
  static constexpr std::uint64_t no_pair = ~std::uint64_t{0};
  static constexpr std::uint32_t no_merge = 0xFFFFFFFFu;
  /// The longest row of occupied slots.
  static constexpr std::size_t max_probes = 1024;

  struct merge {
    std::uint32_t rank;  ///< no_merge: there is none
    std::uint32_t id;
  };

  bpe() noexcept = default;

  /// Of a vocabulary of `count` tokens. Errors: wrong_size, out_of_range, bad_vocabulary.
  static result<bpe> view(std::span<const std::byte> bytes, std::span<const std::byte> merges,
                          std::span<const std::byte> words, std::size_t count) noexcept {
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
    const auto no_word = [](std::uint64_t, std::uint64_t second) { return (second >> 32 & 0xFF) == 0; };
    const auto word_fits = [&](std::uint64_t, std::uint64_t second) { return (second >> word_shift) < count; };
    if (!b.words_.is_sound(no_word, word_fits)) return error(errc::bad_vocabulary, words_key);
    return b;
  }

  std::int32_t byte_token(unsigned char byte) const noexcept {
    std::int32_t id;
    std::memcpy(&id, bytes_ + std::size_t{byte} * 4, sizeof id);
    return id;
  }
  merge find(std::uint32_t left, std::uint32_t right) const noexcept {
    const std::uint64_t pair = std::uint64_t{left} << 32 | right;
    for (std::size_t at = merges_.home(hash(pair));; at = merges_.next(at)) {
      const std::uint64_t first = merges_.first(at);
      if (first == pair) {
        const std::uint64_t second = merges_.second(at);
        return {static_cast<std::uint32_t>(second >> 32), static_cast<std::uint32_t>(second)};
      }
      if (first == no_pair) return {no_merge, 0};
    }
  }
  /// The token of a whole word, by the key of its bytes; -1 where it is none, or not one at once.
  std::int32_t find(const piece_key& key) const noexcept {
    for (std::size_t at = words_.home(key.hash());; at = words_.next(at)) {
      const std::uint64_t lo = words_.first(at), hi = words_.second(at);
      if (((lo ^ key.lo) | (hi ^ key.hi) << (64 - word_shift)) == 0) return static_cast<std::int32_t>(hi >> word_shift);
      if ((hi >> 32 & 0xFF) == 0) return -1;
    }
  }

  // How the tables are made: slots for `n` entries, and putting one in.
  static std::size_t slots_for(std::size_t n) noexcept { return std::bit_ceil(2 * std::max(n, std::size_t{1})); }
  static bool put_merge(std::span<std::uint64_t> table, std::uint64_t pair, merge m) noexcept {
    return put(table, hash(pair), pair, std::uint64_t{m.rank} << 32 | m.id,
               [&](std::uint64_t first, std::uint64_t) { return first == no_pair || first == pair; });
  }
  static bool put_word(std::span<std::uint64_t> table, const piece_key& key, std::uint32_t id) noexcept {
    return put(table, key.hash(), key.lo, key.hi | std::uint64_t{id} << word_shift,
               [](std::uint64_t, std::uint64_t second) { return (second >> 32 & 0xFF) == 0; });
  }

 private:
  static constexpr int word_shift = 40;
  static std::uint64_t hash(std::uint64_t pair) noexcept {
    const std::uint64_t h = pair * 0x9E3779B97F4A7C15u;
    return (h ^ h >> 29) * 0xBF58476D1CE4E5B9u;
  }

  template <class Free>
  static bool put(std::span<std::uint64_t> table, std::uint64_t h, std::uint64_t first, std::uint64_t second,
                  Free&& is_free) noexcept {
    const std::size_t slots = table.size() / 2;
    const int shift = 64 - static_cast<int>(std::bit_width(slots - 1));
    std::size_t at = static_cast<std::size_t>(h >> shift);
    for (std::size_t probes = 0; !is_free(table[2 * at], table[2 * at + 1]); at = (at + 1) & (slots - 1))
      if (++probes == max_probes) return false;
    table[2 * at] = first, table[2 * at + 1] = second;
    return true;
  }

  /// Slots of two u64 in a file, a power of two of them.
  class slots {
   public:
    bool take(std::span<const std::byte> bytes) noexcept {
      const std::size_t n = bytes.size() / 16;
      if (n < 2 || bytes.size() % 16 != 0 || !std::has_single_bit(n) || n > std::size_t{1} << 30) return false;
      bytes_ = bytes.data(), mask_ = n - 1, shift_ = 64 - static_cast<int>(std::bit_width(n - 1));
      return true;
    }
    std::size_t home(std::uint64_t hash) const noexcept { return static_cast<std::size_t>(hash >> shift_); }
    std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask_; }
    std::uint64_t first(std::size_t at) const noexcept { return load(at * 16); }
    std::uint64_t second(std::size_t at) const noexcept { return load(at * 16 + 8); }
    /// Whether all entries fit, and no row of them is so long that a search would take long.
    template <class Empty, class Fits>
    bool is_sound(Empty&& is_empty, Fits&& fits) const noexcept {
      std::size_t row = 0;
      for (std::size_t i = 0; i <= mask_ + std::min(mask_ + 1, max_probes); ++i) {
        const std::uint64_t a = first(i & mask_), b = second(i & mask_);
        row = is_empty(a, b) ? 0 : row + 1;
        if (row > max_probes || row > mask_ || (row != 0 && !fits(a, b))) return false;
      }
      return true;
    }

   private:
    std::uint64_t load(std::size_t place) const noexcept {
      std::uint64_t v;
      std::memcpy(&v, bytes_ + place, sizeof v);
      return v;
    }
    const std::byte* bytes_ = nullptr;
    std::size_t mask_ = 0;
    int shift_ = 63;
  };

  const std::byte* bytes_ = nullptr;
  slots merges_, words_;
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
    const std::size_t n = merge_all();
    for (std::size_t i = 0; i < n; ++i) out_.push(static_cast<std::int32_t>(ids_[i]));
  }
  /// Gives out the tokens that begin in the first half of the window; false where the sink is full.
  bool give_half() noexcept {
    const std::size_t n = merge_all();
    std::size_t taken = 0, i = 0;
    do {
      out_.push(static_cast<std::int32_t>(ids_[i]));
      taken += sizes_[i];
    } while (++i < n && taken < room / 2);
    std::copy(bytes_ + taken, bytes_ + size_, bytes_);
    size_ -= taken;
    return !out_.full();
  }

  /// Merges the window's bytes, the lowest rank first and of equal ones the leftmost; returns the number of tokens.
  std::size_t merge_all() noexcept {
    std::size_t n = size_;
    std::copy(bytes_, bytes_ + n, ids_);
    std::fill(sizes_, sizes_ + n, std::uint16_t{1});
    for (std::size_t i = 0; i + 1 < n; ++i) look(i);
    while (n > 1) {
      const std::size_t at = static_cast<std::size_t>(std::min_element(ranks_, ranks_ + n - 1) - ranks_);
      if (ranks_[at] == bpe::no_merge) break;
      ids_[at] = made_[at];
      sizes_[at] = static_cast<std::uint16_t>(sizes_[at] + sizes_[at + 1]);
      --n;
      std::copy(ids_ + at + 2, ids_ + n + 1, ids_ + at + 1);
      std::copy(sizes_ + at + 2, sizes_ + n + 1, sizes_ + at + 1);
      if (at + 1 < n) {
        std::copy(ranks_ + at + 2, ranks_ + n, ranks_ + at + 1);
        std::copy(made_ + at + 2, made_ + n, made_ + at + 1);
        look(at);
      }
      if (at != 0) look(at - 1);
    }
    return n;
  }
  void look(std::size_t at) noexcept {
    const bpe::merge m = merges_.find(ids_[at], ids_[at + 1]);
    ranks_[at] = m.rank, made_[at] = m.id;
  }

  const bpe& merges_;
  token_sink& out_;
  std::size_t size_ = 0;
  std::uint32_t bytes_[room];  ///< tokens of the word's bytes
  std::uint32_t ids_[room + 1];
  std::uint32_t ranks_[room + 1];  ///< of the merge of a token and the next
  std::uint32_t made_[room + 1];   ///< what it makes
  std::uint16_t sizes_[room + 1];  ///< bytes of a token
};

}  // namespace dupq::inline DUPQ_ABI
