// Token embeddings and their norm: a warp a token.
#pragma once

#include <cstdint>

#include "row.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// y = norm((words[id] + types[type]) + positions[position]), [tokens][Hidden] of half precision, as are the tables.
struct embedding_task {
  const std::int32_t* ids;
  const std::int32_t* positions;
  const std::uint8_t* types;    ///< null: all 0
  const std::uint16_t* words;   ///< [vocabulary][Hidden]
  const std::uint16_t* kinds;   ///< [token types][Hidden]; null: there are none
  const std::uint16_t* places;  ///< [positions][Hidden]
  norm scale;
  std::uint16_t* y;
  unsigned tokens;
};

template <unsigned Hidden>
struct embedding {
  static constexpr unsigned threads = 128;
  static constexpr unsigned tokens = threads / warp_size;  ///< of a block

  template <machine M>
  static DUPQ_DEVICE void run(const embedding_task& task) {
    const unsigned token = M::block() * tokens + M::thread() / warp_size;
    if (token >= task.tokens) return;
    const auto of = [](const std::uint16_t* table, std::int32_t at) {
      return table + static_cast<std::int64_t>(at) * Hidden;
    };
    row<M, Hidden> x;
    x.set(0);
    x.add(of(task.words, M::load(task.ids + token)));
    if (task.kinds != nullptr) x.add(of(task.kinds, task.types == nullptr ? 0 : M::load(task.types + token)));
    x.add(of(task.places, M::load(task.positions + token)));
    const float mean = x.sum([](float v) { return v; }) * (1.0f / Hidden);
    const float variance = x.sum([mean](float v) { return (v - mean) * (v - mean); }) * (1.0f / Hidden);
    const float inverse = M::inverse_sqrt(variance + task.scale.epsilon);
    x.for_each([&](unsigned column, float(&mine)[4]) {
      DUPQ_UNROLL
      for (unsigned i = 0; i < 4; ++i)
        mine[i] =
            (mine[i] - mean) * inverse * M::load(task.scale.gain + column + i) + M::load(task.scale.bias + column + i);
    });
    x.store(task.y + static_cast<std::size_t>(token) * Hidden);
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
