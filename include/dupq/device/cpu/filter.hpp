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

inline filter_result filter(const filter_args& g) noexcept {
  filter_result result;
  for (std::size_t p = 0; p < g.count; ++p) {
    const std::byte* const panel = g.panels + p * g.panel_bytes();
    panel_tail tail;
    std::memcpy(&tail, panel + g.groups * 64, sizeof tail);
    for (std::size_t r = 0; r < g.m; ++r) {
      const std::uint8_t* const a = g.a + r * g.groups * 4;
      const row_bound& bound = g.bounds[r];
      std::int32_t sums[panel_width];
      std::memcpy(sums, tail.start, sizeof sums);
      const auto add = [&](std::size_t from, std::size_t to) {
        for (std::size_t k = from; k < to; ++k)
          for (std::size_t i = 0; i < panel_width; ++i)
            for (std::size_t c = 0; c < 4; ++c)
              sums[i] += a[4 * k + c] * static_cast<std::int8_t>(panel[(k * panel_width + i) * 4 + c]);
      };
      const auto reached = [&](const float* slack, float least) {
        unsigned bits = 0;
        for (std::size_t i = 0; i < panel_width; ++i) {
          const float v = static_cast<float>(sums[i]) * bound.scale;
          bits |= unsigned{v * tail.scale[i] + slack[i] >= least} << i;
        }
        return bits;
      };
      ++result.tiles;
      add(0, g.early);
      if (g.early < g.groups && reached(tail.slack_early, bound.least_early) == 0) continue;
      ++result.late;
      for (std::size_t i = 0; i < panel_width; ++i) sums[i] += tail.start_late[i];
      add(g.early, g.groups);
      const unsigned bits = reached(tail.slack, bound.least);
      if (bits == 0) continue;
      ++result.found;
      g.masks[r * g.mask_stride + p] = static_cast<std::uint16_t>(bits);
    }
  }
  return result;
}

inline void integers(std::size_t n, std::size_t split, const float* x, float levels, std::size_t stride,
                     std::uint32_t flip, std::byte* q, integer_row* out) noexcept {
  *out = {};
  float most = 0;
  for (std::size_t i = 0; i < n; ++i) most = std::fabs(x[i]) > most ? std::fabs(x[i]) : most;
  const float inverse = most >= least_range ? levels / most : 0.0f;
  out->step = most / levels;
  for (std::size_t group = 0; group * 4 < n; ++group, q += stride) {
    std::uint8_t four[4] = {128, 128, 128, 128};
    for (std::size_t i = group * 4, c = 0; c < 4 && i < n; ++c, ++i) {
      const std::int32_t v = std::clamp(rounded(x[i] * inverse + formulas::round_magic), -127, 127);
      const float d = x[i] - out->step * static_cast<float>(v);
      out->error += d * d;
      const std::size_t part = i < split ? 0 : 1;
      out->squares[part] += x[i] * x[i];
      out->sums[part] += v;
      four[c] = static_cast<std::uint8_t>(v + 128);
    }
    std::uint32_t bytes;
    std::memcpy(&bytes, four, 4);
    bytes ^= flip;
    std::memcpy(q, &bytes, 4);
  }
}

inline void all_dots(std::size_t n, std::size_t a_rows, const float* a, std::size_t b_rows, const float* b,
                     std::size_t stride, float* y) noexcept {
  for (std::size_t i = 0; i < a_rows; ++i) dots(n, a + i * n, b_rows, n, b, y + i * stride);
}

inline constexpr filter_kernels filter_table{filter, integers, all_dots};

}  // namespace scalar_kernels

/// The filters that go with a table of kernels.
inline const filter_kernels& filter_of(const kernels& table) noexcept {
  [[maybe_unused]] const std::string_view name = table.name;
#if defined(DUPQ_X86)
  if (name == avx512_vnni_kernels::table.name) return avx512_vnni_kernels::filter_table;
  if (name == avx512_kernels::table.name) return avx512_kernels::filter_table;
  if (name == avx_vnni_kernels::table.name) return avx_vnni_kernels::filter_table;
  if (name == avx2_kernels::table.name) return avx2_kernels::filter_table;
#elif defined(DUPQ_ARM64)
  if (name == neon_kernels::table.name) return neon_kernels::filter_table;
#endif
  return scalar_kernels::filter_table;
}

}  // namespace dupq::inline DUPQ_ABI
