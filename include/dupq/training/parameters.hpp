// What a model learns, as numbers that change: every tensor with its gradient and AdamW's two moments, and the matrices
// a second and a third time in the panels that products read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../device/widen.hpp"
#include "../model.hpp"
#include "../model/name_buffer.hpp"
#include "../model/weights.hpp"
#include "copy_panels.hpp"
#include "trainable_device.hpp"

namespace dupq::inline DUPQ_ABI {

/// A tensor, [rows][columns] as Hugging Face has it; a vector is one row. The names are those of the plain layout.
struct parameter {
  name_buffer name{""};
  std::size_t rows = 0, columns = 0;
  float* values = nullptr;
  float* gradient = nullptr;  ///< null: words, of which only some rows have one
  float* first = nullptr;     ///< AdamW's moments
  float* second = nullptr;
  bool decays = false;

  std::size_t size() const noexcept { return rows * columns; }
};

/// A matrix and its bias in training. `forward` is y = x W^T + b, `backward` d_x = d_y W; their panels follow the
/// values.
struct trained_linear {
  parameter* weight = nullptr;  ///< the first of `parts` equal ones, which lie one behind the other
  parameter* bias = nullptr;
  std::size_t outputs = 0, inputs = 0;
  linear<host_memory> forward, backward;

  matrix<const float> values() const noexcept { return {weight->values, outputs, inputs}; }
  matrix<float> gradient() const noexcept { return {weight->gradient, outputs, inputs}; }
};
struct trained_norm {
  parameter* gain = nullptr;
  parameter* bias = nullptr;
  float epsilon = 0;
  layer_norm<host_memory> get() const noexcept { return {gain->values, bias->values, gain->columns, epsilon}; }
};
struct trained_layer {
  trained_linear qkv, output, up, down;
  trained_norm attention_norm, output_norm;
};

/// All tensors of a model, laid out in an arena; null pointers where it only counts.
class parameters {
 public:
  static constexpr std::size_t slack = panel_width;  ///< floats that kernels may read behind a matrix

  /// 5 outside of the layers, 2 norms, 4 matrices of which one in 3 parts; each with a bias.
  static constexpr std::size_t most(const config& c) noexcept { return 5 + 16 * std::size_t{c.layers} + 4 + 1; }

  void lay_out(arena& from, const config& c) noexcept {
    list_ = from.take<parameter>(most(c));
    layers_ = from.take<trained_layer>(c.layers);
    count_ = 0;
    const std::uint64_t widest = std::max(c.hidden, c.intermediate) + std::uint64_t{slack};
    zeros_ = from.take<float>(widest);
    if (zeros_ != nullptr) std::fill_n(zeros_, widest, 0.0f);
    words = add(from, "token_embd", ".weight", c.vocabulary, c.hidden, true, false);
    positions = add(from, "position_embd", ".weight", c.positions, c.hidden, true);
    types = c.token_types == 0 ? nullptr : add(from, "token_types", ".weight", c.token_types, c.hidden, true);
    embedding_norm = norm(from, name_buffer("token_embd_norm"), c);
    for (std::uint32_t n = 0; n < c.layers; ++n) {
      const auto in_block = [&](const char* rest) { return name_buffer::in_layer(n, rest); };
      trained_layer one;
      one.qkv = matrix_of(from, {in_block("attn_q"), in_block("attn_k"), in_block("attn_v")}, c.hidden, c.hidden);
      one.output = matrix_of(from, {in_block("attn_output")}, c.hidden, c.hidden);
      one.attention_norm = norm(from, in_block("attn_output_norm"), c);
      one.up = matrix_of(from, {in_block("ffn_up")}, c.intermediate, c.hidden);
      one.down = matrix_of(from, {in_block("ffn_down")}, c.hidden, c.intermediate);
      one.output_norm = norm(from, in_block("layer_output_norm"), c);
      if (layers_ != nullptr) layers_[n] = one;
    }
    layer_count_ = c.layers;
    if (c.kind == model_kind::cross_encoder) {
      dense = matrix_of(from, {name_buffer("cls")}, c.hidden, c.hidden);
      classifier = matrix_of(from, {name_buffer("cls.output")}, 1, c.hidden);
    }
    // No weight decay: by its name it is a bias, and those do not decay in the usual groups of parameters.
    relative =
        c.relative_buckets == 0 ? nullptr : add(from, "attn_rel_b", ".weight", c.relative_buckets, c.heads, false);
    span_ = c.max_length;
    const std::uint64_t distances = std::uint64_t{c.heads} * (2 * std::uint64_t{span_} - 1) + slack;
    expanded_ = c.relative_buckets == 0 ? nullptr : from.take<float>(distances);
  }

