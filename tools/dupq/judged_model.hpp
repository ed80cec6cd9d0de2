// What eval found out about each model, and about the pairs that they were judged on: what tables, JSON and the report
// are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bootstrap.hpp"
#include "judgement.hpp"
#include "scoring.hpp"

namespace dupq_tool {

/// The pairs that are judged: all, or those for validation and then those for testing.
struct judged_rows {
  labelled_pairs pairs;
  std::vector<std::size_t> rows;
  std::size_t train = 0, validation = 0;
  bool split = false;
  std::vector<std::uint8_t> labels;  ///< of the rows

  std::span<const std::size_t> held_out() const { return std::span(rows).first(validation); }
  std::span<const std::size_t> tested() const { return std::span(rows).subspan(validation); }
  std::span<const std::uint8_t> test_labels() const { return std::span(labels).subspan(validation); }
};

/// A row of the table: a model, or a cascade of two.
struct judged_model {
  std::string name = {}, cross = {};  ///< files; `cross`: of a cascade
  dupq::model_kind kind{};
  std::optional<double> threshold = {};
  std::string threshold_from = {};
  std::optional<judgement> validation = {};
  judgement test;                  ///< all pairs where there is no split
  std::vector<float> scores = {};  ///< of the pairs of `test`
  double seconds = 0, rate = 0;
  std::optional<interval> f1 = {};
  std::optional<judgement> notebook = {};  ///< what the seed notebook would report, where somebody asks

  std::string title() const { return cross.empty() ? name : name + "," + cross; }
  /// Without a threshold nothing is called a duplicate.
  bool calls(std::size_t pair) const { return threshold && static_cast<double>(scores[pair]) >= *threshold; }
};

/// Two rows compared.
struct model_difference {
  std::size_t first = 0, second = 0;
  double f1 = 0;
  interval range;

  bool differ() const noexcept { return range.low > 0 || range.high < 0; }
};

}  // namespace dupq_tool
