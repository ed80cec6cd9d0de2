// How weights lie in the model file: the list of tensors of each layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/core/gguf.hpp>
#include <dupq/core/platform.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hf_weights.hpp"
#include "integer_model.hpp"
#include "quantize.hpp"

namespace dupq_tool {

enum class weight_type {
  f32,
  f16,
  int8,  ///< linear matrices as in `round_matrix`, embedding tables as q8_0; packed only
};
enum class tensor_layout {
  packed,  ///< panels of 16 outputs, as the kernels read them; query, key and value in one matrix
  plain,   ///< row-major, as llama.cpp has it
};

/// What the tensors' bytes are aligned to: a cache line where kernels read them, else GGUF's default, which llama.cpp's
/// quantizer takes for granted even where a file says another.
constexpr std::size_t alignment_of(tensor_layout l) noexcept {
  return l == tensor_layout::packed ? dupq::alignment : 32;
}

constexpr std::string_view name(weight_type t) noexcept {
  return t == weight_type::f32 ? "f32" : t == weight_type::f16 ? "f16" : "int8";
}

/// Outputs of one panel of the packed layout, and inputs of one group of an integer panel.
inline constexpr std::uint64_t panel_width = 16, group_width = 4;

/// What a tensor of the model file says of the rows of its parts, put one after the other.
enum class tensor_form {
  rows,     ///< the rows themselves
  panels,   ///< output o = 16p + j, input i at [p][i][j]; pads are 0
  groups,   ///< integers; output o = 16p + j, input i = 4g + b at [p][g][4j + b]; pads are 0
  scales,   ///< for each row, the scale of its integers
  sums,     ///< for each row, the sum of its integers
  biases,   ///< for each row, its bias, which makes up for the integers' mean error
  factors,  ///< for each column, what inputs are multiplied with
};

/// One tensor of the model file and what it is made of.
struct output_tensor {
  using part = const safetensors::tensor*;
  std::string name;
  std::vector<part> parts;
  std::uint64_t rows = 0, columns = 0;  ///< a vector is one row
  std::vector<std::uint64_t> extents;   ///< innermost first
  dupq::gguf::tensor_type type = dupq::gguf::tensor_type::f32;
  tensor_form form = tensor_form::rows;
  const integer_matrix* integers = nullptr;  ///< of the forms that speak of integers

