#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <dupq/training/adamw.hpp>

TEST_CASE("adamw: factors of the first steps, as PyTorch computes them") {
  const dupq::adamw_options options;
  for (const std::uint64_t t : {1u, 2u, 5u, 20u, 1000u, 2500u, 100000u}) {
    CAPTURE(t);
    const auto f = dupq::adamw_at(options, 2e-3, t, 0.5, true);
    const auto steps = static_cast<double>(t);
    CHECK(f.decay == static_cast<float>(1 - 2e-3 * 0.01));
    CHECK(f.beta1 == 0.9f);
    CHECK(f.rest1 == static_cast<float>(1 - 0.9));
    CHECK(f.beta2 == 0.999f);
    CHECK(f.rest2 == static_cast<float>(1 - 0.999));
    CHECK(f.epsilon == 1e-8f);
    CHECK(f.root == doctest::Approx(1 / std::sqrt(1 - std::pow(0.999, steps))).epsilon(1e-7));
    CHECK(f.rate == doctest::Approx(2e-3 / (1 - std::pow(0.9, steps))).epsilon(1e-7));
    CHECK(f.scale == 1.0f);
  }
}

TEST_CASE("adamw: what does not decay keeps its size, and a rate of 0 moves nothing") {
  CHECK(dupq::adamw_at({}, 2e-3, 3, 0, false).decay == 1.0f);
  const auto f = dupq::adamw_at({}, 0, 1, 0, true);
  CHECK(f.decay == 1.0f);
  CHECK(f.rate == 0.0f);
}

TEST_CASE("adamw: gradients longer than the limit are scaled to it, less the 1e-6 of PyTorch") {
  const auto scale = [](double clip, double norm) { return dupq::adamw_at({.clip = clip}, 1e-3, 1, norm, true).scale; };
  CHECK(scale(1, 0) == 1.0f);
  CHECK(scale(1, 1 - 2e-6) == 1.0f);
  CHECK(scale(1, 1) == static_cast<float>(1 / (1 + 1e-6)));
  CHECK(scale(1, 1) < 1.0f);
  CHECK(scale(1, 4) == static_cast<float>(1 / (4 + 1e-6)));
  CHECK(scale(2.5, 10) == static_cast<float>(2.5 / (10 + 1e-6)));
  CHECK(scale(0, 1000) == 1.0f);  // no limit
}

TEST_CASE("adamw: the schedule begins at 0, reaches the rate after the warm-up, and is not 0 in the last step") {
  CHECK(dupq::linear_schedule(2e-5, 0, 100, 1250) == 0);
  CHECK(dupq::linear_schedule(2e-5, 1, 100, 1250) == 2e-5 / 100);
  CHECK(dupq::linear_schedule(2e-5, 50, 100, 1250) == doctest::Approx(1e-5));
  CHECK(dupq::linear_schedule(2e-5, 100, 100, 1250) == 2e-5);
  CHECK(dupq::linear_schedule(2e-5, 675, 100, 1250) == doctest::Approx(1e-5));
  CHECK(dupq::linear_schedule(2e-5, 1249, 100, 1250) == doctest::Approx(2e-5 / 1150));
  CHECK(dupq::linear_schedule(2e-5, 1250, 100, 1250) == 0);
  CHECK(dupq::linear_schedule(2e-3, 0, 0, 20) == 2e-3);
  CHECK(dupq::linear_schedule(2e-3, 5, 100, 20) == doctest::Approx(1e-4));  // the warm-up is longer than the training
  CHECK(dupq::linear_schedule(2e-3, 20, 20, 20) == 0);
  double sum = 0;  // of a trapezium
  for (std::uint64_t step = 0; step < 1250; ++step) sum += dupq::linear_schedule(1, step, 100, 1250);
  CHECK(sum == doctest::Approx(99.0 / 2 + 1151.0 / 2));
}
