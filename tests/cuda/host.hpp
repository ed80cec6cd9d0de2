// Inputs for kernels, their twins for `reference`, and comparisons.
#pragma once

#include <doctest/doctest.h>
#include <dupq/device/reference.hpp>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "machine.hpp"

namespace host {

using halves = std::vector<std::uint16_t>;
using floats = std::vector<float>;

inline float rounded(float v) { return emulator::widen(dupq_tool::to_half(v)); }

/// Normally distributed numbers that half precision represents exactly.
inline floats numbers(std::size_t n, unsigned seed, float deviation, float mean = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(mean, deviation);
  floats all(n);
  for (float& v : all) v = rounded(normal(random));
  return all;
}
inline halves to_halves(const floats& all) {
  halves h;
  for (const float v : all) h.push_back(dupq_tool::to_half(v));
  return h;
}
inline floats to_floats(const halves& all) {
  floats f;
  for (const std::uint16_t v : all) f.push_back(emulator::widen(v));
  return f;
}

/// Texts of these lengths, end to end.
inline std::vector<std::uint32_t> offsets(const std::vector<unsigned>& lengths) {
  std::vector<std::uint32_t> all{0};
  for (const unsigned n : lengths) all.push_back(all.back() + n);
  return all;
}

/// A matrix of weights: [outputs][inputs] for kernels, in panels for `reference`.
struct weights {
  floats rows, panels, bias;
  halves rows_16;
  dupq::linear<dupq::host_memory> view;

  weights(std::size_t outputs, std::size_t inputs, unsigned seed, float deviation)
      : rows(numbers(outputs * inputs, seed, deviation)),
        panels((outputs + 15) / 16 * 16 * inputs),
        bias(numbers(outputs, seed + 1, 0.2f)),
        rows_16(to_halves(rows)) {
    for (std::size_t o = 0; o < outputs; ++o)
      for (std::size_t i = 0; i < inputs; ++i) panels[(o / 16 * inputs + i) * 16 + o % 16] = rows[o * inputs + i];
    view.panels = panels.data(), view.bias = bias.data(), view.outputs = outputs, view.inputs = inputs;
  }
};

struct norm {
  floats gain, bias;
  dupq::layer_norm<dupq::host_memory> view;

  norm(std::size_t size, unsigned seed) : gain(numbers(size, seed, 0.2f, 1)), bias(numbers(size, seed + 1, 0.1f)) {
    view = {gain.data(), bias.data(), size, 1e-12f};
  }
};

/// The root of the mean square of a - b, over that of b.
inline double relative_error(const floats& a, const floats& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return HUGE_VAL;
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

/// Everything that a kernel may touch while this lives.
class arrays {
 public:
  arrays() { emulator::gpu.forget_arrays(); }
  ~arrays() { emulator::gpu.forget_arrays(); }
  arrays(const arrays&) = delete;
  arrays& operator=(const arrays&) = delete;

  template <class... T>
  void read(const std::vector<T>&... all) {
    (emulator::gpu.may_read(std::span<const T>(all)), ...);
  }
  template <class... T>
  void write(std::vector<T>&... all) {
    (emulator::gpu.may_write(std::span<T>(all)), ...);
  }
};

}  // namespace host
