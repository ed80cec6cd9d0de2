// The last product of a cross-encoder: a pooled vector to one logit, a warp a pair.
#pragma once

#include <cstdint>

#include "row.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// logits[pair] = pooled[pair] . weights + bias; pooled is [pairs][Hidden] of half precision.
struct classifier_task {
  const std::uint16_t* pooled;
  const float* weights;  ///< [Hidden]
  const float* bias;     ///< [1]
  float* logits;
  unsigned pairs;
};

template <unsigned Hidden>
struct classifier {
  static constexpr unsigned threads = 128;
  static constexpr unsigned pairs = threads / warp_size;  ///< of a block

  template <machine M>
  static DUPQ_DEVICE void run(const classifier_task& task) {
    const unsigned pair = M::block() * pairs + M::thread() / warp_size;
    if (pair >= task.pairs) return;
    row<M, Hidden> x;
    x.set(0);
    x.add(task.pooled + std::size_t{pair} * Hidden);
    x.for_each([&](unsigned column, float(&v)[4]) {
      DUPQ_UNROLL
      for (unsigned i = 0; i < 4; ++i) v[i] *= M::load(task.weights + column + i);
    });
    const float logit = x.sum([](float v) { return v; }) + M::load(task.bias);
    if (M::thread() % warp_size == 0) M::store(task.logits + pair, logit);
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
