// All that a trainer keeps: the parameters, the batch, and what the passes over it leave for each other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "head_gradient.hpp"
#include "layer_gradient.hpp"
#include "optimizer.hpp"
#include "pooling_gradient.hpp"
#include "trainer_options.hpp"

namespace dupq::inline DUPQ_ABI {

template <trainable_device D>
struct training_state {
  parameters weights;
  training_batch batch;
  kept_layer* layers = nullptr;
  block_room* rooms = nullptr;  ///< one a worker
  float *embedding_x = nullptr, *embedding_inverse = nullptr;
  float* output = nullptr;    ///< of the last layer: [tokens][hidden], or a cross-encoder's [pairs][hidden]
  float* gradient = nullptr;  ///< [tokens][hidden], of the layer at work
  /// What the gradients of a layer's weights are made of. They are made while the next layer writes the other one.
  struct layer_work {
    layer_sums sums;
    layer_factors factors;
  } work[2];
  word_gradients words;
  head_state head;
  optimizer update;
  float *vectors = nullptr, *vector_gradients = nullptr, *lengths = nullptr, *pool_room = nullptr;
  double* scratch = nullptr;
  float *relative_sums = nullptr, *relative_total = nullptr;  ///< of a layer's texts, and of all layers

  /// Doubles that a loss may ask for: enough for a score of every two texts and a few numbers a component.
  static std::size_t scratch_doubles(const trainer_options& o, const config& c) noexcept {
    return o.texts * o.texts + 4 * o.texts + 4 * c.pooled_dim() + 64;
  }

  void lay_out(arena& from, const config& c, const trainer_options& o) noexcept {
    from.take<training_state>(1);
    lay_out_rest(from, c, o);
  }
  /// What follows the state itself.
  void lay_out_rest(arena& from, const config& c, const trainer_options& o) noexcept {
    constexpr std::size_t slack = parameters::slack;
    const std::uint64_t d = c.hidden, tokens = o.tokens, texts = o.texts, workers = o.executor.count();
    weights.lay_out(from, c);
    batch.lay_out(from, o.texts, o.tokens, c.max_length);
    layers = place<kept_layer>(from, c.layers, [&](kept_layer& l) { l.lay_out(from, c, tokens); });
    const std::size_t block = training_batch::longest_block(o.tokens, c.max_length);
    rooms = place<block_room>(from, workers, [&](block_room& r) {
      r.template lay_out<D>(from, c, block, std::min<std::size_t>(o.tokens, c.max_length));
    });
    embedding_x = from.take<float>(tokens * d + slack);
    embedding_inverse = from.take<float>(tokens);
    output = from.take<float>(tokens * d + slack);
    gradient = from.take<float>(tokens * d + slack);
    const std::uint64_t blocks = std::min(texts, tokens / training_batch::block_tokens + 1);
    for (layer_work& w : work) {
      w.sums = {c.hidden, c.intermediate, from.take<float>(blocks * layer_sums::size(c))};
      w.factors.lay_out(from, c, tokens);
    }
    words.lay_out(from, c, tokens);
    update.lay_out(from, c, tokens, weights.all());
    if (c.kind == model_kind::cross_encoder) {
      head.lay_out(from, c, texts);
    } else {
      const std::uint64_t floats = texts * c.pooled_dim() + slack;
      vectors = from.take<float>(floats), vector_gradients = from.take<float>(floats);
      lengths = from.take<float>(texts);
      pool_room = from.take<float>(c.pooled_dim() + std::uint64_t{c.max_length});
    }
    scratch = from.take<double>(scratch_doubles(o, c));
    if (c.relative_buckets != 0) {
      const std::uint64_t all = c.heads * distances(c);
      relative_sums = from.take<float>(texts * all);
      relative_total = from.take<float>(all);
    }
  }

