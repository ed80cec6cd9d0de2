// The losses, as sentence-transformers defines them: of a bi-encoder's vectors, and of a cross-encoder's logits.
//
// They are computed in double, pairs in order, and rounded to float where gradients are stored. All compare vectors by
// their cosine; d is 1 - cosine, B the number of pairs, y a label.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "../core/platform.hpp"
#include "double_formulas.hpp"
#include "loss.hpp"

namespace dupq::inline DUPQ_ABI {

namespace losses_detail {

/// Vectors shorter than this count as this long, so that the cosine of a zero vector is 0. Its gradient is finite, too.
inline constexpr double least_length = 1e-8;

/// The cosine of two vectors, and what its gradient needs.
struct pair_cosine {
  double first_length;
  double second_length;
  double cosine;

  static pair_cosine of(const float* u, const float* v, std::size_t n) noexcept {
    using double_formulas::dot;
    const double a = std::max(std::sqrt(dot(u, u, n)), least_length);
    const double b = std::max(std::sqrt(dot(v, v, n)), least_length);
    return {a, b, dot(u, v, n) / (a * b)};
  }

  /// Writes slope * d cosine / du and slope * d cosine / dv: (v / |v| - cosine u / |u|) / |u|, and the same with u and
  /// v exchanged.
  void gradients(double slope, const float* u, const float* v, std::size_t n, float* du, float* dv) const noexcept {
    const double_formulas::factor across(slope / (first_length * second_length));
    const auto along = [&](double length) {  // a length that was raised to the least one does not change with u
      return double_formulas::factor(length > least_length ? -slope * cosine / (length * length) : 0.0);
    };
    const double_formulas::factor along_u = along(first_length), along_v = along(second_length);
    for (std::size_t i = 0; i < n; ++i) {
      du[i] = static_cast<float>(along_u.plus(across.plus(0, v[i]), u[i]));
      dv[i] = static_cast<float>(along_v.plus(across.plus(0, u[i]), v[i]));
    }
  }
};

/// max(x, 0), and NaN for NaN.
inline double positive_part(double x) noexcept { return x <= 0 ? 0 : x; }

/// The mean over pairs of term(cosine, label), whose slope with respect to the cosine is slope(cosine, label).
template <class Term, class Slope>
double mean_over_pairs(const vector_batch& batch, const vector_gradients& gradients, Term&& term,
                       Slope&& slope) noexcept {
  const std::size_t n = batch.first.columns;
  const auto pairs = static_cast<double>(batch.first.rows);
  double sum = 0;
  for (std::size_t i = 0; i < batch.first.rows; ++i) {
    const float *u = batch.first.row(i), *v = batch.second.row(i);
    const auto label = static_cast<double>(batch.labels[i]);
    const auto pair = pair_cosine::of(u, v, n);
    sum = term(sum, pair.cosine, label);
    pair.gradients(slope(pair.cosine, label) / pairs, u, v, n, gradients.first.row(i), gradients.second.row(i));
  }
  return sum / pairs;
}

}  // namespace losses_detail

/// Mean of (cosine - y)^2.
struct cosine_loss {
  static constexpr std::size_t scratch_doubles(std::size_t, std::size_t) noexcept { return 0; }

  double operator()(const vector_batch& batch, const vector_gradients& gradients, std::span<double>) const noexcept {
    const float_environment ieee;
    return ieee.pinned(losses_detail::mean_over_pairs(
        batch, gradients,
        [](double sum, double cosine, double label) {
          const double miss = cosine - label;
          return std::fma(miss, miss, sum);
        },
        [](double cosine, double label) { return 2 * (cosine - label); }));
  }
};

/// Half the mean of y d^2 + (1 - y) max(0, margin - d)^2.
struct contrastive_loss {
  float margin = 0.5f;

  static constexpr std::size_t scratch_doubles(std::size_t, std::size_t) noexcept { return 0; }

