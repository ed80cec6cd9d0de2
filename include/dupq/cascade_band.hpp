// Between which similarities a cascade asks its cross-encoder: the band, how a pair's two scores become one, and the
// choice of the narrowest band that is good enough on labelled pairs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>

#include "core/labels.hpp"
#include "core/platform.hpp"
#include "metrics.hpp"

namespace dupq::inline DUPQ_ABI {

/// A cascade's thresholds. Pairs whose similarity lies below `lower` are different, from `upper` on they are
/// duplicates; between them, and where the similarity is NaN, the bi-encoder is unsure and the cross-encoder decides.
///
/// A pair's score is one number for all three, and a pair is a duplicate where score >= threshold: below 0 how far the
/// similarity is below `lower`, from 0 to 1 the cross-encoder's probability, from 1 on 1 and how far it is above
/// `upper`. So any threshold in [0, 1] leaves the sure pairs as they are, and a ranking by score (average precision)
/// has the pairs that are surely duplicates first, those that were looked at again next, and the others last.
struct cascade_band {
  float lower = 0;
  float upper = 0;
  float threshold = 0.5f;

  bool unsure(float similarity) const noexcept { return !(similarity < lower || similarity >= upper); }
  /// The score of a pair that is not unsure.
  float sure_score(float similarity) const noexcept {
    const float_environment ieee;
    return ieee.pinned(similarity < lower ? similarity - lower : 1 + (similarity - upper));
  }
  /// Whether the numbers are finite and in order.
  bool sound() const noexcept {
    return std::isfinite(lower) && std::isfinite(upper) && lower <= upper && threshold >= 0 && threshold <= 1;
  }
  friend constexpr bool operator==(const cascade_band&, const cascade_band&) = default;
};

/// A band and what it gives on the pairs that it was chosen on.
struct band_choice {
  cascade_band band;
  std::size_t unsure = 0;  ///< pairs that the cross-encoder decides
  std::size_t pairs = 0;   ///< all pairs
  confusion counts;        ///< what the cascade calls them
  double cross_f1 = 0;     ///< of the cross-encoder alone

  double share() const noexcept { return pairs == 0 ? 0 : static_cast<double>(unsure) / static_cast<double>(pairs); }
};

/// What a cascade must be as good as.
enum class band_aim : std::uint8_t {
  cross,  ///< the cross-encoder alone
  best,   ///< the best that any band reaches: the two together may be better than either alone
};

struct band_options {
  double loss = 0.002;  ///< how far the F1 may be below that of the aim
  band_aim aim = band_aim::cross;
};

namespace band_detail {

/// A similarity at which a band can begin or end, and how many pairs lie below it.
struct edge {
  float similarity = 0;         ///< between the pairs below and the others
  std::int64_t pairs = 0;       ///< pairs below
  std::int64_t duplicates = 0;  ///< those of them that are duplicates
  std::int64_t called = 0;      ///< those of them that the cross-encoder calls duplicates
  std::int64_t found = 0;       ///< those of them that are and are called duplicates

  void add(bool is_called, bool duplicate) noexcept {
    ++pairs;
    called += is_called, duplicates += duplicate, found += is_called && duplicate;
  }
};

struct band {
  std::size_t begin, end;  ///< edges
};

/// An F1 as a fraction, so that F1s are compared exactly.
struct ratio {
  std::int64_t part, whole;
};

/// Pairs by similarity. A band from edge i to edge j calls duplicates what the cross-encoder calls so between i and j,
/// and all from j on.
class edges {
 public:
  /// `judge`: from which probability on the cross-encoder calls a pair a duplicate. Empty where memory ran out.
  edges(std::span<const float> similarities, std::span<const float> probabilities, dupq::labels labels, double judge,
        std::size_t n) noexcept {
    struct row {
      float similarity;
      bool called, duplicate;
    };
    const std::unique_ptr<row[]> rows(new (std::nothrow) row[n]);
    list_.reset(new (std::nothrow) edge[n + 1]);
    lowest_.reset(new (std::nothrow) std::size_t[n + 1]);
    if (!rows || !list_ || !lowest_) return;
    std::size_t m = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const row one{similarities[i], static_cast<double>(probabilities[i]) >= judge, labels[i]};
      if (std::isnan(one.similarity))
        always_.add(one.called, one.duplicate);
      else
        rows[m++] = one;
    }
    std::sort(rows.get(), rows.get() + m, [](const row& a, const row& b) { return a.similarity < b.similarity; });
    edge below{.similarity = -std::numeric_limits<float>::max()};  // beyond all that was seen nothing is known, so
                                                                   // bands may go on for ever
    for (std::size_t i = 0; i < m; ++i) {
      if (i == 0 || rows[i].similarity != rows[i - 1].similarity) {
        if (i != 0) below.similarity = metrics_detail::between(rows[i - 1].similarity, rows[i].similarity);
        list_[size_++] = below;
      }
      below.add(rows[i].called, rows[i].duplicate);
    }
    below.similarity = std::numeric_limits<float>::max();
    list_[size_++] = below;
  }

  std::size_t size() const noexcept { return size_; }
  band everything() const noexcept { return {0, size_ - 1}; }
  std::size_t unsure(band b) const noexcept { return static_cast<std::size_t>(always_.pairs + width(b)); }
  float lower(band b) const noexcept { return b.begin == 0 ? -std::numeric_limits<float>::max() : at(b.begin); }
  float upper(band b) const noexcept { return at(b.end); }

