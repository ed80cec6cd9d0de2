// gemm8/TABLE/PRODUCT/m:TOKENS: a product of 8-bit integers, its share of the core's peak; quantize/TABLE: its inputs.
#include "support.hpp"

namespace bench {
namespace {

void gemm8(benchmark::State& state, const kernels& table, std::size_t m, const product_shape& s) {
  buffer<std::uint8_t> a(m * s.k);
  buffer<std::int8_t> b(s.n * s.k);
  buffer<float> c(m * s.n), bias(s.n), scales(s.n);
  for (std::int8_t& x : std::span(b.data(), s.n * s.k)) x = static_cast<std::int8_t>(x / 2);
  const std::vector<std::int32_t> sums(s.n);
  const std::vector<dupq::row_scale> a_scales(m, {0.01f, 128});
  dupq::gemm8_args g;
  g.a = a.data(), g.a_scales = a_scales.data(), g.b = b.data(), g.scales = scales.data(), g.sums = sums.data();
  g.groups = s.k / 4;
  g.c = c.data(), g.c_stride = s.n, g.m = m, g.n = s.n;
  g.bias = bias.data(), g.act = s.act;
  time_product(state, byte_peak(table), 2.0 * static_cast<double>(m * s.n * s.k), [&] { table.gemm8(g); });
}

void quantize(benchmark::State& state, const kernels& table) {
  constexpr std::size_t m = 14, n = 384;
  buffer<float> x(m * n), factors(n);
  buffer<std::uint8_t> q(m * n);
  dupq::row_scale scales[m];
  for (auto _ : state) {
    table.quantize(m, n, n, x.data(), factors.data(), q.data(), scales);
    benchmark::DoNotOptimize(scales);
  }
  count_elements(state, m * n);
}

const int registered = [] {
  for (const product_shape& s : shapes)
    for (const std::size_t m : token_counts)
      add("gemm8", s.name + ("/m:" + std::to_string(m)),
          [=](benchmark::State& state, const kernels& table) { gemm8(state, table, m, s); });
  return add("quantize", "", quantize);
}();

}  // namespace
}  // namespace bench
