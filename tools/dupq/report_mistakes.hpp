// Which pairs a report shows: what a model gets wrong most confidently, and what models judge differently.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "judged_model.hpp"

namespace dupq_tool::report {

/// The pairs of one kind of mistake that lie farthest from the threshold, the worst one first; of equal ones the first
/// in the file.
inline std::vector<std::size_t> worst(const judged_model& m, std::span<const std::uint8_t> labels, bool called,
                                      std::size_t most) {
  std::vector<std::size_t> pairs;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (m.calls(i) == called && (labels[i] != 0) != called) pairs.push_back(i);
  const auto score = [&](std::size_t i) {
    const float s = m.scores[i];
    return std::isnan(s) ? -INFINITY : called ? s : -s;
  };
  std::stable_sort(pairs.begin(), pairs.end(), [&](std::size_t a, std::size_t b) { return score(a) > score(b); });
  pairs.resize(std::min(pairs.size(), most));
  return pairs;
}

/// How several models' judgements of the same pairs agree.
class agreement {
 public:
  static constexpr std::size_t most_compared = 16;  ///< models that are compared with each other

  agreement(std::span<const judged_model> models, std::span<const std::uint8_t> labels)
      : models_(models), only_(models.size() <= most_compared ? models.size() * models.size() : 0) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      std::size_t right = 0;
      for (const judged_model& m : models) right += m.calls(i) == (labels[i] != 0);
      if (right == models.size()) ++all_right_;
      if (right == 0) ++all_wrong_;
      if (right == 0 || right == models.size()) continue;
      disputed_.push_back(i);
      if (only_.empty()) continue;
      for (std::size_t a = 0; a < models.size(); ++a)
        for (std::size_t b = 0; b < models.size(); ++b)
          only_[a * models.size() + b] +=
              models[a].calls(i) == (labels[i] != 0) && models[b].calls(i) != (labels[i] != 0);
    }
  }

  std::uint64_t all_right() const noexcept { return all_right_; }
  std::uint64_t all_wrong() const noexcept { return all_wrong_; }
  std::uint64_t disputed() const noexcept { return disputed_.size(); }
  bool compared() const noexcept { return !only_.empty(); }
  /// Pairs that the first model judges rightly and the second one wrongly, where models are compared.
  std::uint64_t only(std::size_t first, std::size_t second) const { return only_[first * models_.size() + second]; }

  /// The pairs of which models are farthest apart. Scores of two models do not compare, so the place of a pair among
  /// all pairs does, counted from the model's threshold: what one calls a clear duplicate and another a clear
  /// difference comes first.
  std::vector<std::size_t> most_disputed(std::size_t most) const {
    std::vector<double> low(disputed_.size(), INFINITY), high(disputed_.size(), -INFINITY);
    for (const judged_model& m : models_) {
      std::vector<float> sorted;
      for (const float s : m.scores) sorted.push_back(std::isnan(s) ? -INFINITY : s);
      std::sort(sorted.begin(), sorted.end());
      const auto below = [&](double value) {
        return static_cast<double>(std::partition_point(sorted.begin(), sorted.end(),
                                                        [&](float s) { return static_cast<double>(s) < value; }) -
                                   sorted.begin());
      };
      const double called_from = m.threshold ? below(*m.threshold) : static_cast<double>(sorted.size());
      for (std::size_t d = 0; d < disputed_.size(); ++d) {
        const float s = m.scores[disputed_[d]];
        const double place = below(std::isnan(s) ? -INFINITY : static_cast<double>(s)) - called_from;
        low[d] = std::min(low[d], place);
        high[d] = std::max(high[d], place);
      }
    }
    std::vector<std::size_t> order(disputed_.size());
    for (std::size_t d = 0; d < order.size(); ++d) order[d] = d;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return high[a] - low[a] > high[b] - low[b]; });
    order.resize(std::min(order.size(), most));
    for (std::size_t& d : order) d = disputed_[d];
    return order;
  }

 private:
  std::span<const judged_model> models_;
  std::vector<std::uint64_t> only_;
  std::vector<std::size_t> disputed_;
  std::uint64_t all_right_ = 0, all_wrong_ = 0;
};

}  // namespace dupq_tool::report
