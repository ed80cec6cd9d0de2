// A model's weights as the GPU's kernels read them. The same walk counts their bytes, fills them on the host, and says
// where they lie once the bytes are copied.
#pragma once

#include <cstddef>
#include <span>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../device/cuda/hopper/layers.hpp"
#include "../device/cuda/hopper/wide_layers.hpp"
#include "../device/cuda/latency/units.hpp"
#include "../device/cuda/linear.hpp"
#include "../device/cuda/packing.hpp"
#include "../model/transformer.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr int most_layers = 64;

/// The model's sizes, padded to what kernels take.
struct shapes {
  head_columns heads;
  int size = 0;           ///< hidden
  int width = 0;          ///< hidden, padded to one of the widths that there are kernels for
  int qkv = 0;            ///< columns of queries, keys and values
  int context = 0;        ///< columns of attention's result
  int inner = 0;          ///< columns of the perceptron
  bool bins = false;      ///< short texts go through bins
  bool wide = false;      ///< products by warpgroups: rows lie in bins, weights as wide_tape says
  bool few_rows = false;  ///< weights' inputs as unit_input numbers them

  /// `warpgroups`: the GPU's code has kernels of warpgroups, which passes of few texts leave alone. False: a size that
  /// no kernel is for.
  constexpr bool set(const config& c, bool warpgroups, bool few_texts) noexcept {
    few_rows = few_texts;
    heads = {static_cast<int>(c.heads), static_cast<int>(c.head_dim())};
    size = static_cast<int>(c.hidden);
    for (const int w : {1024, 768, 512, 384, 256, 128})
      if (size <= w) width = w;
    qkv = static_cast<int>(round_up(static_cast<std::size_t>(3 * heads.width()), 128));
    context = static_cast<int>(round_up(static_cast<std::size_t>(heads.width()), 64));
    inner = static_cast<int>(round_up(c.intermediate, 128));
    bins = warpgroups && !few_texts && takes_bins(c, inner);
    wide = warpgroups && !few_texts && takes_wide(c, inner);
    return width != 0 && heads.head_dim <= 128 && c.layers <= most_layers;
  }
  constexpr int input(int i) const noexcept { return few_rows ? unit_input(i) : i; }
};

struct packed_norm {
  const float* gain = nullptr;  ///< [width]
  const float* bias = nullptr;
};

struct packed_layer {
  packed_linear qkv, output, up, down;
  packed_norm attention_norm, norm;
  bin_layer bins;
};

struct packed_model {
  const half* words = nullptr;  ///< tables are [count][width]
  const half* types = nullptr;
  const half* positions = nullptr;
  packed_norm embedding_norm;
  packed_layer layers[most_layers];
  packed_linear dense;                     ///< cross-encoders
  const float* classifier = nullptr;       ///< [width]
  const float* classifier_bias = nullptr;  ///< one number
  const float* relative = nullptr;         ///< MPNet: see attention_args

  /// Lays everything out in `from`. With `fill`, `from` is memory of the host and the weights are written there;
  /// without it only the places are found. False: a weight is too large for a half.
  bool lay_out(arena& from, const transformer<host_memory>& m, const shapes& s, bool fill) noexcept {
    fits_ = true;
    words = add_table(from, m.embedding.words, s, fill);
    types = add_table(from, m.embedding.types, s, fill);
    positions = add_table(from, m.embedding.positions, s, fill);
    embedding_norm = add_norm(from, m.embedding.norm, s, fill);
    const auto same = [](int i) { return i; };
    const auto head = [&s](int i) { return s.heads.column(i); };
    const auto input = [&s](int i) { return s.input(i); };
    const auto head_input = [&s](int i) { return s.input(s.heads.column(i)); };
    for (std::size_t i = 0; i < m.layers.size(); ++i) {
      const auto& one = m.layers[i];
      packed_layer& to = layers[i];
      to.qkv = add_linear(from, one.attention.qkv, s.qkv, s.width, head, input, fill, s.wide);
      to.output = add_linear(from, one.attention.output, s.width, s.context, same, head_input, fill, s.wide);
      to.attention_norm = add_norm(from, one.attention.norm, s, fill);
      to.up = add_linear(from, one.feed_forward.up, s.inner, s.width, same, input, fill, s.wide);
      to.down = add_linear(from, one.feed_forward.down, s.width, s.inner, same, input, fill, s.wide);
      to.norm = add_norm(from, one.feed_forward.norm, s, fill);
      if (s.bins) fits_ = to.bins.lay_out(from, one, s.inner, fill) && fits_;
    }
    if (m.head.dense.outputs != 0) {
      dense = add_linear(from, m.head.dense, s.width, s.width, same, input, fill);
      float* const row = from.take<float>(static_cast<std::size_t>(s.width));
      float* const bias = from.take<float>(1);
      for (int i = 0; fill && i < s.width; ++i)
        row[i] = i < s.size ? weight_of(m.head.classifier, 0, static_cast<std::size_t>(i)) : 0.0f;
      if (fill) *bias = m.head.classifier.bias == nullptr ? 0.0f : m.head.classifier.bias[0];
      classifier = row, classifier_bias = bias;
    }
    if (m.relative != nullptr) {
      const std::size_t n = static_cast<std::size_t>(s.heads.heads) * (2 * m.relative_span - 1);
      float* const to = from.take<float>(n);
      for (std::size_t i = 0; fill && i < n; ++i) to[i] = m.relative[i] * 1.44269504f;
      relative = to;
    }
    return fits_;
  }

 private:
  template <class Output, class Input>
  packed_linear add_linear(arena& from, const linear<host_memory>& w, int outputs, int inputs, Output&& to_output,
                           Input&& to_input, bool fill, bool wide = false) noexcept {
    half* const weights = from.take<half>(static_cast<std::size_t>(outputs) * static_cast<std::size_t>(inputs));
    float* const bias = from.take<float>(static_cast<std::size_t>(outputs));
    if (fill)
      fits_ = (wide ? pack_linear(w, outputs, inputs, to_output, to_input, weights, bias, wide_order{})
                    : pack_linear(w, outputs, inputs, to_output, to_input, weights, bias)) &&
              fits_;
    return {weights, bias, outputs, inputs};
  }
  packed_norm add_norm(arena& from, const layer_norm<host_memory>& n, const shapes& s, bool fill) noexcept {
    const auto width = static_cast<std::size_t>(s.width);
    float* const gain = from.take<float>(width);
    float* const bias = from.take<float>(width);
    for (std::size_t i = 0; fill && i < width; ++i) {
      gain[i] = i < n.size ? n.gain[i] : 0.0f;
      bias[i] = i < n.size ? n.bias[i] : 0.0f;
    }
    return {gain, bias};
  }
  const half* add_table(arena& from, const table<host_memory>& t, const shapes& s, bool fill) noexcept {
    if (t.count == 0) return nullptr;
    const auto width = static_cast<std::size_t>(s.width);
    half* const rows = from.take<half>(t.count * width);
    if (fill) fits_ = pack_table(t, static_cast<std::size_t>(s.size), width, rows) && fits_;
    return rows;
  }

  bool fits_ = true;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
