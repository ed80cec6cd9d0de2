#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <dupq/core/thread_pool.hpp>
#include <dupq/search/duplicates.hpp>
#include <limits>
#include <random>
#include <span>
#include <thread>
#include <tuple>
#include <vector>

namespace {

/// `n` vectors around a few centres, so that some are near each other and most are not.
std::vector<float> clustered(std::size_t n, std::size_t dim) {
  std::mt19937 random(static_cast<unsigned>(n * 1000 + dim));
  std::normal_distribution<float> normal;
  std::vector<float> centres(5 * dim), out;
  for (float& x : centres) x = normal(random);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < dim; ++k) out.push_back(3 * (centres[i % 5 * dim + k] + 0.3f * normal(random)));
  return out;
}

double true_cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    ab += static_cast<double>(a[k]) * static_cast<double>(b[k]);
    aa += static_cast<double>(a[k]) * static_cast<double>(a[k]);
    bb += static_cast<double>(b[k]) * static_cast<double>(b[k]);
  }
  return ab / std::sqrt(aa * bb);
}

std::span<const float> row(const std::vector<float>& v, std::size_t dim, std::size_t i) {
  return std::span(v).subspan(i * dim, dim);
}

}  // namespace

TEST_CASE("all pairs at or above the threshold are found once, as a double loop finds them") {
  for (const std::size_t dim : {1u, 7u, 16u, 33u})
    for (const std::size_t n : {0u, 1u, 2u, 63u, 64u, 65u, 150u}) {
      const auto vectors = clustered(n, dim);
      constexpr float threshold = 0.8f;
      std::vector<int> found(n * n);
      REQUIRE(dupq::find_duplicates(vectors, dim, {.threshold = threshold}, [&](dupq::match m) {
        REQUIRE(m.first < m.second);
        REQUIRE(m.second < n);
        ++found[m.first * n + m.second];
        CHECK(m.score == dupq::cosine(row(vectors, dim, m.first), row(vectors, dim, m.second)));
        return true;
      }));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j) {
          const float score = dupq::cosine(row(vectors, dim, i), row(vectors, dim, j));
          CHECK(static_cast<double>(score) ==
                doctest::Approx(true_cosine(row(vectors, dim, i), row(vectors, dim, j))).epsilon(1e-5));
          wrong += found[i * n + j] != (score >= threshold ? 1 : 0);
        }
      CHECK(wrong == 0);
    }
}

TEST_CASE("one against many finds the same") {
  constexpr std::size_t dim = 20, n = 130;
  const auto vectors = clustered(n, dim);
  const auto query = row(vectors, dim, 3);
  std::vector<std::size_t> found;
  REQUIRE(dupq::find_similar(query, vectors, {.threshold = 0.7f}, [&](std::size_t i, float score) {
    CHECK(score == dupq::cosine(query, row(vectors, dim, i)));
    found.push_back(i);
    return true;
  }));
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < n; ++i)
    if (dupq::cosine(query, row(vectors, dim, i)) >= 0.7f) expected.push_back(i);
  CHECK(found == expected);
  CHECK(found.size() > 1);
  CHECK(found.size() < n);
}

TEST_CASE("a search ends when it is told to") {
  const auto vectors = clustered(100, 4);
  std::size_t calls = 0;
  const auto three = [&](auto&&...) { return ++calls < 3; };
  REQUIRE(dupq::find_duplicates(vectors, 4, {.threshold = -2}, three));
  CHECK(calls == 3);
  calls = 0;
  REQUIRE(dupq::find_similar(row(vectors, 4, 0), vectors, {.threshold = -2}, three));
  CHECK(calls == 3);
}

TEST_CASE("a search tells how far it is, and ends when that is answered with no") {
  const auto vectors = clustered(300, 4);
  for (const std::size_t workers : {1u, 3u}) {
    dupq::thread_pool pool(workers);
    std::size_t last = 0, all = 0, calls = 0;
    const auto nothing = [](auto&&...) { return true; };
    const auto grows = [&](std::size_t done, std::size_t total) {
      CHECK(done > last);
      last = done, all = total, ++calls;
      return true;
    };
    REQUIRE(dupq::find_duplicates(vectors, 4, {.threshold = 2, .executor = pool.executor(), .on_progress = grows},
                                  nothing));
    CHECK(last == all);
    CHECK(all == 15);  // 300 rows are five blocks
    last = 0;
    REQUIRE(dupq::find_similar(row(vectors, 4, 0), vectors,
                               {.threshold = 2, .executor = pool.executor(), .on_progress = grows}, nothing));
    CHECK(last == all);
  }
  std::size_t calls = 0;
  const auto stop = [&](std::size_t, std::size_t) { return ++calls != 3; };
  const auto done = dupq::find_duplicates(vectors, 4, {.threshold = 2, .on_progress = stop}, [](auto) { return true; });
  REQUIRE(!done);
  CHECK(done.error().code == dupq::errc::cancelled);
  CHECK(calls == 3);
}

