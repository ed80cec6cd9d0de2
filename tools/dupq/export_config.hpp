// A model's numbers and settings as the configuration files of a Hugging Face folder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/model.hpp>
#include <dupq/model/prompts.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "format.hpp"
#include "hf_family.hpp"
#include "json.hpp"

namespace dupq_tool {

namespace export_detail {

inline json::value count(std::uint64_t n) { return json::value(static_cast<std::int64_t>(n)); }

inline std::string activation_name(const dupq::config& c) {
  return c.activation == dupq::score_activation::sigmoid ? "torch.nn.modules.activation.Sigmoid"
                                                         : "torch.nn.modules.linear.Identity";
}

inline json::object model_config(const dupq::model& model) {
  const dupq::config& c = model.config();
  const bool mpnet = c.architecture == dupq::architecture::mpnet, cross = c.kind == dupq::model_kind::cross_encoder;
  const hf_family& family = *find_family(name(c.architecture));
  const auto& words = model.tokenizer().options();
  const auto id = [](std::int32_t n) { return count(static_cast<std::uint64_t>(n)); };
  json::object all{{"architectures", json::array{cross ? family.classifier() : std::string(family.classes) + "Model"}},
                   {"dtype", "float32"},
                   {"hidden_act", "gelu"},
                   {"hidden_size", count(c.hidden)},
                   {"intermediate_size", count(c.intermediate)},
                   {"layer_norm_eps", as_shortest(c.norm_epsilon)},
                   {"max_position_embeddings", count(c.positions)},
                   {"model_type", mpnet ? "mpnet" : "bert"},
                   {"num_attention_heads", count(c.heads)},
                   {"num_hidden_layers", count(c.layers)},
                   {"pad_token_id", id(words.pad)},
                   {"vocab_size", count(c.vocabulary)}};
  if (mpnet) {
    all.emplace_back("bos_token_id", id(words.cls));
    all.emplace_back("eos_token_id", id(words.sep));
    all.emplace_back("relative_attention_num_buckets", count(c.relative_buckets));
  } else {
    all.emplace_back("position_embedding_type", "absolute");
    all.emplace_back("type_vocab_size", count(c.token_types));
  }
  if (cross) {
    all.emplace_back("id2label", json::object{{"0", "LABEL_0"}});
    all.emplace_back("label2id", json::object{{"LABEL_0", count(0)}});
    all.emplace_back("sentence_transformers", json::object{{"activation_fn", activation_name(c)}});
  }
  return all;
}

inline json::array modules(const dupq::config& c) {
  json::array all;
  const auto add = [&](const char* path, const char* type) {
    all.emplace_back(json::object{{"idx", count(all.size())},
                                  {"name", std::to_string(all.size())},
                                  {"path", path},
                                  {"type", std::string("sentence_transformers.models.") + type}});
  };
  add("", "Transformer");
  if (c.kind == dupq::model_kind::cross_encoder) {  // under its newer name, since older versions have no such folders
    all.back() = json::object{{"idx", count(0)},
                              {"name", "0"},
                              {"path", ""},
                              {"type", "sentence_transformers.base.modules.transformer.Transformer"}};
    return all;
  }
  add("1_Pooling", "Pooling");
  if (c.normalize) add("2_Normalize", "Normalize");
  return all;
}

/// The modes in their order.
inline std::vector<dupq::pooling_mode> pooling_modes(dupq::pooling p) {
  using enum dupq::pooling_mode;
  std::vector<dupq::pooling_mode> modes;
  if (p.cls) modes.push_back(cls);
  if (p.max) modes.push_back(max);
  if (p.mean) modes.push_back(mean);
  for (std::uint32_t rest = p.sequence; rest != 0; rest >>= 4)
    modes.push_back(static_cast<dupq::pooling_mode>(rest & 15));
  return modes;
}

/// A flag for each mode, which every version reads; where their order is another one, the list of newer versions.
inline json::object pooling_config(const dupq::config& c) {
  const std::vector<dupq::pooling_mode> modes = pooling_modes(c.pooling);
  const bool in_order = std::adjacent_find(modes.begin(), modes.end(), std::greater_equal<>()) == modes.end();
  json::object all;
  if (in_order) {
    using enum dupq::pooling_mode;
    all.emplace_back("word_embedding_dimension", count(c.hidden));
    constexpr std::pair<dupq::pooling_mode, const char*> flags[] = {
        {cls, "pooling_mode_cls_token"},
        {mean, "pooling_mode_mean_tokens"},
        {max, "pooling_mode_max_tokens"},
        {mean_sqrt_len_tokens, "pooling_mode_mean_sqrt_len_tokens"},
        {weightedmean, "pooling_mode_weightedmean_tokens"},
        {lasttoken, "pooling_mode_lasttoken"}};
    for (const auto& [mode, flag] : flags)
      all.emplace_back(flag, std::find(modes.begin(), modes.end(), mode) != modes.end());
  } else {
    all.emplace_back("embedding_dimension", count(c.hidden));
    json::array names;
    for (const auto mode : modes) names.emplace_back(std::string(name(mode)));
    all.emplace_back("pooling_mode", std::move(names));
  }
  all.emplace_back("include_prompt", c.pool_prompt);
  return all;
}

/// sentence_bert_config.json. A cross-encoder's length stands in tokenizer_config.json.
inline json::object transformer_settings(const dupq::config& c) {
  if (c.kind == dupq::model_kind::bi_encoder)
    return {{"max_seq_length", count(c.max_length)}, {"do_lower_case", false}};
  return {{"transformer_task", "sequence-classification"},
          {"modality_config",
           json::object{{"text", json::object{{"method", "forward"}, {"method_output_name", "logits"}}}}},
          {"module_output_name", "scores"}};
}

inline json::object sentence_config(const dupq::model& model, const dupq::prompt_list& list) {
  const dupq::config& c = model.config();
  const bool cross = c.kind == dupq::model_kind::cross_encoder;
  json::object all{{"model_type", cross ? "CrossEncoder" : "SentenceTransformer"}}, prompts;
  list.for_each([&](std::string_view name, std::string_view text) {
    prompts.emplace_back(std::string(name), std::string(text));
  });
  all.emplace_back("prompts", std::move(prompts));
  all.emplace_back("default_prompt_name", list.used().empty() ? json::value() : json::value(std::string(list.used())));
  if (cross) {
    all.emplace_back("activation_fn", activation_name(c));
    return all;
  }
  all.emplace_back("similarity_fn_name", std::string(name(c.similarity)));
  if (c.truncate_dim != 0) all.emplace_back("truncate_dim", count(c.truncate_dim));
  return all;
}

}  // namespace export_detail
}  // namespace dupq_tool
