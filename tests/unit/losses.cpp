#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/training/losses.hpp>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <vector>

namespace {

using floats = std::vector<float>;

struct loss_case {
  std::string_view name, loss;
  std::size_t dim;
  floats first, second, negatives, labels;
  double value;
  std::vector<double> gradients;  ///< of first, second, negatives
};

const std::vector<loss_case>& cases() {
  static const std::vector<loss_case> all = {
#include "loss_cases.inc"
  };
  return all;
}

struct outcome {
  double value = 0;
  floats first, second, negatives;

  floats all() const {
    floats joined = first;
    joined.insert(joined.end(), second.begin(), second.end());
    joined.insert(joined.end(), negatives.begin(), negatives.end());
    return joined;
  }
};

/// Gradients and scratch hold NaN before: a loss writes all of the first and reads none of the second.
template <class Loss>
outcome of_vectors(const Loss& loss, const loss_case& c) {
  constexpr float no_number = std::numeric_limits<float>::quiet_NaN();
  const std::size_t pairs = c.first.size() / c.dim;
  outcome result{0, floats(c.first.size(), no_number), floats(c.second.size(), no_number),
                 floats(c.negatives.size(), no_number)};
  std::vector<double> scratch(Loss::scratch_doubles(pairs, c.dim), std::nan(""));
  const auto rows = [&](auto& x) { return dupq::matrix(x.data(), x.size() / c.dim, c.dim); };
  result.value = loss(dupq::vector_batch{rows(c.first), rows(c.second), rows(c.negatives), c.labels},
                      dupq::vector_gradients{rows(result.first), rows(result.second), rows(result.negatives)}, scratch);
  return result;
}

outcome computed(const loss_case& c) {
  if (c.loss == "cosine") return of_vectors(dupq::cosine_loss{}, c);
  if (c.loss == "contrastive") return of_vectors(dupq::contrastive_loss{}, c);
  if (c.loss == "online") return of_vectors(dupq::online_contrastive_loss{}, c);
  if (c.loss == "mnr") return of_vectors(dupq::mnr_loss{}, c);
  outcome result{0, floats(c.first.size(), std::numeric_limits<float>::quiet_NaN()), {}, {}};
  result.value = dupq::cross_loss{}(c.first, c.labels, result.first, {});
  return result;
}

loss_case named(std::string_view loss, std::string_view name) {
  const auto at =
      std::find_if(cases().begin(), cases().end(), [&](const auto& c) { return c.loss == loss && c.name == name; });
  REQUIRE(at != cases().end());
  return *at;
}

constexpr std::string_view of_labels[3] = {"cosine", "contrastive", "online"};

}  // namespace

TEST_CASE("losses: values and gradients are those of sentence-transformers in float64") {
  REQUIRE(cases().size() > 40);
  for (const auto& c : cases()) {
    CAPTURE(c.loss);
    CAPTURE(c.name);
    const outcome got = computed(c);
    CHECK(got.value == doctest::Approx(c.value).epsilon(1e-12));
    const floats gradients = got.all();
    REQUIRE(gradients.size() == c.gradients.size());
    for (std::size_t i = 0; i < gradients.size(); ++i)
      CHECK(std::fabs(static_cast<double>(gradients[i]) - c.gradients[i]) <=
            6.1e-8 * std::fabs(c.gradients[i]) + 1e-13);
  }
}

TEST_CASE("losses: gradients are the slopes of the value") {
  // An independent check of the same formulas: one number of a vector is moved to either side. Steps are exact floats.
  const float step = 0x1p-12f;
  for (const std::string_view loss : {"cosine", "contrastive", "online", "mnr"}) {
    loss_case c = named(loss, loss == "mnr" ? "with negatives" : "mixed");
    CAPTURE(c.loss);
    const floats gradients = computed(c).all();
    std::size_t place = 0;
    for (floats* column : {&c.first, &c.second, &c.negatives})
      for (float& x : *column) {
        const float kept = x;
        x = kept + step;
        const double above = computed(c).value;
        x = kept - step;
        const double below = computed(c).value;
        x = kept;
        const double slope = (above - below) / (2 * static_cast<double>(step));
        CHECK(static_cast<double>(gradients[place]) == doctest::Approx(slope).epsilon(1e-4).scale(0.01));
        ++place;
      }
  }
}

