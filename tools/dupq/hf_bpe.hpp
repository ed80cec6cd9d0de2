// tokenizer.json's byte-level BPE, or vocab.json and merges.txt beside each other: tokens, merges, the pre-tokenizer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/text/bpe_builder.hpp>
#include <dupq/text/utf8.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hf_vocabulary.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// A byte-level BPE model in numbers.
struct hf_bpe {
  struct merge {
    std::uint32_t left, right, made;
  };
  std::vector<merge> merges;        ///< by rank
  std::vector<std::int32_t> bytes;  ///< the token of each byte; -1: left out
  bool prefix_space = false, split = true;
  bool whole_words = false;  ///< a word that is a token is that one, whatever its merges make (ignore_merges)
};

/// Tokens as the bytes that they stand for.
struct byte_alphabet {
  static std::string token(unsigned char byte) {
    char utf8[4];
    return {utf8, dupq::unicode::encode(dupq::byte_characters::of(byte), utf8)};
  }
  /// The bytes that a token stands for; nothing where it has a character that stands for none.
  static std::optional<std::string> bytes(std::string_view token) {
    std::string out;
    for (const char *p = token.data(), *end = p + token.size(); p != end;) {
      const int byte = dupq::byte_characters::byte_of(dupq::unicode::decode(p, end));
      if (byte < 0) return {};
      out += static_cast<char>(byte);
    }
    return out;
  }
};

class hf_bpe_reader {
 public:
  /// Reads `model` and `pre_tokenizer` of a tokenizer.json, whose tokens are in `vocabulary` already. `unknown` is the
  /// token of bytes that have none.
  static hf_bpe read(const json_node& json, const hf_vocabulary& vocabulary, std::optional<std::uint32_t> unknown) {
    hf_bpe_reader reader(json.at("model"), vocabulary);
    reader.read_settings(unknown.has_value());
    reader.read_merges();
    bool missing = false;
    for (unsigned b = 0; b < 256; ++b) {
      const auto token = vocabulary.piece(byte_alphabet::token(static_cast<unsigned char>(b)));
      missing = missing || !token;
      const std::optional<std::uint32_t> id = token ? token : unknown;
      reader.out_.bytes.push_back(id ? static_cast<std::int32_t>(*id) : -1);
    }
    if (missing && unknown && json.at("model").flag_or("fuse_unk", false))
      json.at("model").at("fuse_unk").fail("true is not supported where bytes have no token");
    reader.read_splitter(json.at("pre_tokenizer"));
    if (!reader.byte_level_) json.at("pre_tokenizer").fail("only byte-level BPE is supported, with ByteLevel last");
    return std::move(reader.out_);
  }

