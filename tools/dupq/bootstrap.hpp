// How sure an F1 is, and a difference of two: by the bootstrap, over pairs drawn anew from those that were judged.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/metrics.hpp>
#include <random>
#include <span>
#include <vector>

namespace dupq_tool {

/// What 95 % of the samples lie between.
struct interval {
  double low = 0, high = 0;
};

/// Between the 2.5th and the 97.5th percentile: the values themselves, none between two.
inline interval middle_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size(), cut = n / 40;
  return {values[cut], values[n - 1 - cut]};
}

/// F1 of several judges of the same pairs, in the same samples of them.
class bootstrap {
 public:
  /// `called[m][i]`: whether judge m calls pair i a duplicate. There is at least one pair; the same seed draws the same
  /// samples everywhere.
  bootstrap(const std::vector<std::vector<std::uint8_t>>& called, std::span<const std::uint8_t> labels,
            std::size_t samples, std::uint64_t seed)
      : f1_(called.size(), std::vector<double>(samples)) {
    std::mt19937_64 bits(seed);  // specified to the bit, unlike the library's distributions
    std::vector<std::uint32_t> drawn(labels.size());
    for (std::size_t s = 0; s < samples; ++s) {
      for (std::uint32_t& i : drawn)  // 32 bits times a number below 2^32, of which the upper half counts
        i = static_cast<std::uint32_t>(((bits() >> 32) * labels.size()) >> 32);
      for (std::size_t m = 0; m < called.size(); ++m) {
        dupq::confusion c;
        for (const std::uint32_t i : drawn) {
          c.tp += called[m][i] & labels[i];
          c.fp += called[m][i] & (labels[i] ^ 1u);
          c.fn += (called[m][i] ^ 1u) & labels[i];
        }
        f1_[m][s] = c.f1();
      }
    }
  }

  interval f1(std::size_t m) const { return middle_of(f1_[m]); }
  /// Of the first judge's F1 less the second's.
  interval difference(std::size_t first, std::size_t second) const {
    std::vector<double> values(f1_[first].size());
    for (std::size_t s = 0; s < values.size(); ++s) values[s] = f1_[first][s] - f1_[second][s];
    return middle_of(std::move(values));
  }

 private:
  std::vector<std::vector<double>> f1_;  ///< by judge and sample
};

}  // namespace dupq_tool
