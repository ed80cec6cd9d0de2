// `--augment opposites`: what a training learns from beside its pairs; see made_pairs.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/training/order.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "format.hpp"
#include "made_pairs.hpp"
#include "question_words.hpp"
#include "train_rows.hpp"
#include "train_settings.hpp"

namespace dupq_tool {

/// Whether fewer than a third of the words of two texts are in both.
inline bool in_other_words(std::string_view first, std::string_view second) {
  const auto words = [](std::string_view text) {
    const question_words q(text);
    std::set<std::string> all;
    for (std::size_t i = 0; i < q.size(); ++i)
      if (!q[i].empty()) all.emplace(q[i]);
    return all;
  };
  const auto a = words(first), b = words(second);
  const auto both =
      static_cast<std::size_t>(std::ranges::count_if(a, [&](const auto& word) { return b.contains(word); }));
  return 3 * both < a.size() + b.size() - both;
}

/// Duplicates in other words among `rows`, at most `most`. Learnt from twice, they weigh against the opposites: else a
/// model that finds few words in common is as sure of a difference as one that finds an opposite.
inline std::vector<std::uint32_t> far_duplicates(const pairs_to_edit& from, std::size_t most, std::uint64_t seed) {
  std::vector<std::uint32_t> order(from.rows.size()), far;
  dupq::epoch_order(seed, 0x666172u, order);
  for (std::size_t n = 0; n < order.size() && far.size() < most; ++n) {
    const std::uint32_t row = from.rows[order[n]];
    if (from.labels[row] != 0 && in_other_words(from.first[row], from.second[row])) far.push_back(row);
  }
  return far;
}

/// Adds to the pairs to learn from, behind them: three quarters of what `--augment-share` says are made pairs, a
/// quarter are duplicates in other words, once more.
inline void add_opposites(train_rows& rows, const train_settings& settings) {
  const auto& pairs = rows.pairs;
  const auto most = static_cast<std::size_t>(settings.augment * static_cast<double>(rows.training.size()) + 0.5);
  const pairs_to_edit from{pairs.first, pairs.second, pairs.labels, rows.training};
  const auto again = far_duplicates(from, most / 4, settings.seed);
  const auto made = make_opposites(from, most - most / 4, settings.seed);
  std::size_t duplicates = 0;
  for (const made_pair& pair : made) {
    rows.training.push_back(static_cast<std::uint32_t>(rows.size()));
    rows.pairs.first.push_back(rows.pairs.bytes.keep(pair.first));
    rows.pairs.second.push_back(rows.pairs.bytes.keep(pair.second));
    rows.pairs.labels.push_back(pair.duplicate ? 1 : 0);
    duplicates += pair.duplicate ? 1 : 0;
  }
  rows.training.insert(rows.training.end(), again.begin(), again.end());
  std::fprintf(stderr, "%s: %s made of its questions, %s of them duplicates; %s in other words learnt from twice\n",
               rows.name.c_str(), counted(made.size(), "pair").c_str(), grouped(duplicates).c_str(),
               counted(again.size(), "duplicate").c_str());
}

}  // namespace dupq_tool
