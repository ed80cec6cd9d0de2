// Products that the workers share by their columns are the bits of products that one of them makes.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <dupq/device/cpu/cpu.hpp>
#include <random>
#include <vector>

namespace {

/// Runs the last task first, and counts.
struct backwards {
  std::size_t runs = 0, tasks = 0;

  dupq::executor executor(std::size_t workers) {
    return {this,
            [](void* self, std::size_t n, dupq::executor::body call, void* context) noexcept {
              ++static_cast<backwards*>(self)->runs;
              static_cast<backwards*>(self)->tasks += n;
              while (n-- != 0) call(context, n, 0);
            },
            workers};
  }
};

/// A matrix of `outputs` x 50, as floats and as bytes.
struct matrices {
  static constexpr std::size_t inputs = 50, groups = (inputs + 3) / 4;
  std::vector<float> panels, scales, bias, factors;
  std::vector<std::int8_t> bytes;
  std::vector<std::int32_t> sums;
  dupq::linear<dupq::host_memory> real, whole;

  explicit matrices(std::size_t outputs) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    const std::size_t count = (outputs + dupq::panel_width - 1) / dupq::panel_width;
    const auto some = [&](std::size_t n) {
      std::vector<float> v(n);
      for (float& x : v) x = normal(random);
      return v;
    };
    panels = some(count * inputs * dupq::panel_width);
    scales = some(outputs), bias = some(outputs), factors = some(inputs);
    bytes.resize(count * groups * 4 * dupq::panel_width);
    for (auto& b : bytes) b = static_cast<std::int8_t>(static_cast<int>(random() % 129) - 64);
    sums.resize(outputs);
    for (auto& s : sums) s = static_cast<std::int32_t>(random() % 2000) - 1000;
    real.panels = panels.data();
    whole.bytes = bytes.data(), whole.scales = scales.data(), whole.sums = sums.data(), whole.factors = factors.data();
    for (auto* m : {&real, &whole}) m->bias = bias.data(), m->outputs = outputs, m->inputs = inputs;
  }
};

}  // namespace

TEST_CASE("shared products") {
  dupq::thread_pool pool(3);
  constexpr std::size_t rows = 5;
  const auto& table = *dupq::find_kernels();
  for (const std::size_t outputs : {16u, 190u, 192u, 333u, 1152u}) {
    CAPTURE(outputs);
    const matrices m(outputs);
    std::vector<float> x(rows * matrices::inputs), gain(outputs, 1.5f), shift(outputs, 0.5f), scratch(rows * 100);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 37) / 9 - 2;
    const dupq::matrix<const float> in(x.data(), rows, matrices::inputs);
    const dupq::layer_norm<dupq::host_memory> norm{gain.data(), shift.data(), outputs, 1e-12f};
    for (const auto* weight : {&m.real, &m.whole}) {
      const auto both = [&](const dupq::executor& shared) {
        const dupq::cpu device(table, shared);
        std::vector<float> y(2 * rows * outputs, 0.25f);
        device.apply(*weight, in, dupq::activation::gelu, scratch.data(), {y.data(), rows, outputs});
        device.apply_residual_norm(*weight, in, norm, scratch.data(), {y.data() + rows * outputs, rows, outputs});
        return y;
      };
      const auto alone = both({});
      backwards turned;
      for (const std::size_t workers : {1u, 2u, 7u}) CHECK(both(turned.executor(workers)) == alone);
      const std::size_t panels = (outputs + 15) / 16;
      CHECK(turned.runs == (panels < 12 ? 0 : 4));  // two products by 2 workers and by 7
      CHECK(turned.tasks == (panels < 12 ? 0 : 2 * (2 + std::min<std::size_t>(7, panels / 6))));
      for (int i = 0; i < 50; ++i) CHECK(both(pool.executor()) == alone);
    }
  }
}
