// Folders of static models: model2vec's own (config.json says "model2vec"; read as its version 0.10 does), and those of
// sentence-transformers whose modules.json begins with a StaticEmbedding (which may hold a model2vec table, too).
//
// The two differ: model2vec leaves out the unknown token and cuts long texts, sentence-transformers does neither.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/core/model_limits.hpp>
#include <dupq/text/unicode.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "hf_checkpoint.hpp"
#include "hf_folder.hpp"
#include "hf_tokenizer.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// A static model as a folder describes it.
struct hf_static {
  hf_folder folder;  ///< its config has `hidden` floats a row, and the vocabulary that the table is made for
  bool drop_unknown = false;
  std::uint32_t max_chars = 0;                    ///< 0: all
  std::optional<std::uint32_t> most_tokens = {};  ///< nothing: all that fit a model file's limit
};

/// The table of a static model: rows, and for each token its row and its weight where they are not its own and 1.
struct hf_static_table {
  const safetensors::tensor *rows = nullptr, *row_of = nullptr, *weights = nullptr;
};

class hf_static_reader {
 public:
  /// Tokens of a text of a model that has no limit of its own; longer texts are cut, and counted as cut.
  static constexpr std::uint32_t unlimited = 1u << 14;

  static bool is_static(const std::filesystem::path& root) {
    if (const auto path = root / "modules.json"; std::filesystem::exists(path)) {
      const json_node json = json_node::open(path);
      if (!json.is_array() || json.items().empty()) return false;
      const json_node first = json.items()[0];
      return first.is_object() && first.text_or("type", "").ends_with(".StaticEmbedding");
    }
    const auto path = root / "config.json";
    if (!std::filesystem::exists(path)) return false;
    const json_node json = json_node::open(path);
    return json.is_object() && json.text_or("model_type", "") == "model2vec";
  }

  /// All but the tokenizer and the table.
  static hf_static read(const std::filesystem::path& root) {
    hf_static out;
    hf_folder& f = out.folder;
    f.root = f.transformer = root;
    f.name = hub_cache::model_name(std::filesystem::canonical(root));
    if (!is_utf8(f.name) || f.name.empty()) f.name = "model";
    f.config.pooling.mean = true;
    if (std::filesystem::exists(root / "modules.json"))
      read_sentence_transformers_folder(out);
    else
      read_model2vec_folder(out);
    f.config.architecture = dupq::architecture::static_table;
    return out;
  }

  /// The tensors, their shapes checked; the folder's config gets the sizes that they say.
  static hf_static_table find_table(const hf_checkpoint& file, dupq::config& c) {
    hf_static_table out;
    const safetensors::tensor* const trained = file.find("embedding.weight");
    out.rows = trained != nullptr ? trained : file.find("embeddings");
    if (out.rows == nullptr)
      throw failure(file.source() + ": tensor \"embedding.weight\": missing, and \"embeddings\"");
    if (trained == nullptr) out.row_of = file.find("mapping"), out.weights = file.find("weights");
    file.for_each([&](const safetensors::tensor& t) {
      if (&t != out.rows && &t != out.row_of && &t != out.weights) fail(t, "is no part of a static model");
    });
    if (out.rows->shape.count != 2 || out.rows->shape[0] == 0 || out.rows->shape[1] == 0 ||
        out.rows->shape[0] > dupq::model_limits::vocabulary || out.rows->shape[1] > dupq::model_limits::hidden)
      fail(*out.rows, "a table of vectors is expected");
    if (!out.rows->is_real() && out.rows->type != "I8")
      fail(*out.rows,
           "has the type " + std::string(out.rows->type) + ", only F64, F32, F16, BF16 and I8 are supported");
    if (out.row_of != nullptr && out.row_of->type != "I64" && out.row_of->type != "I32")
      fail(*out.row_of, "has the type " + std::string(out.row_of->type) + ", only I64 and I32 are supported");
    if (out.weights != nullptr && !out.weights->is_real())
      fail(*out.weights, "has the type " + std::string(out.weights->type) + ", which is no type of floats");
    c.hidden = static_cast<std::uint32_t>(out.rows->shape[1]);
    const auto tokens = out.row_of != nullptr ? out.row_of->elements : out.rows->shape[0];
    for (const safetensors::tensor* const t : {out.row_of, out.weights})
      if (t != nullptr && (t->shape.count != 1 || t->elements != tokens))
        fail(*t, "has " + std::to_string(t->elements) + " numbers, one for each of " + std::to_string(tokens) +
                     " tokens is expected");
    if (tokens > dupq::model_limits::vocabulary) fail(*out.row_of, "too many tokens");
    c.vocabulary = static_cast<std::uint32_t>(tokens);
    return out;
  }

