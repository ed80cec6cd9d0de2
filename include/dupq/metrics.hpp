// How good scores are against labels: confusion counts, F1 and its kin, the best threshold, average precision.
//
// A pair is called a duplicate when score >= threshold, compared in double. A NaN score lies below every threshold, so
// it is never a duplicate. Where there are more scores than labels, or more labels than
// scores, those that are left over are ignored.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>

#include "core/labels.hpp"
#include "core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Pairs by what they were called and what they are. A ratio without a denominator is 0.
struct confusion {
  std::uint64_t tp = 0;  ///< called duplicates, and are
  std::uint64_t fp = 0;  ///< called duplicates, but differ
  std::uint64_t fn = 0;  ///< called different, but are duplicates
  std::uint64_t tn = 0;  ///< called different, and are

  constexpr double precision() const noexcept { return ratio(tp, tp + fp); }
  constexpr double recall() const noexcept { return ratio(tp, tp + fn); }
  constexpr double f1() const noexcept { return ratio(2 * tp, 2 * tp + fp + fn); }
  constexpr double accuracy() const noexcept { return ratio(tp + tn, tp + fp + fn + tn); }
  friend constexpr bool operator==(const confusion&, const confusion&) = default;

 private:
  static constexpr double ratio(std::uint64_t part, std::uint64_t whole) noexcept {
    if (whole == 0) return 0;
    if (std::is_constant_evaluated()) return static_cast<double>(part) / static_cast<double>(whole);
    return divide(part, whole);
  }
  static double divide(std::uint64_t part, std::uint64_t whole) noexcept {
    const float_environment ieee;
    return ieee.pinned(static_cast<double>(ieee.pinned(part)) / static_cast<double>(whole));
  }
};

/// A threshold and what it gives on the pairs it was chosen on.
struct threshold_choice {
  double threshold = 0;  ///< best_f1's is always a float
  double f1 = 0;
  double precision = 0;
  double recall = 0;
  double accuracy = 0;
  confusion counts;

  constexpr threshold_choice() noexcept = default;
  constexpr threshold_choice(double threshold_, const confusion& c) noexcept
      : threshold(threshold_),
        f1(c.f1()),
        precision(c.precision()),
        recall(c.recall()),
        accuracy(c.accuracy()),
        counts(c) {}
};

/// The grid on which notebooks look for a cosine's threshold: k/100 for k = -100..100.
inline constexpr std::array<double, 201> cosine_grid = [] {
  std::array<double, 201> grid{};
  for (std::size_t k = 0; k < grid.size(); ++k) grid[k] = (static_cast<double>(k) - 100) / 100;
  return grid;
}();

/// The same for a cross-encoder's score: numpy.linspace(0, 1, 101). It computes k * 0.01 where cosine_grid has k / 100,
/// which differ in the last bit.
inline constexpr std::array<double, 101> probability_grid = [] {
  std::array<double, 101> grid{};
  for (std::size_t k = 0; k < grid.size() - 1; ++k) grid[k] = static_cast<double>(k) * 0.01;
  grid[100] = 1;
  return grid;
}();

/// Counts the pairs with score >= threshold as called duplicates.
inline confusion confusion_at(std::span<const float> scores, dupq::labels labels, double threshold) noexcept {
  const float_environment ieee;
  confusion c;
  const std::size_t n = std::min(scores.size(), labels.size());
  for (std::size_t i = 0; i < n; ++i) {
    const bool called = static_cast<double>(scores[i]) >= threshold;
    if (labels[i])
      called ? ++c.tp : ++c.fn;
    else
      called ? ++c.fp : ++c.tn;
  }
  return c;
}

namespace metrics_detail {

struct labelled_score {
  float score;
  bool duplicate;
};

/// The pairs from the lowest score to the highest, NaN first.
struct ranking {
  std::unique_ptr<labelled_score[]> pairs;  ///< null when memory ran out
  std::size_t size;
  std::uint64_t duplicates = 0;

  ranking(std::span<const float> scores, dupq::labels labels) noexcept : size(std::min(scores.size(), labels.size())) {
    pairs.reset(new (std::nothrow) labelled_score[size]);
    if (!pairs) return;
    for (std::size_t i = 0; i < size; ++i) {
      pairs[i] = {scores[i], labels[i]};
      duplicates += labels[i];
    }
    std::sort(pairs.get(), pairs.get() + size, [](const labelled_score& a, const labelled_score& b) {
      return std::isnan(b.score) ? false : std::isnan(a.score) || a.score < b.score;
    });
  }