TEST_CASE("losses: identical vectors have no gradient, and none of it is NaN") {
  for (const std::string_view loss : of_labels) {
    loss_case c = named(loss, "mixed");
    CAPTURE(c.loss);
    c.second = c.first;
    for (const float x : computed(c).all()) CHECK(std::fabs(x) < 1e-13f);
    for (float& x : c.second) x *= 4;  // a scaled copy
    for (const float x : computed(c).all()) CHECK(std::fabs(x) < 1e-13f);
  }
}

TEST_CASE("losses: a zero vector's cosine is 0, its gradient finite") {
  for (const std::string_view loss : {"cosine", "contrastive", "online", "mnr"}) {
    loss_case c = named(loss, "mixed");
    CAPTURE(c.loss);
    std::fill_n(c.first.begin(), c.dim, 0.0f);
    std::fill_n(c.second.begin(), c.dim, 0.0f);
    const outcome got = computed(c);
    CHECK(std::isfinite(got.value));
    for (const float x : got.all()) CHECK(std::isfinite(x));
  }
}

TEST_CASE("losses: what is not finite does not pass for a number") {
  for (const std::string_view loss : {"cosine", "contrastive", "online", "mnr"})
    for (const bool second : {false, true})
      for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
        for (std::size_t row = 0; row < 7; ++row) {
          loss_case c = named(loss, "mixed");
          CAPTURE(c.loss);
          CAPTURE(row);
          (second ? c.second : c.first)[row * c.dim + 2] = wrong;
          CHECK_FALSE(std::isfinite(computed(c).value));
        }
  const float logits[2] = {1, std::numeric_limits<float>::quiet_NaN()}, labels[2] = {0, 0};
  float gradients[2];
  CHECK(std::isnan(dupq::cross_loss{}(logits, labels, gradients, {})));
}

TEST_CASE("losses: rows lie where their matrix says") {
  for (const std::string_view loss : {"cosine", "contrastive", "online", "mnr"}) {
    const loss_case c = named(loss, loss == "mnr" ? "with negatives" : "mixed");
    const outcome close = computed(c);
    const std::size_t pairs = c.first.size() / c.dim, stride = c.dim + 3;
    floats from[3], to[3];
    const floats* columns[3] = {&c.first, &c.second, &c.negatives};
    for (std::size_t k = 0; k < 3; ++k) {
      from[k].assign(columns[k]->size() / c.dim * stride, 7.0f);
      to[k].assign(from[k].size(), 7.0f);
      for (std::size_t i = 0; i < columns[k]->size(); ++i) from[k][i / c.dim * stride + i % c.dim] = (*columns[k])[i];
    }
    const auto rows = [&](floats& x) { return dupq::matrix<float>(x.data(), x.size() / stride, c.dim, stride); };
    const dupq::vector_batch batch{rows(from[0]), rows(from[1]), rows(from[2]), c.labels};
    const dupq::vector_gradients gradients{rows(to[0]), rows(to[1]), rows(to[2])};
    std::vector<double> scratch(2 * pairs * pairs + 3 * pairs + c.dim);
    const double value = loss == "cosine"        ? dupq::cosine_loss{}(batch, gradients, scratch)
                         : loss == "contrastive" ? dupq::contrastive_loss{}(batch, gradients, scratch)
                         : loss == "online"      ? dupq::online_contrastive_loss{}(batch, gradients, scratch)
                                                 : dupq::mnr_loss{}(batch, gradients, scratch);
    CHECK(value == close.value);
    const floats* expected[3] = {&close.first, &close.second, &close.negatives};
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t i = 0; i < to[k].size(); ++i)
        CHECK(to[k][i] == (i % stride < c.dim ? (*expected[k])[i / stride * c.dim + i % stride] : 7.0f));
  }
}

