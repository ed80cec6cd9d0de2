#include "half.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace dupq_tool;

TEST_CASE("halves of the standard's table") {
  CHECK(from_half(0x3C00) == 1.0f);
  CHECK(from_half(0xC000) == -2.0f);
  CHECK(from_half(0x7BFF) == 65504.0f);
  CHECK(from_half(0x0001) == 0x1p-24f);
  CHECK(from_half(0x0400) == 0x1p-14f);
  CHECK(std::signbit(from_half(0x8000)));
  CHECK(from_half(0x8001) == -0x1p-24f);
  CHECK(from_half(0xFC00) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(from_half(0x7E00)));
}

TEST_CASE("every half survives the way to float and back") {
  for (std::uint32_t h = 0; h < 0x10000; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const float f = from_half(half);
    if (std::isnan(f)) {
      CHECK((to_half(f) & 0x7FFF) > 0x7C00);
    } else if (to_half(f) != half) {
      FAIL("half ", h);
    }
  }
}

TEST_CASE("floats go to the nearest half, ties to the even one") {
  for (std::uint16_t h = 0; h < 0x7BFF; ++h) {
    const float low = from_half(h), high = from_half(static_cast<std::uint16_t>(h + 1));
    const float middle = low + (high - low) / 2;  // exact in float
    const auto even = static_cast<std::uint16_t>(h % 2 == 0 ? h : h + 1);
    const bool right = to_half(middle) == even && to_half(std::nextafterf(middle, 0)) == h &&
                       to_half(std::nextafterf(middle, 1e9f)) == h + 1 && to_half(-middle) == (even | 0x8000);
    if (!right) FAIL("between halves ", h, " and the next");
  }
  CHECK(to_half(65519.9f) == 0x7BFF);
  CHECK(to_half(65520.0f) == 0x7C00);
  CHECK(to_half(-1e30f) == 0xFC00);
  CHECK(to_half(1e-30f) == 0);
}

TEST_CASE("bfloat16 is the upper half of a float") {
  CHECK(from_bfloat16(0x3F80) == 1.0f);
  CHECK(from_bfloat16(0xC040) == -3.0f);
}
