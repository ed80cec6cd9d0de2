// Which pairs of rows can be alike, found with 8-bit integers: a table for each instruction set, as kernels.hpp has.
// What it says is a bound and not a score, so tables need not agree; see search/packed_rows.hpp for the arithmetic.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels.hpp"

namespace dupq::inline DUPQ_ABI {

/// A row as integers, x ~ step * q.
struct integer_row {
  float step = 0;
  float error = 0;       ///< |x - step * q|^2
  float square = 0;      ///< |x|^2
  std::int32_t sum = 0;  ///< of the integers
};

/// A sum of integers that was computed in float; 0 where it is NaN or infinite, because the row had such numbers.
inline std::int32_t whole_number(float sum) noexcept {
  return std::fabs(sum) <= 0x1p30f ? static_cast<std::int32_t>(sum) : 0;
}

/// What is stored behind the integers of a panel, for each of its sixteen rows. Scales and slacks are those of the
/// similarity that the rows were packed for.
struct panel_tail {
  float scale[panel_width];
  float slack[panel_width];         ///< how much higher a similarity can be than the integers say
  std::int32_t start[panel_width];  ///< where sums begin: -128 times the sum of the integers
  float length[panel_width];        ///< at least 1e-12, as the cosine needs it
};

/// A row of the other side. It reaches its threshold only where scale * sum * panel's scale + panel's slack >= least.
struct row_bound {
  float scale = 0;
  float least = 0;
};

/// One integer form of both sides.
struct filter_side {
  const std::uint8_t* a = nullptr;    ///< [m][4 * groups], integers + 128
  const row_bound* bounds = nullptr;  ///< [m]
  const std::byte* panels = nullptr;  ///< each [groups][16][4] integers in [-64, 64] and a panel_tail
  std::size_t groups = 0;             ///< of four numbers; 0: there is no such form

  std::size_t panel_bytes() const noexcept { return groups * 4 * panel_width + sizeof(panel_tail); }
};

/// Tiles in which no pair can count by the sketch, which is short, are not looked at in full.
struct filter_args {
  filter_side sketch, whole;
  std::size_t m = 0;               ///< 1, or a multiple of filter_rows
  std::size_t count = 0;           ///< of panels
  std::uint16_t* masks = nullptr;  ///< [m][mask_stride], a bit a row of a panel; only what is not 0 is written
  std::size_t mask_stride = 0;
};

/// Rows of `filter_args::a` come in multiples of this, or alone.
inline constexpr std::size_t filter_rows = 8;

struct filter_result {
  std::size_t found = 0;  ///< tiles in which a bit is set
  std::size_t tiles = 0;
  std::size_t late = 0;  ///< tiles that were looked at in full
};

struct filter_kernels {
  filter_result (*filter)(const filter_args& args) noexcept;
  /// A row of n as integers in [-levels, levels]. Four of them at q + group * stride, as bytes + 128 whose bits in
  /// `flip` are turned. Sums run over 16 partial sums, as in kernels.hpp.
  void (*integers)(std::size_t n, const float* x, float levels, std::size_t stride, std::uint32_t flip, std::byte* q,
                   integer_row* out) noexcept;
  /// y[i][j] = a[i] . b[j], the bits of `dots`; rows of a and b lie n apart, those of y `stride`.
  void (*all_dots)(std::size_t n, std::size_t a_rows, const float* a, std::size_t b_rows, const float* b,
                   std::size_t stride, float* y) noexcept;
};

}  // namespace dupq::inline DUPQ_ABI
