// The CPU as a device to train on: see trainable_device.hpp for what each operation computes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "copy_panels.hpp"
#include "cpu/tables.hpp"
#include "trainable_device.hpp"

namespace dupq::inline DUPQ_ABI {

/// Meets `trainable_device`. Whatever it is given has 16 floats of room behind its last row: kernels read whole panels.
class cpu_trainable {
 public:
  explicit cpu_trainable(const kernels& table) noexcept : products_(&table), own_(&training_of(table)) {}

  const training_kernels& own() const noexcept { return *own_; }
  const kernels& products() const noexcept { return *products_; }

  void product(const linear<host_memory>& weight, matrix<const float> x, bool add, matrix<float> y) const noexcept {
    gemm_args g;
    g.c = y.data, g.c_stride = y.stride, g.m = x.rows, g.n = weight.outputs;
    g.bias = weight.bias, g.residual = add ? y.data : nullptr;
    g.a = x.data, g.a_stride = x.stride;
    g.b = weight.panels, g.panel_stride = weight.inputs * panel_width;
    g.k = weight.inputs;
    products_->gemm(g);
  }

  void norm(const layer_norm<host_memory>& norm, matrix<float> x, float* inverse, matrix<float> y) const noexcept {
    own_->norm(x.rows, norm.size, norm.gain, norm.bias, norm.epsilon, x.data, inverse, y.data);
  }
  void norm_output(const layer_norm<host_memory>& norm, matrix<const float> x, matrix<float> y) const noexcept {
    own_->norm_output(x.rows, norm.size, norm.gain, norm.bias, x.data, y.data);
  }
  void norm_gradient(const layer_norm<host_memory>& norm, matrix<const float> x, const float* inverse,
                     matrix<const float> dy, matrix<float> dx) const noexcept {
    own_->norm_gradient(x.rows, norm.size, norm.gain, x.data, inverse, dy.data, dx.data);
  }
  void norm_sums(matrix<const float> x, matrix<const float> dy, float* gain, float* bias) const noexcept {
    own_->column_sums(x.rows, x.columns, x.data, dy.data, gain, bias);
  }
  void add(matrix<const float> x, matrix<float> y) const noexcept { own_->add_to(x.rows * x.columns, x.data, y.data); }
  void column_sums(matrix<const float> x, float* sums) const noexcept {
    own_->column_sums(x.rows, x.columns, nullptr, x.data, nullptr, sums);
  }

  void gelu(matrix<const float> x, matrix<float> y) const noexcept { own_->gelu(x.rows * x.columns, x.data, y.data); }
  void gelu_gradient(matrix<float> x, matrix<float> dy) const noexcept {
    own_->gelu_gradient(x.rows * x.columns, x.data, dy.data);
  }
  void tanh_gradient(matrix<const float> y, matrix<float> dy) const noexcept {
    for (std::size_t i = 0; i < y.rows * y.columns; ++i)
      dy.data[i] = dy.data[i] * formulas::fused(-y.data[i], y.data[i], 1.0f);
  }
  void drop(dropout_rule rule, const std::uint32_t* keys, matrix<float> x) const noexcept {
    own_->drop(x.rows, x.columns, rule, keys, x.data);
  }

  void attention(text_block texts, const attention_shape& shape, const attention_dropout& drops,
                 matrix<const float> qkv, float* scratch, matrix<float> y) const noexcept {
    for_each_head(texts, shape, scratch, [&](const head_of_text& h) {
      probabilities(shape, h, qkv);
      if (drops.keys != nullptr)
        own_->drop_columns(h.n, h.n, h.padded, drops.rule, drops.keys + h.head * texts.tokens() + h.first, h.p, h.p);
      mix_rows(h, h.p, true, values(shape, h, qkv), qkv.stride, y.row(h.first) + h.head * shape.head_dim, y.stride,
               shape.head_dim);
    });
  }

  void attention_gradient(text_block texts, const attention_shape& shape, const attention_dropout& drops,
                          matrix<const float> qkv, matrix<const float> dy, float* scratch, float* relative_sums,
                          matrix<float> dqkv) const noexcept {
    const std::size_t hidden = shape.heads * shape.head_dim, n = shape.head_dim;
    const float scale = 1.0f / std::sqrt(static_cast<float>(n));
    for_each_head(texts, shape, scratch, [&](const head_of_text& h) {
      probabilities(shape, h, qkv);
      const std::uint32_t* const keys =
          drops.keys == nullptr ? nullptr : drops.keys + h.head * texts.tokens() + h.first;
      const float* kept = h.p;
      if (keys != nullptr) own_->drop_columns(h.n, h.n, h.padded, drops.rule, keys, h.p, h.dropped), kept = h.dropped;
      const std::size_t column = h.head * n;
      float* const dq = dqkv.row(h.first) + column;
      const float* const dout = dy.row(h.first) + column;
      mix_rows(h, kept, false, dout, dy.stride, dq + 2 * hidden, dqkv.stride, n);
      // [keys][queries] = values times the transposed gradient
      products_->transpose(h.n, n, dy.stride, dout, h.panels);
      scores(h, values(shape, h, qkv), qkv.stride, n, h.dp);
      if (keys != nullptr) own_->drop_columns(h.n, h.n, h.padded, drops.rule, keys, h.dp, h.dp);
      if (relative_sums == nullptr) {
        own_->softmax_gradient(h.n, h.padded, scale, h.p, h.dp);
      } else {
        own_->softmax_gradient(h.n, h.padded, 1.0f, h.p, h.dp);
        const std::size_t width = 2 * shape.span - 1;
        sum_distances(h, relative_sums + (h.text * shape.heads + h.head) * width + shape.span - 1);
        for (std::size_t i = 0; i < h.n * h.padded; ++i) h.dp[i] = h.dp[i] * scale;
      }
      mix_rows(h, h.dp, true, qkv.row(h.first) + column + hidden, qkv.stride, dq, dqkv.stride, n);
      mix_rows(h, h.dp, false, qkv.row(h.first) + column, qkv.stride, dq + hidden, dqkv.stride, n);
    });
  }

