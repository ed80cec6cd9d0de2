// Finds a model's weights among a checkpoint's tensors (hf_family.hpp knows their names), and makes of some what BERT
// and MPNet have in their place.
#pragma once

#include <algorithm>
#include <dupq/core/config.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "failure.hpp"
#include "hf_checkpoint.hpp"
#include "hf_config.hpp"
#include "made_tensor.hpp"
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
  pointer dense = nullptr, dense_bias = nullptr;  ///< of the linear layer after the pooling
  made_tensors made;                              ///< those of them that are in no file
};

/// Looks names up in their several spellings and remembers which tensors were used.
class hf_names {
 public:
  hf_names(const hf_checkpoint& file, const hf_family& family) : file_(file), prefix_(family.prefix) {}

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
          if (found != nullptr && found != t) fail(*t, "is there twice, also as " + json::quote(found->name));
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
      const bool inside =
          name.starts_with("embeddings.") || name.starts_with("encoder.") || name.starts_with("transformer.");
      if (used_.contains(&t) || !inside) return;
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

/// The weights of a model that config.json describes so.
inline hf_weights find_weights(const hf_checkpoint& file, const dupq::config& c, const hf_body& body) {
  const hf_family& family = *body.family;
  hf_names names(file, family);
  const std::uint64_t hidden = c.hidden, inner = c.intermediate, skipped = body.skipped_positions;
  hf_weights w;
  w.tokens = names.get("embeddings.word_embeddings.weight", {c.vocabulary, hidden}, true);
  w.positions = names.get("embeddings.position_embeddings.weight", {skipped + c.positions, hidden});
  if (skipped != 0) w.positions = w.made.rows_from(*w.positions, skipped);
  if (family.token_types)
    w.types = names.get("embeddings.token_type_embeddings.weight", {c.token_types, hidden});
  else if (c.token_types != 0)
    w.types = w.made.zeros("embeddings.token_type_embeddings.weight", {c.token_types, hidden}, *w.tokens);
  w.norm = names.get("embeddings.LayerNorm.weight", {hidden});
  w.norm_bias = names.get("embeddings.LayerNorm.bias", {hidden});
  if (c.relative_buckets != 0)
    w.relative = names.get("encoder.relative_attention_bias.weight", {c.relative_buckets, c.heads});
  for (std::uint32_t i = 0; i < c.layers; ++i) {
    const std::string layer = std::string(family.layer) + std::to_string(i) + ".";
    const auto both = [&](std::string_view name, std::uint64_t outputs, std::uint64_t inputs, hf_layer::pointer& matrix,
                          hf_layer::pointer& bias) {
      matrix = names.get(layer + std::string(name) + ".weight", {outputs, inputs});
      bias = names.get(layer + std::string(name) + ".bias", {outputs});
    };
    const auto norm = [&](std::string_view name, hf_layer::pointer& weight, hf_layer::pointer& bias) {
      weight = names.get(layer + std::string(name) + ".weight", {hidden});
      bias = names.get(layer + std::string(name) + ".bias", {hidden});
    };
    hf_layer& l = w.layers.emplace_back();
    both(family.query, hidden, hidden, l.query, l.query_bias);
    both(family.key, hidden, hidden, l.key, l.key_bias);
    both(family.value, hidden, hidden, l.value, l.value_bias);
    both(family.output, hidden, hidden, l.output, l.output_bias);
    norm(family.attention_norm, l.attention_norm, l.attention_norm_bias);
    both(family.up, inner, hidden, l.up, l.up_bias);
    both(family.down, hidden, inner, l.down, l.down_bias);
    norm(family.norm, l.norm, l.norm_bias);
  }
  if (c.kind == dupq::model_kind::cross_encoder) {
    const std::string dense(family.head_dense), output(family.head_output);
    const std::uint32_t labels = body.labels.count;
    w.pooler = names.get(dense + ".weight", {hidden, hidden});
    w.pooler_bias = names.get(dense + ".bias", {hidden});
    w.classifier = names.get(output + ".weight", {labels, hidden});
    w.classifier_bias = names.get(output + ".bias", {labels});
    if (labels == 2) {
      const std::uint32_t yes = body.labels.positive, no = 1 - yes;
      w.classifier = w.made.difference(*w.classifier, {1, hidden}, yes, no);
      w.classifier_bias = w.made.difference(*w.classifier_bias, {1}, yes, no);
    }
  }
  names.check_rest();
  return w;
}

/// Those of the linear layer after the pooling, which has a file of its own.
inline void find_dense(const hf_checkpoint& file, const dupq::config& c, hf_weights& w) {
  const hf_family no_family;
  hf_names names(file, no_family);
  w.dense = names.get("linear.weight", {c.dense_dim, c.pooled_dim()});
  w.dense_bias = file.find("linear.bias") == nullptr ? w.made.zeros("linear.bias", {c.dense_dim}, *w.dense)
                                                     : names.get("linear.bias", {c.dense_dim});
}

}  // namespace dupq_tool