  /// The values of a model, whatever type its file has; moments and gradients are 0. Errors: unsupported for integers.
  result<void> read(const model& base) noexcept {
    const config& c = base.config();
    if (c.weights != weight_type::f32) return error(errc::unsupported, "int8 weights").in(base.path());
    const transformer<host_memory>& w = base.weights();
    copy(w.embedding.words, *words);
    copy(w.embedding.positions, *positions);
    if (types != nullptr) copy(w.embedding.types, *types);
    copy(w.embedding.norm, embedding_norm);
    for (std::size_t n = 0; n < layer_count_; ++n) {
      const layer<host_memory>& l = w.layers[n];
      copy(l.attention.qkv, layers_[n].qkv);
      copy(l.attention.output, layers_[n].output);
      copy(l.attention.norm, layers_[n].attention_norm);
      copy(l.feed_forward.up, layers_[n].up);
      copy(l.feed_forward.down, layers_[n].down);
      copy(l.feed_forward.norm, layers_[n].output_norm);
    }
    if (dense.weight != nullptr) copy(w.head.dense, dense), copy(w.head.classifier, classifier);
    if (relative != nullptr) {  // not the expanded one: no distance may reach some of the buckets
      const auto t = base.file().tensor(relative->name);
      if (!t) return error(errc::missing_tensor, relative->name).in(base.path());
      widen(t->bytes.data(), row_format::f32, relative->size(), relative->values);
    }
    for (parameter& p : all()) {
      std::fill_n(p.first, p.size(), 0.0f);
      std::fill_n(p.second, p.size(), 0.0f);
      if (p.gradient != nullptr) std::fill_n(p.gradient, p.size(), 0.0f);
    }
    return {};
  }

  std::span<parameter> all() noexcept { return {list_, list_ == nullptr ? 0 : count_}; }
  std::span<const parameter> all() const noexcept { return {list_, list_ == nullptr ? 0 : count_}; }
  std::span<const trained_layer> layers() const noexcept { return {layers_, layer_count_}; }

  /// How many tasks bring the panels up to date with the values.
  std::size_t panel_tasks() const noexcept { return 8 * layer_count_ + (dense.weight == nullptr ? 1 : 5); }
  /// Does one of them.
  void refresh(const kernels& k, std::size_t task) const noexcept {
    if (task == 8 * layer_count_) return expand_relative();
    const trained_linear* m = nullptr;
    if (task > 8 * layer_count_) {
      task -= 8 * layer_count_ + 1;
      m = task / 2 == 0 ? &dense : &classifier;
    } else {
      const trained_layer& l = layers_[task / 8];
      const trained_linear* const four[4] = {&l.qkv, &l.output, &l.up, &l.down};
      m = four[task % 8 / 2];
    }
    const matrix<const float> w = m->values();
    if (task % 2 == 0)
      k.transpose(w.rows, w.columns, w.stride, w.data, const_cast<float*>(m->forward.panels));
    else
      copy_panels(w, const_cast<float*>(m->backward.panels), w.rows);
  }

  /// Each distance's bias, as attention_shape wants it: expanded from the buckets, or null.
  const float* expanded() const noexcept { return expanded_; }
  std::size_t span() const noexcept { return span_; }

  parameter *words = nullptr, *positions = nullptr, *types = nullptr, *relative = nullptr;
  trained_norm embedding_norm;
  trained_linear dense, classifier;  ///< a cross-encoder's head

