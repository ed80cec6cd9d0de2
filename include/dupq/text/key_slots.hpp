// Hash tables as model files have them: read in place, of neighbours that merge or of words that are tokens.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "../core/platform.hpp"
#include "piece_key.hpp"

namespace dupq::inline DUPQ_ABI {

/// Slots of two u64 with linear probing, a power of two of them. A search begins at the hash's highest bits.
class key_slots {
 public:
  /// The longest row of occupied slots.
  static constexpr std::size_t max_probes = 1024;

  /// False where the size is wrong.
  bool take(std::span<const std::byte> bytes) noexcept {
    const std::size_t n = bytes.size() / 16;
    if (n < 2 || bytes.size() % 16 != 0 || !std::has_single_bit(n) || n > std::size_t{1} << 30) return false;
    bytes_ = bytes.data(), mask_ = n - 1, shift_ = 64 - static_cast<int>(std::bit_width(n - 1));
    return true;
  }
  bool empty() const noexcept { return bytes_ == nullptr; }
  std::size_t home(std::uint64_t hash) const noexcept { return static_cast<std::size_t>(hash >> shift_); }
  std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask_; }
  void prefetch(std::size_t at) const noexcept { __builtin_prefetch(bytes_ + at * 16); }
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

  // How tables are made: slots for `n` entries, and putting one in.
  static std::size_t count_for(std::size_t n) noexcept { return std::bit_ceil(2 * std::max(n, std::size_t{1})); }
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

/// The tokens of words of up to piece_key::capacity bytes: a slot is a key, with the token's id above its 40 bits.
class word_slots {
 public:
  bool take(std::span<const std::byte> bytes) noexcept { return slots_.take(bytes); }
  bool empty() const noexcept { return slots_.empty(); }
  bool is_sound(std::size_t tokens) const noexcept {
    return slots_.is_sound(is_free, [&](std::uint64_t, std::uint64_t hi) { return (hi >> id_shift) < tokens; });
  }
  /// Asks for what `find` reads first.
  void prefetch(const piece_key& key) const noexcept { slots_.prefetch(slots_.home(key.hash())); }
  /// -1 where the word is not there.
  std::int32_t find(const piece_key& key) const noexcept {
    for (std::size_t at = slots_.home(key.hash());; at = slots_.next(at)) {
      const std::uint64_t lo = slots_.first(at), hi = slots_.second(at);
      if (((lo ^ key.lo) | (hi ^ key.hi) << (64 - id_shift)) == 0) return static_cast<std::int32_t>(hi >> id_shift);
      if (is_free(lo, hi)) return -1;
    }
  }
  static bool put(std::span<std::uint64_t> table, const piece_key& key, std::uint32_t id) noexcept {
    return key_slots::put(table, key.hash(), key.lo, key.hi | std::uint64_t{id} << id_shift, is_free);
  }

 private:
  static constexpr int id_shift = 40;
  static bool is_free(std::uint64_t, std::uint64_t hi) noexcept { return (hi >> 32 & 0xFF) == 0; }
  key_slots slots_;
};

}  // namespace dupq::inline DUPQ_ABI