TEST_CASE("vectors that are no whole rows are refused") {
  const std::vector<float> seven(7);
  std::size_t calls = 0;
  const auto count = [&](auto&&...) { return ++calls, true; };
  CHECK(dupq::find_duplicates(seven, 4, {.threshold = -2}, count).error().code == dupq::errc::wrong_size);
  CHECK(dupq::find_similar(std::span(seven).first(4), seven, {.threshold = -2}, count).error().found == 7);
  CHECK(dupq::find_duplicates({}, 0, {.threshold = -2}, count));
  CHECK(calls == 0);
}

TEST_CASE("workers find the same matches in the same order, on the calling thread") {
  using row_match = std::tuple<std::size_t, std::size_t, float>;
  constexpr std::size_t dim = 9, any_number = static_cast<std::size_t>(-1);
  for (const std::size_t n : {0u, 1u, 64u, 65u, 700u, 2500u}) {
    const auto vectors = clustered(n, dim);
    // Few matches a block, and more than a worker keeps.
    for (const float threshold : {0.97f, 0.8f, -2.0f}) {
      if (n > 700 && threshold < 0) continue;
      const auto search = [&](const dupq::executor& workers, std::size_t most) {
        std::vector<row_match> out;
        std::size_t strangers = 0;
        const auto add = [&, caller = std::this_thread::get_id()](std::size_t i, std::size_t j, float score) {
          strangers += std::this_thread::get_id() != caller;
          out.emplace_back(i, j, score);
          return out.size() != most;
        };
        const dupq::search_options options{.threshold = threshold, .executor = workers};
        REQUIRE(dupq::find_duplicates(vectors, dim, options,
                                      [&](dupq::match m) { return add(m.first, m.second, m.score); }));
        if (n != 0 && out.size() < most)
          REQUIRE(dupq::find_similar(row(vectors, dim, n / 2), vectors, options,
                                     [&](std::size_t i, float score) { return add(n, i, score); }));
        CHECK(strangers == 0);
        return out;
      };
      const auto expected = search({}, any_number);
      if (n > 65) REQUIRE(expected.size() > 10);
      for (const std::size_t workers : {1u, 2u, 3u}) {
        dupq::thread_pool pool(workers);
        CHECK(search(pool.executor(), any_number) == expected);
        for (const std::size_t most : {std::size_t{1}, expected.size() / 2, expected.size()}) {
          if (most == 0) continue;
          const std::vector<row_match> some(
              expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(std::min(most, expected.size())));
          INFO(n, " ", threshold, " ", workers, " ", most, " ", expected.size());
          CHECK(search(pool.executor(), most) == some);
        }
      }
    }
  }
}

TEST_CASE("every table gives the same scores") {
  constexpr std::size_t dim = 37;
  const auto vectors = clustered(70, dim);
  std::vector<float> first;
  for (const dupq::kernels* table : dupq::available_kernels()) {
    std::vector<float> scores;
    REQUIRE(dupq::find_duplicates(vectors, dim, {.threshold = -2, .kernels = table},
                                  [&](dupq::match m) { return scores.push_back(m.score), true; }));
    CHECK(scores.size() == 70 * 69 / 2);
    if (first.empty()) first = scores;
    CHECK(scores == first);
  }
}

TEST_CASE("vectors of zeros and of no numbers") {
  const std::vector<float> zeros(8);
  std::size_t calls = 0;
  const auto count = [&](auto&&...) { return ++calls, true; };
  REQUIRE(dupq::find_duplicates(zeros, 4, {.threshold = 0.1f}, count));
  CHECK(dupq::find_duplicates(zeros, 0, {.threshold = -2}, count).error().code == dupq::errc::wrong_size);
  CHECK(dupq::find_similar({}, zeros, {.threshold = -2}, count).error().code == dupq::errc::wrong_size);
  CHECK(calls == 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> broken{nan, 1, 1, 1};
  REQUIRE(dupq::find_duplicates(broken, 2, {.threshold = -2}, count));  // NaN reaches no threshold
  CHECK(calls == 0);
  CHECK(dupq::search_options{}.threshold == 0.75f);
}
