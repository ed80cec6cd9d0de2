#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/training/order.hpp>
#include <vector>

namespace {

std::vector<std::uint32_t> order_of(std::uint64_t seed, std::uint64_t epoch, std::size_t rows) {
  std::vector<std::uint32_t> order(rows, 77);
  dupq::epoch_order(seed, epoch, order);
  return order;
}

}  // namespace

TEST_CASE("order: a permutation of all rows") {
  for (std::size_t rows = 0; rows < 40; ++rows) {
    auto order = order_of(42, 3, rows);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < rows; ++i) CHECK(order[i] == i);
  }
  auto order = order_of(42, 0, 40000);
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != i) FAIL("not a permutation");
}

TEST_CASE("order: the same for the same seed and epoch, another for others") {
  CHECK(order_of(42, 1, 1000) == order_of(42, 1, 1000));
  CHECK(order_of(42, 1, 1000) != order_of(42, 2, 1000));
  CHECK(order_of(42, 1, 1000) != order_of(43, 1, 1000));
  CHECK(order_of(42, 1, 1000) != order_of(1, 42, 1000));
  CHECK(order_of(0, 0, 1000) != order_of(0, 1, 1000));
}

TEST_CASE("order: the numbers never change, so that a training can be repeated years later") {
  CHECK(order_of(42, 0, 10) == std::vector<std::uint32_t>{6, 4, 5, 7, 3, 9, 1, 0, 2, 8});
}

TEST_CASE("order: every row comes to every place about as often") {
  constexpr std::size_t rows = 8, epochs = 80000;
  std::size_t counts[rows][rows] = {};
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    const auto order = order_of(42, epoch, rows);
    for (std::size_t i = 0; i < rows; ++i) ++counts[i][order[i]];
  }
  // Chi-squared with 49 degrees of freedom is below 86 in 999 of 1,000 random tables.
  double chi_squared = 0;
  const double expected = static_cast<double>(epochs) / rows;
  for (const auto& row : counts)
    for (const std::size_t n : row) {
      const double apart = static_cast<double>(n) - expected;
      chi_squared += apart * apart / expected;
    }
  CHECK(chi_squared < 86);
}
