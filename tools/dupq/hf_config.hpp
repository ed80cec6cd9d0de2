// config.json: the model in numbers, its kind and its activation. What transformers and sentence-transformers write
// there and what changes no number is listed; any other setting is refused by its name.
#pragma once

#include <algorithm>
#include <dupq/core/config.hpp>
#include <dupq/core/model_limits.hpp>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "hf_family.hpp"
#include "hf_labels.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// What transformers 2 to 5 write into config.json and inference of these models does not read: training, generation of
/// text, labels' names, how Python runs the model.
inline constexpr std::string_view harmless_config_keys[] = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "_commit_hash",
    "_name_or_path",
    "_num_labels",
    "_output_attentions",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_implementation",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "directionality",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "eos_token_ids",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout_prob",
    "initializer_range",
    "label2id",
    "language",
    "length_penalty",
    "max_length",
    "min_length",
    "name",
    "name_or_path",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "pad_token_id",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    "prefix",
    "qa_dropout",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sbert_ce_default_activation_function",  // read_activation; a newer key may win over it
    "sentence_transformers",
    "sep_token_id",
    "seq_classif_dropout",
    "sinusoidal_pos_embds",  // how a table was filled that is in the checkpoint
    "summary_activation",
    "summary_last_dropout",
    "summary_type",
    "summary_use_proj",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
    "use_cache",
    "xla_device",
};

/// Fails where `key` is given and none of those that are supported.
inline void refuse_unless(const json_node& json, std::string_view key,
                          std::initializer_list<std::string_view> supported) {
  const auto v = json.get(key);
  if (v && std::find(supported.begin(), supported.end(), v->text()) == supported.end())
    v->fail(json::quote(v->text()) + " is not supported, only " + json::quote(*supported.begin()));
}

/// What a checkpoint is beside its numbers.
struct hf_body {
  const hf_family* family = nullptr;
  hf_labels labels;                     ///< of a cross-encoder
  std::uint32_t skipped_positions = 0;  ///< first rows of the position table that no token has
  std::optional<std::uint32_t> pad;     ///< the token that takes no position, where config.json says which
};

/// The activation of the inner layers: three names of GELU's form with a tanh, two of the exact one.
inline dupq::hidden_activation read_hidden_activation(const json_node& json, std::string_view key) {
  using enum dupq::hidden_activation;
  const auto v = json.get(key);
  const std::string name = v ? v->text() : "gelu";
  if (name == "gelu" || name == "gelu_python") return gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") return gelu_tanh;
  if (name == "relu") return relu;
  v->fail(json::quote(name) + " is not supported, only gelu, gelu_new, gelu_pytorch_tanh, gelu_fast and relu");
}

