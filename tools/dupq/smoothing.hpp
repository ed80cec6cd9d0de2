// Factors that make the inputs of a matrix alike in size, so that one scale for all of them wastes fewer bits.
//
// A few of a norm's outputs vary far more than the others, and all of a row become integers with one step, which is
// then large. Multiplying each input by a factor and dividing its weights by it leaves the product what it was
// ("SmoothQuant", Xiao et al., 2023). With the factor 1 / sqrt(standard deviation), inputs and weights share the
// burden.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <dupq/core/matrix.hpp>
#include <dupq/device/cpu/kernels.hpp>
#include <span>
#include <vector>

namespace dupq_tool {

/// For each input, the sum of the squares of its samples' distances from `mean`, in order: the same on every machine.
inline std::vector<double> squared_distances(dupq::matrix<const float> samples, std::span<const float> mean) {
  std::vector<double> squares(samples.columns);
  for (std::size_t s = 0; s < samples.rows; ++s)
    for (std::size_t i = 0; i < samples.columns; ++i) {
      const double d = samples.row(s)[i] - mean[i];  // a float, whose square is exact
      squares[i] += d * d;
    }
  return squares;
}

/// A factor for each input, from samples of them, [samples][inputs]; none where the samples say nothing. The same on
/// every machine: sums run in order, and roots and quotients are exactly rounded.
inline std::vector<float> smoothing_factors(const dupq::kernels& kernels, dupq::matrix<const float> samples) {
  const std::size_t n = samples.columns;
  std::vector<float> mean(n), factors(n);
  kernels.mean(samples.rows, n, samples.stride, samples.data, mean.data());
  std::vector<double> deviation = squared_distances(samples, mean);
  double sum = 0;
  for (double& d : deviation) {
    d = std::sqrt(d / static_cast<double>(samples.rows));
    sum += d;
  }
  const double least = sum / static_cast<double>(n) / 1000;  // an input that hardly varies must not outgrow the others
  if (!std::isfinite(sum) || least < 1e-12) return {};
  for (std::size_t i = 0; i < n; ++i) factors[i] = static_cast<float>(1 / std::sqrt(std::max(deviation[i], least)));
  return factors;
}

/// Rows of inputs times their factors.
inline std::vector<float> scaled_up(dupq::matrix<const float> x, std::span<const float> factors) {
  std::vector<float> out(x.rows * x.columns);
  for (std::size_t r = 0; r < x.rows; ++r)
    for (std::size_t i = 0; i < x.columns; ++i) out[r * x.columns + i] = x.row(r)[i] * factors[i];
  return out;
}

/// Rows of weights over their inputs' factors.
inline std::vector<float> scaled_down(std::span<const float> weights, std::span<const float> factors) {
  std::vector<float> out(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) out[i] = weights[i] / factors[i % factors.size()];
  return out;
}

}  // namespace dupq_tool