  double operator()(const vector_batch& batch, const vector_gradients& gradients, std::span<double>) const noexcept {
    const float_environment ieee;
    // What a pair still has to move: its distance, or the margin less its distance.
    const auto miss = [this](double cosine, double label) {
      const double d = 1 - cosine;
      return label > 0.5 ? d : losses_detail::positive_part(static_cast<double>(margin) - d);
    };
    return ieee.pinned(losses_detail::mean_over_pairs(
                           batch, gradients,
                           [&](double sum, double cosine, double label) {
                             const double x = miss(cosine, label);
                             return std::fma(x, x, sum);
                           },
                           [&](double cosine, double label) {
                             const double x = miss(cosine, label);
                             return label > 0.5 ? -x : x;
                           }) /
                       2);
  }
};

/// The *sum* of d^2 over the hard positives and of max(0, margin - d)^2 over the hard negatives. A positive is hard
/// when its d is above the least d of a negative, and a negative when its d is below the largest d of a positive.
/// Without positives the mean of the negatives' d stands for that largest one, and without negatives the mean of the
/// positives' for that least one. No gradient flows through these bounds.
struct online_contrastive_loss {
  float margin = 0.5f;

  static constexpr std::size_t scratch_doubles(std::size_t pairs, std::size_t) noexcept { return pairs; }

  double operator()(const vector_batch& batch, const vector_gradients& gradients,
                    std::span<double> scratch) const noexcept {
    const float_environment ieee;
    const std::size_t n = batch.first.columns, pairs = batch.first.rows;
    const auto positive = [&](std::size_t i) { return batch.labels[i] > 0.5f; };
    double highest = -HUGE_VAL, lowest = HUGE_VAL, sums[2] = {0, 0}, counts[2] = {0, 0};
    double loss = 0;
    for (std::size_t i = 0; i < pairs; ++i) {
      const double d = 1 - losses_detail::pair_cosine::of(batch.first.row(i), batch.second.row(i), n).cosine;
      scratch[i] = d;
      loss += d * 0.0;  // NaN compares as if it were not hard, so it is kept here
      sums[positive(i) ? 1 : 0] += d;
      counts[positive(i) ? 1 : 0] += 1;
      if (positive(i)) highest = std::max(highest, d);
      if (!positive(i)) lowest = std::min(lowest, d);
    }
    if (counts[1] == 0) highest = sums[0] / counts[0];
    if (counts[0] == 0) lowest = sums[1] / counts[1];
    for (std::size_t i = 0; i < pairs; ++i) {
      const double d = scratch[i];
      const bool hard = positive(i) ? d > lowest : d < highest;
      const double miss =
          !hard ? 0.0 : (positive(i) ? d : losses_detail::positive_part(static_cast<double>(margin) - d));
      loss = std::fma(miss, miss, loss);
      const float *u = batch.first.row(i), *v = batch.second.row(i);
      const double slope = positive(i) ? -2 * miss : 2 * miss;
      losses_detail::pair_cosine::of(u, v, n).gradients(slope, u, v, n, gradients.first.row(i),
                                                        gradients.second.row(i));
    }
    return ieee.pinned(loss);
  }
};

/// Multiple negatives ranking: of all second texts and negatives of the batch, each first text should be nearest to its
/// own second text. Mean over i of log(sum over candidates j of e^(s_ij)) - s_ii with s = scale * cosine; scale > 0.
struct mnr_loss {
  float scale = 20.0f;

  /// For a batch with negatives.
  static constexpr std::size_t scratch_doubles(std::size_t pairs, std::size_t dim) noexcept {
    return 2 * pairs * pairs + 3 * pairs + dim;
  }