/// Reads config.json: shapes and kind. Where a key is missing that transformers has a value for, it is that one.
/// `positive_label` is the user's choice among two labels.
inline void read_model_config(const json_node& json, dupq::config& config, hf_body& body,
                              const std::optional<std::string>& positive_label = {}) {
  const std::string type = json.at("model_type").text();
  const hf_family* const family = body.family = find_family(type);
  if (family == nullptr) json.at("model_type").fail(json::quote(type) + " is not supported, only " + family_names());
  config.architecture = family->becomes;

  config.hidden_activation = read_hidden_activation(json, family->activation);
  refuse_unless(json, "position_embedding_type", {"absolute"});
  refuse_unless(json, "tokenizer_class",
                {"BertTokenizer", "BertTokenizerFast", "MPNetTokenizer", "MPNetTokenizerFast", "RobertaTokenizer",
                 "RobertaTokenizerFast", "XLMRobertaTokenizer", "XLMRobertaTokenizerFast", "CamembertTokenizer",
                 "CamembertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast", "ElectraTokenizer",
                 "ElectraTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"});
  for (const char* key : {"is_decoder", "is_encoder_decoder", "add_cross_attention"})
    if (json.flag_or(key, false)) json.at(key).fail("true is not supported");
  for (const char* key : {"auto_map", "quantization_config"})
    if (const auto v = json.get(key)) v->fail("not supported");
  if (const auto pruned = json.get("pruned_heads"); pruned && !pruned->is_empty())
    pruned->fail("only models with all their heads are supported");

  namespace most = dupq::model_limits;
  const auto count_or = [&](std::string_view key, std::uint32_t low, std::uint32_t high, std::uint32_t otherwise) {
    const auto v = json.get(key);
    return v ? v->count(low, high) : otherwise;
  };
  config.layers = json.at(family->layers).count(1, most::layers);
  config.hidden = json.at(family->hidden).count(1, most::hidden);
  config.heads = json.at(family->heads).count(1, most::heads);
  config.intermediate = json.at(family->intermediate).count(1, most::intermediate);
  config.vocabulary = json.at("vocab_size").count(1, most::vocabulary);
  config.positions = json.at("max_position_embeddings").count(4, most::positions);
  if (config.hidden % config.heads != 0)
    json.at(family->heads)
        .fail(std::to_string(config.heads) + " do not divide " + std::string(family->hidden) + " " +
              std::to_string(config.hidden));
  // Before the first layer there would be a product of its own.
  if (const auto size = type == "electra" ? json.get("embedding_size") : std::nullopt;
      size ? size->count() != config.hidden : type == "electra" && config.hidden != 128)
    throw failure(json.where() + ": embedding_size: " + std::to_string(size ? size->count() : 128) +
                  " is not supported, only hidden_size " + std::to_string(config.hidden));
  config.norm_epsilon = 1e-12f;
  if (const auto epsilon = family->type == "distilbert" ? std::nullopt : json.get("layer_norm_eps")) {
    if (!(epsilon->number() > 0 && epsilon->number() < 1)) epsilon->fail("must be between 0 and 1");
    config.norm_epsilon = static_cast<float>(epsilon->number());
  }
  const bool mpnet = config.architecture == dupq::architecture::mpnet;
  if (mpnet) {
    config.position_offset = 2;
    config.relative_buckets = count_or("relative_attention_num_buckets", 32, 32, 32);
  } else {
    config.token_types = family->token_types ? count_or("type_vocab_size", 1, most::token_types, 2) : 1;
  }
  if (family->positions_after_padding) {
    const std::uint32_t pad = count_or("pad_token_id", 0, most::vocabulary, 1);
    body.pad = body.skipped_positions = pad;
    if (config.positions < pad + 4)
      json.at("max_position_embeddings")
          .fail(std::to_string(config.positions) + " are too few after pad_token_id " + std::to_string(pad));
    config.positions -= pad;     // the first row is that of padding,
    config.position_offset = 1;  // the next that of a text's first token
  }

  const auto architectures = json.get("architectures");
  const std::string head = architectures && !architectures->items().empty() ? architectures->items()[0].text() : "";
  if (head.find("For") == head.npos || head.ends_with("ForMaskedLM") || head.ends_with("ForPreTraining")) return;
  if (head != family->classifier())
    architectures->fail(json::quote(head) + " is not supported, only encoders and " + family->classifier());
  config.kind = dupq::model_kind::cross_encoder;
  config.head_activation = family->head_activation;
  if (config.head_activation == dupq::head_activation::gelu &&
      config.hidden_activation != dupq::hidden_activation::gelu)
    json.at(family->activation).fail("only \"gelu\" is supported with this classifier");
  body.labels = read_labels(json, positive_label);
  if (family->token_types && !family->positions_after_padding && config.token_types < 2)
    json.at("type_vocab_size").fail("a cross-encoder needs two token types");
}

/// To be called when all of config.json has been read. Labels of an encoder mean nothing.
inline void finish_config(const json_node& json, dupq::model_kind kind) {
  std::vector<std::string_view> known(std::begin(harmless_config_keys), std::end(harmless_config_keys));
  if (kind == dupq::model_kind::bi_encoder) known.insert(known.end(), {"id2label", "num_labels", "problem_type"});
  json.finish(known);
}

inline dupq::score_activation activation_named(const json_node& name) {
  const std::string& path = name.text();
  const std::string_view last = std::string_view(path).substr(path.rfind('.') + 1);
  const bool torch = path.starts_with("torch.nn.");
  if (torch && last == "Sigmoid") return dupq::score_activation::sigmoid;
  if (torch && last == "Identity") return dupq::score_activation::identity;
  name.fail(json::quote(path) + " is not supported, only torch's Sigmoid and Identity");
}

/// What CrossEncoder applies to the logit, where config_sentence_transformers.json does not say: config.json may name
/// it in a new and in an old place.
inline std::optional<dupq::score_activation> read_activation(const json_node& json) {
  if (const auto own = json.get("sentence_transformers"))
    if (const auto named = own->get("activation_fn")) return activation_named(*named);
  if (const auto named = json.get("sbert_ce_default_activation_function")) return activation_named(*named);
  return {};
}

/// What makes a score of a cross-encoder's logit, of which one is `named` or none. The score of two labels is a
/// softmax, which is the sigmoid of their difference, and that is what the model computes (hf_weights.hpp).
inline dupq::score_activation score_activation_of(const json_node& json, const hf_labels& labels,
                                                  std::optional<dupq::score_activation> named) {
  const bool sigmoid =
      named.value_or(labels.count == 1 ? dupq::score_activation::sigmoid : dupq::score_activation::identity) ==
      dupq::score_activation::sigmoid;
  if (const auto problem = json.get("problem_type")) {
    const char* const single = "single_label_classification";
    if (labels.count == 2 && problem->text() != single)
      problem->fail(json::quote(problem->text()) + " with 2 labels is not supported, only " + json::quote(single));
  }
  if (labels.count == 2 && sigmoid) throw failure(json.where() + ": a Sigmoid of each of 2 labels is not supported");
  return labels.count == 2 || sigmoid ? dupq::score_activation::sigmoid : dupq::score_activation::identity;
}

}  // namespace dupq_tool
