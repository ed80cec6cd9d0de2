#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/training/random.hpp>
#include <set>

namespace {

/// How far a count of `n` events of probability p is from its mean, in standard deviations.
double deviations(std::size_t count, std::size_t n, double p) {
  const double mean = static_cast<double>(n) * p;
  return (static_cast<double>(count) - mean) / std::sqrt(mean * (1 - p));
}

}  // namespace

TEST_CASE("random: dropout drops as many as asked, in every row and column") {
  for (const float rate : {0.0f, 0.1f, 0.25f, 0.5f, 0.9f}) {
    CAPTURE(rate);
    const dupq::dropout_rule rule(rate);
    constexpr std::uint32_t rows = 600, columns = 400;
    std::size_t dropped = 0, by_column[columns] = {};
    for (std::uint32_t row = 0; row < rows; ++row) {
      const auto key = dupq::random_key(42, 7, 3, row);
      std::size_t in_row = 0;
      for (std::uint32_t j = 0; j < columns; ++j)
        if (!rule.keeps(key, j)) ++in_row, ++by_column[j];
      dropped += in_row;
      if (rate > 0) CHECK(std::fabs(deviations(in_row, columns, static_cast<double>(rate))) < 5);
    }
    if (rate == 0) {
      CHECK(dropped == 0);
      CHECK(rule.scale == 1.0f);
      continue;
    }
    CHECK(std::fabs(deviations(dropped, rows * columns, static_cast<double>(rate))) < 4);
    for (const std::size_t n : by_column) CHECK(std::fabs(deviations(n, rows, static_cast<double>(rate))) < 5);
    CHECK(rule.scale == doctest::Approx(1 / (1 - static_cast<double>(rate))));
  }
}

TEST_CASE("random: neighbours in a row, in a column and between steps are independent") {
  const dupq::dropout_rule half(0.5f);
  constexpr std::uint32_t n = 100000;
  std::size_t same_next = 0, same_sixteen = 0, same_row = 0, same_step = 0, same_place = 0, same_seed = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t row = i / 100, j = i % 100;
    const bool kept = half.keeps(dupq::random_key(1, 2, 3, row), j);
    same_next += kept == half.keeps(dupq::random_key(1, 2, 3, row), j + 1);
    same_sixteen += kept == half.keeps(dupq::random_key(1, 2, 3, row), j + 16);  // often the other half of one word
    same_row += kept == half.keeps(dupq::random_key(1, 2, 3, row + 1), j);
    same_step += kept == half.keeps(dupq::random_key(1, 3, 3, row), j);
    same_place += kept == half.keeps(dupq::random_key(1, 2, 4, row), j);
    same_seed += kept == half.keeps(dupq::random_key(2, 2, 3, row), j);
  }
  for (const std::size_t same : {same_next, same_sixteen, same_row, same_step, same_place, same_seed})
    CHECK(std::fabs(deviations(same, n, 0.5)) < 4.5);
}

TEST_CASE("random: keys differ") {
  std::set<std::uint32_t> keys;
  std::size_t made = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    for (std::uint64_t step = 0; step < 8; ++step)
      for (std::uint64_t place = 0; place < 8; ++place)
        for (std::uint64_t row = 0; row < 64; ++row, ++made) keys.insert(dupq::random_key(seed, step, place, row));
  CHECK(keys.size() + 2 >= made);  // 16,384 of 2^32 numbers: 0.03 collisions are expected
  CHECK(dupq::random_key(0, 0, 0, 1) != dupq::random_key(0, 0, 1, 0));
  CHECK(dupq::random_key(0, 1, 0, 0) != dupq::random_key(1, 0, 0, 0));
}

TEST_CASE("random: each bit of a number depends on each bit of its source") {
  std::size_t flips[32][32] = {};
  constexpr std::uint32_t n = 4000;
  for (std::uint32_t i = 0; i < n; ++i)
    for (std::uint32_t in = 0; in < 32; ++in) {
      const std::uint32_t changed = dupq::mix32(i * dupq::word_step) ^ dupq::mix32(i * dupq::word_step ^ 1u << in);
      for (std::uint32_t out = 0; out < 32; ++out) flips[in][out] += changed >> out & 1;
    }
  for (const auto& row : flips)
    for (const std::size_t count : row) CHECK(std::fabs(deviations(count, n, 0.5)) < 5);
}

TEST_CASE("random: the numbers never change, so that a training can be repeated years later") {
  CHECK(dupq::mix(1) == 6238072747940578789u);
  CHECK(dupq::mix32(1) == 69681622u);
  CHECK(dupq::random_key(42, 1, 2, 3) == 3947928140u);
  CHECK(dupq::random_word(dupq::random_key(42, 1, 2, 3), 5) == 95970931u);
}
