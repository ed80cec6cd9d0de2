// One transformer layer in training: the forward pass that keeps what its gradient needs, and the gradient, both for
// one block of texts; and then the gradients of the layer's weights, for all blocks together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "parameters.hpp"
#include "trainable_device.hpp"
#include "training_batch.hpp"

namespace dupq::inline DUPQ_ABI {

/// Dropout of one step. Every row of every place in the model has its own key.
struct step_dropout {
  dropout_rule rule;
  std::uint64_t seed = 0, step = 0;

  bool active() const noexcept { return rule.limit != 0; }
  void keys(std::uint64_t place, std::size_t first_row, std::size_t rows, std::uint32_t* to) const noexcept {
    for (std::size_t r = 0; r < rows; ++r) to[r] = random_key(seed, step, place, first_row + r);
  }
};

/// The numbers of a model's places of dropout.
struct dropout_places {
  std::uint64_t heads = 0;
  static constexpr std::uint64_t embedding() noexcept { return 0; }
  constexpr std::uint64_t head(std::size_t layer, std::size_t head) const noexcept {
    return 1 + layer * (heads + 2) + head;
  }
  constexpr std::uint64_t attention_output(std::size_t layer) const noexcept { return this->head(layer, heads); }
  constexpr std::uint64_t output(std::size_t layer) const noexcept { return this->head(layer, heads + 1); }
  constexpr std::uint64_t classifier(std::size_t layers) const noexcept { return this->head(layers, 0); }
};

/// What the forward pass of a layer keeps, for all tokens of a batch. `inner` are the inputs of GELU, and in the
/// backward pass its outputs; `attention_x` and `output_x` are what the norms' gains multiply.
struct kept_layer {
  float *qkv = nullptr, *context = nullptr, *attention_x = nullptr, *attention_inverse = nullptr, *inner = nullptr,
        *output_x = nullptr, *output_inverse = nullptr;

  void lay_out(arena& from, const config& c, std::uint64_t tokens) noexcept {
    constexpr std::size_t slack = parameters::slack;
    qkv = from.take<float>(tokens * 3 * c.hidden + slack);
    context = from.take<float>(tokens * c.hidden + slack);
    attention_x = from.take<float>(tokens * c.hidden + slack);
    attention_inverse = from.take<float>(tokens);
    inner = from.take<float>(tokens * c.intermediate + slack);
    output_x = from.take<float>(tokens * c.hidden + slack);
    output_inverse = from.take<float>(tokens);
  }
};

/// One worker's room for a block.
struct block_room {
  float *x = nullptr, *a = nullptr, *b = nullptr, *c = nullptr, *wide = nullptr, *inner = nullptr, *attention = nullptr;
  std::uint32_t* keys = nullptr;

  template <trainable_device D>
  void lay_out(arena& from, const config& model, std::uint64_t tokens, std::size_t text_tokens) noexcept {
    const std::uint64_t row = tokens * model.hidden + parameters::slack;
    x = from.take<float>(row), a = from.take<float>(row), b = from.take<float>(row), c = from.take<float>(row);
    wide = from.take<float>(3 * tokens * model.hidden + parameters::slack);
    inner = from.take<float>(tokens * model.intermediate + parameters::slack);
    const attention_shape shape{model.heads, model.head_dim(), nullptr, 0};
    attention = from.take<float>(D::attention_scratch(shape, text_tokens) + parameters::slack);
    keys = from.take<std::uint32_t>(tokens * model.heads);
  }
};

/// The sums over tokens that a layer's vectors have as gradients, of each block: added in the order of blocks.
struct layer_sums {
  std::size_t hidden = 0, intermediate = 0;
  float* data = nullptr;  ///< [blocks][size()]

  static constexpr std::uint64_t size(const config& c) noexcept { return 9 * std::uint64_t{c.hidden} + c.intermediate; }
  constexpr std::size_t size() const noexcept { return 9 * hidden + intermediate; }
  float* block(std::size_t n) const noexcept { return data + n * size(); }
  // where each begins
  constexpr std::size_t output_gain() const noexcept { return 0; }
  constexpr std::size_t output_bias() const noexcept { return hidden; }
  constexpr std::size_t down() const noexcept { return 2 * hidden; }
  constexpr std::size_t attention_gain() const noexcept { return 3 * hidden; }
  constexpr std::size_t attention_bias() const noexcept { return 4 * hidden; }
  constexpr std::size_t output() const noexcept { return 5 * hidden; }
  constexpr std::size_t qkv() const noexcept { return 6 * hidden; }
  constexpr std::size_t up() const noexcept { return 9 * hidden; }
};

/// The inputs of a layer's matrices and the gradients of their outputs, all tokens of a batch: factors of the gradients
/// of weights.
struct layer_factors {
  column_panels<> x_qkv, x_output, x_up, x_down, d_qkv, d_output, d_up, d_down;

