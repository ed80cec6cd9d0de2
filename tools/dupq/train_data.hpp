// All pairs of a training: its own, and those that judge it, in the same files or in another one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/split.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "train_augment.hpp"
#include "train_rows.hpp"
#include "train_settings.hpp"
#include "verb_eval.hpp"

namespace dupq_tool {

/// Everything that a training reads, checked before the first step.
class train_data {
 public:
  train_data(const arguments& args, const train_settings& settings) : rows(read_train_rows(args, settings)) {
    if (const auto name = args.text("--split")) {
      if (!rows.negatives.empty()) throw usage_error("--split needs pairs with labels, and these have negatives");
      const auto seed = std::uint32_t{42};
      const auto& labels = rows.pairs.labels;
      const auto split = *name == "notebook" ? dupq::notebook_split(labels, seed)
                                             : dupq::three_way_split(labels, parse_split(*name), seed);
      if (!split) throw failure(split.error().in(rows.name));
      choose_training(rows, settings, &*split);
      validation = rows.validation;
    } else {
      choose_training(rows, settings, nullptr);
    }
    if (settings.augment != 0) add_opposites(rows, settings);
    if (const auto file = args.text("--valid")) {
      row_source source(args, *file, row_kind::labelled);
      other = read_labelled(source);
      source.report(0, 0, "");
      validation.resize(other.labels.size());
      std::iota(validation.begin(), validation.end(), std::size_t{0});
      if (std::ranges::find(other.labels, 1) == other.labels.end())
        throw failure(*file + ": no pair is labelled 1, so there is no threshold to find");
    }
  }

  /// Where the validation rows are.
  const labelled_pairs& judged() const noexcept { return other.labels.empty() ? rows.pairs : other; }

  /// The validation rows, and those of the test behind them.
  std::vector<std::size_t> validation_and_test() const {
    std::vector<std::size_t> all = validation;
    all.insert(all.end(), rows.testing.begin(), rows.testing.end());
    return all;
  }

  train_rows rows;
  labelled_pairs other;  ///< of --valid
  std::vector<std::size_t> validation;
};

}  // namespace dupq_tool
