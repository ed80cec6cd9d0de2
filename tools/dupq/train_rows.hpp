// The pairs of `dupq train`: those to learn from, those that choose a threshold, and those that judge the result.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/core/sha256.hpp>
#include <dupq/split.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "row_source.hpp"
#include "scoring.hpp"
#include "train_settings.hpp"

namespace dupq_tool {

/// Pairs with labels, or with a third text each, which is none of their duplicates.
struct train_rows {
  labelled_pairs pairs;
  std::vector<std::string_view> negatives;       ///< as many as pairs, or none
  std::vector<std::uint32_t> training;           ///< rows to learn from, in their order
  std::vector<std::size_t> validation, testing;  ///< of a split
  std::string name;                              ///< the files'

  std::size_t size() const noexcept { return pairs.first.size(); }
};

/// Adds all rows of a file.
inline void read_rows(row_source& rows, train_rows& to) {
  const std::size_t before = to.size();
  for (text_row row; rows.next(row);) {
    to.pairs.first.push_back(to.pairs.bytes.keep(row.texts[0]));
    to.pairs.second.push_back(to.pairs.bytes.keep(row.texts[1]));
    if (row.texts.size() == 3) to.negatives.push_back(to.pairs.bytes.keep(row.texts[2]));
    to.pairs.labels.push_back(static_cast<std::uint8_t>(row.texts.size() == 3 ? 1 : row.label));
  }
  if (to.size() == before)
    throw failure(rows.name() + ": no pairs to learn from" +
                  (rows.reader().skipped() == 0 ? "" : " (" + rows.skipped() + ')'));
  if (to.size() > UINT32_MAX) throw failure(rows.name() + ": more than 4,294,967,295 pairs");
  if (!to.negatives.empty() && to.negatives.size() != to.size())
    throw failure(rows.name() + ": a column of negatives must be in all files or in none, and in all their rows");
}

/// All pairs of the files args[1], args[2], ...
inline train_rows read_train_rows(const arguments& args, const train_settings& settings) {
  train_rows rows;
  for (std::size_t i = 1; i < args.size(); ++i) {
    row_source source(args, args[i], settings.loss == train_loss::mnr ? row_kind::positives : row_kind::labelled);
    read_rows(source, rows);
    source.report(0, 0, "");
    rows.name += (i == 1 ? "" : " and ") + source.name();
  }
  return rows;
}

/// Divides the rows by a split, or takes all of them to learn from; `mnr` learns from duplicates alone. What no
/// training can begin with is a failure.
inline void choose_training(train_rows& rows, const train_settings& settings, const dupq::split* split) {
  const auto& labels = rows.pairs.labels;
  if (split != nullptr) {
    for (const std::size_t row : split->train()) rows.training.push_back(static_cast<std::uint32_t>(row));
    rows.validation.assign(split->validation().begin(), split->validation().end());
    rows.testing.assign(split->test().begin(), split->test().end());
  } else {
    rows.training.resize(rows.size());
    for (std::uint32_t i = 0; i < rows.training.size(); ++i) rows.training[i] = i;
  }
  const auto duplicates =
      std::count_if(rows.training.begin(), rows.training.end(), [&](std::uint32_t i) { return labels[i] != 0; });
  if (duplicates == 0) throw failure(rows.name + ": no pair is labelled 1, so there is nothing to learn");
  if (settings.loss == train_loss::mnr && settings.as_in_the_notebook) {
    if (!rows.negatives.empty())
      throw usage_error("--as-in-the-notebook needs pairs with labels, and these have negatives");
  } else if (settings.loss == train_loss::mnr) {
    const auto left_out = std::erase_if(rows.training, [&](std::uint32_t i) { return labels[i] == 0; });
    if (left_out != 0)
      std::fprintf(stderr, "%s: %s to learn from; %s no duplicates and left out\n", rows.name.c_str(),
                   counted(rows.training.size(), "pair").c_str(),
                   (grouped(left_out) + (left_out == 1 ? " is" : " are")).c_str());
  } else if (static_cast<std::size_t>(duplicates) == rows.training.size()) {
    throw failure(rows.name +
                  ": no pair is labelled 0, so there is nothing to tell apart (--loss mnr learns from "
                  "duplicates alone)");
  }
  if (rows.training.size() < settings.batch)
    throw failure(rows.name + ": " + counted(rows.training.size(), "pair") + " to learn from, fewer than a batch of " +
                  std::to_string(settings.batch) + " (--batch)");
}

/// Says which texts and labels these are, and in which order.
inline void add_to_digest(dupq::sha256& digest, const train_rows& rows) {
  const auto number = [&](std::uint64_t n) { digest.update(std::as_bytes(std::span(&n, 1))); };
  const auto text = [&](std::string_view t) {
    number(t.size());
    digest.update(std::as_bytes(std::span(t)));
  };
  number(rows.training.size());
  for (const std::uint32_t row : rows.training) {
    text(rows.pairs.first[row]);
    text(rows.pairs.second[row]);
    if (!rows.negatives.empty()) text(rows.negatives[row]);
    number(rows.pairs.labels[row]);
  }
}
inline void add_to_digest(dupq::sha256& digest, const labelled_pairs& pairs, std::span<const std::size_t> rows) {
  train_rows part;
  for (const std::size_t row : rows) {
    part.pairs.first.push_back(pairs.first[row]);
    part.pairs.second.push_back(pairs.second[row]);
    part.pairs.labels.push_back(pairs.labels[row]);
    part.training.push_back(static_cast<std::uint32_t>(part.training.size()));
  }
  add_to_digest(digest, part);
}

}  // namespace dupq_tool
