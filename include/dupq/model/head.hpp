// The last step of a cross-encoder: the first token's vector of each pair to one logit.
#pragma once

#include <cstddef>
#include <span>

#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// logits = classifier(act(dense(first))), [texts][1].
template <class Memory>
struct head {
  linear<Memory> dense;       ///< hidden to hidden
  linear<Memory> classifier;  ///< hidden to 1

  /// `first` and `pooled` are [texts][hidden].
  template <device D>
  void forward(const D& device, head_activation act, matrix<const float, Memory> first, matrix<float, Memory> pooled,
               matrix<float, Memory> logits, float* scratch) const noexcept {
    const activation of_product = act == head_activation::tanh   ? activation::tanh
                                  : act == head_activation::gelu ? activation::gelu
                                                                 : activation::none;
    device.apply(dense, first, of_product, scratch, pooled);
    if (act == head_activation::relu)
      for (std::size_t r = 0; r < pooled.rows; ++r)
        for (float& v : std::span(pooled.row(r), pooled.columns)) v = v < 0 ? 0.0f : v;
    device.apply(classifier, pooled, activation::none, scratch, logits);
  }
};

}  // namespace dupq::inline DUPQ_ABI