  void lay_out(arena& from, const config& c, std::uint64_t tokens) noexcept {
    const auto take = [&](std::size_t columns) {
      return column_panels<>{from.take<float>(column_panels<>::floats(tokens, columns)), 0, columns};
    };
    x_qkv = take(c.hidden), x_output = take(c.hidden), x_up = take(c.hidden), x_down = take(c.intermediate);
    d_qkv = take(3 * std::size_t{c.hidden}), d_output = take(c.hidden), d_up = take(c.intermediate);
    d_down = take(c.hidden);
  }
  /// `later`: the rows of all that follows attention, fewer than `tokens` where only first tokens go on.
  void set_rows(std::size_t tokens, std::size_t later) noexcept {
    x_qkv.rows = d_qkv.rows = tokens;
    for (column_panels<>* p : {&x_output, &x_up, &x_down, &d_output, &d_up, &d_down}) p->rows = later;
  }
};

/// Everything that is the same for all blocks of a step.
template <trainable_device D>
struct layer_pass {
  const D& device;
  const config& model;
  const parameters& weights;
  const step_dropout& dropout;

  attention_shape shape() const noexcept { return {model.heads, model.head_dim(), weights.expanded(), weights.span()}; }
  dropout_places places() const noexcept { return {model.heads}; }

  /// x = dropped(x): `place` says which. The rows of x are the block's tokens, or the first token of each text.
  void drop(std::uint64_t place, const training_block& b, bool first_only, const block_room& room,
            matrix<float> x) const noexcept {
    if (!dropout.active()) return;
    if (first_only)
      for (std::size_t t = 0; t < x.rows; ++t)
        dropout.keys(place, b.first_token + b.texts.offsets[t], 1, room.keys + t);
    else
      dropout.keys(place, b.first_token, x.rows, room.keys);
    device.drop(dropout.rule, room.keys, x);
  }
  attention_dropout attention_drops(std::size_t layer, const training_block& b, const block_room& room) const noexcept {
    if (!dropout.active()) return {};
    const std::size_t tokens = b.texts.tokens();
    for (std::size_t h = 0; h < model.heads; ++h)
      dropout.keys(places().head(layer, h), b.first_token, tokens, room.keys + h * tokens);
    return {dropout.rule, room.keys};
  }

  /// Whether all that follows attention is for the first token of each text alone: a cross-encoder's head reads no
  /// other of the last layer. Such rows are counted by texts, not by tokens.
  bool only_first(std::size_t n) const noexcept {
    return model.kind == model_kind::cross_encoder && n + 1 == weights.layers().size();
  }

  /// room.x, the layer's input, becomes its output; `output`, [rows][hidden], gets a copy where it is not null.
  void forward(std::size_t n, const kept_layer& kept, const training_block& b, const block_room& room,
               float* output) const noexcept {
    const trained_layer& layer = weights.layers()[n];
    const std::size_t tokens = b.texts.tokens(), d = model.hidden;
    const matrix<float> in(room.x, tokens, d), qkv(kept.qkv + b.first_token * 3 * d, tokens, 3 * d);
    const matrix<float> contexts(kept.context + b.first_token * d, tokens, d);
    device.product(layer.qkv.forward, in, false, qkv);
    device.attention(b.texts, shape(), attention_drops(n, b, room), qkv, room.attention, contexts);

    const later_rows later(*this, n, b);
    const matrix<float> x = later.pick(b, in, room.a), context = later.pick(b, contexts, room.b);
    const matrix<float> inner(room.inner, later.rows, model.intermediate);
    const auto first = later.of(kept.attention_x, d), second = later.of(kept.output_x, d);
    const auto wide = later.of(kept.inner, model.intermediate);
    add_dropped(layer.output, context, places().attention_output(n), b, later.first_only, room, x, first);
    device.norm(layer.attention_norm.get(), first, kept.attention_inverse + later.at, x);
    device.product(layer.up.forward, x, false, wide);
    device.gelu(wide, inner);
    add_dropped(layer.down, inner, places().output(n), b, later.first_only, room, x, second);
    device.norm(layer.output_norm.get(), second, kept.output_inverse + later.at, x);
    if (output != nullptr) copy(x, later.of(output, d));
  }