  [[noreturn]] static void fail(const safetensors::tensor& t, const std::string& what) {
    throw failure(*t.source + ": tensor " + json::quote(t.name) + ": " + what);
  }

  /// As model2vec cuts texts before it reads them: the median length of a token for each token that it may have.
  static std::uint32_t chars_for(const hf_tokenizer& tokenizer, std::uint32_t tokens) {
    std::vector<std::size_t> lengths;
    const auto add = [&](const std::string& token) {
      lengths.push_back(static_cast<std::size_t>(std::count_if(
          token.begin(), token.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; })));
    };
    std::vector<bool> taken(tokenizer.pieces.size());
    for (const added_token& a : tokenizer.added) add(a.content), taken[a.id] = true;
    for (std::size_t id = 0; id < tokenizer.pieces.size(); ++id)
      if (!taken[id] && !tokenizer.pieces[id].empty()) add(tokenizer.pieces[id]);
    std::sort(lengths.begin(), lengths.end());
    const std::size_t n = lengths.size(), median = n == 0 ? 1 : (lengths[n / 2] + lengths[(n - 1) / 2]) / 2;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{median} * tokens, 0x7FFFFFFF));
  }

 private:
  static void read_sentence_transformers_folder(hf_static& out) {
    hf_folder& f = out.folder;
    const json_node json = json_node::open(f.root / "modules.json");
    std::size_t at = 0;
    for (const json_node& module : json.items()) {
      const json_node type = module.at("type"), path = module.at("path");
      const std::filesystem::path relative = os::path_of(path.text());
      if (relative.has_root_path() || std::find(relative.begin(), relative.end(), "..") != relative.end())
        path.fail("must lie inside the model's folder");
      const auto named = [&](const char* name) {
        return type.text().starts_with("sentence_transformers.") && type.text().ends_with(name);
      };
      if (at == 0) {
        f.transformer = f.root / relative;
      } else if (at == 1 && named(".Normalize")) {
        f.config.normalize = true;
        check_normalize(f.root / relative / "config.json");
      } else {
        type.fail(json::quote(type.text()) + " is not supported, only Normalize may follow a StaticEmbedding");
      }
      ++at;
    }
    json.finish({"idx", "name", "kwargs"});
    if (const auto own = f.root / "config_sentence_transformers.json"; std::filesystem::exists(own)) {
      std::optional<dupq::score_activation> none;
      f.prompts = read_sentence_transformers(json_node::open(own), f.config, none);
    }
    const auto tokenizer = f.transformer / "tokenizer.json";
    if (!std::filesystem::exists(tokenizer)) return;
    if (const auto cut = json_node::open(tokenizer).get("truncation"))
      if (const auto length = cut->get("max_length")) out.most_tokens = std::min(length->count(1), unlimited);
  }

  /// Of config.json only these two count; the others say how the model was made.
  static void read_model2vec_folder(hf_static& out) {
    constexpr std::uint32_t usual = 512;
    const json_node json = json_node::open(out.folder.root / "config.json");
    out.drop_unknown = true;
    out.folder.config.normalize = json.flag_or("normalize", false);
    out.most_tokens = usual;
    const auto& members = *json.raw().as<json::object>();
    const auto found =
        std::find_if(members.begin(), members.end(), [](const auto& m) { return m.first == "max_length"; });
    if (found == members.end()) return;
    out.most_tokens.reset();  // null: no limit
    if (const auto length = json.get("max_length")) out.most_tokens = std::min(length->count(1), unlimited);
  }
};

}  // namespace dupq_tool
