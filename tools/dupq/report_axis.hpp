// Axes of figures: where a value stands, and the round numbers that are written beside it.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "report_text.hpp"

namespace dupq_tool::report {

/// A place in a figure, to a tenth of its unit, which is about a pixel.
inline std::string place(double at) {
  std::string digits = fixed(at, 1);
  if (digits.ends_with(".0")) digits.resize(digits.size() - 2);
  return digits == "-0" ? "0" : digits;
}

/// Values from `low` to `high`, at places from `from` to `to` (which may be smaller: upwards).
struct axis {
  double low = 0, high = 1, from = 0, to = 1;
  double step = 0.2;  ///< between ticks, 1, 2 or 5 times a power of ten

  /// Values beyond the ends stand at them, and what is no number at the low one.
  double operator()(double value) const noexcept {
    const double share = (value - low) / (high - low);
    return from + (to - from) * (share > 0 ? std::min(share, 1.0) : 0.0);
  }

  std::vector<double> ticks() const {
    std::vector<double> out;
    const double slack = 1e-6;
    for (double k = std::ceil(low / step - slack); k <= high / step + slack; ++k) out.push_back(k * step);
    return out;
  }

  /// As many digits as the step needs.
  std::string label(double value) const {
    const int places = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
    if (std::fabs(value) < step / 2) value = 0;
    if (std::fabs(value) < 1e6 && places <= 6) return with_minus(fixed(value, places));
    char digits[64];
    return with_minus(
        {digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 6).ptr});
  }
};

/// An axis from a round number at or below `low` to one at or above `high`, with at most `most` steps. A thousandth of
/// a step does not count: rounded cosines go a little beyond 1.
inline axis round_axis(double low, double high, double from, double to, double most) {
  const double size = std::max({std::fabs(low), std::fabs(high), 1e-3});
  if (!(high - low >= 1e-5 * size)) {  // one value: some room around it
    low -= 0.05 * size;
    high += 0.05 * size;
  }
  const double power = std::pow(10.0, std::floor(std::log10((high - low) / most)));
  for (double step = power;; step *= 10)
    for (const double by : {1.0, 2.0, 5.0}) {
      const double first = std::floor(low / (by * step) + 1e-3), last = std::ceil(high / (by * step) - 1e-3);
      if (last - first <= most) return {first * by * step, last * by * step, from, to, by * step};
    }
}

}  // namespace dupq_tool::report
