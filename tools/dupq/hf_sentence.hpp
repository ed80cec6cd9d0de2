// What sentence-transformers keeps beside a checkpoint: config_sentence_transformers.json about the whole model, and
// sentence_bert_config.json (or its older names) about its transformer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/text/prompted_text.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hf_config.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// Texts that are put before a text, by name; a model may use one of them where nothing else is asked for.
struct hf_prompts {
  std::vector<std::pair<std::string, std::string>> all;
  std::string used;  ///< a name; empty: none

  /// Uses this text from now on; an empty one: none.
  void use(const std::string& text) {
    used.clear();
    if (text.empty()) return;
    const auto same = std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.second == text; });
    if (same != all.end()) return void(used = same->first);
    used = "given";
    std::erase_if(all, [&](const auto& p) { return p.first == used; });
    all.emplace_back(used, text);
  }
};

/// The file's names, the one that counts first.
inline constexpr const char* transformer_settings_names[] = {
    "sentence_bert_config.json",      "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json",  "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json"};

/// sentence_bert_config.json, as far as it is not obeyed at once.
struct transformer_settings {
  std::optional<json_node> config;     ///< changes to config.json
  std::optional<json_node> tokenizer;  ///< changes to tokenizer_config.json
  std::optional<json_node> length;     ///< tokens of a text or pair, where it is said for the call of the tokenizer
  std::optional<json_node> max_seq_length;
  std::optional<json_node> task;  ///< "feature-extraction" or "sequence-classification"
  std::optional<json_node> output, module_output;
  bool lowercase = false;
};

namespace sentence_detail {

/// Arguments of Python's calls of the tokenizer. Values that change nothing are listed here, all others are refused.
inline void read_call(const json_node& call, transformer_settings& out) {
  if (const auto v = call.get("max_length")) out.length = v;
  if (const auto v = call.get("truncation"); v && !(v->is_text() ? v->text() == "longest_first" : v->flag()))
    v->fail("only \"longest_first\" is supported");
  if (const auto v = call.get("padding_side"); v && v->text() != "right") v->fail("only \"right\" is supported");
  for (const char* key : {"add_special_tokens", "return_attention_mask", "return_token_type_ids"})
    if (!call.flag_or(key, true)) call.at(key).fail("false is not supported");
}

inline void read_processing(const json_node& kwargs, transformer_settings& out) {
  for (const char* part : {"text", "common"})  // the latter wins
    if (const auto call = kwargs.get(part)) read_call(*call, out);
}

/// How the model is loaded. BERT's own pooling layer, which it may leave out, has no part in a text's vector.
inline void read_model_args(const json_node& args) {
  if (const auto v = args.get("variant")) v->fail("not supported");
}

/// How the tokens' vectors are taken from the model's output.
inline void read_modalities(const json_node& modalities, transformer_settings& out) {
  for (const auto& [name, how] : modalities.members()) {
    if (name != "text") how.fail("only texts are supported");
    if (how.text_or("method", "forward") != "forward") how.at("method").fail("only \"forward\" is supported");
    out.output = how.get("method_output_name");
    if (out.output && out.output->is_array()) {
      const auto path = out.output->items();
      if (path.size() != 1) out.output->fail("only the last layer is supported");
      out.output = path[0];
    }
  }
}

}  // namespace sentence_detail

/// Reads the first of the files that is there and says anything.
inline transformer_settings read_transformer_settings(const std::filesystem::path& folder) {
  transformer_settings out;
  for (const char* name : transformer_settings_names) {
    if (!std::filesystem::exists(folder / name)) continue;
    const json_node json = json_node::open(folder / name);
    if (json.is_empty()) continue;
    // Each has an older name.
    const auto either = [&](const char* newer, const char* older) {
      const auto a = json.get(newer), b = json.get(older);
      if (a && b) a->fail(std::string("is there twice, also as ") + older);
      return a ? a : b;
    };
    out.max_seq_length = json.get("max_seq_length");
    out.lowercase = json.flag_or("do_lower_case", false);
    out.task = json.get("transformer_task");
    out.module_output = json.get("module_output_name");
    if (const auto v = json.get("modality_config")) sentence_detail::read_modalities(*v, out);
    if (const auto v = json.get("processing_kwargs")) sentence_detail::read_processing(*v, out);
    if (const auto v = either("model_kwargs", "model_args")) sentence_detail::read_model_args(*v);
    out.config = either("config_kwargs", "config_args");
    out.tokenizer = either("processor_kwargs", "tokenizer_args");
    for (const auto& changes : {out.config, out.tokenizer})
      if (changes) (void)changes->raw();  // not refused here: the reader of the changed file looks at each
    json.finish(std::initializer_list<std::string_view>{"unpad_inputs",
                                                        "processing_kwargs.audio",
                                                        "processing_kwargs.image",
                                                        "processing_kwargs.video",
                                                        "processing_kwargs.chat_template",
                                                        "processing_kwargs.text.padding",
                                                        "processing_kwargs.text.logits_to_keep",
                                                        "processing_kwargs.text.pad_to_multiple_of",
                                                        "processing_kwargs.text.return_tensors",
                                                        "processing_kwargs.text.verbose",
                                                        "processing_kwargs.common.padding",
                                                        "processing_kwargs.common.pad_to_multiple_of",
                                                        "processing_kwargs.common.return_tensors",
                                                        "processing_kwargs.common.verbose",
                                                        "model_args.add_pooling_layer",
                                                        "model_args.attn_implementation",
                                                        "model_args.device_map",
                                                        "model_args.dtype",
                                                        "model_args.low_cpu_mem_usage",
                                                        "model_args.torch_dtype",
                                                        "model_args.trust_remote_code",
                                                        "model_args.use_safetensors",
                                                        "model_kwargs.add_pooling_layer",
                                                        "model_kwargs.attn_implementation",
                                                        "model_kwargs.device_map",
                                                        "model_kwargs.dtype",
                                                        "model_kwargs.low_cpu_mem_usage",
                                                        "model_kwargs.torch_dtype",
                                                        "model_kwargs.trust_remote_code",
                                                        "model_kwargs.use_safetensors"});
    return out;
  }
  return out;
}