  /// vocab.json and merges.txt, of at most `most` entries each, as the tokenizer.json that they are in newer folders.
  static json_node from_older_files(const std::filesystem::path& vocab, const std::filesystem::path& merges_file,
                                    bool prefix_space, std::size_t most) {
    json::value tokens = json_node::open(vocab, most).raw();
    const auto id_of = [&](const char* token) {
      const json::value* id = tokens.find(token);
      if (id == nullptr) throw failure(os::name_of(vocab) + ": " + json::quote(token) + ": missing");
      return *id;
    };
    const json::array sep{json::value("</s>"), id_of("</s>")}, cls{json::value("<s>"), id_of("<s>")};
    const json::object post{{"type", "RobertaProcessing"}, {"sep", sep}, {"cls", cls}};
    json::array merges;
    const dupq::mapped_file list = open_folder_file(merges_file);
    std::string_view text = as_text(list.bytes());
    if (const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); lines > most)
      throw failure(os::name_of(merges_file) + ": " + std::to_string(lines) + " lines are too many");
    for (bool first = true; !text.empty(); first = false) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!is_utf8(line)) throw failure(os::name_of(merges_file) + ": not UTF-8");
      if (!line.empty() && !(first && line.starts_with("#version"))) merges.push_back(std::string(line));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    const json::object split{{"type", "ByteLevel"}, {"add_prefix_space", prefix_space}};
    const json::object model{{"type", "BPE"}, {"vocab", std::move(tokens)}, {"merges", std::move(merges)}};
    return {json::object{{"model", model}, {"pre_tokenizer", split}, {"post_processor", post}}, os::name_of(vocab)};
  }

 private:
  hf_bpe_reader(const json_node& model, const hf_vocabulary& vocabulary) : model_(model), vocabulary_(vocabulary) {}

  void read_settings(bool) {
    if (const auto dropout = model_.get("dropout"); dropout && dropout->number() != 0)
      dropout->fail("merges that are left out by chance are not supported");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const auto v = model_.get(key); v && !v->text().empty())
        v->fail(json::quote(v->text()) + " is not supported");
    if (model_.flag_or("byte_fallback", false))
      model_.at("byte_fallback").fail("true is not supported, only ByteLevel");
    (void)model_.get("unk_token"), (void)model_.get("fuse_unk");
    out_.whole_words = model_.flag_or("ignore_merges", false);
  }

  void read_merges() {
    const json_node list = model_.at("merges");
    const auto* entries = list.raw().as<json::array>();
    if (entries == nullptr) list.fail("an array of merges is expected");
    for (std::size_t i = 0; i < entries->size(); ++i) {
      const auto fail = [&](const std::string& what) { list.fail("merge " + std::to_string(i) + ": " + what); };
      std::string left, right;
      if (const auto* text = (*entries)[i].as<std::string>()) {
        const std::size_t blank = text->find(' ');
        if (blank == text->npos || text->find(' ', blank + 1) != text->npos)
          fail(json::quote(*text) + " is not two tokens with a blank between them");
        left = text->substr(0, blank), right = text->substr(blank + 1);
      } else {
        const auto* pair = (*entries)[i].as<json::array>();
        const auto *a = pair && pair->size() == 2 ? (*pair)[0].as<std::string>() : nullptr,
                   *b = a ? (*pair)[1].as<std::string>() : nullptr;
        if (b == nullptr) fail("two tokens are expected");
        left = *a, right = *b;
      }
      const auto id = [&](const std::string& token) {
        const auto found = vocabulary_.piece(token);
        if (!found) fail(json::quote(token) + " is no token");
        return *found;
      };
      out_.merges.push_back({id(left), id(right), id(left + right)});
    }
  }

  void read_splitter(const json_node& node) {
    const std::string& type = node.at("type").text();
    if (byte_level_) node.at("type").fail(json::quote(type) + " is not supported after ByteLevel");
    if (type == "Sequence") {
      for (const json_node& part : node.at("pretokenizers").items()) read_splitter(part);
    } else if (type == "ByteLevel") {
      byte_level_ = true;
      out_.prefix_space = node.flag_or("add_prefix_space", true);
      (void)node.get("trim_offsets");
      const bool regex = node.flag_or("use_regex", true);
      if (regex && split_already_) node.at("use_regex").fail("true is not supported after a Split");
      if (out_.prefix_space && split_already_) node.at("add_prefix_space").fail("true is not supported after a Split");
      out_.split = regex || split_already_;
    } else if (type == "Split") {
      read_split(node);
    } else {
      node.at("type").fail(json::quote(type) + " is not supported with BPE");
    }
  }

  /// GPT-2's own pattern, written out.
  void read_split(const json_node& node) {
    constexpr std::string_view gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    const json_node pattern = node.at("pattern");
    const auto regex = pattern.get("Regex");
    const json_node text = regex ? *regex : pattern.at("String");
    if (!regex || text.text() != gpt2 || split_already_)
      text.fail(json::quote(text.text()) + " is not supported, only GPT-2's pattern");
    const std::string how = node.text_or("behavior", "Isolated");
    if ((how != "Isolated" && how != "Removed") || node.flag_or("invert", false) != (how == "Removed"))
      node.at("behavior").fail(json::quote(how) + " is not supported, only \"Isolated\"");
    split_already_ = true;
  }

  json_node model_;
  const hf_vocabulary& vocabulary_;
  hf_bpe out_;
  bool byte_level_ = false, split_already_ = false;
};

}  // namespace dupq_tool
