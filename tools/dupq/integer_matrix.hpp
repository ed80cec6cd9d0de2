// A linear matrix as 8-bit integers, each rounded so that it makes up for the errors of those before it.
//
// What counts is not how near the integers are to the weights but how near their products are to the true ones, for
// inputs x as the model has them. With e = weights - integers * scale of an output and C = covariance of x, the squared
// error is e^T C e once the bias has taken the mean error e . mean(x). C = L L^T makes that the sum over j of
// (L[j][j] e[j] + sum over i > j of L[i][j] e[i])^2, so that from the last input down to the first each weight is
// rounded after adding what the errors behind it call for, in the manner of GPTQ and of Babai's nearest plane.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/core/matrix.hpp>
#include <dupq/device/cpu/kernels.hpp>
#include <numeric>
#include <span>
#include <vector>

#include "quantize.hpp"
#include "smoothing.hpp"

namespace dupq_tool {

struct integer_matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<std::int8_t> values;    ///< [rows][columns]
  std::vector<float> scales, biases;  ///< [rows]
  std::vector<float> factors;         ///< [columns], of the inputs, or none

  std::span<const std::int8_t> row(std::size_t r) const noexcept {
    return std::span(values).subspan(r * columns, columns);
  }
};

/// How errors in some of a matrix's inputs are passed on to others of them. Only the kernels multiply and add, so that
/// the result is the same on every machine.
class error_feedback {
 public:
  /// From samples of the inputs, [samples][inputs]. Inputs that never vary, or overflow, get no feedback.
  error_feedback(const dupq::kernels& kernels, dupq::matrix<const float> samples)
      : kernels_(kernels), n_(samples.columns), order_(n_), mean_(n_), factor_(n_ * n_) {
    const std::vector<float> centred = centre(samples);
    for (std::size_t first = 0; first < n_; first += stripe) {  // the half below the diagonal
      dupq::gemm_args g;
      g.a = centred.data() + first, g.a_stride = 1, g.a_step = n_;
      g.b = centred.data(), g.b_stride = n_, g.panel_stride = dupq::panel_width;
      g.c = factor_.data() + first * n_, g.c_stride = n_;
      g.m = std::min(stripe, n_ - first), g.n = first + g.m, g.k = samples.rows;
      kernels_.gemm(g);
    }
    factorise();
  }

  /// Rounds `rows` rows of weights, [rows][columns] of which the inputs are those from `first` on, to integers times
  /// their row's scale, and corrects the biases.
  void round(std::span<const float> weights, std::size_t first, std::size_t columns, std::span<const float> scales,
             std::int8_t* integers, float* biases) const {
    const std::size_t rows = scales.size();
    std::vector<float> errors(rows * n_), sums(rows);
    for (std::size_t j = n_; j-- != 0;) {
      kernels_.dots(n_ - 1 - j, factor_.data() + j * n_ + j + 1, rows, n_, errors.data() + j + 1, sums.data());
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t at = r * columns + first + order_[j];
        if (scales[r] == 0.0f) continue;
        integers[at] = quantize(weights[at] + sums[r], scales[r], weight_limit);
        errors[r * n_ + j] = static_cast<float>(weights[at] - double{scales[r]} * integers[at]);
      }
    }
    kernels_.dots(n_, mean_.data(), rows, n_, errors.data(), sums.data());
    for (std::size_t r = 0; r < rows; ++r) biases[r] = biases[r] + sums[r];
  }

 private:
  static constexpr std::size_t stripe = 96;
  /// This part of the mean variance is added to each input's: variances that few texts show are not to be trusted
  /// fully.
  static constexpr float damping = 0.2f;

  /// The samples less their mean, those inputs first that vary least: the last are rounded first, when all others can
  /// still make up for them.
  std::vector<float> centre(dupq::matrix<const float> samples) {
    std::vector<float> mean(n_), centred(samples.rows * n_ + dupq::panel_width);
    kernels_.mean(samples.rows, n_, samples.stride, samples.data, mean.data());
    const std::vector<double> squares = squared_distances(samples, mean);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return squares[a] < squares[b]; });
    for (std::size_t i = 0; i < n_; ++i) {
      mean_[i] = mean[order_[i]];
      for (std::size_t s = 0; s < samples.rows; ++s) centred[s * n_ + i] = samples.row(s)[order_[i]] - mean_[i];
    }
    return centred;
  }

  /// Covariances below the diagonal to L, and above it to the feedback: L[i][j] / L[j][j] at [j][i].
  void factorise() {
    double trace = 0;
    for (std::size_t i = 0; i < n_; ++i) trace += factor_[i * n_ + i];
    const float added = damping * static_cast<float>(trace / static_cast<double>(n_));
    if (!std::isfinite(added) || added <= 0) {
      std::fill(factor_.begin(), factor_.end(), 0.0f);
      for (float& m : mean_) m = std::isfinite(m) ? m : 0.0f;
      return;
    }
    std::vector<float> sums(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      float* const diagonal = factor_.data() + j * n_ + j;
      kernels_.dots(j, diagonal - j, n_ - j, n_, diagonal - j, sums.data());
      const float square = std::max(*diagonal + added - sums[0], added), root = std::sqrt(square);
      for (std::size_t i = j + 1; i < n_; ++i) {
        float& below = factor_[i * n_ + j];
        const float v = below - sums[i - j];
        below = v / root;
        factor_[j * n_ + i] = v / square;
      }
    }
  }

  const dupq::kernels& kernels_;
  std::size_t n_;
  std::vector<std::size_t> order_;  ///< the place of each of the inputs below
  std::vector<float> mean_, factor_;
};

/// Rounds a matrix of weights, [rows][inputs], and its biases for inputs like the samples.
inline integer_matrix round_matrix(const dupq::kernels& kernels, std::span<const float> weights,
                                   std::span<const float> biases, dupq::matrix<const float> samples) {
  constexpr std::size_t inputs_together = 768;  // more costs memory and time and gains little
  constexpr std::size_t rows_together = 32;     // their errors fit a cache
  integer_matrix out;
  out.rows = biases.size(), out.columns = samples.columns;
  out.values.resize(weights.size());
  out.biases.assign(biases.begin(), biases.end());
  for (std::size_t r = 0; r < out.rows; ++r)
    out.scales.push_back(scale_of_row(weights.subspan(r * out.columns, out.columns)));
  for (std::size_t first = 0; first < out.columns; first += inputs_together) {
    const std::size_t inputs = std::min(inputs_together, out.columns - first);
    const error_feedback feedback(kernels, {samples.data + first, samples.rows, inputs, samples.stride});
    for (std::size_t r = 0; r < out.rows; r += rows_together) {
      const std::size_t rows = std::min(rows_together, out.rows - r);
      feedback.round(weights.subspan(r * out.columns), first, out.columns, std::span(out.scales).subspan(r, rows),
                     out.values.data() + r * out.columns, out.biases.data() + r);
    }
  }
  return out;
}

/// The same for inputs that are multiplied with factors before.
inline integer_matrix round_smoothed(const dupq::kernels& kernels, std::span<const float> weights,
                                     std::span<const float> biases, dupq::matrix<const float> samples) {
  std::vector<float> factors = smoothing_factors(kernels, samples);
  if (factors.empty()) return round_matrix(kernels, weights, biases, samples);
  const std::vector<float> inputs = scaled_up(samples, factors), divided = scaled_down(weights, factors);
  integer_matrix out = round_matrix(kernels, divided, biases, {inputs.data(), samples.rows, samples.columns});
  out.factors = std::move(factors);
  return out;
}

}  // namespace dupq_tool
