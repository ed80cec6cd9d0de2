// The filter table of each instruction set, and the plain functions that say what one does.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cpu.hpp"
#include "filter_kernels.hpp"

namespace dupq::inline DUPQ_ABI {

namespace scalar_kernels {

/// The pairs of a row and the sixteen rows of a panel that can count, a bit each.
inline unsigned reached(const filter_side& side, std::size_t r, std::size_t p) noexcept {
  const std::byte* const panel = side.panels + p * side.panel_bytes();
  const std::uint8_t* const a = side.a + r * side.groups * 4;
  panel_tail tail;
  std::memcpy(&tail, panel + side.groups * 64, sizeof tail);
  for (std::size_t k = 0; k < side.groups; ++k)
    for (std::size_t i = 0; i < panel_width; ++i)
      for (std::size_t c = 0; c < 4; ++c)
        tail.start[i] += a[4 * k + c] * static_cast<std::int8_t>(panel[(k * panel_width + i) * 4 + c]);
  unsigned bits = 0;
  for (std::size_t i = 0; i < panel_width; ++i) {
    const float v = static_cast<float>(tail.start[i]) * side.bounds[r].scale;
    bits |= unsigned{v * tail.scale[i] + tail.slack[i] >= side.bounds[r].least} << i;
  }
  return bits;
}
inline filter_result filter(const filter_args& g) noexcept {
  filter_result result;
  for (std::size_t p = 0; p < g.count; ++p)
    for (std::size_t r = 0; r < g.m; ++r) {
      ++result.tiles;
      if (g.sketch.groups != 0 && reached(g.sketch, r, p) == 0) continue;
      ++result.late;
      const unsigned bits = reached(g.whole, r, p);
      if (bits == 0) continue;
      ++result.found;
      g.masks[r * g.mask_stride + p] = static_cast<std::uint16_t>(bits);
    }
  return result;
}

inline void integers(std::size_t n, const float* x, float levels, std::size_t stride, std::uint32_t flip, std::byte* q,
                     integer_row* out) noexcept {
  float most = 0, error[16] = {}, square[16] = {}, sum[16] = {};
  for (std::size_t i = 0; i < n; ++i) most = std::fabs(x[i]) > most ? std::fabs(x[i]) : most;
  const float inverse = most >= least_range ? levels / most : 0.0f, step = most / levels;
  for (std::size_t group = 0; group * 4 < n; ++group, q += stride) {
    std::uint32_t bytes = 0;
    for (std::size_t i = group * 4; i < group * 4 + 4; ++i) {
      const float v = i < n ? x[i] : 0.0f, t = fused(v, inverse, formulas::round_magic);
      const float whole = t - formulas::round_magic, d = fused(-step, whole, v);
      error[i % 16] = fused(d, d, error[i % 16]);
      square[i % 16] = fused(v, v, square[i % 16]);
      sum[i % 16] = sum[i % 16] + whole;
      const auto byte = static_cast<std::uint32_t>(std::clamp<std::int32_t>(rounded(t) + 128, 0, 255));
      bytes |= byte << 8 * (i % 4);
    }
    bytes ^= flip;
    for (std::size_t c = 0; c < 4; ++c) q[c] = static_cast<std::byte>(bytes >> 8 * c & 255);
  }
  *out = {step, sum_lanes(error), sum_lanes(square), whole_number(sum_lanes(sum))};
}

inline void all_dots(std::size_t n, std::size_t a_rows, const float* a, std::size_t b_rows, const float* b,
                     std::size_t stride, float* y) noexcept {
  for (std::size_t i = 0; i < a_rows; ++i) dots(n, a + i * n, b_rows, n, b, y + i * stride);
}

inline constexpr filter_kernels filter_table{filter, integers, all_dots};

}  // namespace scalar_kernels

/// The filters that go with a table of kernels.
DUPQ_TABLES const filter_kernels& filter_of(const kernels& table) noexcept;

#if DUPQ_KERNELS_HERE
DUPQ_TABLES const filter_kernels& filter_of(const kernels& table) noexcept {
  [[maybe_unused]] const std::string_view name = table.name;
#if defined(DUPQ_X86)
#if defined(DUPQ_AMX)
  if (name == amx_kernels::table.name) return avx512_vnni_kernels::filter_table;
#endif
  if (name == avx512_vnni_kernels::table.name) return avx512_vnni_kernels::filter_table;
  if (name == avx512_kernels::table.name) return avx512_kernels::filter_table;
  if (name == avx_vnni_kernels::table.name) return avx_vnni_kernels::filter_table;
  if (name == avx2_kernels::table.name) return avx2_kernels::filter_table;
#elif defined(DUPQ_ARM64)
  if (name == neon_kernels::table.name) return neon_kernels::filter_table;
#endif
  return scalar_kernels::filter_table;
}
#endif

}  // namespace dupq::inline DUPQ_ABI
