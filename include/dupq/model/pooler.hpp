// The last step of a bi-encoder: the token vectors of each text to one vector.
#pragma once

#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// y = pooled(x), of length 1 where the model says so; [texts][dim].
struct pooler {
  pooling mode;
  bool normalize = false;

  template <device D>
  void forward(const D& device, const token_batch& batch, matrix<const float, typename D::memory> x,
               matrix<float, typename D::memory> y) const noexcept {
    device.pool(batch, mode, x, y);
    if (normalize) device.normalize(y);
  }
};

}  // namespace dupq::inline DUPQ_ABI
