#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <dupq/metrics.hpp>
#include <limits>
#include <string_view>
#include <vector>

namespace {

struct metrics_case {
  const char* name;
  std::vector<float> scores;
  std::string_view labels;
  float threshold;
  dupq::confusion best;
  dupq::confusion at_half;
  double cosine_threshold;
  double probability_threshold;
  double average_precision;
};

const std::vector<metrics_case>& cases() {
  static const std::vector<metrics_case> all = {
#include "metrics_cases.inc"
  };
  return all;
}

std::vector<int> to_labels(std::string_view text) {
  std::vector<int> labels;
  for (const char c : text) labels.push_back(c - '0');
  return labels;
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("metrics: as scikit-learn") {
  for (const auto& c : cases()) {
    CAPTURE(c.name);
    const auto labels = to_labels(c.labels);
    const auto best = dupq::best_f1(c.scores, labels);
    REQUIRE(best.has_value() == (c.labels.find('1') != std::string_view::npos));
    if (best) {
      CHECK(best->threshold == static_cast<double>(c.threshold));
      CHECK(best->counts == c.best);
      CHECK(best->f1 == c.best.f1());
      CHECK(best->precision == c.best.precision());
      CHECK(best->recall == c.best.recall());
      CHECK(best->accuracy == c.best.accuracy());
      CHECK(dupq::confusion_at(c.scores, labels, best->threshold) == c.best);
    }
    CHECK(dupq::confusion_at(c.scores, labels, 0.5) == c.at_half);
    const auto cosine = dupq::best_f1_on_grid(c.scores, labels, dupq::cosine_grid);
    REQUIRE(cosine);
    CHECK(cosine->threshold == c.cosine_threshold);
    CHECK(cosine->counts == dupq::confusion_at(c.scores, labels, c.cosine_threshold));
    const auto probability = dupq::best_f1_on_grid(c.scores, labels, dupq::probability_grid);
    REQUIRE(probability);
    CHECK(probability->threshold == c.probability_threshold);
    CHECK(dupq::average_precision(c.scores, labels) == c.average_precision);
  }
}

TEST_CASE("metrics: ratios, and 0 without a denominator") {
  constexpr dupq::confusion c{.tp = 3, .fp = 1, .fn = 2, .tn = 4};
  CHECK(c.precision() == 0.75);
  CHECK(c.recall() == 0.6);
  CHECK(c.f1() == 6.0 / 9.0);
  CHECK(c.accuracy() == 0.7);
  constexpr dupq::confusion none{};
  CHECK(none.precision() == 0);
  CHECK(none.recall() == 0);
  CHECK(none.f1() == 0);
  CHECK(none.accuracy() == 0);
}

TEST_CASE("metrics: a threshold is compared in double") {
  const std::vector<float> scores{0.7f};  // a little below 0.7
  const std::vector<int> labels{1};
  CHECK(dupq::confusion_at(scores, labels, 0.7).fn == 1);
  CHECK(dupq::confusion_at(scores, labels, static_cast<double>(0.7f)).tp == 1);
}

TEST_CASE("metrics: the notebook's grids, to the bit") {
  CHECK(dupq::cosine_grid[0] == -1.0);
  CHECK(dupq::cosine_grid[135] == 0.35);
  CHECK(dupq::cosine_grid[200] == 1.0);
  CHECK(dupq::probability_grid[0] == 0.0);
  CHECK(dupq::probability_grid[35] == 0.35000000000000003);  // as numpy.linspace has it
  CHECK(dupq::probability_grid[100] == 1.0);
}

TEST_CASE("metrics: any range of labels") {
  const std::vector<float> scores{0.1f, 0.9f};
  const std::uint8_t bytes[] = {0, 1};
  const std::vector<bool> bits{false, true};
  const std::vector<long> others{0, -7};
  const auto expected = dupq::confusion{.tp = 1, .fp = 0, .fn = 0, .tn = 1};
  CHECK(dupq::confusion_at(scores, bytes, 0.5) == expected);
  CHECK(dupq::confusion_at(scores, std::span<const std::uint8_t>(bytes), 0.5) == expected);
  CHECK(dupq::confusion_at(scores, bits, 0.5) == expected);
  CHECK(dupq::confusion_at(scores, others, 0.5) == expected);
}

TEST_CASE("metrics: NaN is below every threshold") {
  const std::vector<float> scores{not_a_number, 0.2f, not_a_number, 0.8f, -infinity};
  const std::vector<int> labels{1, 0, 0, 1, 0};
  CHECK(dupq::confusion_at(scores, labels, -infinity) == dupq::confusion{.tp = 1, .fp = 2, .fn = 1, .tn = 1});
  const auto best = dupq::best_f1(scores, labels);
  REQUIRE(best);
  CHECK(best->threshold == 0.5);
  CHECK(best->counts == dupq::confusion{.tp = 1, .fp = 0, .fn = 1, .tn = 3});
  CHECK(dupq::average_precision(scores, labels) == 0.5 * 1 + 0.5 * (2.0 / 5.0));
  // A lowest score that is no NaN has no midpoint to one.
  CHECK(dupq::best_f1(std::vector<float>{not_a_number, 0.2f}, std::vector<int>{0, 1})->threshold ==
        static_cast<double>(0.2f));
  CHECK_FALSE(dupq::best_f1(std::vector<float>{not_a_number, 0.2f}, std::vector<int>{1, 0}));
  CHECK(dupq::average_precision(std::vector<float>{not_a_number, not_a_number}, std::vector<int>{1, 0}) == 0.5);
}

TEST_CASE("metrics: infinite scores") {
  const std::vector<float> scores{infinity, 0.5f, -infinity, -infinity};
  CHECK(dupq::best_f1(scores, std::vector<int>{1, 0, 0, 0})->threshold == infinity);
  CHECK(dupq::best_f1(scores, std::vector<int>{1, 1, 0, 0})->threshold == 0.5);
  CHECK(dupq::best_f1(scores, std::vector<int>{1, 1, 1, 1})->threshold == -infinity);
  // Between the two infinities there is no midpoint either.
  CHECK(dupq::best_f1(std::vector<float>{infinity, -infinity}, std::vector<int>{1, 0})->threshold == infinity);
}

TEST_CASE("metrics: nothing, and lists of different lengths") {
  const std::vector<float> scores{0.9f, 0.1f, 0.8f};
  const std::vector<int> labels{1, 0};
  CHECK_FALSE(dupq::best_f1({}, labels));
  CHECK_FALSE(dupq::best_f1_on_grid(scores, labels, {}));
  CHECK(dupq::average_precision({}, labels) == 0);
  CHECK(dupq::confusion_at({}, labels, 0.5) == dupq::confusion{});
  CHECK(dupq::best_f1(scores, labels)->counts == dupq::confusion{.tp = 1, .fp = 0, .fn = 0, .tn = 1});
}
