// How weights lie in the model file: the list of tensors of each layout, and the bytes of one tensor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/core/gguf.hpp>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "failure.hpp"
#include "half.hpp"
#include "hf_weights.hpp"

namespace dupq_tool {

enum class weight_type { f32, f16 };
enum class tensor_layout {
  packed,  ///< panels of 16 outputs, as the kernels read them; query, key and value in one matrix
  plain,   ///< row-major, as llama.cpp has it
};

/// Outputs of one panel of the packed layout.
inline constexpr std::uint64_t panel_width = 16;

/// One tensor of the model file: the rows of its parts one after the other, in rows or in panels.
struct output_tensor {
  using part = const safetensors::tensor*;
  std::string name;
  std::vector<part> parts;
  std::uint64_t rows = 0, columns = 0;  ///< a vector is one row
  std::vector<std::uint64_t> extents;   ///< innermost first
  dupq::gguf::tensor_type type = dupq::gguf::tensor_type::f32;
  bool panels = false;

  std::uint64_t elements() const noexcept {
    std::uint64_t n = 1;
    for (std::uint64_t e : extents) n *= e;
    return n;
  }
  std::uint64_t bytes() const noexcept { return elements() * (type == dupq::gguf::tensor_type::f32 ? 4 : 2); }
};

/// The tensors of the model file in their order.
inline std::vector<output_tensor> lay_out(const hf_weights& w, tensor_layout layout, weight_type type) {
  using part = output_tensor::part;
  std::vector<output_tensor> out;
  const bool packed = layout == tensor_layout::packed;
  const auto stored_type = [&] {
    return type == weight_type::f16 ? dupq::gguf::tensor_type::f16 : dupq::gguf::tensor_type::f32;
  };
  const auto vector = [&](const std::string& name, std::vector<part> parts) {
    output_tensor t;
    t.name = name;
    t.rows = 1;
    for (part p : parts) t.columns += p->elements;
    t.parts = std::move(parts);
    t.extents = {t.columns};
    out.push_back(std::move(t));
  };
  const auto table = [&](const std::string& name, part p) -> output_tensor& {
    output_tensor t;
    t.name = name;
    t.parts = {p};
    t.rows = p->shape[0];
    t.columns = p->shape[1];
    t.extents = {t.columns, t.rows};
    t.type = stored_type();
    return out.emplace_back(std::move(t));
  };
  const auto linear = [&](const std::string& name, std::vector<part> matrices, std::vector<part> biases) {
    output_tensor& t = table(name + ".weight", matrices[0]);
    if (packed) {
      t.rows *= matrices.size();
      t.parts = std::move(matrices);
      t.extents = {panel_width, t.columns, (t.rows + panel_width - 1) / panel_width};
      t.panels = true;
    }
    vector(name + ".bias", std::move(biases));
  };
  const auto norm = [&](const std::string& name, part weight, part bias) {
    vector(name + ".weight", {weight});
    vector(name + ".bias", {bias});
  };

  table("token_embd.weight", w.tokens);
  table("position_embd.weight", w.positions);
  if (w.types != nullptr) table("token_types.weight", w.types);
  norm("token_embd_norm", w.norm, w.norm_bias);
  if (w.relative != nullptr) table("attn_rel_b.weight", w.relative).type = dupq::gguf::tensor_type::f32;
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
    linear("cls.output", {w.classifier}, {w.classifier_bias});
  }
  return out;
}

/// Receives a tensor's bytes piece by piece.
using byte_sink = std::function<void(std::span<const std::byte>)>;

/// Produces the bytes of a tensor, one row or panel at a time; a weight that is not finite, or too large for f16, is a
/// failure that names `source` and the tensor.
class tensor_writer {
 public:
  tensor_writer(const output_tensor& tensor, const std::string& source, const byte_sink& sink)
      : tensor_(tensor), source_(source), sink_(sink), row_(tensor.columns) {}

  void run() {
    if (!tensor_.panels) {
      for (std::uint64_t r = 0; r < tensor_.rows; ++r) {
        read_row(r);
        put(row_);
      }
      return;
    }
    std::vector<float> panel(panel_width * tensor_.columns);
    for (std::uint64_t first = 0; first < tensor_.rows; first += panel_width) {
      std::fill(panel.begin(), panel.end(), 0.0f);
      const std::uint64_t used = std::min(panel_width, tensor_.rows - first);
      for (std::uint64_t o = 0; o < used; ++o) {
        read_row(first + o);
        for (std::uint64_t i = 0; i < tensor_.columns; ++i) panel[i * panel_width + o] = row_[i];
      }
      put(panel);
    }
  }

 private:
  /// Row r of all parts together; a vector's only row goes through all of them.
  void read_row(std::uint64_t r) {
    std::uint64_t begin = r * tensor_.columns;
    std::span<float> rest(row_);
    for (const output_tensor::part p : tensor_.parts) {
      if (begin >= p->elements) {
        begin -= p->elements;
        continue;
      }
      const auto n = std::min<std::uint64_t>(rest.size(), p->elements - begin);
      p->read(begin, rest.first(n));
      check(*p, begin, rest.first(n));
      rest = rest.subspan(n);
      begin = 0;
      if (rest.empty()) return;
    }
  }

  void check(const safetensors::tensor& part, std::uint64_t first, std::span<const float> values) const {
    const bool half = tensor_.type == dupq::gguf::tensor_type::f16;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto fail = [&](const char* what) {
        throw failure(source_ + ": tensor " + json::quote(part.name) + ": element " + std::to_string(first + i) + " " +
                      what);
      };
      if (!std::isfinite(values[i])) fail("is not finite");
      if (half && std::abs(values[i]) >= 65520.0f) fail("is too large for f16");
    }
  }

  void put(std::span<const float> values) {
    if (tensor_.type == dupq::gguf::tensor_type::f32) return sink_(std::as_bytes(values));
    half_.resize(values.size());
    std::transform(values.begin(), values.end(), half_.begin(), to_half);
    sink_(std::as_bytes(std::span(half_)));
  }

  const output_tensor& tensor_;
  const std::string& source_;
  const byte_sink& sink_;
  std::vector<float> row_;
  std::vector<std::uint16_t> half_;
};

}  // namespace dupq_tool