  /// From `above`, the gradient of the layer's output, [rows][hidden], to `gradient`, that of its input,
  /// [tokens][hidden]; they may be the same where rows are tokens. `below` writes the layer's input into a matrix once
  /// more. `relative` is for the sums of the block's texts; null where there are none.
  template <class Below>
  void backward(std::size_t n, const kept_layer& kept, const training_block& b, const block_room& room, float* above,
                float* gradient, float* relative, const layer_sums& sums, float* own_sums, layer_factors& factors,
                Below&& below) const noexcept {
    const trained_layer& layer = weights.layers()[n];
    const std::size_t tokens = b.texts.tokens(), d = model.hidden;
    const later_rows later(*this, n, b);
    const auto room_for = [&](float* all, std::size_t columns) { return matrix<float>(all, later.rows, columns); };
    const auto given = later.of(above, d), x = room_for(room.x, d), a = room_for(room.a, d), c = room_for(room.c, d);
    const auto dropped = room_for(room.b, d), inner = room_for(room.inner, model.intermediate);
    const auto first = later.of(kept.attention_x, d), second = later.of(kept.output_x, d);
    const auto activated = later.of(kept.inner, model.intermediate);

    const auto output_norm = layer.output_norm.get(), attention_norm = layer.attention_norm.get();
    device.norm_sums(second, given, own_sums + sums.output_gain(), own_sums + sums.output_bias());
    device.norm_gradient(output_norm, second, kept.output_inverse + later.at, given, a);
    dropped_copy(a, places().output(n), b, later.first_only, room, dropped);
    device.column_sums(dropped, own_sums + sums.down());
    device.pack(dropped, later.at, factors.d_down);
    device.product(layer.down.backward, dropped, false, inner);
    device.gelu_gradient(activated, inner);
    device.pack(activated, later.at, factors.x_down);
    device.column_sums(inner, own_sums + sums.up());
    device.pack(inner, later.at, factors.d_up);
    device.norm_output(attention_norm, first, x);
    device.pack(x, later.at, factors.x_up);
    device.product(layer.up.backward, inner, true, a);

    device.norm_sums(first, a, own_sums + sums.attention_gain(), own_sums + sums.attention_bias());
    device.norm_gradient(attention_norm, first, kept.attention_inverse + later.at, a, c);
    dropped_copy(c, places().attention_output(n), b, later.first_only, room, dropped);
    device.column_sums(dropped, own_sums + sums.output());
    device.pack(dropped, later.at, factors.d_output);
    const matrix<float> contexts(kept.context + b.first_token * d, tokens, d), wide(room.wide, tokens, 3 * d);
    device.pack(later.pick(b, contexts, room.x), later.at, factors.x_output);
    device.product(layer.output.backward, dropped, false, a);

    const matrix<float> whole(room.x, tokens, d);
    const matrix<float> d_context = later.spread(b, a, whole);
    device.attention_gradient(b.texts, shape(), attention_drops(n, b, room),
                              matrix<float>(kept.qkv + b.first_token * 3 * d, tokens, 3 * d), d_context, room.attention,
                              relative, wide);
    device.column_sums(wide, own_sums + sums.qkv());
    device.pack(wide, b.first_token, factors.d_qkv);
    below(whole);
    device.pack(whole, b.first_token, factors.x_qkv);
    const matrix<float> out(gradient + b.first_token * d, tokens, d);
    copy(later.spread(b, c, whole), out);
    device.product(layer.qkv.backward, wide, true, out);
  }

