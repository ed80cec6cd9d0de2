// Weights in memory, found by the names that they have in a plain model file ("blk.0.attn_q.weight"), in the form from
// which model files are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <dupq/core/config.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "failure.hpp"
#include "hf_weights.hpp"
#include "safetensors.hpp"

namespace dupq_tool {

class named_weights {
 public:
  /// `source`: what messages say of where they come from.
  explicit named_weights(std::string source) : source_(std::move(source)) {}
  named_weights(const named_weights&) = delete;
  named_weights& operator=(const named_weights&) = delete;

  /// Adds [rows][columns] values, which are not copied and must outlive this; a vector is one row.
  void add(std::string_view name, std::uint64_t rows, std::uint64_t columns, std::span<const float> values) {
    safetensors::tensor& t = tensors_.emplace_back();
    t.name = names_.emplace_back(name);
    t.type = "F32";
    t.source = &source_;
    t.shape.first[0] = rows, t.shape.first[1] = columns, t.shape.count = 2;
    t.elements = rows * columns;
    t.bytes = std::as_bytes(values);
    by_name_[t.name] = &t;
  }

  /// All weights of a model with these numbers. One that is not there is a failure.
  hf_weights all(const dupq::config& c) const {
    hf_weights w;
    w.tokens = get("token_embd.weight");
    w.positions = get("position_embd.weight");
    if (c.token_types != 0) w.types = get("token_types.weight");
    both("token_embd_norm", w.norm, w.norm_bias);
    if (c.relative_buckets != 0) w.relative = get("attn_rel_b.weight");
    for (std::uint32_t i = 0; i < c.layers; ++i) {
      const std::string block = "blk." + std::to_string(i) + ".";
      hf_layer& l = w.layers.emplace_back();
      both(block + "attn_q", l.query, l.query_bias);
      both(block + "attn_k", l.key, l.key_bias);
      both(block + "attn_v", l.value, l.value_bias);
      both(block + "attn_output", l.output, l.output_bias);
      both(block + "attn_output_norm", l.attention_norm, l.attention_norm_bias);
      both(block + "ffn_up", l.up, l.up_bias);
      both(block + "ffn_down", l.down, l.down_bias);
      both(block + "layer_output_norm", l.norm, l.norm_bias);
    }
    if (c.kind == dupq::model_kind::cross_encoder) {
      both("cls", w.pooler, w.pooler_bias);
      both("cls.output", w.classifier, w.classifier_bias);
    }
    return w;
  }

  using pointer = hf_weights::pointer;
  /// One that is not there is a failure.
  pointer get(const std::string& name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) throw failure(source_ + ": tensor " + json::quote(name) + ": missing");
    return found->second;
  }

 private:
  void both(const std::string& name, pointer& weight, pointer& bias) const {
    weight = get(name + ".weight");
    bias = get(name + ".bias");
  }

  std::string source_;
  std::deque<std::string> names_;
  std::deque<safetensors::tensor> tensors_;  // they stay where they are
  std::unordered_map<std::string_view, pointer> by_name_;
};

}  // namespace dupq_tool
