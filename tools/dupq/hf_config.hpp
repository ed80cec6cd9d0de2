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
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sbert_ce_default_activation_function",  // read_activation; a newer key may win over it
    "sentence_transformers",
    "sep_token_id",
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

/// Labels of a classifier: as many as have names, else num_labels, else the 2 that transformers assumes.
inline void require_one_label(const json_node& json) {
  const auto names = json.get("id2label");
  const auto count = json.get("num_labels");
  const std::size_t named = names ? names->members().size() : 0;
  const std::size_t labels = names ? named : count ? count->count() : 2;
  if (names && count && count->count() != named)
    count->fail(std::to_string(count->count()) + " contradicts the " + std::to_string(named) + " names of id2label");
  if (labels != 1)
    throw failure(json.where() + ": " + (count && !names ? "num_labels" : "id2label") + ": " + std::to_string(labels) +
                  " labels, a cross-encoder for duplicates has one");
}

/// Reads config.json: shapes and kind. Where a key is missing that transformers has a value for, it is that one.
inline void read_model_config(const json_node& json, dupq::config& config) {
  const std::string type = json.at("model_type").text();
  const bool mpnet = type == "mpnet";
  if (!mpnet && type != "bert")
    json.at("model_type").fail(json::quote(type) + " is not supported, only bert and mpnet");
  config.architecture = mpnet ? dupq::architecture::mpnet : dupq::architecture::bert;

  refuse_unless(json, "hidden_act", {"gelu", "gelu_python"});  // two names of the exact form
  refuse_unless(json, "position_embedding_type", {"absolute"});
  refuse_unless(json, "tokenizer_class",
                {"BertTokenizer", "BertTokenizerFast", "MPNetTokenizer", "MPNetTokenizerFast",
                 "PreTrainedTokenizerFast", "TokenizersBackend"});
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
  config.layers = json.at("num_hidden_layers").count(1, most::layers);
  config.hidden = json.at("hidden_size").count(1, most::hidden);
  config.heads = json.at("num_attention_heads").count(1, most::heads);
  config.intermediate = json.at("intermediate_size").count(1, most::intermediate);
  config.vocabulary = json.at("vocab_size").count(1, most::vocabulary);
  config.positions = json.at("max_position_embeddings").count(4, most::positions);
  if (config.hidden % config.heads != 0)
    json.at("num_attention_heads")
        .fail(std::to_string(config.heads) + " do not divide hidden_size " + std::to_string(config.hidden));
  config.norm_epsilon = 1e-12f;
  if (const auto epsilon = json.get("layer_norm_eps")) {
    if (!(epsilon->number() > 0 && epsilon->number() < 1)) epsilon->fail("must be between 0 and 1");
    config.norm_epsilon = static_cast<float>(epsilon->number());
  }
  if (mpnet) {
    config.position_offset = 2;
    config.relative_buckets = count_or("relative_attention_num_buckets", 32, 32, 32);
  } else {
    config.token_types = count_or("type_vocab_size", 1, most::token_types, 2);
  }

  const auto architectures = json.get("architectures");
  const std::string head = architectures && !architectures->items().empty() ? architectures->items()[0].text() : "";
  if (head.find("For") == head.npos || head.ends_with("ForMaskedLM") || head.ends_with("ForPreTraining")) return;
  if (head != "BertForSequenceClassification")
    architectures->fail(json::quote(head) + " is not supported, only encoders and BertForSequenceClassification");
  config.kind = dupq::model_kind::cross_encoder;
  require_one_label(json);
  if (config.token_types < 2) json.at("type_vocab_size").fail("a cross-encoder needs two token types");
}

/// To be called when all of config.json has been read. Labels of an encoder mean nothing.
inline void finish_config(const json_node& json, dupq::model_kind kind) {
  std::vector<std::string_view> known(std::begin(harmless_config_keys), std::end(harmless_config_keys));
  if (kind == dupq::model_kind::bi_encoder) known.insert(known.end(), {"id2label", "num_labels"});
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
/// it in a new and in an old place, else it is a sigmoid.
inline dupq::score_activation read_activation(const json_node& json) {
  if (const auto own = json.get("sentence_transformers"))
    if (const auto named = own->get("activation_fn")) return activation_named(*named);
  if (const auto named = json.get("sbert_ce_default_activation_function")) return activation_named(*named);
  return dupq::score_activation::sigmoid;
}

}  // namespace dupq_tool
