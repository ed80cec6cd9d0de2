#include "quantize.hpp"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <random>
#include <utility>
#include <vector>

using namespace dupq_tool;

TEST_CASE("a row of weights reaches 64, ties go to even") {
  CHECK(scale_of_row(std::vector<float>{3.2f, -6.4f, 0.0f}) == 6.4f / 64);
  CHECK(scale_of_row(std::vector<float>{0.0f, -0.0f}) == 0.0f);
  const auto rounded = [](float value, float scale) { return int{quantize(value, scale, weight_limit)}; };
  CHECK(rounded(6.4f, 0.1f) == 64);
  CHECK(rounded(-3.2f, 0.1f) == -32);
  CHECK(rounded(0.051f, 0.1f) == 1);
  const std::vector<std::pair<float, int>> ties{{0.5f, 0}, {1.5f, 2}, {2.5f, 2}, {-0.5f, 0}, {-1.5f, -2}, {63.5f, 64}};
  for (const auto& [value, integer] : ties) CHECK(rounded(value, 1.0f) == integer);
}

TEST_CASE("rows at the ends of what floats hold") {
  constexpr float large = std::numeric_limits<float>::max(), tiny = std::numeric_limits<float>::denorm_min();
  CHECK(scale_of_row(std::vector<float>{large, -large}) == large / 64);
  CHECK(quantize(large, large / 64, weight_limit) == 64);
  CHECK(quantize(large, 1.0f, weight_limit) == 64);
  CHECK(quantize(-large, 1.0f, weight_limit) == -64);
  CHECK(scale_of_row(std::vector<float>{tiny, -tiny}) == 0.0f);  // no float any more
  CHECK(scale_of_row(std::vector<float>{95 * tiny, 0.0f}) == tiny);
  CHECK(quantize(95 * tiny, tiny, weight_limit) == 64);  // 95 steps, cut
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
