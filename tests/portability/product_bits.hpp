// The bits of a product of 8-bit integers that is large enough for whole tile registers, which no golden model's is.
#pragma once

#include <cstdint>
#include <dupq/device/cpu/cpu.hpp>
#include <vector>

#include "golden/hashes.hpp"

namespace product_bits {

inline std::uint64_t of(const dupq::kernels& table) {
  constexpr std::size_t m = 53, n = 72, k = 192, panels = (n + 15) / 16;
  std::vector<std::uint8_t> a(m * k);
  std::vector<std::int8_t> b(panels * 16 * k);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<std::uint8_t>(i * i * 7 % 251);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<std::int8_t>(i * i * 5 % 129) - 64;
  std::vector<std::int32_t> sums(n);
  for (std::size_t o = 0; o < n; ++o)
    for (std::size_t i = 0; i < k; ++i) sums[o] += b[(o / 16 * (k / 4) + i / 4) * 64 + o % 16 * 4 + i % 4];
  std::vector<dupq::row_scale> rows(m);
  for (std::size_t r = 0; r < m; ++r) rows[r] = {0.001f * static_cast<float>(r + 1), static_cast<std::int32_t>(r * 3)};
  const std::vector<float> scales(n, 0.01f), bias(n, 0.25f);
  std::vector<float> c(m * n, 0.5f);
  golden::hash h;
  for (const dupq::activation act : {dupq::activation::none, dupq::activation::gelu, dupq::activation::tanh}) {
    dupq::gemm8_args g;
    g.a = a.data(), g.a_scales = rows.data();
    g.b = b.data(), g.scales = scales.data(), g.sums = sums.data(), g.groups = k / 4;
    g.c = c.data(), g.c_stride = n, g.m = m, g.n = n, g.bias = bias.data(), g.residual = c.data(), g.act = act;
    table.gemm8(g);
    for (const float v : c) h.add(v);
  }
  return h.value();
}

}  // namespace product_bits
