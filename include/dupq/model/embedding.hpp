// The first layer: token ids to vectors.
#pragma once

#include "../device/device.hpp"

namespace dupq::inline DUPQ_ABI {

/// y = norm(words[id] + types[type] + positions[position]), [tokens][hidden].
template <class Memory>
struct embedding {
  table<Memory> words, types, positions;
  layer_norm<Memory> norm;

  template <device D>
  void forward(const D& device, const token_batch& batch, matrix<float, Memory> y) const noexcept {
    device.embed(batch, words, types, positions, norm, y);
  }
};

}  // namespace dupq::inline DUPQ_ABI
