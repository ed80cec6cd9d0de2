#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <dupq/search/cosine.hpp>
#include <random>
#include <span>
#include <vector>

TEST_CASE("the cosine of vectors of any length, with every table") {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (std::size_t n = 1; n < 70; ++n) {
    std::vector<float> a, b;
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double x = double{a.emplace_back(normal(random))}, y = double{b.emplace_back(3 * normal(random) + a[i])};
      ab += x * y, aa += x * x, bb += y * y;
    }
    const float found = dupq::cosine(a, b);
    CHECK(double{found} == doctest::Approx(ab / std::sqrt(aa * bb)).epsilon(1e-5));
    CHECK(dupq::cosine(b, a) == found);
    CHECK(dupq::cosine(a, a) == doctest::Approx(1));
    for (const dupq::kernels* table : dupq::available_kernels()) CHECK(dupq::cosine(a, b, table) == found);
  }
}

TEST_CASE("vectors of zeros, of no numbers and of two lengths") {
  const std::vector<float> zeros(8), ones(5, 1.0f);
  CHECK(dupq::cosine(zeros, zeros) == 0.0f);
  CHECK(dupq::cosine({}, {}) == 0.0f);
  CHECK(dupq::cosine(ones, std::vector<float>{1, 1, 1}) == doctest::Approx(1));  // the shorter one's numbers count
}