/// Tasks and outputs other than a model's own contradict what config.json says it is.
inline void check_task(const transformer_settings& settings, dupq::model_kind kind) {
  const bool encoder = kind == dupq::model_kind::bi_encoder;
  const auto expect = [](const std::optional<json_node>& v, const char* expected) {
    if (v && v->text() != expected)
      v->fail(json::quote(v->text()) + " contradicts config.json, " + json::quote(expected) + " is expected");
  };
  expect(settings.task, encoder ? "feature-extraction" : "sequence-classification");
  expect(settings.output, encoder ? "last_hidden_state" : "logits");
  expect(settings.module_output, encoder ? "token_embeddings" : "scores");
}

inline hf_prompts read_prompts(const json_node& json, dupq::model_kind kind) {
  hf_prompts out;
  if (const auto prompts = json.get("prompts")) {
    for (const auto& [name, text] : prompts->members()) {
      out.all.emplace_back(name, text.raw().is_null() ? "" : text.text());
      if (out.all.back().second.size() > dupq::prompted_text::most_prompt)
        text.fail("longer than " + std::to_string(dupq::prompted_text::most_prompt) + " bytes");
    }
  }
  const auto used = json.get("default_prompt_name");
  if (!used) return out;
  const auto found =
      std::find_if(out.all.begin(), out.all.end(), [&](const auto& p) { return p.first == used->text(); });
  const bool built_in =  // bi-encoders have these two, empty, where they are not listed
      kind == dupq::model_kind::bi_encoder && (used->text() == "query" || used->text() == "document");
  if (found == out.all.end() && !built_in) used->fail(json::quote(used->text()) + " is none of the prompts");
  if (found != out.all.end() && !found->second.empty()) out.used = found->first;
  return out;
}

/// Reads config_sentence_transformers.json. `activation`: the one that it names, which wins over config.json's.
inline hf_prompts read_sentence_transformers(const json_node& json, dupq::config& config,
                                             std::optional<dupq::score_activation>& activation) {
  const bool encoder = config.kind == dupq::model_kind::bi_encoder;
  const char* const expected = encoder ? "SentenceTransformer" : "CrossEncoder";
  const std::string type = json.text_or("model_type", "SentenceTransformer");
  if (type != expected)
    throw failure(json.where() + ": model_type: " + json::quote(type) + " contradicts config.json, " +
                  json::quote(expected) + " is expected");
  hf_prompts prompts = read_prompts(json, config.kind);
  if (encoder) {
    if (const auto v = json.get("truncate_dim")) config.truncate_dim = v->count(1);
    if (const auto v = json.get("similarity_fn_name")) {
      using enum dupq::similarity;
      constexpr dupq::similarity all[] = {cosine, dot, euclidean, manhattan};
      const auto found =
          std::find_if(std::begin(all), std::end(all), [&](auto s) { return dupq::name(s) == v->text(); });
      if (found == std::end(all))
        v->fail(json::quote(v->text()) + " is not supported, only cosine, dot, euclidean and manhattan");
      config.similarity = *found;
    }
    json.finish({"__version__", "requirements"});
  } else {
    if (const auto v = json.get("activation_fn")) activation = activation_named(*v);
    json.finish({"__version__", "requirements", "keep_in_fp32_modules"});
  }
  return prompts;
}

}  // namespace dupq_tool
