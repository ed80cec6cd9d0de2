// The special and added tokens of a folder, which several files may name: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json and tokenizer.json. What wins over what is as in transformers 5.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hf_vocabulary.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// The files of a tokenizer, as far as they are there.
struct tokenizer_files {
  std::filesystem::path json_path, vocab_path;
  std::optional<json_node> json;      ///< tokenizer.json
  std::optional<json_node> settings;  ///< tokenizer_config.json
  std::optional<json_node> map;       ///< special_tokens_map.json, which added_tokens_decoder makes superfluous
  std::optional<json_node> more;      ///< added_tokens.json; the same
  bool has_vocab = false;

  /// Entries of a list of tokens, or of merges, that are read for so many rows of embeddings. Longer ones, which cannot
  /// fit, are only counted.
  static std::size_t most_entries(std::size_t rows) { return std::max<std::size_t>(1u << 20, 16 * rows); }

  tokenizer_files(const std::filesystem::path& folder, const std::optional<json_node>& tokenizer_settings,
                  std::size_t rows)
      : json_path(folder / "tokenizer.json"), vocab_path(folder / "vocab.txt"), settings(tokenizer_settings) {
    const auto open = [&](const char* name) {
      return std::filesystem::exists(folder / name) ? std::optional(json_node::open(folder / name, most_entries(rows)))
                                                    : std::nullopt;
    };
    json = open("tokenizer.json");
    has_vocab = std::filesystem::exists(vocab_path);
    if (setting("added_tokens_decoder")) return;
    map = open("special_tokens_map.json");
    more = open("added_tokens.json");
  }

  std::optional<json_node> setting(std::string_view key) const { return settings ? settings->get(key) : std::nullopt; }
  bool flag_or(std::string_view key, bool otherwise) const {
    const auto v = setting(key);
    return v ? v->flag() : otherwise;
  }
};

/// The special tokens that a class has where no file names them: what each is for, and the token.
using special_defaults = std::vector<std::pair<std::string, std::string>>;

class special_tokens_reader {
 public:
  /// Adds to `vocabulary` whatever the files add. A class that is built anew does not take tokenizer.json's tokens from
  /// the start.
  void read(const tokenizer_files& files, const special_defaults& defaults, bool built_anew,
            hf_vocabulary& vocabulary) {
    std::vector<added_token> written;  // tokenizer.json's
    std::map<std::uint32_t, added_token> listed;
    const auto list_at = files.json ? files.json->get("added_tokens") : std::nullopt;
    std::set<std::string> texts;
    std::set<std::uint32_t> ids;
    if (list_at)
      for (const json_node& entry : list_at->items()) {
        added_token token = token_of(entry);
        token.id = entry.at("id").count();
        if (!texts.insert(token.content).second) entry.fail(json::quote(token.content) + " appears twice");
        if (!ids.insert(token.id).second) entry.fail("id " + std::to_string(token.id) + " appears twice");
        written.push_back(token);
      }
    if (!built_anew) vocabulary.add(written);

    read_named(files, defaults);
    if (const auto decoder = files.setting("added_tokens_decoder")) {
      for (const auto& [id, entry] : decoder->members()) listed[id_of(entry, id)] = token_of(entry);
    } else {
      if (files.more)
        for (const auto& [content, id] : files.more->members()) {
          added_token token;
          token.content = content;
          token.special = spelt_.contains(content);
          token.normalized = !token.special;
          listed[id.count()] = token;
        }
      for (const added_token& token : written) listed[token.id] = token;
    }
    // A token that is named here has the flags that the list gives it.
    for (auto& [key, token] : named_)
      for (const auto& [id, other] : listed)
        if (token && other.content == token->content && is_standard(key) && !defaulted_.contains(key)) token = other;

    std::vector<added_token> adding;
    for (const auto& [id, token] : listed)
      if (!vocabulary.has_added(token)) adding.push_back(token);
    std::set<std::string> listed_already;
    for (const added_token& token : adding) listed_already.insert(token.content);
    const auto missing = [&](const added_token& token) {
      return !vocabulary.has_added(token.content) && !listed_already.contains(token.content);
    };
    for (const auto& [key, token] : named_)
      if (token && missing(*token)) adding.push_back(*token), only_named_.insert(token->content);
    for (const added_token& token : extra_)
      if (missing(token)) adding.push_back(token), only_named_.erase(token.content);
    for (added_token& token : adding) token.special = token.special || is_named(token.content);
    vocabulary.add(adding);
  }

  /// The token that is for `key`.
  std::optional<std::string> named(std::string_view key) const {
    for (const auto& [name, token] : named_)
      if (name == key && token) return token->content;
    return {};
  }
  /// Whether a token is only named as the class's special token and is in no list of added tokens: then it may have no
  /// row in the embeddings.
  bool is_only_named(const std::string& content) const { return only_named_.contains(content); }

