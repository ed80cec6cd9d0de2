// filter/TABLE/N: a strip of rows against panels of 384 numbers, compared in integers with nothing that reaches the
// threshold: the products' share of the core's peak. N is 384, or 128 for what a sketch costs.
// all_dots/TABLE: the same of floats, with the bits of `dots`.
#include <dupq/device/cpu/filter.hpp>

#include "support.hpp"

namespace bench {
namespace {

void filter(benchmark::State& state, const kernels& table, std::size_t n) {
  constexpr std::size_t m = 448, count = 48;
  const std::size_t stride = n * dupq::panel_width + sizeof(dupq::panel_tail);
  buffer<std::uint8_t> a(m * n);
  buffer<std::int8_t> b(count * stride);
  for (std::int8_t& x : std::span(b.data(), count * stride)) x = static_cast<std::int8_t>(x / 2);
  for (std::size_t p = 0; p < count; ++p)
    std::memset(b.data() + p * stride + n * dupq::panel_width, 0, sizeof(dupq::panel_tail));
  const std::vector<dupq::row_bound> bounds(m, {1.0f, 1.0f});
  std::vector<std::uint16_t> masks(m * count);
  dupq::filter_args g;
  g.whole = {a.data(), bounds.data(), reinterpret_cast<const std::byte*>(b.data()), n / 4};
  g.m = m, g.count = count, g.masks = masks.data(), g.mask_stride = count;
  const dupq::filter_kernels& filters = dupq::filter_of(table);
  time_product(state, byte_peak(table), 2.0 * static_cast<double>(m * count * dupq::panel_width * n),
               [&] { benchmark::DoNotOptimize(filters.filter(g)); });
}

void all_dots(benchmark::State& state, const kernels& table) {
  constexpr std::size_t rows = 64, n = 384;
  buffer<float> a(rows * n), b(rows * n), y(rows * rows);
  time_product(state, float_peak(table), 2.0 * rows * rows * n,
               [&] { dupq::filter_of(table).all_dots(n, rows, a.data(), rows, b.data(), rows, y.data()); });
}

const int registered = [] {
  for (const std::size_t n : {std::size_t{384}, std::size_t{128}})
    add("filter", std::to_string(n), [=](benchmark::State& state, const kernels& table) { filter(state, table, n); });
  return add("all_dots", "", all_dots);
}();

}  // namespace
}  // namespace bench
