#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/split.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

using dupq::share;
using rows = std::vector<std::size_t>;

struct split_case {
  std::string_view labels;
  std::uint32_t seed;
  share train;
  share test;
  rows expected_train;  ///< empty where scikit-learn refuses
  rows expected_test;
};

const std::vector<split_case>& cases() {
  static const std::vector<split_case> all = {
#include "split_cases.inc"
  };
  return all;
}

constexpr std::uint32_t notebook = 0;  // seed of a case that runs notebook_split
struct three_way_case {
  std::size_t n;
  std::size_t sizes[3];
  std::uint32_t seed;
  std::size_t first[3];
  std::uint64_t digest;
};
constexpr three_way_case three_way_cases[] = {
#include "three_way_cases.inc"
};

rows to_rows(std::span<const std::size_t> part) { return {part.begin(), part.end()}; }

std::vector<int> pattern(std::size_t n) {
  std::vector<int> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = i * i % 7 < 3;
  return labels;
}

std::uint64_t digest(const dupq::split& s) {
  std::uint64_t h = 14695981039346656037u;
  for (const auto part : {s.train(), s.validation(), s.test()})
    for (const std::size_t row : part) h = (h ^ row) * 1099511628211u;
  return h;
}

std::string message(const dupq::error& e) {
  char text[256];
  return {text, e.format(text, sizeof text)};
}

}  // namespace

TEST_CASE("split: in two, index for index as scikit-learn") {
  for (const auto& c : cases()) {
    CAPTURE(c.labels);
    CAPTURE(c.seed);
    const std::vector<int> labels = [&] {
      std::vector<int> l;
      for (const char ch : c.labels) l.push_back(ch - '0');
      return l;
    }();
    const auto split = dupq::train_test_split(labels, {.train_size = c.train, .test_size = c.test}, c.seed);
    REQUIRE(split.has_value() == !c.expected_train.empty());
    if (!split) continue;
    CHECK(to_rows(split->train()) == c.expected_train);
    CHECK(to_rows(split->test()) == c.expected_test);
    CHECK(split->validation().empty());
  }
}

TEST_CASE("split: in three, and the notebook's") {
  for (const auto& c : three_way_cases) {
    CAPTURE(c.n);
    const auto labels = pattern(c.n);
    const auto split = &c - three_way_cases < 3
                           ? dupq::three_way_split(labels, {c.sizes[0], c.sizes[1], c.sizes[2]}, c.seed)
                           : dupq::notebook_split(labels);
    REQUIRE(split);
    const std::span<const std::size_t> parts[3] = {split->train(), split->validation(), split->test()};
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE(parts[i].size() == c.sizes[i]);
      CHECK(parts[i][0] == c.first[i]);
    }
    CHECK(digest(*split) == c.digest);
  }
}

TEST_CASE("split: fractions in three") {
  const auto labels = pattern(60);
  const auto counts = dupq::three_way_split(labels, {40, 10, 10}, 42);
  const auto fractions = dupq::three_way_split(labels, {4.0 / 6, 1.0 / 6, 1.0 / 6}, 42);
  REQUIRE(counts);
  REQUIRE(fractions);
  CHECK(digest(*counts) == digest(*fractions));
  // 0.7 + 0.2 + 0.1 leaves no row out, whatever the rounding of each.
  for (std::size_t n = 20; n < 60; ++n) {
    const auto split = dupq::three_way_split(pattern(n), {0.7, 0.2, 0.1}, 1);
    REQUIRE(split);
    rows all = to_rows(split->train());
    all.insert(all.end(), split->validation().begin(), split->validation().end());
    all.insert(all.end(), split->test().begin(), split->test().end());
    std::sort(all.begin(), all.end());
    REQUIRE(all.size() == n);
    for (std::size_t i = 0; i < n; ++i) CHECK(all[i] == i);
  }
  CHECK(dupq::three_way_split(labels, {0.5, 0.1, 0.1}, 1)->train().size() == 30);
}

TEST_CASE("split: what is refused says why") {
  const auto refused = [](const std::vector<int>& labels, dupq::split_sizes sizes) {
    const auto split = dupq::train_test_split(labels, sizes, 42);
    return split ? std::string("accepted") : message(split.error());
  };
  const auto ten = pattern(10);
  CHECK(refused({0, 0, 0, 1}, {}) == "label 1: too few rows (1, at least 2)");
  CHECK(refused({1, 1, 0, 1}, {}) == "label 0: too few rows (1, at least 2)");
  CHECK(refused(ten, {.test_size = 1}) == "test part: too few rows (1, at least 2)");
  CHECK(refused(ten, {.train_size = 1}) == "train part: too few rows (1, at least 2)");
  CHECK(refused(ten, {.train_size = 10}) == "train_size: too many rows (10, at most 9)");
  CHECK(refused(ten, {.train_size = -1}) == "train_size: too few rows (0, at least 1)");
  CHECK(refused(ten, {.train_size = 6, .test_size = 5}) == "train_size + test_size: too many rows (11, at most 10)");
  CHECK(refused(ten, {.test_size = 1.0}) == "test_size: the fraction is not between 0 and 1");
  CHECK(refused(ten, {.test_size = std::numeric_limits<double>::quiet_NaN()}) ==
        "test_size: the fraction is not between 0 and 1");
  CHECK(refused(ten, {.train_size = 0.7, .test_size = 0.5}) ==
        "train_size + test_size: the fraction is not between 0 and 1");
  CHECK(refused({}, {}) == "train part: too few rows (0, at least 1)");
}

TEST_CASE("split: what is refused in three") {
  const auto ten = pattern(10);
  CHECK(dupq::three_way_split(ten, {6, 3, 3}, 1).error().code == dupq::errc::too_many_rows);
  CHECK(dupq::three_way_split(ten, {8, 1, 1}, 1).error().code == dupq::errc::too_few_rows);
  CHECK(dupq::three_way_split(ten, {0.6, 0.3, 0.3}, 1).error().code == dupq::errc::bad_fraction);
  CHECK(dupq::three_way_split(ten, {0.6, 0.3, -0.1}, 1).error().code == dupq::errc::bad_fraction);
  CHECK(message(dupq::three_way_split(ten, {6, 2}, 1).error()) == "test: too few rows (0, at least 1)");
  CHECK(message(dupq::three_way_split(ten, {std::size_t{1} << 63, std::size_t{1} << 63, 1}, 1).error()) ==
        "train: too many rows (9223372036854775808, at most 9)");
  CHECK(dupq::notebook_split(std::vector<int>{}).error().code == dupq::errc::too_few_rows);
  CHECK(dupq::notebook_split(std::vector<int>{0, 1, 0, 1}).error().code == dupq::errc::too_few_rows);
}
