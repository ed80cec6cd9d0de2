#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <dupq/search/duplicates.hpp>
#include <dupq/search/similarity.hpp>
#include <random>
#include <span>
#include <vector>

using enum dupq::similarity;

namespace {

double truth(dupq::similarity kind, std::span<const float> a, std::span<const float> b) {
  double dot = 0, squares = 0, absolute = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]), d = x - y;
    dot += x * y, aa += x * x, bb += y * y, squares += d * d, absolute += std::fabs(d);
  }
  switch (kind) {
    case cosine: return dot / std::sqrt(aa * bb);
    case dupq::similarity::dot: return dot;
    case euclidean: return -std::sqrt(squares);
    case manhattan: return -absolute;
  }
  return 0;
}

}  // namespace

TEST_CASE("similarities of every size are near the truth, the same bits in every table and in searches") {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const std::size_t n : {1u, 15u, 16u, 255u, 256u, 257u, 1024u}) {
    std::vector<float> v(3 * n);
    for (float& x : v) x = normal(random);
    const std::span<const float> a = std::span(v).first(n), b = std::span(v).subspan(n, n);
    for (const auto kind : {cosine, dot, euclidean, manhattan}) {
      const float found = dupq::similarity_of(kind, a, b);
      const double right = truth(kind, a, b);
      CHECK(std::fabs(static_cast<double>(found) - right) <= 2e-6 * (1 + std::fabs(right)));
      CHECK(dupq::similarity_of(kind, b, a) == found);
      for (const dupq::kernels* table : dupq::available_kernels())
        CHECK(dupq::similarity_of(kind, a, b, table) == found);
      std::vector<float> scores;
      const auto searched1 =
          dupq::find_duplicates(v, n, {.threshold = -1e30f, .similarity = kind}, [&](const dupq::match& m) {
            scores.push_back(m.score);
            return true;
          });
      REQUIRE(searched1);
      REQUIRE(scores.size() == 3);
      CHECK(scores[0] == found);
      const auto searched2 =
          dupq::find_similar(a, v, {.threshold = -1e30f, .similarity = kind}, [&](std::size_t row, float score) {
            if (row == 1) CHECK(score == found);
            return true;
          });
      REQUIRE(searched2);
    }
  }
}

TEST_CASE("a vector and itself") {
  const std::vector<float> v{3, -4};
  CHECK(dupq::similarity_of(cosine, v, v) == 1);
  CHECK(dupq::similarity_of(dot, v, v) == 25);
  CHECK(dupq::similarity_of(euclidean, v, v) == 0);
  CHECK(dupq::similarity_of(manhattan, v, v) == 0);
  const std::vector<float> zero{0, 0};
  CHECK(dupq::similarity_of(euclidean, v, zero) == -5);
  CHECK(dupq::similarity_of(manhattan, v, zero) == -7);
}
