// The trie of a Unigram vocabulary as numbers of a model file (text/piece_trie.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/text/piece_trie_builder.hpp>
#include <vector>

#include "failure.hpp"

namespace dupq_tool {

/// The units of a trie of these pieces.
inline std::vector<std::uint64_t> build_piece_trie(std::vector<dupq::piece_trie_builder::entry> entries) {
  using builder = dupq::piece_trie_builder;
  std::size_t bytes = 0;
  for (const auto& e : entries) bytes += e.piece.size();
  std::vector<std::uint64_t> units(builder::units_for(bytes)), scratch(builder::scratch_for(units.size()));
  const std::size_t used = builder::build(entries, units, scratch);
  if (used == 0) throw failure("the pieces of the vocabulary make too large a tree");
  units.resize(used);
  return units;
}

}  // namespace dupq_tool
