// The token vectors of each text to one vector: a warp a text.
#pragma once

#include <cstdint>

#include "../../core/config.hpp"
#include "row.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// y is [texts][modes * Hidden] of floats: the first token, the maximum, the mean, those that `mode` has, in this
/// order; of length 1 if `normalize`. x is [tokens][Hidden] of half precision, and no text is empty.
struct pooling_task {
  const std::uint32_t* offsets;  ///< [texts + 1]
  const std::uint16_t* x;
  dupq::pooling mode;
  bool normalize;
  float* y;
  unsigned texts;
};

template <unsigned Hidden>
struct pooling {
  static constexpr unsigned threads = 128;
  static constexpr unsigned texts = threads / warp_size;  ///< of a block

  template <machine M>
  static DUPQ_DEVICE void run(const pooling_task& task) {
    const unsigned text = M::block() * texts + M::thread() / warp_size;
    if (text >= task.texts) return;
    const unsigned begin = M::load(task.offsets + text), end = M::load(task.offsets + text + 1);
    row<M, Hidden> first, most, mean;
    first.set(0), most.set(-__builtin_huge_valf()), mean.set(0);
    first.add(task.x + std::size_t{begin} * Hidden);
    for (unsigned token = begin; token < end; ++token) {
      const std::uint16_t* const x = task.x + std::size_t{token} * Hidden;
      if (task.mode.mean) mean.add(x);
      if (task.mode.max) most.combine(x, [](float a, float b) { return a > b ? a : b; });
    }
    const float share = 1.0f / static_cast<float>(end - begin);
    mean.for_each([share](unsigned, float(&v)[4]) {
      DUPQ_UNROLL
      for (unsigned i = 0; i < 4; ++i) v[i] *= share;
    });

    float scale = 1;
    if (task.normalize) {
      float squares = 0;
      if (task.mode.cls) squares += first.sum([](float v) { return v * v; });
      if (task.mode.max) squares += most.sum([](float v) { return v * v; });
      if (task.mode.mean) squares += mean.sum([](float v) { return v * v; });
      scale = squares > 1e-24f ? M::inverse_sqrt(squares) : 1e12f;
    }
    const unsigned modes = unsigned{task.mode.cls} + unsigned{task.mode.max} + unsigned{task.mode.mean};
    float* to = task.y + std::size_t{text} * modes * Hidden;
    const auto put = [&](bool wanted, row<M, Hidden>& values) {
      if (!wanted) return;
      values.for_each([&](unsigned column, float(&v)[4]) {
        DUPQ_UNROLL
        for (unsigned i = 0; i < 4; ++i) M::store(to + column + i, v[i] * scale);
      });
      to += Hidden;
    };
    put(task.mode.cls, first), put(task.mode.max, most), put(task.mode.mean, mean);
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
