// The last step of a cross-encoder: the first token's vector of each pair to one logit.
#pragma once

#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// logits = classifier(tanh(dense(first))), [texts][1].
template <class Memory>
struct head {
  linear<Memory> dense;       ///< hidden to hidden
  linear<Memory> classifier;  ///< hidden to 1

  /// `first` and `pooled` are [texts][hidden].
  template <device D>
  void forward(const D& device, matrix<const float, Memory> first, matrix<float, Memory> pooled,
               matrix<float, Memory> logits, float* scratch) const noexcept {
    device.apply(dense, first, activation::tanh, scratch, pooled);
    device.apply(classifier, pooled, activation::none, scratch, logits);
  }
};

}  // namespace dupq::inline DUPQ_ABI