  std::uint64_t bytes() const noexcept {
    std::uint64_t n = dupq::gguf::row_bytes(type, extents[0]);
    for (std::size_t d = 1; d < extents.size(); ++d) n *= extents[d];
    return n;
  }
};

/// The table of a static model.
inline output_tensor table_tensor(const safetensors::tensor& rows, dupq::gguf::tensor_type type) {
  output_tensor t;
  t.name = "token_embd.weight";
  t.parts = {&rows};
  t.rows = rows.shape[0], t.columns = rows.shape[1];
  t.extents = {t.columns, t.rows};
  t.type = type;
  return t;
}

/// The tensors of the model file in their order, of which the table of words gets `tokens` rows: what a checkpoint has
/// beyond them is padding. int8 is for the packed layout and needs `integers`, which the result refers to.
inline std::vector<output_tensor> lay_out(const hf_weights& w, std::uint64_t tokens, tensor_layout layout,
                                          weight_type type, const integer_matrices& integers = {}) {
  using part = output_tensor::part;
  using dupq::gguf::tensor_type;
  std::vector<output_tensor> out;
  const bool packed = layout == tensor_layout::packed;
  const auto stored_real = type == weight_type::f16 ? tensor_type::f16 : tensor_type::f32;
  const auto vector = [&](const std::string& name, std::vector<part> parts) {
    output_tensor t;
    t.name = name;
    t.rows = 1;
    for (part p : parts) t.columns += p->elements;
    t.parts = std::move(parts);
    t.extents = {t.columns};
    out.push_back(std::move(t));
  };
  const auto matrix = [&](const std::string& name, std::vector<part> parts) {
    output_tensor t;
    t.name = name;
    t.rows = parts.size() * parts[0]->shape[0];
    t.columns = parts[0]->shape[1];
    t.parts = std::move(parts);
    t.extents = {t.columns, t.rows};
    t.type = stored_real;
    return t;
  };
  // llama.cpp's files have only the words in half precision, and it aborts where token types are.
  const auto table = [&](const std::string& name, part p, std::uint64_t rows, bool words = false) {
    output_tensor t = matrix(name, {p});
    t.rows = t.extents[1] = rows;
    if (!packed && !words) t.type = tensor_type::f32;
    if (type == weight_type::int8) t.type = t.columns % q8_0_values == 0 ? tensor_type::q8_0 : tensor_type::f16;
    out.push_back(std::move(t));
  };
  const auto linear = [&](const std::string& name, std::vector<part> matrices, std::vector<part> biases,
                          bool may_be_integers = true) {
    output_tensor t = matrix("", std::move(matrices));
    const auto put = [&](const char* suffix, tensor_form form, tensor_type stored, std::vector<std::uint64_t> extents) {
      t.name = name + suffix;
      t.form = form;
      t.type = stored;
      t.extents = std::move(extents);
      out.push_back(t);
    };
    const std::uint64_t panels = (t.rows + panel_width - 1) / panel_width;
    if (type == weight_type::int8 && may_be_integers) {
      t.integers = &integers.at(name);
      const std::uint64_t groups = (t.columns + group_width - 1) / group_width;
      put(".weight", tensor_form::groups, tensor_type::i8, {panel_width * group_width, groups, panels});
      put(".scale", tensor_form::scales, tensor_type::f32, {t.rows});
      put(".sum", tensor_form::sums, tensor_type::i32, {t.rows});
      put(".bias", tensor_form::biases, tensor_type::f32, {t.rows});
      if (!t.integers->factors.empty()) put(".input_scale", tensor_form::factors, tensor_type::f32, {t.columns});
      return;
    }
    if (packed) {
      put(".weight", tensor_form::panels, stored_real, {panel_width, t.columns, panels});
    } else {
      put(".weight", tensor_form::rows, stored_real, t.extents);
    }
    vector(name + ".bias", std::move(biases));
  };
  const auto norm = [&](const std::string& name, part weight, part bias) {
    vector(name + ".weight", {weight});
    vector(name + ".bias", {bias});
  };

  table("token_embd.weight", w.tokens, tokens, true);
  table("position_embd.weight", w.positions, w.positions->shape[0]);
  if (w.types != nullptr) table("token_types.weight", w.types, w.types->shape[0]);
  norm("token_embd_norm", w.norm, w.norm_bias);
  if (w.relative != nullptr)
    vector("attn_rel_b.weight", {w.relative}), out.back().extents = {w.relative->shape[1], w.relative->shape[0]};
  for (std::size_t i = 0; i < w.layers.size(); ++i) {
    const hf_layer& l = w.layers[i];
    const std::string block = "blk." + std::to_string(i) + ".";
    if (packed) {
      linear(block + "attn_qkv", {l.query, l.key, l.value}, {l.query_bias, l.key_bias, l.value_bias});
    } else {
      linear(block + "attn_q", {l.query}, {l.query_bias});
      linear(block + "attn_k", {l.key}, {l.key_bias});
      linear(block + "attn_v", {l.value}, {l.value_bias});
    }
    linear(block + "attn_output", {l.output}, {l.output_bias});
    norm(block + "attn_output_norm", l.attention_norm, l.attention_norm_bias);
    linear(block + "ffn_up", {l.up}, {l.up_bias});
    linear(block + "ffn_down", {l.down}, {l.down_bias});
    norm(block + "layer_output_norm", l.norm, l.norm_bias);
  }
  if (w.pooler != nullptr) {
    linear("cls", {w.pooler}, {w.pooler_bias});
    linear("cls.output", {w.classifier}, {w.classifier_bias}, false);  // one output: nothing to gain
  }
  if (w.dense != nullptr) {  // floats in any case, which programs use where they lie
    linear("dense", {w.dense}, {w.dense_bias}, false);
    output_tensor& panels = out[out.size() - 2];
    panels.type = tensor_type::f32;
  }
  return out;
}

}  // namespace dupq_tool
