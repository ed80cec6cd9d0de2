// Columns of a row-major matrix into panels of 16, as products read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "../core/matrix.hpp"
#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// Element (row, column) of x to panels[(column / 16 * rows + row) * 16 + column % 16]; pads of the last panel are 0.
inline void copy_panels(matrix<const float> x, float* panels, std::size_t rows) noexcept {
  const std::size_t whole = x.columns / panel_width * panel_width, rest = x.columns - whole;
  for (std::size_t column = 0; column < whole; column += panel_width) {
    float* to = panels + column * rows;
    // The panels together are larger than the caches: the next one is asked for while this one is written.
    const float* const next = column + panel_width < whole ? to + panel_width * rows : to;
    for (std::size_t r = 0; r < x.rows; ++r) {
      __builtin_prefetch(next + r * panel_width, 1, 3);
      // of a constant size: a move, not a call
      std::memcpy(to + r * panel_width, x.row(r) + column, panel_width * sizeof(float));
    }
  }
  if (rest == 0) return;
  float* to = panels + whole * rows;
  for (std::size_t r = 0; r < x.rows; ++r, to += panel_width) {
    std::copy_n(x.row(r) + whole, rest, to);
    std::fill_n(to + rest, panel_width - rest, 0.0f);
  }
}

}  // namespace dupq::inline DUPQ_ABI
