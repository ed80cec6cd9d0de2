// The tables of byte-pair encoding: which neighbours merge, in the order of a list, and which words are tokens.
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
  static constexpr unsigned letters = 64;
  static constexpr std::size_t letter_pairs = letters * letters;

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
  /// A byte's number among those whose merges are remembered: ASCII's letters and what stands between them there, with
  /// the blank in the place of '@'. `letters` or more for the others.
  static constexpr unsigned char letter_of(char byte) noexcept {
    const auto c = static_cast<unsigned char>(byte);
    return c == ' ' ? 0 : c == '@' ? 255 : c ^ 0x40;
  }
  /// Finds the merges of letters once, in the caller's memory of letter_pairs, which must live as long as this. They
  /// are half of what a word asks for, and then stand in 32 kB, of which a language needs a fifth.
  void remember_letters(merge* pairs) noexcept {
    const auto token = [&](std::size_t letter) {
      return byte_token(static_cast<unsigned char>(letter == 0 ? ' ' : letter ^ 0x40));
    };
    for (std::size_t i = 0; i < letter_pairs; ++i) {
      const std::int32_t left = token(i / letters), right = token(i % letters);
      pairs[i] = left < 0 || right < 0 ? merge{no_merge, 0}
                                       : find(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right));
    }
    letter_merges_ = pairs;
  }
  /// Whether the merge of two bytes, by their numbers, is remembered; and what it is.
  bool knows_letters(unsigned left, unsigned right) const noexcept {
    return letter_merges_ != nullptr && (left | right) < letters;
  }
  merge find_letters(unsigned left, unsigned right) const noexcept { return letter_merges_[left * letters + right]; }
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
  const merge* letter_merges_ = nullptr;
  key_slots merges_;
  word_slots words_;
};

}  // namespace dupq::inline DUPQ_ABI
