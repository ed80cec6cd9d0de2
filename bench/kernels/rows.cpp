// norm/TABLE/n:SIZE: LayerNorm of 64 rows; softmax/TABLE/n:KEYS: of 16 queries.
#include "support.hpp"

namespace bench {
namespace {

void norm(benchmark::State& state, const kernels& table, std::size_t n) {
  constexpr std::size_t rows = 64;
  buffer<float> x(rows * n), gain(n), bias(n);
  for (auto _ : state) table.norm(rows, n, n, gain.data(), bias.data(), 1e-12f, x.data()), benchmark::ClobberMemory();
  count_elements(state, rows * n);
}

void softmax(benchmark::State& state, const kernels& table, std::size_t keys) {
  buffer<float> x(keys * dupq::panel_width);
  for (auto _ : state)
    table.softmax(keys, dupq::panel_width, dupq::panel_width, 0.125f, nullptr, x.data()), benchmark::ClobberMemory();
  count_elements(state, keys * dupq::panel_width);
}

const int registered = [] {
  for (const std::size_t n : {384u, 768u})
    add("norm", "n:" + std::to_string(n), [=](benchmark::State& s, const kernels& table) { norm(s, table, n); });
  for (const std::size_t n : {14u, 64u, 128u})
    add("softmax", "n:" + std::to_string(n), [=](benchmark::State& s, const kernels& table) { softmax(s, table, n); });
  return 0;
}();

}  // namespace
}  // namespace bench
