// The two-layer perceptron of each block, with its residual connection and norm.
#pragma once

#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// x = norm(down(gelu(up(x))) + x), [tokens][hidden].
template <class Memory>
struct feed_forward {
  linear<Memory> up;    ///< hidden to intermediate
  linear<Memory> down;  ///< intermediate to hidden
  layer_norm<Memory> norm;

  /// `wide` is [some rows][intermediate]: as many tokens at a time, so that they stay in the cache.
  template <device D>
  void forward(const D& device, matrix<float, Memory> x, matrix<float, Memory> wide, float* scratch) const noexcept {
    for (std::size_t first = 0; first < x.rows; first += wide.rows) {
      const std::size_t rows = wide.rows < x.rows - first ? wide.rows : x.rows - first;
      const auto inner = wide.some_rows(0, rows), outer = x.some_rows(first, rows);
      device.apply(up, outer, activation::gelu, scratch, inner);
      device.apply_residual_norm(down, inner, norm, scratch, outer);
    }
  }
};

}  // namespace dupq::inline DUPQ_ABI
