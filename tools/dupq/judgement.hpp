// What eval makes of scores and labels: splits, thresholds, judgements, and how they are printed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/cascade_band.hpp>
#include <dupq/metrics.hpp>
#include <dupq/split.hpp>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cascade_scoring.hpp"
#include "json.hpp"
#include "scoring.hpp"

namespace dupq_tool {

/// Scores and labels of the rows that are judged together.
struct judged_part {
  std::vector<float> scores;
  std::vector<std::uint8_t> labels;
};

/// A line of the table: a part judged at a threshold, if there is one.
struct judgement {
  std::string title;
  std::size_t pairs = 0;
  std::optional<double> threshold;
  dupq::confusion counts;
  double average_precision = 0;
  std::optional<double> cross_encoder_share;  ///< of the pairs that a cascade's cross-encoder saw

  /// Without a threshold nothing is called a duplicate.
  judgement(std::string title_, const judged_part& part, std::optional<double> threshold_)
      : title(std::move(title_)),
        pairs(part.labels.size()),
        threshold(threshold_),
        counts(
            dupq::confusion_at(part.scores, part.labels, threshold_.value_or(std::numeric_limits<double>::infinity()))),
        average_precision(dupq::average_precision(part.scores, part.labels)) {}
};

/// The shares of --split T,V,T: three counts, or three fractions.
inline dupq::three_way_sizes parse_split(const std::string& text) {
  const auto parts = arguments::split(text, ',');
  const bool fractions = text.find('.') != std::string::npos;
  dupq::share shares[3];
  bool good = parts.size() == 3;
  for (std::size_t i = 0; good && i < 3; ++i) {
    if (fractions) {
      const auto share = arguments::parse_number<double>(parts[i]);
      good = share && *share > 0 && *share < 1;
      if (good) shares[i] = *share;
    } else {
      const auto count = arguments::parse_number<std::size_t>(parts[i]);
      good = count && *count > 0;
      if (good) shares[i] = *count;
    }
  }
  if (!good)
    throw usage_error("--split cannot be " + printable(text) + " (none, notebook, or three counts or fractions)");
  return {shares[0], shares[1], shares[2]};
}

inline json::object as_json(const judgement& j) {
  const auto count = [](std::uint64_t n) { return json::value(static_cast<std::int64_t>(n)); };
  json::object o;
  o.emplace_back("threshold", j.threshold ? json::value(as_shortest(static_cast<float>(*j.threshold))) : json::value());
  o.emplace_back("f1", j.counts.f1());
  o.emplace_back("precision", j.counts.precision());
  o.emplace_back("recall", j.counts.recall());
  o.emplace_back("accuracy", j.counts.accuracy());
  o.emplace_back("average_precision", j.average_precision);
  o.emplace_back("confusion", json::object{{"tp", count(j.counts.tp)},
                                           {"fp", count(j.counts.fp)},
                                           {"fn", count(j.counts.fn)},
                                           {"tn", count(j.counts.tn)}});
  if (j.cross_encoder_share) o.emplace_back("cross_encoder_share", *j.cross_encoder_share);
  return o;
}

/// Rows of cells, each column as wide as its widest; the first one's cells begin at the left.
inline std::string in_columns(const std::vector<std::vector<std::string>>& cells) {
  std::string table;
  for (const auto& row : cells) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      std::size_t width = 0;
      for (const auto& other : cells) width = std::max(width, other[c].size());
      const std::string blanks(width - row[c].size(), ' ');
      table += c == 0 ? row[c] + blanks : "  " + blanks + row[c];
    }
    table += '\n';
  }
  return table;
}

inline std::string as_table(std::span<const judgement> lines) {
  std::vector<std::vector<std::string>> cells{
      {"", "pairs", "threshold", "F1", "precision", "recall", "accuracy", "average precision", "tp", "fp", "fn", "tn"}};
  for (const judgement& j : lines)
    cells.push_back({j.title, std::to_string(j.pairs), j.threshold ? fixed(*j.threshold, 4) : "none",
                     fixed(j.counts.f1(), 4), fixed(j.counts.precision(), 4), fixed(j.counts.recall(), 4),
                     fixed(j.counts.accuracy(), 4), fixed(j.average_precision, 4), std::to_string(j.counts.tp),
                     std::to_string(j.counts.fp), std::to_string(j.counts.fn), std::to_string(j.counts.tn)});
  return in_columns(cells);
}

/// The threshold with the best F1, freely or on the notebook's grid.
inline std::optional<double> choose_threshold(const judged_part& part, bool on_grid, bool cross) {
  const std::span<const double> grid = cross ? std::span<const double>(dupq::probability_grid) : dupq::cosine_grid;
  const auto best =
      on_grid ? dupq::best_f1_on_grid(part.scores, part.labels, grid) : dupq::best_f1(part.scores, part.labels);
  if (!best || best->counts.tp == 0) return std::nullopt;
  return best->threshold;
}

/// Whether what the seed notebook would report is to be shown beside the honest number.
inline bool wants_notebook(const arguments& args) {
  if (!args.has("--as-in-the-notebook")) return false;
  for (const char* other : {"--sweep", "--cascade"})
    if (args.has(other)) throw usage_error("--as-in-the-notebook and " + std::string(other) + " exclude each other");
  if (args.text("--split").value_or("none") == "none") throw usage_error("--as-in-the-notebook needs --split");
  return true;
}

/// What the seed notebook would report: the test pairs at the threshold of its grid that is best on themselves.
inline judgement notebook_judgement(const judged_part& test, bool cross) {
  return {"test, as in the notebook", test, choose_threshold(test, true, cross)};
}
inline constexpr std::string_view notebook_threshold_mistake =
    "As in the notebook: the threshold is chosen on the test pairs, which it is then judged on, so that F1 is "
    "optimistic; right\nis one that the validation pairs choose, dupq's default.\n";

/// The notebook's grids are for cosines and probabilities.
inline void check_grid(const dupq::config& model, const std::string& path, std::string_view option) {
  if (model.similarity != dupq::similarity::cosine)
    throw failure(path + ": " + std::string(option) + " is for cosines, and this model's similarity is " +
                  std::string(name(model.similarity)));
}

/// The band that is best for these rows, whose similarities become the cascade's scores.
inline dupq::cascade_band choose_cascade(cascade_judge& judge, const arguments& args, const std::string& file,
                                         const labelled_pairs& pairs, std::span<const std::size_t> rows,
                                         std::span<float> similarities, std::uint64_t& judged) {
  const std::vector<float> probabilities = judge.probabilities(pairs, rows);
  std::vector<std::uint8_t> labels;
  for (const std::size_t row : rows) labels.push_back(pairs.labels[row]);
  const auto choice = dupq::choose_band(similarities, probabilities, labels, band_options(args));
  if (!choice) throw failure(file + ": no validation pair is labelled 1, so there are no thresholds to find");
  judged = choice->unsure;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    float& score = similarities[i];
    score = choice->band.unsure(score) ? probabilities[i] : choice->band.sure_score(score);
  }
  return choice->band;
}

}  // namespace dupq_tool
