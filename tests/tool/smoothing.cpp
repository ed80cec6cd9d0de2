// Factors of inputs: the product stays, sizes get alike, and inputs that say nothing have none.
#include "smoothing.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <dupq/device/cpu/cpu.hpp>
#include <limits>
#include <random>
#include <vector>

#include "integer_matrix.hpp"

using namespace dupq_tool;

namespace {

constexpr std::size_t rows = 24, inputs = 40, count = 200;

/// Normally distributed inputs of which one in ten is 30 times as large as the others, around different means.
std::vector<float> uneven_inputs(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(count * inputs);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t input = i % inputs;
    x[i] = normal(random) * (input % 10 == 3 ? 30.0f : 1.0f) + 0.05f * static_cast<float>(input);
  }
  return x;
}

std::vector<float> weights() {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> w(rows * inputs);
  for (float& x : w) x = normal(random);
  return w;
}

/// Mean squared error of products with integers, inputs as bytes too.
double error(const integer_matrix& m, const std::vector<float>& w, const std::vector<float>& x) {
  double sum = 0;
  std::vector<std::uint8_t> bytes(inputs);
  for (std::size_t s = 0; s < count; ++s) {
    dupq::row_scale scale;
    dupq::scalar_kernels::quantize(1, inputs, inputs, &x[s * inputs], m.factors.empty() ? nullptr : m.factors.data(),
                                   bytes.data(), &scale);
    for (std::size_t r = 0; r < rows; ++r) {
      double e = double{m.biases[r]};
      for (std::size_t i = 0; i < inputs; ++i)
        e += (bytes[i] - scale.zero) * double{scale.scale} * m.row(r)[i] * double{m.scales[r]} -
             double{w[r * inputs + i]} * double{x[s * inputs + i]};
      sum += e * e;
    }
  }
  return sum / (count * rows);
}

}  // namespace

TEST_CASE("factors make inputs alike in size, and products of integers better") {
  const std::vector<float> x = uneven_inputs(1), fresh = uneven_inputs(2), w = weights(), biases(rows);
  const dupq::matrix<const float> samples(x.data(), count, inputs);
  const auto f = smoothing_factors(dupq::scalar_kernels::table, samples);
  REQUIRE(f.size() == inputs);
  for (std::size_t i = 0; i < inputs; ++i)
    CHECK(std::fabs(f[i] - (i % 10 == 3 ? 1 / std::sqrt(30.0f) : 1.0f)) < (i % 10 == 3 ? 0.03f : 0.1f));
  const auto plain = round_matrix(dupq::scalar_kernels::table, w, biases, samples);
  const auto smoothed = round_smoothed(dupq::scalar_kernels::table, w, biases, samples);
  CHECK(plain.factors.empty());
  CHECK(smoothed.factors == f);
  CHECK(error(smoothed, w, fresh) < 0.7 * error(plain, w, fresh));
}

TEST_CASE("an input that never varies does not outgrow the others, and none that says nothing has a factor") {
  std::vector<float> x = uneven_inputs(1);
  for (std::size_t s = 0; s < count; ++s) x[s * inputs + 7] = 5.0f;
  const dupq::matrix<const float> samples(x.data(), count, inputs);
  for (const float f : smoothing_factors(dupq::scalar_kernels::table, samples)) CHECK((f > 0 && f < 40));
  for (const float constant : {0.0f, 3.0f, std::numeric_limits<float>::infinity()}) {
    std::fill(x.begin(), x.end(), constant);
    CHECK(smoothing_factors(dupq::scalar_kernels::table, samples).empty());
  }
}

TEST_CASE("factors are the same from every kernel table") {
  const std::vector<float> x = uneven_inputs(4);
  const dupq::matrix<const float> samples(x.data(), count, inputs);
  for (const dupq::kernels* table : dupq::available_kernels())
    CHECK(smoothing_factors(*table, samples) == smoothing_factors(dupq::scalar_kernels::table, samples));
}
