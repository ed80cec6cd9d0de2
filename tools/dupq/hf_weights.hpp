// Finds a model's weights among a checkpoint's tensors: the one place that knows Hugging Face's names for them.
#pragma once

#include <algorithm>
#include <dupq/core/config.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "failure.hpp"
#include "hf_checkpoint.hpp"
#include "safetensors.hpp"

namespace dupq_tool {

/// The weights of one layer; matrices are [outputs][inputs].
struct hf_layer {
  using pointer = const safetensors::tensor*;
  pointer query, query_bias, key, key_bias, value, value_bias, output, output_bias, attention_norm, attention_norm_bias,
      up, up_bias, down, down_bias, norm, norm_bias;
};

/// All weights of a model, their shapes checked; null: the model has none.
struct hf_weights {
  using pointer = const safetensors::tensor*;
  pointer tokens, positions, types = nullptr, norm, norm_bias, relative = nullptr;
  std::vector<hf_layer> layers;
  pointer pooler = nullptr, pooler_bias = nullptr, classifier = nullptr, classifier_bias = nullptr;
};

/// Looks names up in their several spellings and remembers which tensors were used.
class hf_names {
 public:
  hf_names(const hf_checkpoint& file, dupq::architecture architecture)
      : file_(file), prefix_(std::string(dupq::name(architecture)) + ".") {}

  /// `more_rows`: there may be more of them than `shape` says.
  const safetensors::tensor* get(const std::string& name, std::vector<std::uint64_t> shape, bool more_rows = false) {
    std::vector<std::string> spellings{name};
    for (const auto& [now, old] :
         {std::pair{".LayerNorm.weight", ".LayerNorm.gamma"}, {".LayerNorm.bias", ".LayerNorm.beta"}})
      if (name.ends_with(now)) spellings.push_back(name.substr(0, name.size() - std::string_view(now).size()) + old);
    const safetensors::tensor* found = nullptr;
    for (const std::string& spelling : spellings)
      for (const std::string& full : {spelling, prefix_ + spelling})
        if (const safetensors::tensor* t = file_.find(full)) {
          if (found != nullptr) fail(*t, "is there twice, also as " + json::quote(found->name));
          found = t;
        }
    if (found == nullptr) fail(file_.source(), name, "missing");
    const bool enough = more_rows && found->shape.count == 2 && found->shape[0] > shape[0];
    if (enough) shape[0] = found->shape[0];
    if (!(found->shape == shape))
      fail(*found, "has the shape " + text(found->shape) + ", config.json says " + text(shape));
    if (!found->is_real())
      fail(*found, "has the type " + std::string(found->type) + ", only F64, F32, F16 and BF16 are supported");
    used_.insert(found);
    return found;
  }

  /// Refuses a tensor inside the encoder that nobody used: leaving it out would change results silently. Heads of other
  /// tasks may be left out.
  void check_rest() const {
    file_.for_each([&](const safetensors::tensor& t) {
      std::string_view name = t.name;
      if (name.starts_with(prefix_)) name.remove_prefix(prefix_.size());
      if (name == "linear.weight" && t.shape.count == 2 && file_.find("linear.bias") == nullptr)
        fail(t, "the head of a ColBERT model, which has a vector for each token, is not supported");
      if (used_.contains(&t) || !(name.starts_with("embeddings.") || name.starts_with("encoder."))) return;
      if (name == "embeddings.position_ids" || name == "embeddings.token_type_ids") return;
      fail(t, "is no part of the model that config.json describes");
    });
  }

 private:
  [[noreturn]] static void fail(const safetensors::tensor& t, const std::string& what) {
    fail(*t.source, t.name, what);
  }
  [[noreturn]] static void fail(const std::string& file, std::string_view name, const std::string& what) {
    throw failure(file + ": tensor " + json::quote(name) + ": " + what);
  }
  static std::string text(std::span<const std::uint64_t> shape) {
    std::string out = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return out + "]";
  }
  static std::string text(const safetensors::extents& shape) {
    if (shape.count > 4) return "of " + std::to_string(shape.count) + " dimensions";
    return text(std::span(shape.first, shape.count));
  }

  const hf_checkpoint& file_;
  std::string prefix_;
  std::unordered_set<const safetensors::tensor*> used_;
};

inline hf_weights find_weights(const hf_checkpoint& file, const dupq::config& c) {
  hf_names names(file, c.architecture);
  const bool mpnet = c.architecture == dupq::architecture::mpnet;
  const std::uint64_t hidden = c.hidden, inner = c.intermediate;
  hf_weights w;
  w.tokens = names.get("embeddings.word_embeddings.weight", {c.vocabulary, hidden}, true);
  w.positions = names.get("embeddings.position_embeddings.weight", {c.positions, hidden});
  if (c.token_types != 0) w.types = names.get("embeddings.token_type_embeddings.weight", {c.token_types, hidden});
  w.norm = names.get("embeddings.LayerNorm.weight", {hidden});
  w.norm_bias = names.get("embeddings.LayerNorm.bias", {hidden});
  if (c.relative_buckets != 0)
    w.relative = names.get("encoder.relative_attention_bias.weight", {c.relative_buckets, c.heads});
  const std::string attention = mpnet ? "attention.attn." : "attention.self.";
  for (std::uint32_t i = 0; i < c.layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    const auto both = [&](const std::string& name, std::uint64_t outputs, std::uint64_t inputs,
                          hf_layer::pointer& matrix, hf_layer::pointer& bias) {
      matrix = names.get(layer + name + ".weight", {outputs, inputs});
      bias = names.get(layer + name + ".bias", {outputs});
    };
    const auto norm = [&](const std::string& name, hf_layer::pointer& weight, hf_layer::pointer& bias) {
      weight = names.get(layer + name + ".weight", {hidden});
      bias = names.get(layer + name + ".bias", {hidden});
    };
    hf_layer& l = w.layers.emplace_back();
    both(attention + (mpnet ? "q" : "query"), hidden, hidden, l.query, l.query_bias);
    both(attention + (mpnet ? "k" : "key"), hidden, hidden, l.key, l.key_bias);
    both(attention + (mpnet ? "v" : "value"), hidden, hidden, l.value, l.value_bias);
    both(mpnet ? "attention.attn.o" : "attention.output.dense", hidden, hidden, l.output, l.output_bias);
    norm(mpnet ? "attention.LayerNorm" : "attention.output.LayerNorm", l.attention_norm, l.attention_norm_bias);
    both("intermediate.dense", inner, hidden, l.up, l.up_bias);
    both("output.dense", hidden, inner, l.down, l.down_bias);
    norm("output.LayerNorm", l.norm, l.norm_bias);
  }
  if (c.kind == dupq::model_kind::cross_encoder) {
    w.pooler = names.get("pooler.dense.weight", {hidden, hidden});
    w.pooler_bias = names.get("pooler.dense.bias", {hidden});
    w.classifier = names.get("classifier.weight", {1, hidden});
    w.classifier_bias = names.get("classifier.bias", {1});
  }
  names.check_rest();
  return w;
}

}  // namespace dupq_tool