  confusion counts(band b) const noexcept {
    const edge &begin = list_[b.begin], &end = list_[b.end], &all = list_[size_ - 1];
    const std::int64_t tp = always_.found + end.found - begin.found + all.duplicates - end.duplicates;
    const std::int64_t called = always_.called + end.called - begin.called + all.pairs - end.pairs;
    const std::int64_t positive = all.duplicates + always_.duplicates, pairs = all.pairs + always_.pairs;
    const auto count = [](std::int64_t k) { return static_cast<std::uint64_t>(k); };
    return {.tp = count(tp),
            .fp = count(called - tp),
            .fn = count(positive - tp),
            .tn = count(pairs - positive - (called - tp))};
  }

  /// The band with the highest F1: each round finds the one that is furthest above the F1 of the last one, until none
  /// is (Dinkelbach, "On nonlinear fractional programming", 1967).
  band best() const noexcept {
    for (band best = everything();;) {
      const confusion c = counts(best);
      const ratio f{static_cast<std::int64_t>(2 * c.tp), static_cast<std::int64_t>(2 * c.tp + c.fp + c.fn)};
      std::int64_t most = 0;
      for (std::size_t j = 0, lowest = 0; j < size_; ++j) {
        if (cost(j, f) < cost(lowest, f)) lowest = j;
        const std::int64_t above = gain(j, f) - cost(lowest, f);
        if (above > most) most = above, best = {lowest, j};
      }
      if (most == 0) return best;
    }
  }

  /// The narrowest band whose F1 is at least f, which that of everything is; of these the one with the best F1, and of
  /// these the highest.
  band narrowest(const ratio& f) const noexcept {
    std::int64_t least = width(everything());
    // Edges at which a band may begin: of any other, a later one costs no more. Their costs rise, so the last one that
    // is cheap enough is found by halving.
    std::size_t* const first = lowest_.get();
    std::size_t* last = first;
    for (std::size_t j = 0; j < size_; ++j) {
      while (last != first && cost(last[-1], f) >= cost(j, f)) --last;
      *last++ = j;
      const std::int64_t budget = gain(j, f);
      const std::size_t* const begin =
          std::partition_point(first, last, [&](std::size_t i) { return cost(i, f) <= budget; });
      if (begin != first) least = std::min(least, width({begin[-1], j}));
    }
    band best = everything();
    double best_f1 = -1;
    for (band b{0, 0}; b.end < size_; ++b.end) {
      while (width(b) > least) ++b.begin;
      if (width(b) != least) continue;
      if (const double f1 = counts(b).f1(); f1 >= best_f1) best_f1 = f1, best = b;
    }
    return best;
  }

 private:
  float at(std::size_t i) const noexcept {
    return std::clamp(list_[i].similarity, -std::numeric_limits<float>::max(), std::numeric_limits<float>::max());
  }
  std::int64_t width(band b) const noexcept { return list_[b.end].pairs - list_[b.begin].pairs; }

  // F1 = 2 tp / (positive + called) is at least part / whole where 2 whole tp - part (positive + called) is at least 0.
  // That is a sum over pairs, so it is what a band gains by its end less what it costs to begin where it does.
  std::int64_t cost(std::size_t i, const ratio& f) const noexcept {
    return 2 * f.whole * list_[i].found - f.part * list_[i].called;
  }
  std::int64_t gain(std::size_t j, const ratio& f) const noexcept {
    const edge &end = list_[j], &all = list_[size_ - 1];
    const std::int64_t found = always_.found + end.found + all.duplicates - end.duplicates;
    const std::int64_t called = always_.called + end.called + all.pairs - end.pairs;
    return 2 * f.whole * found - f.part * (all.duplicates + always_.duplicates + called);
  }

  std::size_t size_ = 0;
  edge always_;  ///< pairs without a similarity, which are in every band
  std::unique_ptr<edge[]> list_;
  std::unique_ptr<std::size_t[]> lowest_;
};

}  // namespace band_detail

/// The narrowest band (the one that leaves the fewest pairs to the cross-encoder) whose F1 on labelled pairs is not
/// more than options.loss below the aim's; of equally narrow ones the best, then the highest. Its threshold is that of
/// the cross-encoder alone, the best for `probabilities`. Pairs of equal similarity go together; similarities are
/// finite or NaN. F1s are compared to 2^-32. Time grows with n log n. Nothing is returned where no threshold finds a
/// duplicate (no positive label), for more than 2^29 pairs, or when there is no memory for a copy of the pairs.
inline std::optional<band_choice> choose_band(std::span<const float> similarities, std::span<const float> probabilities,
                                              dupq::labels labels, const band_options& options = {}) noexcept {
  using namespace band_detail;
  const float_environment ieee;
  const std::size_t n = std::min({similarities.size(), probabilities.size(), labels.size()});
  const auto judge = best_f1(probabilities.first(n), labels);
  if (!judge || n > std::size_t{1} << 29) return std::nullopt;
  const edges all(similarities, probabilities, labels, judge->threshold, n);
  if (all.size() == 0) return std::nullopt;
  const double cross = all.counts(all.everything()).f1();
  const double aim = options.aim == band_aim::best ? all.counts(all.best()).f1() : cross;
  constexpr std::int64_t whole = std::int64_t{1} << 32;
  const double least = std::clamp(aim - options.loss, 0.0, 1.0) * static_cast<double>(whole);
  const band chosen = all.narrowest({static_cast<std::int64_t>(least), whole});
  return band_choice{.band = {all.lower(chosen), all.upper(chosen), static_cast<float>(judge->threshold)},
                     .unsure = all.unsure(chosen),
                     .pairs = n,
                     .counts = all.counts(chosen),
                     .cross_f1 = cross};
}

}  // namespace dupq::inline DUPQ_ABI
