// Builds the trie of a Unigram vocabulary (piece_trie.hpp) in memory that the caller has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../core/platform.hpp"
#include "piece_trie.hpp"

namespace dupq::inline DUPQ_ABI {

class piece_trie_builder {
 public:
  struct entry {
    std::string_view piece;  ///< not empty; of equal ones the highest id counts
    std::uint32_t id;
    bool special;
    std::uint32_t unit = 0;  ///< the builder's own
  };

  /// How many units to provide for pieces of `bytes` bytes in all. Enough for any vocabulary but one that was made up
  /// to need more, for which `build` returns 0.
  static constexpr std::uint64_t units_for(std::uint64_t bytes) noexcept { return (3 * bytes + 1279) / 256 * 256; }
  /// The size of `scratch` for that many units.
  static constexpr std::uint64_t scratch_for(std::uint64_t units) noexcept { return units / 256 * block_scratch; }

  /// Fills `units`, of which there is a multiple of 256, and changes the entries. Returns how many are in use, from the
  /// first on: a piece_trie. 0: they do not suffice.
  static std::size_t build(std::span<entry> entries, std::span<std::uint64_t> units,
                           std::span<std::uint64_t> scratch) noexcept {
    std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) {
      const int order = a.piece.compare(b.piece);
      return order != 0 ? order < 0 : a.id < b.id;
    });
    piece_trie_builder b(entries, units, scratch);
    return b.run() ? b.used_ : 0;
  }

 private:
  /// What `scratch` holds for a block of 256 units: a bit for each unit that is a base, in base_words numbers, and how
  /// often no base was found in the block.
  static constexpr std::size_t base_words = 4, block_scratch = base_words + 1;

  piece_trie_builder(std::span<entry> entries, std::span<std::uint64_t> units,
                     std::span<std::uint64_t> scratch) noexcept
      : entries_(entries), units_(units), scratch_(scratch) {}

  /// Level by level: what is read first lies together.
  bool run() noexcept {
    if (!add_block()) return false;  // of the root alone
    for (entry& e : entries_) e.unit = 0;
    std::size_t left = entries_.size();
    for (std::size_t depth = 0; left != 0; ++depth) {
      std::size_t kept = 0;
      for (std::size_t first = 0; first < left;) {
        std::size_t last = first + 1;
        while (last < left && entries_[last].unit == entries_[first].unit) ++last;
        if (!place_children(entries_.subspan(first, last - first), depth)) return false;
        for (; first < last; ++first)
          if (entries_[first].piece.size() > depth + 1) entries_[kept++] = entries_[first];
      }
      left = kept;
    }
    return true;
  }

  /// Gives a node its children. `at`: all pieces that go through the node; byte number `depth` of each is that of its
  /// child.
  bool place_children(std::span<entry> at, std::size_t depth) noexcept {
    const auto byte_of = [&](const entry& e) { return static_cast<unsigned char>(e.piece[depth]); };
    unsigned char labels[256];
    std::size_t count = 0;
    for (const entry& e : at)
      if (count == 0 || labels[count - 1] != byte_of(e)) labels[count++] = byte_of(e);
    const std::size_t base = find_base({labels, count});
    if (base == 0) return false;
    scratch_[base / 256 * block_scratch + base % 256 / 64] |= std::uint64_t{1} << base % 64;
    units_[at[0].unit] |= base;
    for (entry& e : at) {
      e.unit = static_cast<std::uint32_t>(base ^ byte_of(e));
      std::uint64_t& unit = units_[e.unit];
      const std::uint64_t plain = piece_trie::used_bit | std::uint64_t{byte_of(e)} << piece_trie::label_shift;
      if (e.piece.size() == depth + 1)
        unit = plain | std::uint64_t{e.id + 1} << piece_trie::id_shift | (e.special ? piece_trie::special_bit : 0);
      else
        unit |= plain;
    }
    return true;
  }

  bool fits(std::span<const unsigned char> labels, std::size_t base) const noexcept {
    if ((scratch_[base / 256 * block_scratch + base % 256 / 64] >> base % 64 & 1) != 0) return false;
    return std::all_of(labels.begin(), labels.end(),
                       [&](unsigned char label) { return (units_[base ^ label] & piece_trie::used_bit) == 0; });
  }

  /// A base at which all children find a free unit; 0 where there is none. Blocks of 256 units are tried from the first
  /// one that is not full, and one in which many searches have found nothing counts as full.
  std::size_t find_base(std::span<const unsigned char> labels) noexcept {
    constexpr std::uint64_t patience = 64;
    const auto failures = [&](std::size_t block) -> std::uint64_t& {
      return scratch_[block / 256 * block_scratch + base_words];
    };
    while (open_ < used_ && failures(open_) >= patience) open_ += 256;
    for (std::size_t block = open_;; block += 256) {
      if (block == used_ && !add_block()) return 0;
      if (failures(block) >= patience) continue;
      for (std::size_t i = 0; i < 256; ++i)
        if (fits(labels, block + i)) return block + i;
      ++failures(block);
    }
  }

  bool add_block() noexcept {
    if (units_.size() - used_ < 256) return false;
    std::fill_n(units_.begin() + static_cast<std::ptrdiff_t>(used_), 256, std::uint64_t{0});
    std::fill_n(scratch_.begin() + static_cast<std::ptrdiff_t>(used_ / 256 * block_scratch), block_scratch,
                std::uint64_t{0});
    used_ += 256;
    return true;
  }

  std::span<entry> entries_;
  std::span<std::uint64_t> units_, scratch_;
  std::size_t used_ = 0;
  std::size_t open_ = 256;  ///< the first block holds the root alone
};

}  // namespace dupq::inline DUPQ_ABI
