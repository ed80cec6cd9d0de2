// What a Hugging Face folder says about its model: config.json, modules.json, sentence_bert_config.json, the pooling's
// config.json and tokenizer_config.json, checked against each other.
#pragma once

#include <algorithm>
#include <dupq/core/config.hpp>
#include <dupq/core/model_limits.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// A folder's model in numbers, and where its other files are.
struct hf_folder {
  std::filesystem::path root;         ///< the folder
  std::filesystem::path transformer;  ///< the folder of config.json, the tokenizer and the weights; mostly the same
  std::string name;                   ///< the folder's own name
  dupq::config config;
  bool lowercase_before = false;  ///< texts are lower-cased before the tokenizer's own normalisation
};

/// Reads config.json: shapes, kind and activation.
inline void read_model_config(const json_node& json, dupq::config& config) {
  const std::string type = json.at("model_type").text();
  const bool mpnet = type == "mpnet";
  if (!mpnet && type != "bert")
    json.at("model_type").fail(json::quote(type) + " is not supported, only bert and mpnet");
  config.architecture = mpnet ? dupq::architecture::mpnet : dupq::architecture::bert;

  const auto refuse_unless = [&](std::string_view key, std::initializer_list<std::string_view> supported) {
    const auto v = json.get(key);
    if (v && std::find(supported.begin(), supported.end(), v->text()) == supported.end())
      v->fail(json::quote(v->text()) + " is not supported, only " + json::quote(*supported.begin()));
  };
  (void)json.at("hidden_act");
  refuse_unless("hidden_act", {"gelu", "gelu_python"});  // two names of the exact form
  refuse_unless("position_embedding_type", {"absolute"});
  for (const char* key : {"is_decoder", "add_cross_attention"})
    if (json.flag_or(key, false)) json.at(key).fail("true is not supported");
  for (const char* key : {"auto_map", "quantization_config"})
    if (const auto v = json.get(key)) v->fail("not supported");

  namespace most = dupq::model_limits;
  config.layers = json.at("num_hidden_layers").count(1, most::layers);
  config.hidden = json.at("hidden_size").count(1, most::hidden);
  config.heads = json.at("num_attention_heads").count(1, most::heads);
  config.intermediate = json.at("intermediate_size").count(1, most::intermediate);
  config.vocabulary = json.at("vocab_size").count(1, most::vocabulary);
  config.positions = json.at("max_position_embeddings").count(4, most::positions);
  if (config.hidden % config.heads != 0)
    json.at("num_attention_heads")
        .fail(std::to_string(config.heads) + " do not divide hidden_size " + std::to_string(config.hidden));
  const json_node epsilon = json.at("layer_norm_eps");
  if (!(epsilon.number() > 0 && epsilon.number() < 1)) epsilon.fail("must be between 0 and 1");
  config.norm_epsilon = static_cast<float>(epsilon.number());
  if (mpnet) {
    config.position_offset = 2;
    config.relative_buckets = json.at("relative_attention_num_buckets").count(32, 32);
  } else {
    config.token_types = json.at("type_vocab_size").count(1, most::token_types);
  }

  const auto architectures = json.get("architectures");
  const std::string head = architectures && !architectures->items().empty() ? architectures->items()[0].text() : "";
  if (head.find("For") == head.npos || head.ends_with("ForMaskedLM") || head.ends_with("ForPreTraining")) return;
  if (head != "BertForSequenceClassification")
    architectures->fail(json::quote(head) + " is not supported, only encoders and BertForSequenceClassification");
  config.kind = dupq::model_kind::cross_encoder;
  const auto names = json.get("id2label");
  const auto count = json.get("num_labels");
  const std::size_t labels = names   ? names->members().size()
                             : count ? count->count()
                                     : 2;  // 2 is what transformers assumes
  if (labels != 1)
    throw failure(json.where() + ": " + (count && !names ? "num_labels" : "id2label") + ": " + std::to_string(labels) +
                  " labels, a cross-encoder for duplicates has one");
  if (config.token_types < 2) json.at("type_vocab_size").fail("a cross-encoder needs two token types");
}

