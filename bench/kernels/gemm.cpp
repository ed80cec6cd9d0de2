// gemm/TABLE/PRODUCT/m:TOKENS: a product of floats with bias (`up` with GELU too), and its share of the core's peak.
#include "support.hpp"

namespace bench {
namespace {

void gemm(benchmark::State& state, const kernels& table, std::size_t m, const product_shape& s) {
  buffer<float> a(m * s.k), b(dupq::round_up(s.n, dupq::panel_width) * s.k), c(m * s.n), bias(s.n);
  dupq::gemm_args g;
  g.a = a.data(), g.a_stride = s.k;
  g.b = b.data(), g.panel_stride = s.k * dupq::panel_width;
  g.c = c.data(), g.c_stride = s.n;
  g.m = m, g.n = s.n, g.k = s.k;
  g.bias = bias.data(), g.act = s.act;
  time_product(state, float_peak(table), 2.0 * static_cast<double>(m * s.n * s.k), [&] { table.gemm(g); });
}

/// The epilogue almost alone: a product over k = 1.
void gelu(benchmark::State& state, const kernels& table) {
  gemm(state, table, 64, {"gelu", 1536, 1, dupq::activation::gelu});
  state.counters.clear();
  count_elements(state, 64 * 1536);
}

const int registered = [] {
  for (const product_shape& s : shapes)
    for (const std::size_t m : token_counts)
      add("gemm", s.name + ("/m:" + std::to_string(m)),
          [=](benchmark::State& state, const kernels& table) { gemm(state, table, m, s); });
  return add("gelu", "", gelu);
}();

}  // namespace
}  // namespace bench
