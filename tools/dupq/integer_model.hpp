// All linear matrices of a model as integers, fitted to what the calibration texts feed them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <dupq/core/platform.hpp>
#include <dupq/model.hpp>
#include <dupq/workspace.hpp>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "calibration_texts.hpp"
#include "failure.hpp"
#include "integer_matrix.hpp"

namespace dupq_tool {

/// The matrices by the name that they have in the model file, without ".weight".
using integer_matrices = std::map<std::string, integer_matrix>;

/// A device that computes as the CPU does and, besides, rounds every matrix for the inputs that it sees; each matrix
/// must see all of them at once.
class rounding_device {
 public:
  using memory = dupq::host_memory;
  using linear = dupq::linear<memory>;
  template <class T>
  using matrix = dupq::matrix<T>;

  rounding_device(const dupq::kernels& kernels, std::map<const linear*, integer_matrix>& rounded) noexcept
      : kernels_(&kernels), cpu_(kernels), rounded_(&rounded) {}

  void embed(const dupq::token_batch& batch, const dupq::table<memory>& words, const dupq::table<memory>& types,
             const dupq::table<memory>& positions, const dupq::layer_norm<memory>& norm,
             matrix<float> y) const noexcept {
    cpu_.embed(batch, words, types, positions, norm, y);
  }
  void apply(const linear& weight, matrix<const float> x, dupq::activation act, float* scratch,
             matrix<float> y) const noexcept {
    round(round_smoothed, weight, x);  // of a norm's outputs
    cpu_.apply(weight, x, act, scratch, y);
  }
  void apply_residual_norm(const linear& weight, matrix<const float> x, const dupq::layer_norm<memory>& norm,
                           float* scratch, matrix<float> y) const noexcept {
    round(round_matrix, weight, x);
    cpu_.apply_residual_norm(weight, x, norm, scratch, y);
  }
  void attention(const dupq::token_batch& batch, const dupq::attention_shape& shape, matrix<const float> qkv,
                 float* scratch, matrix<float> y) const noexcept {
    cpu_.attention(batch, shape, qkv, scratch, y);
  }
  void pool(const dupq::token_batch& batch, dupq::pooling mode, matrix<const float> x, matrix<float> y) const noexcept {
    cpu_.pool(batch, mode, x, y);
  }
  void normalize(matrix<float> y) const noexcept { cpu_.normalize(y); }
  static constexpr std::uint64_t scratch_floats(const dupq::config& c, std::size_t text_tokens,
                                                std::size_t rows) noexcept {
    return dupq::cpu::scratch_floats(c, text_tokens, rows);
  }

 private:
  void round(decltype(round_matrix)& to_integers, const linear& weight, matrix<const float> x) const {
    std::vector<float> rows(weight.outputs * weight.inputs);
    for (std::size_t o = 0; o < weight.outputs; ++o)
      for (std::size_t i = 0; i < weight.inputs; ++i)
        rows[o * weight.inputs + i] =
            weight.panels[(o / dupq::panel_width * weight.inputs + i) * dupq::panel_width + o % dupq::panel_width];
    (*rounded_)[&weight] = to_integers(*kernels_, rows, {weight.bias, weight.outputs}, x);
  }

  const dupq::kernels* kernels_;
  dupq::cpu cpu_;
  std::map<const linear*, integer_matrix>* rounded_;
};

/// Rounds the matrices of a model whose weights are float32. Cross-encoders read each text with the next one.
inline integer_matrices round_model(const dupq::model& m) {
  const dupq::config& c = m.config();
  constexpr std::size_t texts = std::size(calibration_texts);
  const bool cross = c.kind == dupq::model_kind::cross_encoder;
  dupq::limits limits;
  limits.texts = texts;
  limits.text_tokens = std::min<std::size_t>(c.max_length, cross ? 128 : 64);
  limits.packed_tokens = texts * limits.text_tokens;
  auto space = dupq::workspace<rounding_device>::allocate(c, limits);
  if (!space) throw failure(space.error());
  auto& batch = (*space)[0];
  for (std::size_t i = 0; i < texts; ++i) {
    const std::string_view text = calibration_texts[i], next = calibration_texts[(i + 1) % texts];
    const std::size_t most = limits.text_tokens;
    const auto e = cross ? m.tokenizer().encode_pair(text, next, most, batch.next())
                         : m.tokenizer().encode(text, most, batch.next());
    batch.add(e.tokens, e.first_segment, c, m.tokenizer().options().pad);
  }

  const dupq::float_environment ieee;
  std::map<const rounding_device::linear*, integer_matrix> rounded;
  const rounding_device device(m.kernel_table(), rounded);
  const dupq::token_batch view = batch.view();
  const std::size_t tokens = view.tokens, hidden = c.hidden;
  float* const scratch = batch.buffers().scratch;
  const dupq::matrix<float> x = batch.buffers().x.some_rows(0, tokens);
  // As in run_layers, but with room for the inner layer of all tokens at once.
  std::vector<float> wide(tokens * std::max<std::size_t>(4 * hidden, c.intermediate) + dupq::panel_width);
  const dupq::matrix<float> context(wide.data(), tokens, hidden), inner(wide.data(), tokens, c.intermediate);
  const dupq::matrix<float> projected(wide.data() + tokens * hidden, tokens, 3 * hidden);
  const auto& weights = m.weights();
  weights.embedding.forward(device, view, x);
  integer_matrices out;
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const auto& layer = weights.layers[i];
    layer.attention.forward(device, view, {c.heads, c.head_dim(), weights.relative, weights.relative_span}, x,
                            projected, context, scratch);
    layer.feed_forward.forward(device, x, inner, scratch);
    const std::string block = "blk." + std::to_string(i) + ".";
    out[block + "attn_qkv"] = std::move(rounded.at(&layer.attention.qkv));
    out[block + "attn_output"] = std::move(rounded.at(&layer.attention.output));
    out[block + "ffn_up"] = std::move(rounded.at(&layer.feed_forward.up));
    out[block + "ffn_down"] = std::move(rounded.at(&layer.feed_forward.down));
  }
  if (cross) {
    const dupq::matrix<float> first(wide.data(), texts, hidden), pooled(wide.data() + texts * hidden, texts, hidden);
    device.pool(view, {.cls = true}, x, first);
    device.apply(weights.head.dense, first, dupq::activation::tanh, scratch, pooled);
    out["cls"] = std::move(rounded.at(&weights.head.dense));
  }
  return out;
}

}  // namespace dupq_tool
