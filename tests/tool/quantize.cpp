#include "quantize.hpp"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <random>
#include <vector>

using namespace dupq_tool;

TEST_CASE("a row of weights reaches 64, ties go to even") {
  const std::vector<float> row{6.4f, -3.2f, 0.0f, 0.05f, -0.15f, 0.25f, 0.051f};
  std::vector<std::int8_t> q(row.size());
  const float scale = quantize_row(row, q);
  CHECK(scale == 6.4f / 64);
  CHECK(q[0] == 64);
  CHECK(q[1] == -32);
  CHECK(q[2] == 0);
  CHECK(q[6] == 1);
  const std::vector<float> ties{64.0f, -64.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f};
  CHECK(quantize_row(ties, q) == 1.0f);
  CHECK(q == std::vector<std::int8_t>{64, -64, 0, 2, 2, 0, -2});
}

TEST_CASE("rows at the ends of what floats hold") {
  std::vector<std::int8_t> q{1, 1, 1};
  CHECK(quantize_row(std::vector<float>{0.0f, -0.0f, 0.0f}, q) == 0.0f);
  CHECK(q == std::vector<std::int8_t>{0, 0, 0});
  constexpr float large = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min();
  CHECK(quantize_row(std::vector<float>{large, -large, large / 2}, q) == large / 64);
  CHECK(q == std::vector<std::int8_t>{64, -64, 32});
  CHECK(quantize_row(std::vector<float>{tiny, 0.0f, -tiny}, q) == 0.0f);  // its scale is no float any more
  CHECK(q == std::vector<std::int8_t>{0, 0, 0});
  CHECK(quantize_row(std::vector<float>{95 * tiny, 0.0f, -95 * tiny}, q) == tiny);  // 95 steps, cut to 64
  CHECK(q == std::vector<std::int8_t>{64, 0, -64});
}

TEST_CASE("q8_0 blocks as ggml reads them") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const float size : {1.0f, 1e-3f, 3e4f, 0.0f}) {
    std::array<float, 32> values;
    for (float& v : values) v = size * normal(random);
    values[7] = 4 * size;
    const auto block = quantize_block(values);
    std::uint16_t half;
    std::memcpy(&half, block.data(), 2);
    const float scale = from_half(half);
    CHECK(scale == doctest::Approx(4 * size / 127).epsilon(1e-3));
    for (std::size_t i = 0; i < 32; ++i) {
      const int q = static_cast<std::int8_t>(block[2 + i]);
      CHECK(std::abs(static_cast<float>(q) * scale - values[i]) <= 0.5001f * scale + 127 * scale * 0x1p-11f);
      if (i == 7) CHECK(q == (size == 0.0f ? 0 : 127));
    }
  }
}
