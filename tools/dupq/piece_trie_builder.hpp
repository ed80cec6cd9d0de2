// Builds the trie of a Unigram vocabulary as a model file has it (text/piece_trie.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/text/piece_trie.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dupq_tool {

class piece_trie_builder {
 public:
  struct entry {
    std::string_view piece;
    std::uint32_t id;
    bool special;
  };

  /// The units of a trie of these pieces, which are not empty and all different.
  static std::vector<std::uint64_t> build(std::vector<entry> entries) {
    std::sort(entries.begin(), entries.end(), [](const entry& a, const entry& b) { return a.piece < b.piece; });
    piece_trie_builder b(std::move(entries));
    b.run();
    return std::move(b.units_);
  }

 private:
  using trie = dupq::piece_trie;

  /// A node: its unit, and the entries that begin with its bytes.
  struct node {
    std::size_t unit, first, last, depth;
  };

  explicit piece_trie_builder(std::vector<entry> entries) : entries_(std::move(entries)) { grow(); }

  void grow() {
    units_.resize(units_.size() + 256, 0);
    based_.resize(units_.size(), false);
  }

  void run() {
    std::vector<node> level{{0, 0, entries_.size(), 0}}, next;
    for (; !level.empty(); level = std::move(next), next.clear())  // level by level: what is read first lies together
      for (const node& n : level) place_children(n, next);
  }

  void place_children(const node& n, std::vector<node>& next) {
    std::vector<std::pair<unsigned char, node>> children;
    for (std::size_t i = n.first; i < n.last;) {
      const auto byte = static_cast<unsigned char>(entries_[i].piece[n.depth]);
      std::size_t end = i;
      while (end < n.last && static_cast<unsigned char>(entries_[end].piece[n.depth]) == byte) ++end;
      children.push_back({byte, {0, i, end, n.depth + 1}});
      i = end;
    }
    if (children.empty()) return;
    const std::size_t base = find_base(children);
    based_[base] = true;
    units_[n.unit] |= base;
    for (auto& [byte, child] : children) {
      child.unit = base ^ byte;
      std::uint64_t& unit = units_[child.unit];
      unit = trie::used_bit | std::uint64_t{byte} << trie::label_shift;
      const entry& first = entries_[child.first];
      if (first.piece.size() == child.depth) {  // it sorts before those that it begins
        unit |= std::uint64_t{first.id + 1} << trie::id_shift | (first.special ? trie::special_bit : 0);
        ++child.first;
      }
      next.push_back(child);
    }
  }

  bool fits(const std::vector<std::pair<unsigned char, node>>& children, std::size_t base) const {
    if (based_[base]) return false;
    return std::all_of(children.begin(), children.end(),
                       [&](const auto& c) { return (units_[base ^ c.first] & trie::used_bit) == 0; });
  }

  /// A base at which all children find a free unit. Blocks of 256 units are tried from the first one that is not full,
  /// and one in which many searches have found nothing counts as full.
  std::size_t find_base(const std::vector<std::pair<unsigned char, node>>& children) {
    constexpr int patience = 64;
    while (open_ < units_.size() && failures_[open_ / 256] >= patience) open_ += 256;
    for (std::size_t block = open_;; block += 256) {
      if (block == units_.size()) grow();
      if (failures_.size() <= block / 256) failures_.resize(block / 256 + 1, 0);
      if (failures_[block / 256] >= patience) continue;
      for (std::size_t i = 0; i < 256; ++i)
        if (fits(children, block + i)) return block + i;
      ++failures_[block / 256];
    }
  }

  std::vector<entry> entries_;
  std::vector<std::uint64_t> units_;
  std::vector<bool> based_;
  std::vector<int> failures_ = std::vector<int>(2, 0);
  std::size_t open_ = 256;  ///< the first block holds the root alone
};

}  // namespace dupq_tool
