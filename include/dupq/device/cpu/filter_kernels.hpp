// Which pairs of rows can be alike, found with 8-bit integers: a table for each instruction set, as kernels.hpp has.
// What it says is a bound and not a score, so tables need not agree; see search/packed_rows.hpp for the arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"

namespace dupq::inline DUPQ_ABI {

/// A row as integers, x ~ step * q, in two parts: the numbers before `split` and those from there on.
struct integer_row {
  float step = 0;
  float error = 0;            ///< |x - step * q|^2
  float squares[2] = {};      ///< |x|^2 of each part
  std::int32_t sums[2] = {};  ///< of the integers of each part
};

/// What stands behind the integers of a panel: of each of its sixteen rows, in units of the similarity that the rows
/// are packed for.
struct panel_tail {
  float scale[panel_width];
  float slack[panel_width];         ///< how much higher a similarity can be than the integers say
  float slack_early[panel_width];   ///< the same after the first part alone
  std::int32_t start[panel_width];  ///< the sums of the first part begin here: -128 times its integers
  std::int32_t start_late[panel_width];
  float length[panel_width];  ///< at least 1e-12, as the cosine needs it
};

/// A row of the other side: it reaches its threshold only where scale * product * panel's scale + slack >= least.
struct row_bound {
  float scale = 0;
  float least = 0;
  float least_early = 0;
};

struct filter_args {
  const std::uint8_t* a = nullptr;    ///< [m][4 * groups], integers + 128
  const row_bound* bounds = nullptr;  ///< [m]
  std::size_t m = 0;                  ///< 1, or a multiple of filter_rows
  const std::byte* panels = nullptr;  ///< each [groups][16][4] integers in [-64, 64] and a panel_tail
  std::size_t count = 0;              ///< of panels
  std::size_t groups = 0;             ///< of four numbers
  std::size_t early = 0;              ///< groups of the first part; all of them: there is one part
  std::uint16_t* masks = nullptr;     ///< [m][mask_stride], a bit a row of a panel; only what is not 0 is written
  std::size_t mask_stride = 0;

  std::size_t panel_bytes() const noexcept { return groups * 4 * panel_width + sizeof(panel_tail); }
};

/// Rows of `filter_args::a` come in multiples of this, or alone.
inline constexpr std::size_t filter_rows = 8;

struct filter_result {
  std::size_t found = 0;  ///< tiles in which a bit is set
  std::size_t tiles = 0;
  std::size_t late = 0;  ///< tiles that needed the second part
};

struct filter_kernels {
  filter_result (*filter)(const filter_args& args) noexcept;
  /// A row of n as integers in [-levels, levels], `split` a multiple of 16. Four of them at q + group * stride, as
  /// bytes + 128 whose bits in `flip` are turned.
  void (*integers)(std::size_t n, std::size_t split, const float* x, float levels, std::size_t stride,
                   std::uint32_t flip, std::byte* q, integer_row* out) noexcept;
  /// y[i][j] = a[i] . b[j], the bits of `dots`; rows of a and b lie n apart, those of y `stride`.
  void (*all_dots)(std::size_t n, std::size_t a_rows, const float* a, std::size_t b_rows, const float* b,
                   std::size_t stride, float* y) noexcept;
};

}  // namespace dupq::inline DUPQ_ABI
