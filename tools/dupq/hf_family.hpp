// The families of models that can be converted, in one table: what Hugging Face calls each, its settings in config.json
// and its tensors. All of them are BERT or MPNet by another name, or become it when they are converted
// (hf_weights.hpp).
#pragma once

#include <algorithm>
#include <dupq/core/config.hpp>
#include <iterator>
#include <string>
#include <string_view>

namespace dupq_tool {

struct hf_family {
  std::string_view type;     ///< config.json's model_type
  std::string_view classes;  ///< what the names of its classes begin with
  std::string_view prefix;   ///< of its tensors' names where there is more in the file than the encoder
  dupq::architecture becomes = dupq::architecture::bert;
  /// Whether it adds a vector for the type of a token.
  bool token_types = true;
  /// Whether a text's positions begin after pad_token_id, which is also the position of padding (MPNet: always 1).
  bool positions_after_padding = false;
  // What config.json calls its numbers.
  std::string_view hidden = "hidden_size", layers = "num_hidden_layers", heads = "num_attention_heads",
                   intermediate = "intermediate_size", activation = "hidden_act";
  // Its tensors, in a layer and in the head of a classifier.
  std::string_view layer = "encoder.layer.", query = "attention.self.query", key = "attention.self.key",
                   value = "attention.self.value", output = "attention.output.dense",
                   attention_norm = "attention.output.LayerNorm", up = "intermediate.dense", down = "output.dense",
                   norm = "output.LayerNorm";
  std::string_view head_dense = "classifier.dense", head_output = "classifier.out_proj";
  dupq::head_activation head_activation = dupq::head_activation::tanh;

  std::string classifier() const { return std::string(classes) + "ForSequenceClassification"; }
};

inline constexpr hf_family hf_families[] = {
    {.type = "bert", .classes = "Bert", .prefix = "bert.", .head_dense = "pooler.dense", .head_output = "classifier"},
    {.type = "mpnet",
     .classes = "MPNet",
     .prefix = "mpnet.",
     .becomes = dupq::architecture::mpnet,
     .token_types = false,
     .query = "attention.attn.q",
     .key = "attention.attn.k",
     .value = "attention.attn.v",
     .output = "attention.attn.o",
     .attention_norm = "attention.LayerNorm"},
    {.type = "roberta", .classes = "Roberta", .prefix = "roberta.", .positions_after_padding = true},
    {.type = "xlm-roberta", .classes = "XLMRoberta", .prefix = "roberta.", .positions_after_padding = true},
    {.type = "camembert", .classes = "Camembert", .prefix = "roberta.", .positions_after_padding = true},
    {.type = "distilbert",
     .classes = "DistilBert",
     .prefix = "distilbert.",
     .token_types = false,
     .hidden = "dim",
     .layers = "n_layers",
     .heads = "n_heads",
     .intermediate = "hidden_dim",
     .activation = "activation",
     .layer = "transformer.layer.",
     .query = "attention.q_lin",
     .key = "attention.k_lin",
     .value = "attention.v_lin",
     .output = "attention.out_lin",
     .attention_norm = "sa_layer_norm",
     .up = "ffn.lin1",
     .down = "ffn.lin2",
     .norm = "output_layer_norm",
     .head_dense = "pre_classifier",
     .head_output = "classifier",
     .head_activation = dupq::head_activation::relu},
    {.type = "electra", .classes = "Electra", .prefix = "electra.", .head_activation = dupq::head_activation::gelu},
};

/// The family that config.json's model_type names; null: none that is supported.
inline const hf_family* find_family(std::string_view type) noexcept {
  const auto* const found =
      std::find_if(std::begin(hf_families), std::end(hf_families), [&](const auto& f) { return f.type == type; });
  return found == std::end(hf_families) ? nullptr : found;
}

/// Their names, for people.
inline std::string family_names() {
  std::string out;
  for (const hf_family& f : hf_families) {
    if (!out.empty()) out += &f == std::end(hf_families) - 1 ? " and " : ", ";
    out += f.type;
  }
  return out;
}

}  // namespace dupq_tool
