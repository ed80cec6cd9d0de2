// AdamW in numbers: the factors of one step, and the learning rate of every step.
//
// With gradient g, parameter p and moments m and v, a step is, in float and element by element:
//   g' = scale g;  p' = decay p;  m = beta1 m + rest1 g';  v = beta2 v + rest2 g'^2;
//   p = p' - rate m / (sqrt(v) root + epsilon)
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

struct adamw_options {
  double learning_rate = 2e-5;  ///< the schedule's highest
  double weight_decay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip = 1.0;  ///< the longest that all gradients together may be; 0: any length
};

/// See the formula above.
struct adamw_factors {
  float decay;  ///< 1 - learning rate * weight decay, or 1
  float beta1;
  float rest1;  ///< 1 - beta1
  float beta2;
  float rest2;  ///< 1 - beta2
  float root;   ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
  float rate;   ///< learning rate / (1 - beta1^t)
  float scale;  ///< what clipping multiplies gradients with
};

namespace adamw_detail {

/// 1 - base^exponent, by multiplication alone: pow differs between C libraries.
inline double one_minus_power(double base, std::uint64_t exponent) noexcept {
  double power = 1;
  for (; exponent != 0; exponent /= 2) {
    if (exponent % 2 != 0) power *= base;
    base *= base;
  }
  return 1 - float_environment::pinned(power);  // the product is rounded before it is subtracted
}

}  // namespace adamw_detail

/// The factors of step `t`, counted from 1, with learning rate `lr`, when all gradients together are `gradient_norm`
/// long before clipping; `decays` says whether weight decay applies to the parameter.
inline adamw_factors adamw_at(const adamw_options& options, double lr, std::uint64_t t, double gradient_norm,
                              bool decays) noexcept {
  const float_environment ieee;
  const auto narrow = [](double x) { return static_cast<float>(float_environment::pinned(x)); };
  const double clipped = options.clip > 0 ? options.clip / (gradient_norm + 1e-6) : 1.0;
  return {
      .decay = narrow(decays ? std::fma(-lr, options.weight_decay, 1.0) : 1.0),
      .beta1 = narrow(options.beta1),
      .rest1 = narrow(1 - options.beta1),
      .beta2 = narrow(options.beta2),
      .rest2 = narrow(1 - options.beta2),
      .root = narrow(1 / std::sqrt(adamw_detail::one_minus_power(options.beta2, t))),
      .epsilon = narrow(options.epsilon),
      .rate = narrow(lr / adamw_detail::one_minus_power(options.beta1, t)),
      .scale = narrow(std::min(clipped, 1.0)),
  };
}

/// The learning rate of step `step`, counted from 0, of `total`: from 0 up to `lr` in the first `warmup` steps, then
/// down in a line that reaches 0 after the last step.
inline double linear_schedule(double lr, std::uint64_t step, std::uint64_t warmup, std::uint64_t total) noexcept {
  const float_environment ieee;
  if (step < warmup) return ieee.pinned(lr * (static_cast<double>(step) / static_cast<double>(warmup)));
  if (step >= total) return 0;
  return ieee.pinned(lr * (static_cast<double>(total - step) / static_cast<double>(total - warmup)));
}

}  // namespace dupq::inline DUPQ_ABI