  /// How many tasks make the gradients of a layer's parameters from `factors` and `sums`.
  std::size_t weight_tasks() const noexcept { return 3 * groups(model.hidden) + groups(model.intermediate) + 1; }
  void weight_gradient(std::size_t n, std::size_t task, const layer_factors& factors, const layer_sums& sums,
                       std::size_t blocks) const noexcept {
    const trained_layer& layer = weights.layers()[n];
    const auto part = [&](const trained_linear& m, const column_panels<>& dy, const column_panels<>& x) {
      const std::size_t first = task * group;
      device.weight_gradient(dy, x, first, std::min(first + group, x.count()), m.gradient());
    };
    const std::size_t narrow = groups(model.hidden);
    if (task < narrow) return part(layer.up, factors.d_up, factors.x_up);
    task -= narrow;
    if (task < narrow) return part(layer.qkv, factors.d_qkv, factors.x_qkv);
    task -= narrow;
    if (task < groups(model.intermediate)) return part(layer.down, factors.d_down, factors.x_down);
    task -= groups(model.intermediate);
    if (task < narrow) return part(layer.output, factors.d_output, factors.x_output);
    add_blocks(layer, sums, blocks);
  }

 private:
  /// The rows of a block in what follows attention: those of its tokens, or one a text.
  struct later_rows {
    bool first_only;
    std::size_t rows, at;

    later_rows(const layer_pass& pass, std::size_t n, const training_block& b) noexcept
        : first_only(pass.only_first(n)),
          rows(first_only ? b.texts.texts : b.texts.tokens()),
          at(first_only ? b.first_text : b.first_token) {}
    matrix<float> of(float* all, std::size_t columns) const noexcept {
      return matrix<float>(all + at * columns, rows, columns);
    }
    /// Those of x, gathered in `room`; x itself where all are.
    matrix<float> pick(const training_block& b, matrix<float> x, float* room) const noexcept {
      if (!first_only) return x;
      const matrix<float> to(room, rows, x.columns);
      for (std::size_t t = 0; t < rows; ++t) std::copy_n(x.row(b.texts.offsets[t]), x.columns, to.row(t));
      return to;
    }
    /// Back to all tokens, zeros where there is no row; x itself where all are.
    matrix<float> spread(const training_block& b, matrix<float> x, matrix<float> all) const noexcept {
      if (!first_only) return x;
      std::fill_n(all.data, all.rows * all.columns, 0.0f);
      for (std::size_t t = 0; t < rows; ++t) std::copy_n(x.row(t), x.columns, all.row(b.texts.offsets[t]));
      return all;
    }
  };

  static constexpr std::size_t group = 3;  // panels of inputs that stay in the cache while all outputs pass
  static std::size_t groups(std::size_t columns) noexcept {
    return (columns + group * panel_width - 1) / (group * panel_width);
  }
  static void copy(matrix<const float> from, matrix<float> to) noexcept {
    std::copy_n(from.data, from.rows * from.columns, to.data);
  }

  /// to = dropped(matrix(from)) + x
  void add_dropped(const trained_linear& m, matrix<const float> from, std::uint64_t place, const training_block& b,
                   bool first_only, const block_room& room, matrix<const float> x, matrix<float> to) const noexcept {
    if (!dropout.active()) {
      copy(x, to);
      return device.product(m.forward, from, true, to);
    }
    device.product(m.forward, from, false, to);
    drop(place, b, first_only, room, to);
    device.add(x, to);
  }
  void dropped_copy(matrix<const float> from, std::uint64_t place, const training_block& b, bool first_only,
                    const block_room& room, matrix<float> to) const noexcept {
    copy(from, to);
    drop(place, b, first_only, room, to);
  }

  void add_blocks(const trained_layer& layer, const layer_sums& sums, std::size_t blocks) const noexcept {
    const auto total = [&](std::size_t begin, const parameter* p, std::size_t count) {
      std::copy_n(sums.block(0) + begin, count, p->gradient);
      for (std::size_t i = 1; i < blocks; ++i)
        device.add(matrix<const float>(sums.block(i) + begin, 1, count), matrix<float>(p->gradient, 1, count));
    };
    const std::size_t d = model.hidden;
    total(sums.output_gain(), layer.output_norm.gain, d), total(sums.output_bias(), layer.output_norm.bias, d);
    total(sums.attention_gain(), layer.attention_norm.gain, d);
    total(sums.attention_bias(), layer.attention_norm.bias, d);
    total(sums.down(), layer.down.bias, d), total(sums.output(), layer.output.bias, d);
    total(sums.up(), layer.up.bias, model.intermediate), total(sums.qkv(), layer.qkv.bias, 3 * d);
    // A softmax does not see what all keys have in common: the gradient of their bias is 0, and would be mere rounding.
    std::fill_n(layer.qkv.bias->gradient + d, d, 0.0f);
  }
};

}  // namespace dupq::inline DUPQ_ABI
