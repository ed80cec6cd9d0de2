// Tables of kernels with another activation than GELU: the same bits from each, near the formula in double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <dupq/device/cpu/activations.hpp>
#include <vector>

namespace {

double exact(dupq::hidden_activation act, double x) {
  if (act == dupq::hidden_activation::relu) return x > 0 ? x : 0;
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

constexpr dupq::hidden_activation others[] = {dupq::hidden_activation::gelu_tanh, dupq::hidden_activation::relu};

/// act(x w + bias) of some rows, with what lies behind each row.
std::vector<float> product(const dupq::kernels& k, std::size_t outputs, dupq::activation act) {
  constexpr std::size_t rows = 5, inputs = 3, stride = 80;
  std::vector<float> x(rows * inputs), weights(inputs * stride), bias(stride), out(rows * stride, -7.0f);
  std::uint32_t state = 1;
  for (std::vector<float>* numbers : {&x, &weights, &bias})
    for (float& v : *numbers) {
      state = state * 1664525u + 1013904223u;
      v = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-30f;
    }
  dupq::gemm_args g;
  g.a = x.data(), g.a_stride = inputs, g.b = weights.data(), g.panel_stride = inputs * dupq::panel_width;
  g.c = out.data(), g.c_stride = stride, g.m = rows, g.n = outputs, g.k = inputs, g.bias = bias.data(), g.act = act;
  k.gemm(g);
  return out;
}

}  // namespace

TEST_CASE("GELU with a tanh is near its formula everywhere") {
  const auto act = dupq::hidden_activation::gelu_tanh;
  double worst = 0;
  for (float x = -60; x < 60; x += 1.0f / 1024) {
    const double truth = exact(act, static_cast<double>(x));
    worst = std::fmax(
        worst, std::fabs(static_cast<double>(dupq::formulas::gelu_tanh(x)) - truth) / std::fmax(1.0, std::fabs(truth)));
  }
  CHECK(worst < 3e-7);
  CHECK(dupq::formulas::gelu_tanh(0.0f) == 0.0f);
  CHECK(dupq::formulas::gelu_tanh(1e30f) == 1e30f);
  CHECK(std::fabs(dupq::formulas::gelu_tanh(-1e30f)) == 0.0f);
}

TEST_CASE("every table has the bits of the scalar one, in place of GELU alone") {
  for (const dupq::hidden_activation act : others)
    for (const std::size_t outputs : {1u, 15u, 16u, 17u, 33u, 64u, 79u}) {
      const auto truth = product(dupq::table_with(act, dupq::scalar_kernels::table), outputs, dupq::activation::gelu);
      const auto plain = product(dupq::scalar_kernels::table, outputs, dupq::activation::none);
      for (std::size_t i = 0; i < truth.size(); ++i) {
        const bool inside = i % 80 < outputs;
        const double expected = inside ? exact(act, static_cast<double>(plain[i])) : -7;
        CHECK(std::fabs(static_cast<double>(truth[i]) - expected) < 2e-6);
      }
      for (const dupq::kernels* table : dupq::available_kernels()) {
        const dupq::kernels& with = dupq::table_with(act, *table);
        CHECK(std::strcmp(with.name, table->name) == 0);
        const auto found = product(with, outputs, dupq::activation::gelu);
        CHECK(std::memcmp(found.data(), truth.data(), truth.size() * sizeof(float)) == 0);
        CHECK(product(with, outputs, dupq::activation::tanh) == product(*table, outputs, dupq::activation::tanh));
      }
    }
  CHECK(&dupq::table_with(dupq::hidden_activation::gelu, dupq::scalar_kernels::table) == &dupq::scalar_kernels::table);
}
