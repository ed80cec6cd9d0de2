// A quick proof that a kernel table computes the bits that it should on this machine, with this compiler and its flags.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels.hpp"

namespace dupq::inline DUPQ_ABI {

/// The hash of every kernel's outputs over fixed inputs: FNV-1a of the floats. Some microseconds.
inline std::uint64_t arithmetic_hash(const kernels& table) noexcept {
  const float_environment ieee;
  constexpr std::size_t m = 7, n = 37, k = 101, padded = 48;
  std::uint32_t seed = 1;
  const auto fill = [&](float* to, std::size_t count, float scale) {
    for (std::size_t i = 0; i < count; ++i) {
      seed = seed * 1664525u + 1013904223u;
      to[i] = (static_cast<float>(seed >> 8) - 8388608.0f) * (scale / 8388608.0f);
    }
  };
  std::uint64_t hash = 14695981039346656037u;
  const auto add = [&](const float* x, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) hash = (hash ^ std::bit_cast<std::uint32_t>(x[i])) * 1099511628211u;
  };
  float a[m * k], b[padded * k], c[m * padded], bias[padded], row[padded];
  fill(a, m * k, 2), fill(b, padded * k, 1), fill(c, m * padded, 4), fill(bias, padded, 1);
  gemm_args g;
  g.a = a, g.a_stride = k, g.b = b, g.panel_stride = k * panel_width;
  g.c = c, g.c_stride = padded, g.m = m, g.n = n, g.k = k, g.bias = bias, g.residual = c, g.act = activation::gelu;
  table.gemm(g);
  add(c, m * padded);
  table.norm(m, n, padded, bias, a, 1e-12f, c);
  add(c, m * padded);
  table.softmax(m, n, padded, 3.0f, b + m, c);
  table.mean(m, n, padded, c, row);
  add(row, n);
  table.max(m, n, padded, c, row);
  add(row, n);
  table.add_rows(n, row, bias, a, row);
  table.divide(n, 3.0f, row);
  add(row, n);
  table.dots(n, bias, m, padded, c, row);
  add(row, m);
  // a again as 8-bit integers, and weights that are bytes in panels
  constexpr std::size_t groups = (k + 3) / 4;
  std::uint8_t q[m * groups * 4];
  std::int8_t weights[padded * groups * 4];
  std::int32_t sums[padded] = {};
  row_scale scales[m];
  table.quantize(m - 2, k, k, a, b, q, scales);
  table.quantize(2, k, k, a + (m - 2) * k, nullptr, q + (m - 2) * groups * 4, scales + m - 2);
  for (std::size_t i = 0; i < sizeof weights; ++i) {
    seed = seed * 1664525u + 1013904223u;
    weights[i] = static_cast<std::int8_t>(static_cast<int>((seed >> 8) % 129) - 64);
    sums[i / (groups * 64) * panel_width + i / 4 % panel_width] += weights[i];
  }
  gemm8_args g8;
  g8.a = q, g8.a_scales = scales, g8.b = weights, g8.scales = b, g8.sums = sums, g8.groups = groups;
  g8.c = c, g8.c_stride = padded, g8.m = m, g8.n = n, g8.bias = bias, g8.act = activation::gelu;
  table.gemm8(g8);
  add(c, m * padded);
  return hash;
}

/// True if the table gives the bits that every table on every machine gives.
inline bool exact_arithmetic(const kernels& table) noexcept { return arithmetic_hash(table) == 2857063024665938148u; }

}  // namespace dupq::inline DUPQ_ABI
