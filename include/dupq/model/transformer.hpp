// The forward pass over packed tokens, and the workspace that it needs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../device/device.hpp"
#include "attention.hpp"
#include "embedding.hpp"
#include "feed_forward.hpp"
#include "head.hpp"
#include "pooler.hpp"

namespace dupq::inline DUPQ_ABI {

template <class Memory>
struct layer {
  dupq::attention<Memory> attention;
  dupq::feed_forward<Memory> feed_forward;
};

/// Everything that a model has learned.
template <class Memory>
struct transformer {
  dupq::embedding<Memory> embedding;
  std::span<const layer<Memory>> layers;
  dupq::head<Memory> head;          ///< cross-encoders
  const float* relative = nullptr;  ///< MPNet: see attention_shape
  std::size_t relative_span = 0;
  bool in_halves = false;  ///< some matrices are halves, which no CPU computes with
};

/// From one row of the perceptron's inner layer to the next: a panel more than its width, which is often a multiple of
/// 4 kB, so that the rows of a tile do not share the sets of a cache. At 3,072 it costs a product a tenth of its speed.
constexpr std::size_t inner_stride(const config& c) noexcept { return c.intermediate + panel_width; }
/// Rows of the inner layer at a time: about a megabyte, in whole tiles.
constexpr std::size_t inner_rows(const config& c, std::size_t tokens) noexcept {
  return std::min(tokens,
                  std::max<std::size_t>(round_up((1u << 18) / std::max<std::uint32_t>(c.intermediate, 1), 24), 24));
}

/// The buffers of one forward pass. Sizes follow from the model and from `limits`, whose zeros have been filled in.
template <device D>
struct activations {
  using memory = typename D::memory;
  matrix<float, memory> x;       ///< [packed_tokens][hidden]
  float* wide = nullptr;         ///< room for qkv and context, then for the perceptron's inner layer
  float* scratch = nullptr;      ///< the device's own
  matrix<float, memory> pooled;  ///< [texts][dim], or two of [texts][hidden] for a head

  constexpr void lay_out(arena& from, const config& c, const limits& l) noexcept {
    // Kernels read whole panels: a head that is no multiple of 16 wide makes them read past the last value.
    const std::uint64_t packed = l.packed_tokens, texts = l.texts;
    const std::uint64_t inner = inner_rows(c, l.packed_tokens) * (std::uint64_t{c.intermediate} + panel_width);
    const std::uint64_t floats = std::max(packed * 4 * c.hidden, inner);
    x = {from.take<float>(packed * c.hidden), l.packed_tokens, c.hidden};
    wide = from.take<float>(floats + panel_width);
    scratch = from.take<float>(D::scratch_floats(c, l.text_tokens, std::max(l.packed_tokens, l.texts)));
    const std::size_t outputs = c.kind == model_kind::cross_encoder ? std::size_t{2} * c.hidden : c.dim();
    pooled = {from.take<float>(texts * outputs), l.texts, outputs};
  }
  /// The two of [texts][hidden] for a head: the vectors of first tokens, and what the head makes of them.
  constexpr matrix<float, memory> first(std::size_t texts) const noexcept { return {pooled.data, texts, x.columns}; }
  constexpr matrix<float, memory> headed(std::size_t texts) const noexcept {
    return {pooled.data + texts * x.columns, texts, x.columns};
  }
};

/// Runs the batch through all layers; the token vectors end in `a.x`. A cross-encoder's head reads only the first
/// token of each text: in the last layer all that follows attention is computed for that token alone, and ends in
/// `a.first(texts)`.
template <device D>
void run_layers(const D& device, const transformer<typename D::memory>& model, const config& c,
                const token_batch& batch, const activations<D>& a) noexcept {
  using floats = matrix<float, typename D::memory>;
  const std::size_t tokens = batch.tokens, hidden = c.hidden;
  const attention_shape shape{c.heads, c.head_dim(), model.relative, model.relative_span};
  const floats x = a.x.some_rows(0, tokens);
  const floats context(a.wide, tokens, hidden);
  const floats projected(a.wide + tokens * hidden, tokens, 3 * hidden);
  const floats inner(a.wide, inner_rows(c, tokens), c.intermediate, inner_stride(c));
  model.embedding.forward(device, batch, x);
  const bool first_only = c.kind == model_kind::cross_encoder;
  const std::size_t whole = model.layers.size() - (first_only ? 1 : 0);
  for (const auto& one : model.layers.first(whole)) {
    one.attention.forward(device, batch, shape, x, projected, context, a.scratch);
    one.feed_forward.forward(device, x, inner, a.scratch);
  }
  if (first_only) {
    const auto& last = model.layers.back();
    const floats first = a.first(batch.texts);
    last.attention.forward_first(device, batch, shape, x, projected, context, first, a.scratch);
    last.feed_forward.forward(device, first, inner, a.scratch);
  }
}

}  // namespace dupq::inline DUPQ_ABI
