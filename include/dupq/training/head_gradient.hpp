// A cross-encoder's head in training: logit = classifier(dropped(tanh(dense(first token)))), and its gradients.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "layer_gradient.hpp"

namespace dupq::inline DUPQ_ABI {

struct head_state {
  float *first = nullptr, *pooled = nullptr, *dropped = nullptr, *inner = nullptr;  ///< [pairs][hidden]
  float *logits = nullptr, *logit_gradients = nullptr;                              ///< [pairs]
  std::uint32_t* keys = nullptr;
  column_panels<> x, d;

  void lay_out(arena& from, const config& c, std::uint64_t pairs) noexcept {
    const std::uint64_t floats = pairs * c.hidden + parameters::slack;
    first = from.take<float>(floats), pooled = from.take<float>(floats), dropped = from.take<float>(floats);
    inner = from.take<float>(floats);
    logits = from.take<float>(pairs + parameters::slack), logit_gradients = from.take<float>(pairs + parameters::slack);
    keys = from.take<std::uint32_t>(pairs);
    x = {from.take<float>(column_panels<>::floats(pairs, c.hidden)), 0, c.hidden};
    d = {from.take<float>(column_panels<>::floats(pairs, c.hidden)), 0, c.hidden};
  }

  /// `output` is the last layer's, [pairs][hidden].
  template <trainable_device D>
  void forward(const layer_pass<D>& pass, const training_batch& batch, const float* output) noexcept {
    const std::size_t pairs = batch.texts(), n = pass.model.hidden;
    const matrix<float> in(first, pairs, n), out(pooled, pairs, n), kept(dropped, pairs, n);
    std::copy_n(output, pairs * n, first);
    pass.device.product(pass.weights.dense.forward, in, false, out);
    for (std::size_t i = 0; i < pairs * n; ++i) pooled[i] = formulas::tanh(pooled[i]);
    std::copy_n(pooled, pairs * n, dropped);
    drop(pass, kept);
    pass.device.product(pass.weights.classifier.forward, kept, false, {logits, pairs, 1});
  }

  /// From the logits' gradients to those of the head's parameters, and of the last layer's output, [pairs][hidden].
  template <trainable_device D>
  void backward(const layer_pass<D>& pass, const training_batch& batch, float* gradient) noexcept {
    const std::size_t pairs = batch.texts(), n = pass.model.hidden;
    const matrix<float> in(first, pairs, n), kept(dropped, pairs, n), d_pooled(inner, pairs, n);
    const matrix<const float> d_logits(logit_gradients, pairs, 1);
    const parameters& w = pass.weights;
    pass.device.column_sums(d_logits, w.classifier.bias->gradient);
    weight_gradient(pass, d_logits, kept, w.classifier);
    pass.device.product(w.classifier.backward, d_logits, false, d_pooled);
    drop(pass, d_pooled);
    pass.device.tanh_gradient({pooled, pairs, n}, d_pooled);
    pass.device.column_sums(d_pooled, w.dense.bias->gradient);
    weight_gradient(pass, d_pooled, in, w.dense);
    pass.device.product(w.dense.backward, d_pooled, false, {gradient, pairs, n});
  }

 private:
  template <trainable_device D>
  void drop(const layer_pass<D>& pass, matrix<float> to) const noexcept {
    if (!pass.dropout.active()) return;
    pass.dropout.keys(pass.places().classifier(pass.model.layers), 0, to.rows, keys);
    pass.device.drop(pass.dropout.rule, keys, to);
  }
  template <trainable_device D>
  void weight_gradient(const layer_pass<D>& pass, matrix<const float> dy, matrix<const float> in,
                       const trained_linear& m) noexcept {
    x.rows = d.rows = in.rows;
    d.columns = dy.columns;
    pass.device.pack(in, 0, x);
    pass.device.pack(dy, 0, d);
    pass.device.weight_gradient(d, x, 0, x.count(), m.gradient());
  }
};

}  // namespace dupq::inline DUPQ_ABI
