// `--augment opposites`: pairs made from those that a training learns from; see opposites.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/training/order.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format.hpp"
#include "opposites.hpp"
#include "train_rows.hpp"
#include "train_settings.hpp"

namespace dupq_tool {

struct made_pair {
  std::string first, second;
  bool duplicate = false;
};

/// What pairs of texts are made from.
struct pairs_to_edit {
  std::span<const std::string_view> first, second;
  std::span<const std::uint8_t> labels;
  std::span<const std::uint32_t> rows;  ///< which of them
};

/// Up to `most` pairs, two of three of which are no duplicates: a question beside one that asks another thing, which is
/// made from it, from the same in other words, or from its duplicate. Every third is a duplicate: a question in other
/// words, edited ones too, so that a small change alone does not tell a pair's label. The four kinds of edits are as
/// frequent as the texts allow. The pairs follow from the texts and the seed alone.
inline std::vector<made_pair> make_opposites(const pairs_to_edit& from, std::size_t most, std::uint64_t seed) {
  std::vector<made_pair> made;
  std::array<std::size_t, question_edits> used{};
  std::size_t same = 0;
  std::vector<std::uint32_t> order(from.rows.size());
  dupq::epoch_order(seed, 0x6F70706F73697465u, order);  // (none of the epochs of the training)
  const auto add = [&](std::string a, std::string b, bool duplicate, bool turned) {
    if (turned) std::swap(a, b);
    if (made.size() < most && a != b) made.push_back({std::move(a), std::move(b), duplicate}), same += duplicate;
  };
  // Rare kinds of edits are looked for first, then what is still missing comes from the frequent ones.
  for (const bool rare : {true, false})
    for (std::size_t n = 0; n < order.size() && made.size() < most; ++n) {
      const std::uint32_t row = from.rows[order[n]];
      const std::uint64_t key = dupq::mix(seed + 0x9E3779B97F4A7C15u * (n + 1));
      const bool second = key % 2 != 0;
      const std::string_view text = second ? from.second[row] : from.first[row];
      const std::string_view other = second ? from.first[row] : from.second[row];
      const question_editor editor(text, key);
      std::optional<std::string> opposite;
      std::size_t kind = question_edits;
      for (std::size_t k = 0; k < question_edits; ++k) {
        if ((static_cast<question_edit>(k) == question_edit::roles) != rare) continue;
        if (kind != question_edits && used[k] >= used[kind]) continue;
        if (auto found = editor.opposite(static_cast<question_edit>(k))) opposite = std::move(found), kind = k;
      }
      if (!opposite) continue;
      ++used[kind];
      const auto in_other_words = editor.paraphrase();
      const std::uint64_t choice = key >> 8 & 3;
      const bool turned = (key >> 16 & 1) != 0;
      if (from.labels[row] != 0 && choice < 2)
        add(std::string(other), *opposite, false, turned);
      else if (in_other_words && choice == 2)
        add(*in_other_words, *opposite, false, turned);
      else
        add(std::string(text), *opposite, false, turned);
      if (3 * same >= made.size()) continue;
      const auto again = question_editor(*opposite, key >> 1).paraphrase();
      if (again && choice % 2 == 0)
        add(*opposite, *again, true, !turned);
      else if (in_other_words)
        add(std::string(text), *in_other_words, true, !turned);
    }
  return made;
}

/// Adds made pairs to those to learn from, behind them.
inline void add_opposites(train_rows& rows, const train_settings& settings) {
  const auto& pairs = rows.pairs;
  const auto most = static_cast<std::size_t>(settings.augment * static_cast<double>(rows.training.size()) + 0.5);
  const auto made = make_opposites({pairs.first, pairs.second, pairs.labels, rows.training}, most, settings.seed);
  std::size_t duplicates = 0;
  for (const made_pair& pair : made) {
    rows.training.push_back(static_cast<std::uint32_t>(rows.size()));
    rows.pairs.first.push_back(rows.pairs.bytes.keep(pair.first));
    rows.pairs.second.push_back(rows.pairs.bytes.keep(pair.second));
    rows.pairs.labels.push_back(pair.duplicate ? 1 : 0);
    duplicates += pair.duplicate ? 1 : 0;
  }
  std::fprintf(stderr, "%s: %s made of its questions, %s of them duplicates\n", rows.name.c_str(),
               counted(made.size(), "pair").c_str(), grouped(duplicates).c_str());
}

}  // namespace dupq_tool
