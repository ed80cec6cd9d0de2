// Rounding with feedback: nearer to the true products than the nearest integers are, and the same everywhere.
#include "integer_matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <dupq/device/cpu/cpu.hpp>
#include <limits>
#include <random>
#include <vector>

using namespace dupq_tool;

namespace {

/// A matrix, and inputs that hang together as a model's do: each is a mix of a few causes, a constant and some noise.
struct problem {
  std::size_t rows, columns;
  std::vector<float> weights, biases, samples, fresh;
  static constexpr std::size_t count = 200;

  problem(std::size_t rows_, std::size_t columns_) : rows(rows_), columns(columns_) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    const auto some = [&](std::size_t n, float size) {
      std::vector<float> v(n);
      for (float& x : v) x = size * normal(random);
      return v;
    };
    constexpr std::size_t causes = 12;
    weights = some(rows * columns, 0.05f);
    biases = some(rows, 1.0f);
    const std::vector<float> mix = some(causes * columns, 0.5f), constant = some(columns, 1.0f);
    for (std::vector<float>* set : {&samples, &fresh}) {
      *set = some(count * columns, 0.3f);
      for (std::size_t s = 0; s < count; ++s) {
        const std::vector<float> cause = some(causes, 1.0f);
        for (std::size_t i = 0; i < columns; ++i) {
          float& x = (*set)[s * columns + i];
          x += constant[i];
          for (std::size_t c = 0; c < causes; ++c) x += cause[c] * mix[c * columns + i];
        }
      }
    }
  }
  integer_matrix rounded(const dupq::kernels& kernels) const {
    return round_matrix(kernels, weights, biases, {samples.data(), count, columns});
  }
  integer_matrix nearest() const {
    integer_matrix m{rows, columns, std::vector<std::int8_t>(weights.size()), {}, biases, {}};
    for (std::size_t r = 0; r < rows; ++r) {
      m.scales.push_back(scale_of_row(std::span(weights).subspan(r * columns, columns)));
      for (std::size_t i = r * columns; i < (r + 1) * columns; ++i)
        if (m.scales[r] != 0.0f) m.values[i] = quantize(weights[i], m.scales[r], weight_limit);
    }
    return m;
  }
  /// Mean squared error of the outputs for inputs that the rounding has not seen.
  double error(const integer_matrix& m) const {
    double sum = 0;
    for (std::size_t s = 0; s < count; ++s)
      for (std::size_t r = 0; r < rows; ++r) {
        double e = double{m.biases[r]} - double{biases[r]};
        for (std::size_t i = 0; i < columns; ++i)
          e += (m.row(r)[i] * double{m.scales[r]} - double{weights[r * columns + i]}) * double{fresh[s * columns + i]};
        sum += e * e;
      }
    return sum / static_cast<double>(count * rows);
  }
};

bool same(const integer_matrix& a, const integer_matrix& b) {
  return a.values == b.values && a.scales == b.scales && a.biases == b.biases;
}

}  // namespace

TEST_CASE("rounding with feedback has a fraction of the error") {
  const problem p(24, 96);
  const integer_matrix m = p.rounded(dupq::scalar_kernels::table), nearest = p.nearest();
  CHECK(m.rows == 24);
  CHECK(m.columns == 96);
  CHECK(m.scales == nearest.scales);
  for (const int q : m.values) CHECK(std::abs(q) <= weight_limit);
  CHECK(p.error(m) < 0.25 * p.error(nearest));
  integer_matrix uncorrected = m;
  uncorrected.biases = p.biases;
  CHECK(p.error(m) < p.error(uncorrected));
  integer_matrix corrected = nearest;
  corrected.biases = m.biases;
  CHECK(p.error(m) < p.error(corrected));
}

TEST_CASE("rounding gives the same from every kernel table, in blocks of inputs and rows too") {
  for (const auto& [rows, columns] : {std::pair<std::size_t, std::size_t>{1, 1}, {33, 52}, {40, 800}}) {
    const problem p(rows, columns);
    const integer_matrix truth = p.rounded(dupq::scalar_kernels::table);
    CHECK(p.error(truth) <= p.error(p.nearest()));
    for (const dupq::kernels* table : dupq::available_kernels()) {
      CAPTURE(table->name);
      CHECK(same(p.rounded(*table), truth));
    }
  }
}

TEST_CASE("inputs that say nothing leave the nearest integers") {
  problem p(20, 40);
  const integer_matrix nearest = p.nearest();
  for (const float constant : {0.0f, 3.0f, std::numeric_limits<float>::infinity()}) {
    std::fill(p.samples.begin(), p.samples.end(), constant);
    const integer_matrix m = p.rounded(dupq::scalar_kernels::table);
    CHECK(m.values == nearest.values);
    CHECK((m.biases == p.biases) == (constant != 3.0f));  // a constant error can be made up for
    for (const float b : m.biases) CHECK(std::isfinite(b));
  }
}

TEST_CASE("rows of zeros stay") {
  problem p(18, 40);
  std::fill_n(p.weights.begin() + 3 * 40, 40, 0.0f);
  const integer_matrix m = p.rounded(dupq::scalar_kernels::table);
  CHECK(m.scales[3] == 0.0f);
  CHECK(std::all_of(m.row(3).begin(), m.row(3).end(), [](int q) { return q == 0; }));
  CHECK(m.biases[3] == p.biases[3]);
  CHECK(m.scales[4] != 0.0f);
}
