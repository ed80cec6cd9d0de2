// Self-attention within each text, with its residual connection and norm.
#pragma once

#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// x = norm(output(attention(qkv(x))) + x), [tokens][hidden].
template <class Memory>
struct attention {
  linear<Memory> qkv;  ///< queries, keys and values in one product: 3 * hidden outputs
  linear<Memory> output;
  layer_norm<Memory> norm;

  /// `projected` is [tokens][3 * hidden], `context` [tokens][hidden], `scratch` D::scratch_floats floats.
  template <device D>
  void forward(const D& device, const token_batch& batch, const attention_shape& shape, matrix<float, Memory> x,
               matrix<float, Memory> projected, matrix<float, Memory> context, float* scratch) const noexcept {
    device.apply(qkv, x, activation::none, scratch, projected);
    device.attention(batch, shape, projected, scratch, context);
    device.apply_residual_norm(output, context, norm, scratch, x);
  }
};

}  // namespace dupq::inline DUPQ_ABI
