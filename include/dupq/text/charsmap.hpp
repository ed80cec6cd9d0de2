// SentencePiece's map of characters ("Precompiled" in tokenizer.json): what stands in a text, and what becomes of it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A view of the bytes that the file has: a u32 length, so many bytes of a trie of u32 units (Darts' double array), and
/// the replacements, each ended by a NUL. Every search ends after the bytes of its text, and reads nothing outside,
/// whatever the bytes are.
class charsmap {
 public:
  /// Bytes of the longest cluster of characters that is looked up as a whole.
  static constexpr std::size_t most_cluster = 5;

  /// Of bytes that `is_sound` has accepted.
  explicit charsmap(std::string_view bytes) noexcept
      : units_(bytes.data() + 4), count_(load(bytes.data()) / 4), texts_(bytes.substr(4 + count_ * 4)) {}

  /// Whether the lengths fit together, and a replacement does not run over the end.
  static bool is_sound(std::string_view bytes) noexcept {
    if (bytes.size() < 4) return false;
    const std::size_t trie = load(bytes.data());
    if (trie == 0 || trie % 4 != 0 || bytes.size() - 4 < trie) return false;
    return bytes.size() - 4 == trie || bytes.back() == '\0';
  }

  /// The replacement of the shortest beginning of `text` that the map has.
  std::optional<std::string_view> find(std::string_view text) const noexcept {
    std::size_t at = offset(unit(0));
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) break;
      at ^= byte;
      const std::uint32_t u = unit(at);
      if (label(u) != byte) break;
      at ^= offset(u);
      if (has_leaf(u)) return text_at(value(unit(at)));
    }
    return {};
  }

  // The parts of a unit, for who checks a map from end to end.
  std::size_t units() const noexcept { return count_; }
  std::uint32_t unit(std::size_t i) const noexcept { return i < count_ ? load(units_ + i * 4) : 0; }
  static std::uint32_t label(std::uint32_t u) noexcept { return u & (1u << 31 | 0xFFu); }
  static std::size_t offset(std::uint32_t u) noexcept { return std::size_t{u >> 10} << ((u & 1u << 9) >> 6); }
  static bool has_leaf(std::uint32_t u) noexcept { return (u >> 8 & 1u) != 0; }
  static std::uint32_t value(std::uint32_t u) noexcept { return u & ~(1u << 31); }
  std::string_view texts() const noexcept { return texts_; }

 private:
  static std::uint32_t load(const char* p) noexcept {
    std::uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  std::string_view text_at(std::size_t place) const noexcept {
    if (place >= texts_.size()) return {};
    return texts_.substr(place, texts_.find('\0', place) - place);
  }

  const char* units_;
  std::size_t count_;
  std::string_view texts_;
};

/// Whether every way through a map comes to a replacement. Double arrays may share places, and then ways come back to
/// where they were; but a circle that none leaves for a replacement is of no key, and neither is a way that just ends.
class charsmap_ways {
 public:
  /// Places that are looked at until a map is given up, some of them several times: 0.3 s. Real maps have thousands.
  static constexpr int most_places = 1 << 20;

  /// Words of memory that check() needs: two bits a unit.
  static std::size_t words(const charsmap& map) noexcept { return round_up(map.units(), 256) / 32; }

  /// A map that leads out of itself has such ways, too.
  static bool check(const charsmap& map, std::uint64_t* memory) noexcept {
    for (std::size_t i = 0; i < words(map); ++i) memory[i] = 0;
    charsmap_ways ways(map, memory);
    const std::size_t root = charsmap::offset(map.unit(0));
    if (root >= map.units() || ways.leave(root) == 0) return root < map.units();  // no keys
    add(ways.reached_, root);
    while (ways.follow())
      if (ways.places_ > most_places) return false;
    return !ways.outside_ && ways.all_end();
  }

 private:
  charsmap_ways(const charsmap& map, std::uint64_t* memory) noexcept
      : map_(map), words_(words(map) / 2), reached_(memory), ends_(memory + words_) {}

  static bool has(const std::uint64_t* set, std::size_t i) noexcept { return (set[i / 64] >> i % 64 & 1) != 0; }
  /// Whether it was not there before.
  static bool add(std::uint64_t* set, std::size_t i) noexcept {
    const std::uint64_t before = set[i / 64];
    return (set[i / 64] = before | std::uint64_t{1} << i % 64) != before;
  }

  /// Goes one step from all places that are reached and not known to end; whether anything was new.
  bool follow() noexcept {
    news_ = false;
    for (std::size_t word = 0; word < words_ && places_ <= most_places; ++word)
      for (std::uint64_t left = reached_[word] & ~ends_[word]; left != 0; left &= left - 1)
        (void)leave(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
    return news_;
  }

  /// Takes all steps from a place and says how many there are.
  int leave(std::size_t place) noexcept {
    bool ends = false;
    int steps = 0;
    ++places_;
    for (std::uint32_t byte = 1; byte < 256; ++byte) {
      const std::size_t at = place ^ byte;
      const std::uint32_t unit = map_.unit(at);
      if (charsmap::label(unit) != byte) continue;
      ++steps;
      const std::size_t next = at ^ charsmap::offset(unit);
      if (charsmap::has_leaf(unit)) {
        ends = true;
      } else if (next < map_.units()) {
        news_ |= add(reached_, next);
        ends |= has(ends_, next);
      } else {
        outside_ = true;
      }
    }
    if (ends) news_ |= add(ends_, place);
    return steps;
  }

  bool all_end() const noexcept {
    for (std::size_t i = 0; i < words_; ++i)
      if ((reached_[i] & ~ends_[i]) != 0) return false;
    return true;
  }

  const charsmap& map_;
  std::size_t words_;
  std::uint64_t *reached_, *ends_;  ///< places that a text comes to, and those from which one comes to a replacement
  int places_ = 0;
  bool news_ = false, outside_ = false;
};

}  // namespace dupq::inline DUPQ_ABI
