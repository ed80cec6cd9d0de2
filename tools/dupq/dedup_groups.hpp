// dupq dedup --groups and --keep: what clusters of texts make of a file's rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/search/clusters.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "folded_texts.hpp"
#include "output_file.hpp"
#include "pair_sorter.hpp"
#include "row_output.hpp"
#include "session.hpp"
#include "text_search.hpp"

namespace dupq_tool {

/// The text that represents the cluster of each text.
inline std::vector<std::size_t> representatives(const folded_texts& all, const text_search& search, float threshold,
                                                dupq::linkage linkage) {
  constexpr std::size_t most = 250'000'000;  // of which each takes 16 bytes
  std::vector<scored_pair> matches;
  search.for_each_match(threshold, [&](const dupq::match& m) {
    if (matches.size() == most)
      throw failure("more than " + grouped(most) + " pairs of duplicates: groups of them need a higher --threshold");
    matches.push_back({static_cast<std::uint32_t>(m.first), static_cast<std::uint32_t>(m.second), m.score});
  });
  return take(dupq::find_clusters(all.texts.size(), matches, {.linkage = linkage, .weights = all.copies}));
}

/// Writes the rows of each group of two or more, the largest group first, then that which is represented by the
/// earliest row. In a group the representative comes first, then the highest score with it, then the earliest row.
inline void write_groups(const folded_texts& all, const text_search& search, std::span<const std::size_t> represents,
                         row_output& out) {
  std::vector<std::uint64_t> rows(all.texts.size());
  for (std::size_t text = 0; text < rows.size(); ++text) rows[represents[text]] += all.copies[text];
  struct member {
    std::uint64_t of;
    std::uint32_t group;  ///< the representative, a text
    float score;
    std::uint32_t row;
  };
  std::vector<member> members;
  for (std::size_t text = 0; text < rows.size(); ++text) {
    const auto group = static_cast<std::uint32_t>(represents[text]);
    if (rows[group] < 2) continue;
    const float score = search.score(text, group);
    all.for_each_row(text, [&](std::uint32_t row) { members.push_back({rows[group], group, score, row}); });
  }
  const auto key = [&](const member& m) {
    return std::tuple(~m.of, m.group, m.row != all.first[m.group], -m.score, m.row);
  };
  std::sort(members.begin(), members.end(), [&](const member& a, const member& b) { return key(a) < key(b); });
  std::uint64_t group = 0;
  for (const member& m : members) {
    group += m.row == all.first[m.group];
    out.number(group).number(all.lines[m.row]).number(m.score).text(all.text(m.row)).end();
  }
}

/// Writes the rows that `stays` wants, as they stand in their file; returns how many.
template <class Stays>
std::size_t write_rows(const folded_texts& all, const row_reader& reader, output_file& out, Stays&& stays) {
  if (reader.has_header()) out.write(reader.header() + reader.line_ending());
  std::size_t kept = 0;
  for (std::size_t row = 0; row < all.rows(); ++row) {
    if (!stays(row)) continue;
    ++kept;
    out.write(all.raw[row].bytes);
    if (reader.format() == text_format::nul)
      out.write(std::string_view("\0", 1));
    else
      out.write(all.raw[row].ending);
  }
  return kept;
}

}  // namespace dupq_tool
