#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <dupq/device/cpu/formulas.hpp>
#include <initializer_list>
#include <limits>

namespace f = dupq::formulas;

TEST_CASE("fused multiply-add rounds once, with and without the instruction") {
  std::uint32_t seed = 1;
  const auto any = [&] {
    seed = seed * 1664525u + 1013904223u;
    const auto x = std::bit_cast<float>(seed);
    return std::isfinite(x) ? x : 1.0f;
  };
  const auto moderate = [&] {
    seed = seed * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<std::int32_t>(seed)) * std::ldexp(1.0f, -static_cast<int>(seed % 40));
  };
  for (int i = 0; i < 300000; ++i) {
    const float a = i % 2 == 0 ? any() : moderate(), b = i % 2 == 0 ? any() : moderate(),
                c = i % 3 == 0 ? -a * b : moderate();
    const float truth = std::fma(a, b, c), ours = f::fused(a, b, c);
    CHECK(std::bit_cast<std::uint32_t>(ours) == std::bit_cast<std::uint32_t>(truth));
  }
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float odd[] = {0.0f, -0.0f, 1.0f, -3.0f, 1e-45f, 3e38f, infinity, -infinity, std::nanf("")};
  for (const float a : odd)
    for (const float b : odd)
      for (const float c : odd) {
        const float truth = std::fma(a, b, c), ours = f::fused(a, b, c);
        INFO(a, " ", b, " ", c);
        if (std::isnan(truth))
          CHECK(std::isnan(ours));
        else
          CHECK(std::bit_cast<std::uint32_t>(ours) == std::bit_cast<std::uint32_t>(truth));
      }
}

TEST_CASE("exp, gelu, tanh and sigmoid are near the truth") {
  for (double x = -120; x <= 120; x += 0.0037) {
    const auto single = static_cast<float>(x);
    const auto d = static_cast<double>(single);
    if (x <= 0) {
      if (x > -87)
        CHECK(std::fabs(static_cast<double>(f::exp_negative(single)) / std::exp(d) - 1) < 3e-7);
      else if (x < -87.001)
        CHECK(f::exp_negative(single) == 0.0f);
    }
    CHECK(std::fabs(static_cast<double>(f::tanh(single)) - std::tanh(d)) < 2e-7);
    CHECK(std::fabs(static_cast<double>(f::sigmoid(single)) - 1 / (1 + std::exp(-d))) < 1e-7);
    const double truth = d / 2 * std::erfc(-d / std::sqrt(2.0));
    CHECK(std::fabs(static_cast<double>(f::gelu(single, f::gelu_full)) - truth) <=
          3e-7 * std::fmax(1.0, std::fabs(truth)));
    CHECK(std::fabs(static_cast<double>(f::gelu(single, f::gelu_short)) - truth) <= 1.15e-4);
  }
  CHECK(f::gelu(0.0f, f::gelu_full) == 0.0f);
  CHECK(f::gelu(0.0f, f::gelu_short) == 0.0f);
  CHECK(f::gelu(-8.0f, f::gelu_full) == 0.0f);
  CHECK(f::gelu(1e30f, f::gelu_full) == 1e30f);
  CHECK(f::exp_negative(0.0f) == 1.0f);
  CHECK(f::sigmoid(0.0f) == 0.5f);
  CHECK(f::exp_negative(-std::numeric_limits<float>::infinity()) == 0.0f);
  for (const std::uint32_t bits : {0x7FC00000u, 0xFFC00000u, 0x7FC12345u, 0xFF812345u}) {  // NaN, whatever it carries
    const float nan = std::bit_cast<float>(bits);
    CHECK(f::exp_negative(nan) == 0.0f);
    CHECK(std::isnan(f::tanh(nan)));
    CHECK(std::isnan(f::sigmoid(nan)));
  }
}