 private:
  static constexpr std::string_view keys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};

  /// A token is written as its text, or as an object with flags.
  static added_token token_of(const json_node& node) {
    added_token out;
    if (node.is_text()) {
      out.content = node.text();
      out.special = true;
      return out;
    }
    (void)node.get("__type");
    out.content = node.at("content").text();
    out.special = node.flag_or("special", false);
    if (const auto normalized = node.get("normalized")) out.normalized = normalized->flag();
    out.lstrip = node.flag_or("lstrip", false);
    out.rstrip = node.flag_or("rstrip", false);
    out.single_word = node.flag_or("single_word", false);
    return out;
  }
  static std::uint32_t id_of(const json_node& token, const std::string& digits) {
    const bool number = !digits.empty() && digits.size() < 9 && digits.find_first_not_of("0123456789") == digits.npos;
    if (!number) token.fail("the name is not a token's id");
    return static_cast<std::uint32_t>(std::stoul(digits));
  }

  void read_named(const tokenizer_files& files, const special_defaults& defaults) {
    for (const std::string_view key : keys) named_.push_back({std::string(key), std::nullopt});
    for (const auto& [key, content] : defaults) {
      added_token token;
      token.content = content;
      token.special = true;
      token.lstrip = key == "mask_token" && content == "<mask>";  // it takes the blanks before it
      set(key, token);
      defaulted_.insert(key);
    }
    token_list extra, older;
    if (files.settings) {
      read_standard(*files.settings, false);
      for (const std::string& name : files.settings->names())  // other classes' special tokens have such names
        if (name.ends_with("_token") && !is_standard(name))
          if (const auto v = files.settings->get(name)) set(name, token_of(*v));
      extra = read_list(*files.settings, "extra_special_tokens", false);
      older = read_list(*files.settings, "additional_special_tokens", false);
      if (older && (!extra || extra->empty()) && !named_list_) extra = older, older.reset();
      named_list_ = false;
    }
    if (files.map) {
      read_standard(*files.map, true);
      if (const token_list more = read_list(*files.map, "extra_special_tokens", true)) {
        if (!extra) extra.emplace();
        extra->insert(extra->end(), more->begin(), more->end());
      }
      if (const token_list more = read_list(*files.map, "additional_special_tokens", true)) older = more;
    }
    if (extra || older) extra_ = extra ? *extra : *older;
  }

  using token_list = std::optional<std::vector<added_token>>;

  static bool is_standard(std::string_view key) {
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
  }

  void read_standard(const json_node& file, bool is_map) {
    for (const std::string_view key : keys)
      if (const auto v = file.get(key)) {
        added_token token = token_of(*v);
        token.special = token.special || is_map;
        if (v->is_text() && named_lstrip(key)) token.lstrip = true;  // a name alone leaves the class's own flags
        set(std::string(key), token);
        if (v->is_text() || is_map) spelt_.insert(token.content);
      }
  }

  /// A list of tokens; a key whose value is null is an empty list. An object of names and tokens adds to the named
  /// tokens, and is no list.
  token_list read_list(const json_node& file, const char* key, bool is_map) {
    const auto names = file.names();
    if (std::find(names.begin(), names.end(), key) == names.end()) return {};
    std::vector<added_token> out;
    const auto list = file.get(key);
    if (!list) return out;
    const auto read = [&](const json_node& v) {
      added_token token = token_of(v);
      token.special = token.special || is_map;
      if ((v.is_text() || is_map) && !list->is_object()) spelt_.insert(token.content);
      return token;
    };
    if (!list->is_object()) {
      for (const json_node& v : list->items()) out.push_back(read(v));
      return out;
    }
    for (const auto& [name, v] : list->members()) set(name, read(v)), named_list_ = true;
    return {};
  }

  bool named_lstrip(std::string_view key) const {
    return std::any_of(named_.begin(), named_.end(),
                       [&](const auto& n) { return n.first == key && n.second && n.second->lstrip; }) &&
           defaulted_.contains(std::string(key));
  }
  void set(const std::string& key, const added_token& token) {
    const auto at = std::find_if(named_.begin(), named_.end(), [&](const auto& n) { return n.first == key; });
    if (at == named_.end())
      named_.emplace_back(key, token);
    else
      at->second = token;
    defaulted_.erase(key);
  }

  bool is_named(const std::string& content) const {
    return std::any_of(named_.begin(), named_.end(),
                       [&](const auto& n) { return n.second && n.second->content == content; });
  }
  std::vector<std::pair<std::string, std::optional<added_token>>> named_;  ///< by what they are for
  std::set<std::string> defaulted_;                                        ///< those that no file names
  bool named_list_ = false;                                                ///< extra_special_tokens had names
  std::vector<added_token> extra_;
  std::set<std::string> only_named_;
  std::set<std::string> spelt_;  ///< those that are named by their text alone, or in special_tokens_map.json
};

}  // namespace dupq_tool
