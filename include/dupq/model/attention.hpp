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
    attend(device, batch, shape, x, projected, context, scratch);
    device.apply_residual_norm(output, context, norm, scratch, x);
  }
  /// The same for the first token of each text alone, whose vector ends in `first`, [texts][hidden].
  template <device D>
  void forward_first(const D& device, const token_batch& batch, const attention_shape& shape,
                     matrix<const float, Memory> x, matrix<float, Memory> projected, matrix<float, Memory> context,
                     matrix<float, Memory> first, float* scratch) const noexcept {
    attend(device, batch, shape, x, projected, context, scratch);
    // They take the room of the projections, which nobody reads any more.
    const matrix<float, Memory> contexts(projected.data, batch.texts, x.columns);
    device.pool(batch, pooling{.cls = true}, context, contexts);
    device.pool(batch, pooling{.cls = true}, x, first);
    device.apply_residual_norm(output, contexts, norm, scratch, first);
  }

 private:
  template <device D>
  void attend(const D& device, const token_batch& batch, const attention_shape& shape, matrix<const float, Memory> x,
              matrix<float, Memory> projected, matrix<float, Memory> context, float* scratch) const noexcept {
    device.apply(qkv, x, activation::none, scratch, projected);
    device.attention(batch, shape, projected, scratch, context);
  }
};

}  // namespace dupq::inline DUPQ_ABI