  /// The batch's vectors from the last layer's output.
  void pool(const config& c, std::size_t unpooled, const kernels& k) noexcept {
    const std::size_t dim = c.pooled_dim();
    const std::uint32_t modes = pooling_sequence(c.pooling);
    for (std::size_t t = 0; t < batch.texts(); ++t) {
      const matrix<const float> own = rows_of(c, output, t);
      float* to = vectors + t * dim;
      for (std::uint32_t rest = modes; rest != 0; rest >>= 4, to += c.hidden)
        rare::pool_mode(k, static_cast<pooling_mode>(rest & 15), own, own.rows, unpooled, pool_room + dim, to);
      if (!c.normalize) continue;
      float* const v = vectors + t * dim;
      k.dots(dim, v, 1, dim, v, lengths + t);
      lengths[t] = std::max(std::sqrt(lengths[t]), 1e-12f);
      k.divide(dim, lengths[t], v);
    }
  }
  /// The gradient of the last layer's output from that of the vectors.
  void pool_gradient(const config& c, std::size_t unpooled) noexcept {
    const std::size_t dim = c.pooled_dim();
    const std::uint32_t modes = pooling_sequence(c.pooling);
    std::fill_n(gradient, batch.tokens() * c.hidden, 0.0f);
    for (std::size_t t = 0; t < batch.texts(); ++t) {
      const matrix<const float> all = rows_of(c, output, t);
      const std::size_t skipped = std::min(all.rows, unpooled);
      if (skipped == all.rows) continue;
      const auto own = all.some_rows(skipped, all.rows - skipped);
      const matrix<float> to(gradient + batch.view().offsets[t] * c.hidden + skipped * c.hidden, own.rows, c.hidden);
      float* dy = vector_gradients + t * dim;
      if (c.normalize) normalize_gradient(dim, vectors + t * dim, lengths[t], dy);
      for (std::uint32_t rest = modes; rest != 0; rest >>= 4, dy += c.hidden)
        pooling_gradient(static_cast<pooling_mode>(rest & 15), skipped, own, dy, to);
    }
  }

  // ---- MPNet's relative attention bias, one table for all layers: sums by distance, then by bucket

  static std::uint64_t distances(const config& c) noexcept { return 2 * std::uint64_t{c.max_length} - 1; }
  void begin_relative(const config& c) noexcept {
    if (relative_total != nullptr) std::fill_n(relative_total, c.heads * distances(c), 0.0f);
  }
  float* relative_of(const config& c, std::size_t text) const noexcept {
    return relative_sums == nullptr ? nullptr : relative_sums + text * c.heads * distances(c);
  }
  /// Adds what the layer at work has for each text, in order.
  void add_relative(const config& c) noexcept {
    if (relative_sums == nullptr) return;
    const std::size_t width = static_cast<std::size_t>(distances(c));
    for (std::size_t t = 0; t < batch.texts(); ++t) {
      const std::size_t n = rows_of(c, output, t).rows;
      for (std::size_t h = 0; h < c.heads; ++h)
        for (std::size_t i = c.max_length - n; i < c.max_length + n - 1; ++i) {
          float& total = relative_total[h * width + i];
          total = total + relative_of(c, t)[h * width + i];
        }
    }
  }
  void end_relative(const config& c) noexcept {
    if (relative_total == nullptr) return;
    const std::size_t width = static_cast<std::size_t>(distances(c));
    std::fill_n(weights.relative->gradient, weights.relative->size(), 0.0f);
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t h = 0; h < c.heads; ++h) {
        const auto distance = static_cast<std::ptrdiff_t>(c.max_length) - 1 - static_cast<std::ptrdiff_t>(i);
        float& to = weights.relative->gradient[relative_bucket(distance) * c.heads + h];
        to = to + relative_total[h * width + i];
      }
  }

 private:
  /// An array of n T, each of which lay_out(one) has laid out.
  template <class T, class LayOut>
  static T* place(arena& from, std::uint64_t n, LayOut&& lay_out) noexcept {
    T* const all = from.take<T>(n);
    for (std::uint64_t i = 0; i < n; ++i) {
      T one;
      lay_out(one);
      if (all != nullptr) ::new (static_cast<void*>(all + i)) T(one);
    }
    return all;
  }
  matrix<const float> rows_of(const config& c, const float* all, std::size_t text) const noexcept {
    const std::uint32_t* const offsets = batch.view().offsets;
    return {all + offsets[text] * c.hidden, offsets[text + 1] - offsets[text], c.hidden};
  }
};

}  // namespace dupq::inline DUPQ_ABI