  /// Calls visit(begin, counts) for each group of equal scores, the lowest first: `counts` is what results when the
  /// pairs from `begin` on are called duplicates.
  template <class F>
  void for_each_group(F&& visit) const noexcept {
    confusion c{.tp = duplicates, .fp = size - duplicates, .fn = 0, .tn = 0};
    for (std::size_t begin = 0; begin < size;) {
      visit(begin, c);
      const float score = pairs[begin].score;
      const auto same = [&](float other) { return other == score || (std::isnan(other) && std::isnan(score)); };
      for (; begin < size && same(pairs[begin].score); ++begin)
        pairs[begin].duplicate ? (--c.tp, ++c.fn) : (--c.fp, ++c.tn);
    }
  }
};

/// Midway between two neighbouring scores, or the higher one where nothing lies between.
inline float between(float below, float score) noexcept {
  const auto midway = static_cast<float>((static_cast<double>(below) + static_cast<double>(score)) / 2);
  return midway > below ? midway : score;
}

/// The sum as numpy.sum has it, to the last bit: it adds blocks of 128 numbers in eight partial sums, and the sums of
/// blocks in pairs.
inline double pairwise_sum(const double* a, std::size_t n) noexcept {
  if (n > 128) {
    const std::size_t half = n / 2 - n / 2 % 8;
    return pairwise_sum(a, half) + pairwise_sum(a + half, n - half);
  }
  double sum = 0;
  std::size_t i = 0;
  if (n >= 8) {
    double lanes[8];
    for (; i < 8; ++i) lanes[i] = a[i];
    for (; i < n - n % 8; ++i) lanes[i % 8] += a[i];
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < n; ++i) sum += a[i];
  return sum;
}

}  // namespace metrics_detail

/// The threshold with the highest F1. Pairs of equal score go together; among equally good thresholds the highest wins.
/// It lies midway between the lowest score that it calls a duplicate and the next lower one, or on that score itself
/// where nothing lies below or between. Nothing is returned where no threshold finds a duplicate (no positive label),
/// or when there is no memory for a copy of the pairs.
inline std::optional<threshold_choice> best_f1(std::span<const float> scores, dupq::labels labels) noexcept {
  const float_environment ieee;
  const metrics_detail::ranking ranking(scores, labels);
  if (!ranking.pairs) return std::nullopt;
  confusion best;
  std::size_t lowest = 0;
  ranking.for_each_group([&](std::size_t begin, const confusion& c) {
    if (std::isnan(ranking.pairs[begin].score) || c.f1() < best.f1()) return;
    best = c;
    lowest = begin;
  });
  if (best.tp == 0) return std::nullopt;
  const float lowest_called = ranking.pairs[lowest].score;
  const float threshold =
      lowest == 0 ? lowest_called : metrics_detail::between(ranking.pairs[lowest - 1].score, lowest_called);
  return threshold_choice(static_cast<double>(threshold), best);
}

/// The threshold of `grid` with the highest F1, the first of equally good ones; nothing for an empty grid.
inline std::optional<threshold_choice> best_f1_on_grid(std::span<const float> scores, dupq::labels labels,
                                                       std::span<const double> grid) noexcept {
  const float_environment ieee;
  std::optional<threshold_choice> best;
  for (const double threshold : grid) {
    const confusion c = confusion_at(scores, labels, threshold);
    if (!best || c.f1() > best->f1) best = threshold_choice(threshold, c);
  }
  return best;
}

/// Area under precision over recall, as scikit-learn's average_precision_score to the last bit: the sum over groups of
/// equal scores of (recall gained) * precision. 0 without a positive label; NaN when there is no memory for a copy of
/// the pairs.
inline double average_precision(std::span<const float> scores, dupq::labels labels) noexcept {
  const float_environment ieee;
  const metrics_detail::ranking ranking(scores, labels);
  const std::unique_ptr<double[]> terms(new (std::nothrow) double[ranking.size + 1]);
  if (!ranking.pairs || !terms) return std::numeric_limits<double>::quiet_NaN();
  if (ranking.duplicates == 0) return 0;
  // A group's term needs the recall of the next higher group, so each visit completes the term before.
  std::size_t groups = 0;
  confusion last;
  const auto complete = [&](double next_recall) {
    if (groups != 0) terms[groups - 1] = (last.recall() - next_recall) * last.precision();
  };
  ranking.for_each_group([&](std::size_t, const confusion& c) {
    complete(c.recall());
    last = c;
    ++groups;
  });
  complete(0);
  return ieee.pinned(metrics_detail::pairwise_sum(terms.get(), groups));
}

}  // namespace dupq::inline DUPQ_ABI