  double operator()(const vector_batch& batch, const vector_gradients& gradients,
                    std::span<double> scratch) const noexcept {
    const float_environment ieee;
    const std::size_t n = batch.first.columns, pairs = batch.first.rows, candidates = pairs + batch.negatives.rows;
    const auto candidate = [&](std::size_t j) {
      return j < pairs ? batch.second.row(j) : batch.negatives.row(j - pairs);
    };
    double* const slopes = scratch.data();  // [pairs][candidates]: cosines first, then d loss / d cosine
    double* const lengths = slopes + pairs * candidates;
    double* const candidate_lengths = lengths + pairs;
    double* const sums = candidate_lengths + candidates;
    for (std::size_t i = 0; i < pairs; ++i) lengths[i] = length(batch.first.row(i), n);
    for (std::size_t j = 0; j < candidates; ++j) candidate_lengths[j] = length(candidate(j), n);

    double loss = 0;
    for (std::size_t i = 0; i < pairs; ++i) {
      double* const row = slopes + i * candidates;
      for (std::size_t j = 0; j < candidates; ++j)
        row[j] = double_formulas::dot(batch.first.row(i), candidate(j), n) / (lengths[i] * candidate_lengths[j]);
      const double nearest = *std::max_element(row, row + candidates), own = row[i];
      double total = 0, pull = 0;
      for (std::size_t j = 0; j < candidates; ++j)
        total += double_formulas::exp_negative(static_cast<double>(scale) * (row[j] - nearest));
      loss += std::fma(-static_cast<double>(scale), own - nearest, double_formulas::log_above_one(total));
      for (std::size_t j = 0; j < candidates; ++j) {
        const double share =
            double_formulas::exp_negative(static_cast<double>(scale) * (row[j] - nearest)) / total - (i == j ? 1 : 0);
        const double slope = static_cast<double>(scale) * share / static_cast<double>(pairs);
        pull = std::fma(slope, row[j], pull);
        row[j] = slope;
      }
      // d loss / da = sum over j of slope_j (c_j / |c_j| - cosine_j a / |a|) / |a|
      const auto slope = [&](std::size_t j) { return row[j] / (lengths[i] * candidate_lengths[j]); };
      gather(candidates, slope, candidate, pull, lengths[i], batch.first.row(i), n, sums, gradients.first.row(i));
    }
    for (std::size_t j = 0; j < candidates; ++j) {
      double pull = 0;
      for (std::size_t i = 0; i < pairs; ++i) {
        const double cosine =
            double_formulas::dot(batch.first.row(i), candidate(j), n) / (lengths[i] * candidate_lengths[j]);
        pull = std::fma(slopes[i * candidates + j], cosine, pull);
      }
      const auto slope = [&](std::size_t i) {
        return slopes[i * candidates + j] / (lengths[i] * candidate_lengths[j]);
      };
      const auto first = [&](std::size_t i) { return batch.first.row(i); };
      gather(pairs, slope, first, pull, candidate_lengths[j], candidate(j), n, sums,
             j < pairs ? gradients.second.row(j) : gradients.negatives.row(j - pairs));
    }
    return ieee.pinned(loss / static_cast<double>(pairs));
  }

 private:
  static constexpr double least_length = 1e-12;  // (that of a normalisation, where cosine similarity has 1e-8)

  static double length(const float* x, std::size_t n) noexcept {
    return std::max(std::sqrt(double_formulas::dot(x, x, n)), least_length);
  }

  /// gradient = sum over k of slope(k) * other(k), less the part along `x` itself.
  template <class Slope, class Other>
  static void gather(std::size_t others, Slope&& slope, Other&& other, double pull, double length, const float* x,
                     std::size_t n, double* sums, float* gradient) noexcept {
    std::fill_n(sums, n, 0.0);
    const auto add = [&](double weight, const float* vector) {
      const double_formulas::factor factor(weight);
      for (std::size_t i = 0; i < n; ++i) sums[i] = factor.plus(sums[i], vector[i]);
    };
    for (std::size_t k = 0; k < others; ++k) add(slope(k), other(k));
    if (length > least_length) add(-pull / (length * length), x);
    for (std::size_t i = 0; i < n; ++i) gradient[i] = static_cast<float>(sums[i]);
  }
};

/// Binary cross-entropy of logits z: mean of max(z, 0) - z y + log(1 + e^-|z|). Labels may lie between 0 and 1.
struct cross_loss {
  static constexpr std::size_t scratch_doubles(std::size_t, std::size_t) noexcept { return 0; }

  double operator()(std::span<const float> logits, std::span<const float> labels, std::span<float> gradients,
                    std::span<double>) const noexcept {
    const float_environment ieee;
    const auto pairs = static_cast<double>(logits.size());
    double loss = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const auto z = static_cast<double>(logits[i]), y = static_cast<double>(labels[i]);
      const double e = double_formulas::exp_negative(-std::fabs(z));
      const double apart = losses_detail::positive_part(z) - z * y;  // the product of two floats is exact
      loss += apart + double_formulas::log_one_plus(e);
      gradients[i] = static_cast<float>(((z < 0 ? e : 1.0) / (1 + e) - y) / pairs);
    }
    return ieee.pinned(loss / pairs);
  }
};

static_assert(vector_loss<cosine_loss> && vector_loss<contrastive_loss> && vector_loss<online_contrastive_loss> &&
              vector_loss<mnr_loss> && logit_loss<cross_loss>);

}  // namespace dupq::inline DUPQ_ABI
