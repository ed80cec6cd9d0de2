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

  /// `wide` is [tokens][intermediate].
  template <device D>
  void forward(const D& device, matrix<float, Memory> x, matrix<float, Memory> wide, float* scratch) const noexcept {
    device.apply(up, x, activation::gelu, scratch, wide);
    device.apply_residual_norm(down, wide, norm, scratch, x);
  }
};

}  // namespace dupq::inline DUPQ_ABI
