#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <dupq/core/work_ranges.hpp>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

struct weights {
  const std::vector<std::size_t>* of;
  std::size_t operator()(std::size_t i) const { return (*of)[i]; }
};
using ranges = dupq::work_ranges<weights>;

/// The weight of each range, after a check that they follow each other and hold every item.
std::vector<std::size_t> cut(const std::vector<std::size_t>& items, std::size_t workers, std::size_t least,
                             std::size_t most = any) {
  ranges all(items.size(), workers, least, most, weights{&items});
  std::vector<std::size_t> sums;
  std::size_t at = 0;
  for (auto r = all.next(); r.begin != r.end; r = all.next()) {
    REQUIRE(r.begin == at);
    REQUIRE(r.end > r.begin);
    REQUIRE(r.end - r.begin <= most);
    std::size_t sum = 0;
    for (; at < r.end; ++at) sum += items[at];
    sums.push_back(sum);
  }
  REQUIRE(at == items.size());
  CHECK(all.next().begin == all.next().end);
  return sums;
}

/// When the last of the workers is done, if each takes the next range as soon as it is free.
std::size_t finish(const std::vector<std::size_t>& sums, std::size_t workers) {
  std::vector<std::size_t> busy(workers);
  for (const std::size_t sum : sums) *std::min_element(busy.begin(), busy.end()) += sum;
  return *std::max_element(busy.begin(), busy.end());
}

}  // namespace

TEST_CASE("one worker gets all, or as many items as a range may have") {
  const std::vector<std::size_t> items(10, 7);
  CHECK(cut(items, 1, 1) == std::vector<std::size_t>{70});
  CHECK(cut(items, 1, 1, 4) == std::vector<std::size_t>{28, 28, 14});
  CHECK(cut({}, 1, 1).empty());
  CHECK(cut({}, 3, 1).empty());
}

TEST_CASE("little work is shared too, down to single items") {
  CHECK(cut({14, 14}, 2, 48) == std::vector<std::size_t>{14, 14});
  CHECK(cut({13, 15}, 2, 48) == std::vector<std::size_t>{13, 15});
  CHECK(cut({15, 13}, 2, 48) == std::vector<std::size_t>{15, 13});
  CHECK(cut({5}, 4, 48) == std::vector<std::size_t>{5});
  CHECK(cut({1, 1, 1, 100}, 2, 48) == std::vector<std::size_t>{3, 100});
  CHECK(finish(cut({100, 1, 1, 1, 1}, 2, 48), 2) == 100);
  CHECK(finish(cut(std::vector<std::size_t>(16, 14), 2, 48), 2) == 8 * 14);
  CHECK(finish(cut(std::vector<std::size_t>(12, 10), 3, 48), 3) == 4 * 10);
}

TEST_CASE("much work is cut into large ranges, then into small ones, and workers finish together") {
  std::vector<std::size_t> sorted, mixed;
  for (std::size_t i = 0; i < 1000; ++i) {
    sorted.push_back(4 + (1000 - i) * (1000 - i) / 20000);
    mixed.push_back(4 + i * 7919 % 50);
  }
  std::vector<std::size_t> rising(sorted.rbegin(), sorted.rend());
  for (const auto& items : {sorted, mixed, rising})
    for (const std::size_t workers : {2u, 3u, 8u}) {
      const auto sums = cut(items, workers, 48);
      const std::size_t all = std::accumulate(items.begin(), items.end(), std::size_t{0});
      const std::size_t heaviest = *std::max_element(items.begin(), items.end());
      CHECK(sums.front() + heaviest >= all / (2 * workers));
      CHECK(sums.front() <= all / (2 * workers) + heaviest);
      CHECK(sums.size() < 20 * workers);
      std::size_t left = all;
      for (const std::size_t sum : sums) {
        CHECK((sum + heaviest >= 48 || left < 48 * workers));
        left -= sum;
      }
      CHECK(finish(sums, workers) <= all / workers + heaviest);
    }
}

TEST_CASE("threads take every item once") {
  const std::vector<std::size_t> items(20000, 3);
  ranges all(items.size(), 4, 6, 5, weights{&items});
  std::vector<std::atomic<int>> taken(items.size());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (auto r = all.next(); r.begin != r.end; r = all.next())
        for (std::size_t i = r.begin; i < r.end; ++i) ++taken[i];
    });
  for (auto& thread : threads) thread.join();
  std::size_t wrong = 0;
  for (const auto& times : taken) wrong += times != 1;
  CHECK(wrong == 0);
}