/// What CrossEncoder applies to the logit: config.json may name it in a new and in an old place, else it is a sigmoid.
inline dupq::score_activation read_activation(const json_node& json) {
  std::optional<json_node> named;
  if (const auto own = json.get("sentence_transformers")) named = own->get("activation_fn");
  if (!named) named = json.get("sbert_ce_default_activation_function");
  if (!named) return dupq::score_activation::sigmoid;
  const std::string& path = named->text();
  const bool torch = path.starts_with("torch.");
  if (torch && path.ends_with(".Sigmoid")) return dupq::score_activation::sigmoid;
  if (torch && path.ends_with(".Identity")) return dupq::score_activation::identity;
  named->fail(json::quote(path) + " is not supported, only torch's Sigmoid and Identity");
}

/// Reads a pooling module's config.json, in its old form (a flag for each mode) or its new one (a list of names).
inline dupq::pooling read_pooling(const json_node& json, std::uint32_t hidden) {
  const char* const dimension = json.get("embedding_dimension") ? "embedding_dimension" : "word_embedding_dimension";
  if (const json_node v = json.at(dimension); v.count() != hidden)
    v.fail(std::to_string(v.count()) + " contradicts config.json's hidden_size " + std::to_string(hidden));
  std::vector<std::string> modes;
  if (const auto named = json.get("pooling_mode")) {
    if (named->is_text())
      modes.push_back(named->text());
    else
      for (const json_node& mode : named->items()) modes.push_back(mode.text());
  } else {
    constexpr std::pair<const char*, const char*> flags[] = {
        {"pooling_mode_cls_token", "cls"},
        {"pooling_mode_max_tokens", "max"},
        {"pooling_mode_mean_tokens", "mean"},
        {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
        {"pooling_mode_weightedmean_tokens", "weightedmean"},
        {"pooling_mode_lasttoken", "lasttoken"}};
    bool any = false;
    for (const auto& [key, mode] : flags) {
      any = any || json.get(key);
      if (json.flag_or(key, false)) modes.emplace_back(mode);
    }
    if (!any) json.fail("pooling_mode: missing");
    if (modes.empty()) modes.emplace_back("mean");  // as sentence-transformers reads it
  }
  if (!json.flag_or("include_prompt", true)) json.at("include_prompt").fail("false is not supported");
  json.finish();
  dupq::pooling pooling;
  std::string joined;
  for (const std::string& mode : modes) {
    if (mode != "cls" && mode != "max" && mode != "mean")
      json.fail("pooling_mode: " + json::quote(mode) + " is not supported, only cls, max and mean");
    (mode == "cls" ? pooling.cls : mode == "max" ? pooling.max : pooling.mean) = true;
    joined += (joined.empty() ? "" : "+") + mode;
  }
  if (joined != dupq::name(pooling))
    json.fail("pooling_mode: the order " + joined + " is not supported, only cls+max+mean");
  return pooling;
}

/// Reads modules.json and the configurations it points to. Fills in where the transformer is, pooling and
/// normalisation.
class hf_modules {
 public:
  explicit hf_modules(const std::filesystem::path& root) : path_(root / "modules.json") {
    if (!std::filesystem::exists(path_)) return;
    constexpr std::string_view known[] = {"Transformer", "Pooling", "Normalize"};
    std::size_t next = 0;
    for (const json_node& module : json_node::open(path_).items()) {
      const json_node type = module.at("type");
      const std::string name = type.text().substr(type.text().rfind('.') + 1);
      if (!type.text().starts_with("sentence_transformers.") || std::find(known, known + 3, name) == known + 3)
        type.fail(json::quote(type.text()) + " is not supported, only Transformer, Pooling and Normalize");
      if (next == 3 || name != known[next])
        type.fail(json::quote(type.text()) + " is out of place: Transformer, Pooling, Normalize is the order");
      const json_node folder = module.at("path");
      const std::filesystem::path relative = folder.text();
      if (relative.is_absolute() || std::find(relative.begin(), relative.end(), "..") != relative.end())
        folder.fail("must lie inside the model's folder");
      folders_.push_back(root / relative);
      ++next;
    }
    if (folders_.empty()) throw failure(path_.string() + ": lists no module");
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  bool present() const noexcept { return !folders_.empty(); }
  const std::filesystem::path* transformer() const noexcept { return at(0); }
  const std::filesystem::path* pooling() const noexcept { return at(1); }
  const std::filesystem::path* normalize() const noexcept { return at(2); }

 private:
  const std::filesystem::path* at(std::size_t i) const noexcept { return i < folders_.size() ? &folders_[i] : nullptr; }

  std::filesystem::path path_;
  std::vector<std::filesystem::path> folders_;
};

/// Tokens of one text or pair that sentence-transformers reads: sentence_bert_config.json's max_seq_length, else the
/// tokenizer's limit, cut to the rows of the position table.
inline std::uint32_t read_max_length(const hf_folder& folder, const std::optional<json_node>& sentence) {
  const dupq::config& c = folder.config;
  const std::uint32_t rows = c.positions - c.position_offset;
  const std::uint32_t least = dupq::model_limits::least_tokens(c.kind);
  if (const auto v = sentence ? sentence->get("max_seq_length") : std::nullopt) return v->count(least, rows);
  const auto tokenizer = folder.transformer / "tokenizer_config.json";
  if (!std::filesystem::exists(tokenizer)) return rows;
  const auto v = json_node::open(tokenizer).get("model_max_length");
  if (!v || v->number() >= rows) return rows;  // "no limit" is written as 1e30
  return v->count(least, rows);
}

/// Bi-encoders: pooling, normalisation, prompts.
inline void read_sentence_modules(const hf_modules& modules, hf_folder& folder) {
  dupq::config& c = folder.config;
  if (!modules.present()) {
    for (const char* trace : {"1_Pooling", "sentence_bert_config.json"})
      if (std::filesystem::exists(folder.root / trace))
        throw failure(modules.path().string() + ": no such file, though there is " + trace);
    c.pooling.mean = true;  // a plain folder: what sentence-transformers makes of it
    return;
  }
  if (modules.pooling() == nullptr) throw failure(modules.path().string() + ": Pooling: missing");
  c.pooling = read_pooling(json_node::open(*modules.pooling() / "config.json"), c.hidden);
  c.normalize = modules.normalize() != nullptr;
  if (c.normalize)
    if (const auto path = *modules.normalize() / "config.json"; std::filesystem::exists(path))
      for (const char* key : {"module_input_name", "module_output_name"})
        if (const auto v = json_node::open(path).get(key); v && v->text() != "sentence_embedding")
          v->fail(json::quote(v->text()) + " is not supported");
  const auto path = folder.root / "config_sentence_transformers.json";
  if (!std::filesystem::exists(path)) return;
  const json_node extras = json_node::open(path);
  if (const auto prompt = extras.get("default_prompt_name"))
    if (const auto prompts = extras.get("prompts"); !prompts || !prompts->text_or(prompt->text(), "").empty())
      prompt->fail("texts with a prompt before them are not supported");
}

/// Reads and checks everything but the tokenizer and the weights.
inline hf_folder read_hf_folder(const std::string& path) {
  if (!std::filesystem::exists(path)) throw failure(path + ": no such folder");
  if (!std::filesystem::is_directory(path)) throw failure(path + ": not a folder");
  hf_folder folder;
  folder.root = path;
  folder.name = std::filesystem::canonical(path).filename().string();
  if (!is_utf8(folder.name) || folder.name.empty()) folder.name = "model";

  const hf_modules modules(folder.root);
  folder.transformer = modules.present() ? *modules.transformer() : folder.root;
  dupq::config& c = folder.config;
  const json_node json = json_node::open(folder.transformer / "config.json");
  read_model_config(json, c);
  if (c.kind == dupq::model_kind::bi_encoder)
    read_sentence_modules(modules, folder);
  else if (modules.pooling() != nullptr)
    throw failure(modules.path().string() + ": Pooling: contradicts config.json's BertForSequenceClassification");
  else
    c.activation = read_activation(json);

  std::optional<json_node> sentence;
  const auto sentence_path = folder.transformer / "sentence_bert_config.json";
  if (modules.present() && std::filesystem::exists(sentence_path)) sentence = json_node::open(sentence_path);
  if (sentence) {
    folder.lowercase_before = sentence->flag_or("do_lower_case", false);
    const auto task = sentence->get("transformer_task");
    const char* const expected =
        c.kind == dupq::model_kind::bi_encoder ? "feature-extraction" : "sequence-classification";
    if (task && task->text() != expected)
      task->fail(json::quote(task->text()) + " contradicts config.json, " + json::quote(expected) + " is expected");
  }
  c.max_length = read_max_length(folder, sentence);
  return folder;
}

}  // namespace dupq_tool