TEST_CASE("losses: margin and scale are the caller's") {
  loss_case c = named("online", "one different pair");
  c.first = {3, 4};
  c.second = {3, 4};
  c.dim = 2;
  CHECK(of_vectors(dupq::contrastive_loss{0.25f}, c).value == doctest::Approx(0.25 * 0.25 / 2));
  c.first = {1, 0, 0, 1};
  c.second = {1, 0, 0, 1};
  c.labels = {0, 1};
  c.first[2] = 0.5f;  // a positive a little apart makes the identical negative a hard one
  const double d = 1 - 1 / std::sqrt(1.25);
  CHECK(of_vectors(dupq::online_contrastive_loss{0.25f}, c).value == doctest::Approx(0.25 * 0.25 + d * d));
  c.labels.clear();
  const double far = 10 * 0.5 / std::sqrt(1.25), near = 10 / std::sqrt(1.25);
  CHECK(of_vectors(dupq::mnr_loss{10.0f}, c).value ==
        doctest::Approx((std::log(std::exp(10) + 1) - 10 + std::log(std::exp(far) + std::exp(near)) - near) / 2));
}

TEST_CASE("losses: the same bits with every compiler and C library") {
  // A digest of all values and gradients, computed once; where it differs, some sum is rounded in another way.
  std::uint64_t digest = 14695981039346656037u;
  const auto add = [&](std::uint64_t bits) { digest = (digest ^ bits) * 1099511628211u; };
  for (const auto& c : cases()) {
    const outcome got = computed(c);
    add(std::bit_cast<std::uint64_t>(got.value));
    for (const float x : got.all()) add(std::bit_cast<std::uint32_t>(x));
  }
  CHECK(digest == 8043219723423347596u);
}

TEST_CASE("losses: exponential and logarithm in double") {
  using namespace dupq::double_formulas;
  for (int i = 0; i <= 70800; ++i) {
    const double x = -i / 100.0;
    CHECK(exp_negative(x) == doctest::Approx(std::exp(x)).epsilon(4.5e-16));
  }
  CHECK(exp_negative(0) == 1);
  CHECK(exp_negative(1e-16) == 1);
  CHECK(exp_negative(-709) == 0);
  CHECK(exp_negative(-HUGE_VAL) == 0);
  CHECK(std::isnan(exp_negative(std::nan(""))));
  for (double x = 1e-300; x <= 1; x *= 1.37) CHECK(log_one_plus(x) == doctest::Approx(std::log1p(x)).epsilon(4.5e-16));
  CHECK(log_one_plus(1) == doctest::Approx(std::log(2.0)).epsilon(4.5e-16));
  CHECK(log_one_plus(0) == 0);
  for (double x = 1; x < 1e300; x *= 1.0137) CHECK(log_above_one(x) == doctest::Approx(std::log(x)).epsilon(4.5e-16));
  CHECK(log_above_one(1) == 0);
  CHECK(std::isnan(log_above_one(std::nan(""))));
  CHECK(std::isnan(log_above_one(HUGE_VAL)));
}

TEST_CASE("losses: sums of products end where the vectors end") {
  using namespace dupq::double_formulas;
  for (std::size_t n = 0; n < 27; ++n) {
    floats x(n + 1, 1000.0f), y(n + 1, 1000.0f);
    double expected = 0;
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = static_cast<float>(i + 1);
      y[i] = static_cast<float>(3 * i) - 7;
      expected += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    }
    CHECK(dot(x.data(), y.data(), n) == expected);
  }
  const double third = 1.0 / 3;
  CHECK(factor(third).plus(1, 3) == doctest::Approx(2).epsilon(1e-14));
  CHECK(std::fabs(factor(third).high + factor(third).low - third) < 1e-15);
}
