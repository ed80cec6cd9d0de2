// What a Hugging Face folder says about its model: config.json, modules.json and the files it points to, the settings
// of sentence-transformers and of the tokenizer, checked against each other.
#pragma once

#include <dupq/core/config.hpp>
#include <dupq/core/model_limits.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "failure.hpp"
#include "hf_config.hpp"
#include "hf_modules.hpp"
#include "hf_sentence.hpp"
#include "hub_cache.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// A folder's model in numbers, and where its other files are.
struct hf_folder {
  std::filesystem::path root;         ///< the folder
  std::filesystem::path transformer;  ///< the folder of config.json, the tokenizer and the weights; mostly the same
  std::string name;                   ///< the folder's own name
  dupq::config config;
  hf_body body;
  std::filesystem::path dense;  ///< of the linear layer after the pooling; empty: there is none
  hf_prompts prompts;
  bool lowercase_before = false;  ///< texts are lower-cased before the tokenizer's own normalisation
  /// tokenizer_config.json with what sentence_bert_config.json changes in it; whoever reads all of it finishes it.
  std::optional<json_node> tokenizer_settings;
};

/// Tokens of one text or pair that sentence-transformers reads. What the tokenizer is called with comes first, then
/// what it is made with, sentence_bert_config.json's max_seq_length, and the tokenizer's own limit, which alone is cut
/// to the rows of the position table.
inline std::uint32_t read_max_length(const hf_folder& folder, const transformer_settings& settings) {
  const dupq::config& c = folder.config;
  const std::uint32_t rows = c.positions - c.position_offset;
  const std::uint32_t least = dupq::model_limits::least_tokens(c.kind);
  // max_len is the older name, which transformers still asks for where the newer one is not there.
  const auto length_of = [](const std::optional<json_node>& json) {
    auto length = json ? json->get("model_max_length") : std::nullopt;
    return json && !length ? json->get("max_len") : length;
  };
  const auto own = length_of(folder.tokenizer_settings);
  if (settings.length) return settings.length->count(least, rows);
  if (length_of(settings.tokenizer)) return own->count(least, rows);
  if (settings.max_seq_length) return settings.max_seq_length->count(least, rows);
  if (!own || own->number() >= rows) return rows;  // "no limit" is written as 1e30
  return own->count(least, rows);
}

/// Settings that say where and how Python looks for a file; they stand among the changes to that file's settings and
/// change none of them.
inline constexpr std::string_view where_from_keys[] = {"cache_dir", "force_download",    "local_files_only", "revision",
                                                       "token",     "trust_remote_code", "use_fast"};

/// tokenizer_config.json, changed as sentence_bert_config.json says.
inline std::optional<json_node> read_tokenizer_settings(const std::filesystem::path& folder,
                                                        const transformer_settings& settings) {
  const auto path = folder / "tokenizer_config.json";
  std::optional<json_node> own;
  if (std::filesystem::exists(path)) own = json_node::open(path);
  if (!settings.tokenizer) return own;
  return (own ? *own : json_node(json::object{}, os::name_of(path))).changed_by(*settings.tokenizer, where_from_keys);
}

/// Pooling and normalisation of a bi-encoder.
inline void read_sentence_modules(const hf_modules& modules, dupq::config& c) {
  if (!modules.present()) {
    c.pooling.mean = true;  // a plain folder: what sentence-transformers makes of it
    return;
  }
  if (modules.pooling() == nullptr) throw failure(os::name_of(modules.path()) + ": Pooling: missing");
  read_pooling(json_node::open(*modules.pooling() / "config.json"), c);
  c.normalize = modules.normalize() != nullptr;
  if (c.normalize) check_normalize(*modules.normalize() / "config.json");
  if (modules.linear() == nullptr) return;
  read_dense(json_node::open(*modules.linear() / "config.json"), c);
  c.normalize_pooled = modules.normalize_before() != nullptr;
  if (c.normalize_pooled) check_normalize(*modules.normalize_before() / "config.json");
}

/// sentence-transformers reads its own files only beside a modules.json.
inline void require_no_traces(const hf_modules& modules, const std::filesystem::path& root) {
  const auto check = [&](const char* trace) {
    if (std::filesystem::exists(root / trace))
      throw failure(os::name_of(modules.path()) + ": no such file, though there is " + trace);
  };
  for (const char* trace : {"1_Pooling", "config_sentence_transformers.json"}) check(trace);
  for (const char* trace : transformer_settings_names) check(trace);
}

/// Reads and checks everything but the tokenizer and the weights. `positive_label`: see read_labels.
inline hf_folder read_hf_folder(const std::filesystem::path& path,
                                const std::optional<std::string>& positive_label = {}) {
  if (!std::filesystem::exists(path)) throw failure(os::name_of(path) + ": no such folder");
  if (!std::filesystem::is_directory(path)) throw failure(os::name_of(path) + ": not a folder");
  hf_folder folder;
  folder.root = path;
  folder.name = hub_cache::model_name(std::filesystem::canonical(path));
  if (!is_utf8(folder.name) || folder.name.empty()) folder.name = "model";

  const hf_modules modules(folder.root);
  if (!modules.present()) require_no_traces(modules, folder.root);
  folder.transformer = modules.present() ? *modules.transformer() : folder.root;
  transformer_settings settings;
  if (modules.present()) settings = read_transformer_settings(folder.transformer);
  folder.lowercase_before = settings.lowercase;
  folder.tokenizer_settings = read_tokenizer_settings(folder.transformer, settings);

  dupq::config& c = folder.config;
  json_node json = json_node::open(folder.transformer / "config.json");
  if (settings.config) json = json.changed_by(*settings.config, where_from_keys);
  read_model_config(json, c, folder.body, positive_label);
  check_task(settings, c.kind);
  if (positive_label && c.kind == dupq::model_kind::bi_encoder)
    throw failure(json.where() + ": architectures: no classifier: --positive-label is for models with two labels");
  if (c.kind == dupq::model_kind::bi_encoder) {
    read_sentence_modules(modules, c);
    if (modules.linear() != nullptr) folder.dense = *modules.linear();
  } else if (modules.pooling() != nullptr) {
    throw failure(os::name_of(modules.path()) + ": Pooling: contradicts config.json's " +
                  folder.body.family->classifier());
  }
  std::optional<dupq::score_activation> activation;
  if (const auto own = folder.root / "config_sentence_transformers.json"; std::filesystem::exists(own))
    folder.prompts = read_sentence_transformers(json_node::open(own), c, activation);
  if (c.kind == dupq::model_kind::cross_encoder)
    c.activation = score_activation_of(json, folder.body.labels, activation ? activation : read_activation(json));
  c.keep(c.truncate_dim);
  finish_config(json, c.kind);
  c.max_length = read_max_length(folder, settings);
  return folder;
}

}  // namespace dupq_tool
