// The embedding in training: tokens to the first layer's input, and the gradients of the tables and of their norm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../core/executor.hpp"
#include "layer_gradient.hpp"
#include "training_state.hpp"

namespace dupq::inline DUPQ_ABI {

/// room.x = dropped(norm(words + types + positions)) of a block.
template <trainable_device D>
void embed(const layer_pass<D>& pass, const training_state<D>& s, const kernels& k, const training_block& b,
           const block_room& room) noexcept {
  const std::size_t d = pass.model.hidden, tokens = b.texts.tokens();
  const token_batch batch = s.batch.view();
  const matrix<float> sum(s.embedding_x + b.first_token * d, tokens, d), x(room.x, tokens, d);
  const auto row = [d](const parameter& table, auto r) { return table.values + static_cast<std::size_t>(r) * d; };
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::size_t at = b.first_token + t;
    const float* const type = s.weights.types == nullptr ? nullptr : row(*s.weights.types, batch.types[at]);
    k.add_rows(d, row(*s.weights.words, batch.ids[at]), type, row(*s.weights.positions, batch.positions[at]),
               sum.row(t));
  }
  pass.device.norm(s.weights.embedding_norm.get(), sum, s.embedding_inverse + b.first_token, x);
  pass.drop(dropout_places::embedding(), b, false, room, x);
}

/// From the gradient of the first layer's input, s.gradient, which becomes that of the sums of rows. The row of the
/// token `pad` has none.
template <trainable_device D>
void embedding_gradient(const layer_pass<D>& pass, training_state<D>& s, const training_kernels& k,
                        const executor& workers, std::int32_t pad) noexcept {
  const config& c = pass.model;
  const std::size_t d = c.hidden;
  const auto blocks = s.batch.blocks();
  const layer_sums& sums = s.work[0].sums;  // the layers have been added up
  workers.run(blocks.size(), [&](std::size_t i, std::size_t worker) {
    const float_environment ieee;
    const training_block& b = blocks[i];
    const std::size_t n = b.texts.tokens();
    const matrix<float> gradient(s.gradient + b.first_token * d, n, d);
    const matrix<const float> x(s.embedding_x + b.first_token * d, n, d);
    pass.drop(dropout_places::embedding(), b, false, s.rooms[worker], gradient);
    pass.device.norm_sums(x, gradient, sums.block(i), sums.block(i) + d);
    pass.device.norm_gradient(s.weights.embedding_norm.get(), x, s.embedding_inverse + b.first_token, gradient,
                              gradient);
  });
  float* const totals[2] = {s.weights.embedding_norm.gain->gradient, s.weights.embedding_norm.bias->gradient};
  for (std::size_t which = 0; which < 2; ++which) {
    std::copy_n(sums.block(0) + which * d, d, totals[which]);
    for (std::size_t i = 1; i < blocks.size(); ++i) k.add_to(d, sums.block(i) + which * d, totals[which]);
  }

  const token_batch batch = s.batch.view();
  s.words.find(batch, pad);
  constexpr std::size_t each = 32;
  const std::size_t rows = s.words.count(), row_tasks = (rows + each - 1) / each;
  workers.run(row_tasks + 2, [&](std::size_t task, std::size_t) {
    const float_environment ieee;
    // MPNet's padding has a position of its own, and no gradient for it.
    const std::ptrdiff_t none = c.position_offset == 0 ? -1 : static_cast<std::ptrdiff_t>(c.position_offset) - 1;
    if (task == 0) return table_gradient(*s.weights.positions, k, batch.positions, batch.tokens, none, s.gradient);
    if (task == 1) {
      if (s.weights.types != nullptr) table_gradient(*s.weights.types, k, batch.types, batch.tokens, -1, s.gradient);
      return;
    }
    const std::size_t first = (task - 2) * each;
    for (std::size_t j = first; j < std::min(rows, first + each); ++j) s.words.add_up(j, k, s.gradient);
  });
}

}  // namespace dupq::inline DUPQ_ABI
