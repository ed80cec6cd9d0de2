// CPUs with AMX, whose tile registers multiply 16 x 64 by 64 x 16 bytes in one instruction, several times as fast as
// VNNI does. The sums are the same integers, so the bits of the results are. Only the product of 8-bit integers is its
// own; where a matrix does not fill tiles it is VNNI's.
#pragma once

#include "../../core/os.hpp"
#include "lanes_vnni.hpp"

#if defined(DUPQ_AMX)

#define DUPQ_ISA DUPQ_TARGET("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")

namespace dupq::inline DUPQ_ABI::amx_kernels {

using namespace avx512_kernels;

inline constexpr std::size_t register_rows = 16;    // of a tile register
inline constexpr std::size_t register_groups = 16;  // of four bytes, in a row of one

/// The shapes of the tile registers: 0 to 3 are sums, 4 and 5 rows of a, 6 and 7 panels of b. (Palette 1: up to 16 rows
/// of 64 bytes.) Loading it clears them all.
struct alignas(64) tile_shapes {
  std::uint8_t palette = 1, first_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};

  /// For `total` rows of a, at most 32: the upper registers have the first 16 of them, the lower ones the rest. Without
  /// a rest the lower ones are not used.
  constexpr void limit(std::size_t total) noexcept {
    const auto upper = static_cast<std::uint8_t>(total < register_rows ? total : register_rows);
    const auto lower = static_cast<std::uint8_t>(total > register_rows ? total - register_rows : register_rows);
    rows[0] = rows[1] = rows[4] = upper;
    rows[2] = rows[3] = rows[5] = lower;
  }
};

/// Products of up to 32 rows with one panel of weights or (Beside) two. `Lower`: there are more than 16 rows.
template <bool Lower, bool Beside>
struct sums_of_tiles {
  static constexpr std::size_t panels = Beside ? 2 : 1, width = panels * panel_width;

  DUPQ_ISA DUPQ_NOINLINE static void run(const gemm8_args& g, std::size_t row, std::size_t rows,
                                         std::size_t panel) noexcept {
    const std::size_t row_bytes = 4 * g.groups;
    const std::uint8_t* a = g.a + row * row_bytes;
    const std::int8_t* b = g.b + panel * g.panel_bytes();
    _tile_zero(0);
    if constexpr (Beside) _tile_zero(1);
    if constexpr (Lower) _tile_zero(2);
    if constexpr (Lower && Beside) _tile_zero(3);
    for (std::size_t k = 0; k < g.groups; k += register_groups, a += 4 * register_groups, b += 64 * register_groups) {
      _tile_loadd(4, a, row_bytes);
      _tile_loadd(6, b, 64);
      _tile_dpbusd(0, 4, 6);
      if constexpr (Beside) {
        _tile_loadd(7, b + g.panel_bytes(), 64);
        _tile_dpbusd(1, 4, 7);
      }
      if constexpr (Lower) {
        _tile_loadd(5, a + register_rows * row_bytes, row_bytes);
        _tile_dpbusd(2, 5, 6);
      }
      if constexpr (Lower && Beside) _tile_dpbusd(3, 5, 7);
    }
    alignas(64) std::int32_t sums[2 * register_rows * width];
    _tile_stored(0, sums, sizeof(std::int32_t) * width);
    if constexpr (Beside) _tile_stored(1, sums + panel_width, sizeof(std::int32_t) * width);
    if constexpr (Lower) _tile_stored(2, sums + register_rows * width, sizeof(std::int32_t) * width);
    if constexpr (Lower && Beside)
      _tile_stored(3, sums + register_rows * width + panel_width, sizeof(std::int32_t) * width);
    if ((panel + panels) * panel_width > g.n) {
      float lanes[2 * register_rows * width];
      scale_sums(g, sums, rows, panels, row, panel, lanes);
      return finish<true>(g, nullptr, lanes, rows, panels, row, panel);
    }
    switch (g.act) {
      case activation::none: return put<activation::none>(g, sums, row, rows, panel);
      case activation::gelu: return put<activation::gelu>(g, sums, row, rows, panel);
      case activation::tanh: return put<activation::tanh>(g, sums, row, rows, panel);
    }
  }

 private:
  /// Scales, bias, activation and residual of whole panels: what scale_sums and finish do, in one pass.
  template <activation Act>
  DUPQ_ISA static void put(const gemm8_args& g, const std::int32_t* sums, std::size_t row, std::size_t rows,
                           std::size_t panel) noexcept {
    column_scales columns[panels];
    DUPQ_UNROLL
    for (std::size_t p = 0; p < panels; ++p) columns[p] = scales_of(g, panel + p);
    const row_scale* scale = g.a_scales + row;
    const std::size_t first = row * g.c_stride + panel * panel_width;
    float* c = g.c + first;
    const float* residual = g.residual == nullptr ? nullptr : g.residual + first;
    for (; rows != 0; --rows, ++scale, sums += width, c += g.c_stride) {
      f32x16 v[panels];
      DUPQ_UNROLL
      for (std::size_t p = 0; p < panels; ++p)
        v[p] = activate<Act, true>(columns[p].apply(load(sums + 16 * p), *scale));
      if (residual != nullptr) {
        DUPQ_UNROLL
        for (std::size_t p = 0; p < panels; ++p) v[p] = add(v[p], load(residual + 16 * p));
        residual += g.c_stride;
      }
      DUPQ_UNROLL
      for (std::size_t p = 0; p < panels; ++p) store(c + 16 * p, v[p]);
    }
  }
};

/// Up to 32 rows with all panels.
template <bool Lower>
DUPQ_ISA void all_panels(const gemm8_args& g, std::size_t row, std::size_t rows) noexcept {
  const std::size_t panels = (g.n + panel_width - 1) / panel_width;
  for (std::size_t p = 0; p + 1 < panels; p += 2) sums_of_tiles<Lower, true>::run(g, row, rows, p);
  if (panels % 2 != 0) sums_of_tiles<Lower, false>::run(g, row, rows, panels - 1);
}

DUPQ_ISA inline void gemm8(const gemm8_args& g) noexcept {
  if (g.groups % register_groups != 0) return avx512_vnni_kernels::gemm8(g);
  for (std::size_t row = 0, loaded = 0; row < g.m; row += 2 * register_rows) {
    const std::size_t rows = std::min(2 * register_rows, g.m - row);
    if (rows != loaded) {
      tile_shapes shapes;
      shapes.limit(loaded = rows);
      // Compilers do not know that the next instruction reads all of `shapes`.
      __asm__ volatile("" : : "r"(&shapes) : "memory");
      _tile_loadconfig(&shapes);
    }
    rows > register_rows ? all_panels<true>(g, row, rows) : all_panels<false>(g, row, rows);
  }
  _tile_release();  // so that a switch of threads does not have to keep 8 KB
}

inline constexpr kernels table = with_gemm8("avx512-amx", avx512_kernels::table, gemm8);

/// CPUID leaf 7, EDX bits 24 and 25; and the operating system gives the registers to those who ask. In a virtual
/// machine CPUID takes longer than a short text, so it is asked once.
///
/// Linux then asks more of the process: stacks for signals (sigaltstack) must have room for the tiles, about 12 kB in
/// all, and smaller ones are refused from then on. Where one is there already, it is the tiles that are refused.
/// DUPQ_NO_AMX leaves them alone.
inline bool supported() noexcept {
  static const bool yes = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 24 & 3) == 3 && os::ask_for_tiles();
  }();
  return yes;
}

}  // namespace dupq::inline DUPQ_ABI::amx_kernels

#undef DUPQ_ISA

#endif