  void pack(matrix<const float> x, std::size_t first_row, const column_panels<>& to) const noexcept {
    copy_panels(x, to.data + first_row * panel_width, to.rows);
  }

  void weight_gradient(const column_panels<>& dy, const column_panels<>& x, std::size_t first, std::size_t last,
                       matrix<float> dw) const noexcept {
    const std::size_t column = first * panel_width;
    for (std::size_t p = 0; p < dy.count(); ++p) {  // x's panels stay in the cache while dy's pass
      gemm_args g;
      g.c = dw.row(p * panel_width) + column, g.c_stride = dw.stride;
      g.m = std::min(panel_width, dy.columns - p * panel_width);
      g.n = std::min(last * panel_width, x.columns) - column;
      g.a = dy.data + p * dy.rows * panel_width, g.a_stride = 1, g.a_step = panel_width;
      g.b = x.data + first * x.rows * panel_width, g.panel_stride = x.rows * panel_width;
      g.k = x.rows;
      products_->gemm(g);
    }
  }

  static constexpr std::uint64_t attention_scratch(const attention_shape& shape, std::size_t tokens) noexcept {
    const std::uint64_t padded = round_up(tokens, panel_width);
    return padded * shape.head_dim + 3 * padded * tokens;
  }

 private:
  /// One head of one text; scores are [keys][padded], a column a query.
  struct head_of_text {
    std::size_t text, head, first, n, padded;
    float *panels, *p, *dropped, *dp;
  };
  template <class Each>
  static void for_each_head(text_block texts, const attention_shape& shape, float* scratch, Each&& each) noexcept {
    for (std::size_t t = 0; t < texts.texts; ++t) {
      const std::size_t first = texts.offsets[t], n = texts.offsets[t + 1] - first, padded = round_up(n, panel_width);
      float* const p = scratch + padded * shape.head_dim;
      for (std::size_t head = 0; head < shape.heads; ++head)
        each(head_of_text{t, head, first, n, padded, scratch, p, p + padded * n, p + 2 * padded * n});
    }
  }

  static const float* values(const attention_shape& shape, const head_of_text& h, matrix<const float> qkv) noexcept {
    return qkv.row(h.first) + (2 * shape.heads + h.head) * shape.head_dim;
  }
  /// to = rows times what stands in h.panels, [keys][padded]
  void scores(const head_of_text& h, const float* rows, std::size_t stride, std::size_t n, float* to) const noexcept {
    gemm_args g;
    g.a = rows, g.a_stride = stride;
    g.b = h.panels, g.panel_stride = n * panel_width;
    g.c = to, g.c_stride = h.padded;
    g.m = h.n, g.n = h.padded, g.k = n;
    products_->gemm(g);
  }
  /// The softmax of a head: h.p.
  void probabilities(const attention_shape& shape, const head_of_text& h, matrix<const float> qkv) const noexcept {
    const float* const q = qkv.row(h.first) + h.head * shape.head_dim;
    products_->transpose(h.n, shape.head_dim, qkv.stride, q, h.panels);
    scores(h, q + shape.heads * shape.head_dim, qkv.stride, shape.head_dim, h.p);
    const float* const bias =
        shape.relative == nullptr ? nullptr : shape.relative + h.head * (2 * shape.span - 1) + shape.span - 1;
    products_->softmax(h.n, h.n, h.padded, 1.0f / std::sqrt(static_cast<float>(shape.head_dim)), bias, h.p);
  }
  /// to = s^T rows where s is [keys][padded] (of queries), or s rows: for each query, or for each key.
  void mix_rows(const head_of_text& h, const float* s, bool of_queries, const float* rows, std::size_t stride,
                float* to, std::size_t to_stride, std::size_t n) const noexcept {
    gemm_args g;
    g.a = s, g.a_stride = of_queries ? 1 : h.padded, g.a_step = of_queries ? h.padded : 1;
    g.b = rows, g.panel_stride = panel_width, g.b_stride = stride;
    g.c = to, g.c_stride = to_stride;
    g.m = h.n, g.n = n, g.k = h.n;
    products_->gemm(g);
  }
  /// Adds up the scores' gradients by distance: sums[q - k].
  static void sum_distances(const head_of_text& h, float* sums) noexcept {
    const auto n = static_cast<std::ptrdiff_t>(h.n);
    std::fill(sums - (n - 1), sums + n, 0.0f);
    for (std::ptrdiff_t k = 0; k < n; ++k)
      for (std::ptrdiff_t q = 0; q < n; ++q)
        sums[q - k] = sums[q - k] + h.dp[k * static_cast<std::ptrdiff_t>(h.padded) + q];
  }

  const kernels* products_;
  const training_kernels* own_;
};

static_assert(trainable_device<cpu_trainable>);

}  // namespace dupq::inline DUPQ_ABI