 private:
  parameter* add(arena& from, name_buffer prefix, const char* suffix, std::size_t rows, std::size_t columns,
                 bool decays, bool dense_gradient = true) noexcept {
    float* const values = from.take<float>(std::uint64_t{rows} * columns + slack);
    return add_at(from, prefix, suffix, rows, columns, decays, values, dense_gradient);
  }
  parameter* add(arena& from, const char* prefix, const char* suffix, std::size_t rows, std::size_t columns,
                 bool decays, bool dense_gradient = true) noexcept {
    return add(from, name_buffer(prefix), suffix, rows, columns, decays, dense_gradient);
  }
  parameter* add_at(arena& from, name_buffer prefix, const char* suffix, std::size_t rows, std::size_t columns,
                    bool decays, float* values, bool dense_gradient, float* gradient = nullptr) noexcept {
    parameter p;
    p.name = name_buffer(prefix, suffix);
    p.rows = rows, p.columns = columns, p.decays = decays;
    const std::uint64_t n = std::uint64_t{rows} * columns;
    p.values = values;
    p.gradient = !dense_gradient ? nullptr : gradient != nullptr ? gradient : from.take<float>(n + slack);
    p.first = from.take<float>(n);
    p.second = from.take<float>(n);
    if (list_ == nullptr) return ++count_, nullptr;
    ::new (static_cast<void*>(list_ + count_)) parameter(p);
    return list_ + count_++;
  }
  trained_norm norm(arena& from, name_buffer prefix, const config& c) noexcept {
    trained_norm n;
    n.gain = add(from, prefix, ".weight", 1, c.hidden, false);
    n.bias = add(from, prefix, ".bias", 1, c.hidden, false);
    n.epsilon = c.norm_epsilon;
    return n;
  }
  /// A matrix whose parts, each [outputs][inputs], have names of their own and lie one below the other.
  trained_linear matrix_of(arena& from, std::initializer_list<name_buffer> names, std::size_t outputs,
                           std::size_t inputs) noexcept {
    trained_linear m;
    const std::uint64_t parts = names.size(), each = std::uint64_t{outputs} * inputs;
    m.outputs = outputs * names.size(), m.inputs = inputs;
    float* const values = from.take<float>(parts * each + slack);
    float* const gradients = from.take<float>(parts * each + slack);
    float* const biases = from.take<float>(m.outputs + slack);
    float* const bias_gradients = from.take<float>(m.outputs + slack);
    std::size_t part = 0;
    const auto at = [](float* begin, std::uint64_t n) { return begin == nullptr ? nullptr : begin + n; };
    for (const name_buffer& name : names) {
      parameter* const p = add_at(from, name, ".weight", outputs, inputs, true, at(values, part * each), true,
                                  counted(at(gradients, part * each)));
      if (part++ == 0) m.weight = p;
    }
    part = 0;
    for (const name_buffer& name : names) {
      parameter* const p = add_at(from, name, ".bias", 1, outputs, false, at(biases, part * outputs), true,
                                  counted(at(bias_gradients, part * outputs)));
      if (part++ == 0) m.bias = p;
    }
    m.forward.outputs = m.backward.inputs = m.outputs;
    m.forward.inputs = m.backward.outputs = inputs;
    m.forward.bias = biases;
    m.backward.bias = zeros_;  // a product without a bias does not ask for its next weights early
    m.forward.panels = from.take<float>(round_up(m.outputs, panel_width) * std::uint64_t{inputs});
    m.backward.panels = from.take<float>(round_up(inputs, panel_width) * std::uint64_t{m.outputs});
    return m;
  }
  /// The gradient, or, where an arena only counts and all pointers are null, one that is not null: null would mean that
  /// there is no place for it yet.
  float* counted(float* gradient) noexcept { return gradient == nullptr ? &nowhere_ : gradient; }

  static void copy(const table<host_memory>& from, parameter& to) noexcept {
    for (std::size_t r = 0; r < to.rows; ++r)
      widen(from.rows + r * from.row_bytes, from.format, to.columns, to.values + r * to.columns);
  }
  static void copy(const layer_norm<host_memory>& from, const trained_norm& to) noexcept {
    std::copy_n(from.gain, from.size, to.gain->values);
    std::copy_n(from.bias, from.size, to.bias->values);
  }
  static void copy(const linear<host_memory>& from, const trained_linear& to) noexcept {
    for (std::size_t o = 0; o < to.outputs; ++o)
      for (std::size_t i = 0; i < to.inputs; ++i)
        to.weight->values[o * to.inputs + i] =
            from.panels[(o / panel_width * to.inputs + i) * panel_width + o % panel_width];
    std::copy_n(from.bias, to.outputs, to.bias->values);
  }
  void expand_relative() const noexcept {
    if (expanded_ == nullptr) return;
    const std::size_t width = 2 * span_ - 1, heads = relative->columns;
    for (std::size_t head = 0; head < heads; ++head)
      for (std::size_t i = 0; i < width; ++i) {
        const auto distance = static_cast<std::ptrdiff_t>(span_ - 1) - static_cast<std::ptrdiff_t>(i);
        expanded_[head * width + i] = relative->values[relative_bucket(distance) * heads + head];
      }
    std::fill_n(expanded_ + heads * width, panel_width, 0.0f);
  }

  parameter* list_ = nullptr;
  std::size_t count_ = 0;
  trained_layer* layers_ = nullptr;
  std::size_t layer_count_ = 0;
  float* expanded_ = nullptr;
  float* zeros_ = nullptr;
  std::size_t span_ = 0;
  float nowhere_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
