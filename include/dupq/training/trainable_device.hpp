// What a device must do to train a model: the operations of the forward pass that keep what the backward pass needs,
// and the backward operations, each with its formula. d_x is the gradient of the loss in x.
//
// They work on the tokens of some of a batch's texts, a block, whose rows lie one behind the other without gaps, so
// that blocks can be worked on at the same time. `reference` operations in double (reference.hpp) judge those of the
// CPU.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "../core/matrix.hpp"
#include "../device/device.hpp"
#include "random.hpp"

namespace dupq::inline DUPQ_ABI {

/// The columns of a matrix in panels of 16: element (row, column) at data[(column / 16 * rows + row) * 16 + column %
/// 16]. What stands in the columns beyond the last one is of no consequence, but finite.
template <class Memory = host_memory>
struct column_panels {
  float* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;

  constexpr std::size_t count() const noexcept { return (columns + panel_width - 1) / panel_width; }
  static constexpr std::uint64_t floats(std::uint64_t rows, std::uint64_t columns) noexcept {
    return rows * round_up(columns, panel_width);
  }
};

/// The dropout of attention's probabilities: that of key k for query q of a text has the number k of the row of which
/// keys[q] is the key (see random.hpp); `keys` is [tokens of the block] for each head in turn.
struct attention_dropout {
  dropout_rule rule;
  const std::uint32_t* keys = nullptr;  ///< [heads][tokens]; null: no dropout
};

/// Texts of one block: text t has the rows offsets[t] .. offsets[t + 1] - 1, and offsets[0] is 0.
struct text_block {
  const std::uint32_t* offsets = nullptr;
  std::size_t texts = 0;
  constexpr std::size_t tokens() const noexcept { return offsets[texts]; }
};

// clang-format off
template <class D>
concept trainable_device = requires(const D d, const linear<host_memory>& weight, matrix<const float> in, matrix<float> out,
                                    layer_norm<host_memory> norm, float* floats, const float* numbers, text_block texts,
                                    attention_shape shape, attention_dropout drops, dropout_rule rule,
                                    const std::uint32_t* keys, column_panels<> panels, std::size_t n) {
  // y = x W^T + bias (where there is one) + y (where `add`)
  { d.product(weight, in, /*add*/ true, /*y*/ out) } noexcept;
  // x^ = (x - mean(x)) * inverse in place, inverse = 1 / sqrt(var(x) + epsilon) a row, y = x^ * gain + bias
  { d.norm(norm, /*x, then x^*/ out, /*inverse*/ floats, /*y*/ out) } noexcept;
  // y = x^ * gain + bias, once more
  { d.norm_output(norm, /*x^*/ in, /*y*/ out) } noexcept;
  // with a = d_y * gain: d_x = inverse * (a - mean(a) - x^ * mean(a x^)), means over the row
  { d.norm_gradient(norm, /*x^*/ in, /*inverse*/ numbers, /*d_y*/ in, /*d_x*/ out) } noexcept;
  // d_gain = sum over rows of d_y * x^; d_bias = that of d_y
  { d.norm_sums(/*x^*/ in, /*d_y*/ in, /*d_gain*/ floats, /*d_bias*/ floats) } noexcept;
  // y = y + x
  { d.add(/*x*/ in, /*y*/ out) } noexcept;
  // sums over the rows: the gradient of a bias
  { d.column_sums(in, floats) } noexcept;
  // y = gelu(x) = x Phi(x), Phi the normal distribution's cumulative function
  { d.gelu(/*x*/ in, /*y*/ out) } noexcept;
  // d_x = d_y (Phi(x) + x phi(x)), in place of d_y; and x becomes gelu(x)
  { d.gelu_gradient(/*x, then gelu(x)*/ out, /*d_y, then d_x*/ out) } noexcept;
  // d_x = d_y (1 - y^2), in place of d_y; y = tanh(x)
  { d.tanh_gradient(/*y*/ in, /*d_y, then d_x*/ out) } noexcept;
  // row r loses what the rule says of keys[r]; in place. Its own gradient
  { d.drop(rule, keys, out) } noexcept;
  // for each head: dropped(softmax(q k^T / sqrt(head_dim) + relative)) v; qkv is [tokens][3 * hidden]
  { d.attention(texts, shape, drops, /*qkv*/ in, /*scratch*/ floats, /*y*/ out) } noexcept;
  // with P the softmax, P' what dropout leaves of it, d_P' = d_y v^T, d_P what dropout leaves of d_P':
  // d_v = P'^T d_y, d_S = P (d_P - sum over keys of P d_P), d_q = d_S k / sqrt(head_dim), d_k = d_S^T q / sqrt(head_dim).
  // `relative_sums` (or null) is [texts][heads][2 * span - 1]: to each bucket relative[head][q - k + span - 1] of a text
  // its sum of d_S is written (buckets of distances that the text does not have are not).
  { d.attention_gradient(texts, shape, drops, /*qkv*/ in, /*d_y*/ in, /*scratch*/ floats, /*relative_sums*/ floats, /*d_qkv*/ out) } noexcept;
  // rows `first`.. of the panels become those of x
  { d.pack(/*x*/ in, /*first row*/ n, panels) } noexcept;
  // d_W = d_Y^T X, [outputs][inputs], of the inputs of panels first..last-1 alone
  { d.weight_gradient(/*d_Y*/ panels, /*X*/ panels, /*first*/ n, /*last*/ n, /*d_W*/ out) } noexcept;
  // floats of `scratch` for texts of up to n tokens
  { D::attention_scratch(shape, n) } -> std::same_as<std::uint64_t>;
};
// clang-format on

}  // namespace dupq::inline DUPQ_ABI
