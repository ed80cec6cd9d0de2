// Random layers for the reference and for kernels, and how far results are apart.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/device/cuda/linear.hpp>
#include <dupq/device/cuda/packing.hpp>
#include <dupq/device/reference.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "emulator.hpp"

namespace cuda_test {

using dupq::gpu::half;
using halves = emulator::buffer<half>;
using floats = emulator::buffer<float>;

inline std::mt19937& generator() {
  static std::mt19937 g(7);
  return g;
}
/// Normally distributed numbers that halves represent.
inline std::vector<float> random_halves(std::size_t n, float deviation, float mean = 0) {
  std::normal_distribution<float> d(mean, deviation);
  std::vector<float> v(n);
  for (float& x : v) x = dupq::widen_f16(dupq::narrow_f16(d(generator())));
  return v;
}

inline std::vector<float> widen(const halves& from) {
  std::vector<float> v(from.size());
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = dupq::widen_f16(from[i]);
  return v;
}

/// Rows of `columns` numbers as rows of `stride` halves; the columns behind are 0.
inline void put_rows(const std::vector<float>& from, std::size_t columns, std::size_t stride, const halves& to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = 0;
  for (std::size_t i = 0; i < from.size(); ++i) to[i / columns * stride + i % columns] = dupq::narrow_f16(from[i]);
}

inline int same(int i) { return i; }

/// A linear layer, plain and packed. to_input(i) is where input i lies.
struct layer {
  layer(int outputs, int inputs, int padded_outputs, int padded_inputs, const std::function<int(int)>& to_input = same)
      : panels((static_cast<std::size_t>(outputs) + 15) / 16 * 16 * static_cast<std::size_t>(inputs)),
        bias(random_halves(static_cast<std::size_t>(outputs), 0.1f)),
        weights(static_cast<std::size_t>(padded_outputs) * static_cast<std::size_t>(padded_inputs),
                emulator::use::read),
        packed_bias(static_cast<std::size_t>(padded_outputs), emulator::use::read) {
    panels = random_halves(panels.size(), 1.0f / std::sqrt(static_cast<float>(inputs)));
    plain.panels = panels.data(), plain.bias = bias.data();
    plain.outputs = static_cast<std::size_t>(outputs), plain.inputs = static_cast<std::size_t>(inputs);
    REQUIRE(dupq::gpu::pack_linear(plain, padded_outputs, padded_inputs, same, to_input, weights.data(),
                                   packed_bias.data()));
    packed = {weights.data(), packed_bias.data(), padded_outputs, padded_inputs};
  }
  layer(const layer&) = delete;
  layer& operator=(const layer&) = delete;

  std::vector<float> panels, bias;
  halves weights;
  floats packed_bias;
  dupq::linear<dupq::host_memory> plain;
  dupq::gpu::packed_linear packed;
};

/// A norm's gain or bias, padded with zeros.
inline floats padded(const std::vector<float>& v, std::size_t n) {
  std::vector<float> all(v);
  all.resize(n);
  return floats(all);
}

/// The largest difference of the first `columns` of rows with two strides, over 1 + |truth|; NaN is far.
inline float distance(const std::vector<float>& truth, std::size_t truth_stride, const std::vector<float>& found,
                      std::size_t stride, std::size_t rows, std::size_t columns) {
  float most = 0;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      const float t = truth[r * truth_stride + c], d = std::fabs(found[r * stride + c] - t) / (1 + std::fabs(t));
      most = d <= most ? most : d;
      if (std::isnan(d)) return d;
    }
  return most;
}

/// A batch of texts of these lengths, for kernels and for the reference.
struct texts {
  explicit texts(const std::vector<std::uint32_t>& lengths) : offsets{0} {
    for (const std::uint32_t n : lengths) offsets.push_back(offsets.back() + n);
    batch.offsets = offsets.data();
    batch.texts = lengths.size();
    batch.tokens = offsets.back();
  }
  texts(const texts&) = delete;
  texts& operator=(const texts&) = delete;

  std::vector<std::uint32_t> offsets;
  dupq::token_batch batch;
};

/// Places of results: the last one first.
inline std::vector<std::uint32_t> backwards(std::size_t count) {
  std::vector<std::uint32_t> places(count);
  for (std::size_t i = 0; i < count; ++i) places[i] = static_cast<std::uint32_t>(count - 1 - i);
  return places;
}

/// Ten schedules of one case: run(seed) checks a result and returns its bits, which are the same each time.
template <class Run>
void check_schedules(Run&& run) {
  const auto first = run(1u);
  for (std::uint32_t seed = 2; seed <= 10; ++seed) CHECK(first == run(seed));
}

inline std::vector<std::uint32_t> lengths_to(std::uint32_t most, std::uint32_t first = 1, std::uint32_t step = 1) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t n = first; n <= most; n += step) all.push_back(n);
  return all;
}
/// Ten schedules of a slow kernel: each with every tenth length up to `most`, so that all are there.
template <class Run>
void check_tenths(std::uint32_t most, Run&& run) {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) run(lengths_to(most, seed, 10), seed);
}

}  // namespace cuda_test
