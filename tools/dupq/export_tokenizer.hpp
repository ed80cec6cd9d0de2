// A model file's tokenizer as the files of a Hugging Face folder: what gguf_tokenizer.hpp writes, read back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/model.hpp>
#include <dupq/model/metadata.hpp>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "export_normalizer.hpp"
#include "failure.hpp"
#include "gguf_tokenizer.hpp"
#include "hf_vocabulary.hpp"
#include "json.hpp"

namespace dupq_tool {

/// tokenizer.json, tokenizer_config.json, special_tokens_map.json and vocab.txt of a model.
class export_tokenizer {
 public:
  /// Failures name `path`: a tokenizer that these files cannot describe.
  export_tokenizer(const dupq::model& model, const std::string& path)
      : model_(model), path_(path), options_(model.tokenizer().options()), mpnet_(is_mpnet(model)) {
    if (options_.pair_separators != (mpnet_ ? 2u : 1u))
      fail("dupq.tokenizer.pair_separators: only BERT's and MPNet's pairs can be described");
    read_pieces();
    read_added();
    name_special_tokens();
    number_added();
  }

  json::object tokenizer_json() const {
    json::array added;
    for (const added_token& t : added_) {
      json::object entry{{"id", count(t.id)}, {"content", t.content}};
      add_flags(entry, t);
      added.emplace_back(std::move(entry));
    }
    json::object vocabulary;
    for (std::size_t id = 0; id < pieces_.size(); ++id)
      if (!pieces_[id].empty()) vocabulary.emplace_back(pieces_[id], count(id));
    return {{"version", "1.0"},
            {"truncation", json::value()},
            {"padding", json::value()},
            {"added_tokens", std::move(added)},
            {"normalizer", export_normalizer(options_)},
            {"pre_tokenizer", json::object{{"type", "BertPreTokenizer"}}},
            {"post_processor", post_processor()},
            {"decoder", json::object{{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
            {"model", json::object{{"type", "WordPiece"},
                                   {"unk_token", token(options_.unk)},
                                   {"continuing_subword_prefix", "##"},
                                   {"max_input_chars_per_word", count(options_.max_word_chars)},
                                   {"vocab", std::move(vocabulary)}}}};
  }

  json::object tokenizer_config() const {
    json::object decoder;
    for (const added_token& t : added_) {
      json::object entry{{"content", t.content}};
      add_flags(entry, t);
      decoder.emplace_back(std::to_string(t.id), std::move(entry));
    }
    json::object all{{"added_tokens_decoder", std::move(decoder)},
                     {"clean_up_tokenization_spaces", false},
                     {"model_max_length", count(model_.config().max_length)}};
    json::array inputs{"input_ids"};
    if (!mpnet_) inputs.emplace_back("token_type_ids");
    inputs.emplace_back("attention_mask");
    all.emplace_back("model_input_names", std::move(inputs));
    if (has_class()) {
      all.emplace_back("tokenizer_class", mpnet_ ? "MPNetTokenizer" : "BertTokenizer");
      all.emplace_back("do_lower_case", options_.normal.lowercase);
      all.emplace_back("strip_accents", options_.normal.strip_accents);
      all.emplace_back("tokenize_chinese_chars", options_.normal.split_cjk);
    } else {
      all.emplace_back("tokenizer_class", "PreTrainedTokenizerFast");
    }
    for (const auto& [key, content] : special_) all.emplace_back(key, content);
    return all;
  }

  json::object special_tokens_map() const {
    json::object all;
    for (const auto& [key, content] : special_) all.emplace_back(key, content);
    return all;
  }

  /// A piece a line; nothing where a piece has a line break, or blanks at its end, which readers take away.
  std::optional<std::string> vocab_txt() const {
    std::string lines;
    for (std::size_t id = 0; id < pieces_.size(); ++id) {
      const std::string& piece = pieces_[id].empty() ? rows_[id] : pieces_[id];
      if (piece.find_first_of("\r\n") != piece.npos || piece.back() == ' ' || piece.back() == '\t') return {};
      lines += piece + '\n';
    }
    return lines;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw failure(path_ + ": " + what); }
  static bool is_mpnet(const dupq::model& m) { return m.config().architecture == dupq::architecture::mpnet; }
  static json::value count(std::uint64_t n) { return json::value(static_cast<std::int64_t>(n)); }
  static void add_flags(json::object& entry, const added_token& t) {
    entry.emplace_back("single_word", t.single_word);
    entry.emplace_back("lstrip", t.lstrip);
    entry.emplace_back("rstrip", t.rstrip);
    entry.emplace_back("normalized", t.is_normalized());
    entry.emplace_back("special", t.special);
  }

  /// Hugging Face's form of a piece of a model file.
  static std::string piece_of(std::string_view text) {
    if (text.starts_with(word_mark)) return std::string(text.substr(word_mark.size()));
    return (is_bracketed(text) ? "" : "##") + std::string(text);
  }

  void read_pieces() {
    dupq::metadata_reader keys(model_.file());
    const auto tokens = keys.array("tokenizer.ggml.tokens", dupq::gguf::value_type::string);
    const auto types = keys.array("tokenizer.ggml.token_type", dupq::gguf::value_type::i32);
    if (!keys.done()) throw failure(keys.done().error().in(path_));
    const std::byte* p = tokens.bytes.data();
    for (std::size_t id = 0; id < tokens.count; ++id) {
      const auto size = static_cast<std::size_t>(dupq::gguf::load<std::uint64_t>(p));
      rows_.emplace_back(reinterpret_cast<const char*>(p + 8), size);
      p += 8 + size;
      types_.push_back(id < types.count
                           ? static_cast<token_type>(dupq::gguf::load<std::int32_t>(types.bytes.data() + 4 * id))
                           : token_type::normal);
      pieces_.push_back(types_[id] == token_type::unused ? "" : piece_of(rows_[id]));
      if (!is_utf8(rows_[id])) fail("tokenizer.ggml.tokens: token " + std::to_string(id) + ": not UTF-8");
    }
  }

  void read_added() {
    model_.tokenizer().added().for_each([&](const dupq::added_tokens::token& t) {
      added_token one;
      one.content = t.content;
      one.id = static_cast<std::uint32_t>(t.id);
      one.normalized = (t.flags & dupq::added_tokens::normalized) != 0;
      one.lstrip = (t.flags & dupq::added_tokens::lstrip) != 0;
      one.rstrip = (t.flags & dupq::added_tokens::rstrip) != 0;
      one.single_word = (t.flags & dupq::added_tokens::single_word) != 0;
      one.special = types_[one.id] != token_type::user_defined;
      added_.push_back(std::move(one));
    });
    std::stable_sort(added_.begin(), added_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  }

  const added_token* added_at(std::int32_t id) const {
    const auto at = std::find_if(added_.begin(), added_.end(),
                                 [&](const added_token& t) { return t.id == static_cast<std::uint32_t>(id); });
    return at == added_.end() ? nullptr : &*at;
  }
  /// The text of a token: the added one, or the piece.
  std::string token(std::int32_t id) const {
    if (const added_token* const added = added_at(id)) return added->content;
    return pieces_[static_cast<std::size_t>(id)];
  }

  /// What tokenizer_config.json may name; a name adds a token, so only what is one already.
  void name_special_tokens() {
    dupq::metadata_reader keys(model_.file());
    std::vector<std::pair<const char*, std::int32_t>> ids{{"unk_token", options_.unk},
                                                          {"sep_token", options_.sep},
                                                          {"pad_token", options_.pad},
                                                          {"cls_token", options_.cls}};
    constexpr const char* mask = "tokenizer.ggml.mask_token_id";
    if (keys.has(mask)) ids.emplace_back("mask_token", static_cast<std::int32_t>(keys.integer(mask, 0, 0x7FFFFFFF, 0)));
    if (mpnet_) ids.insert(ids.end(), {{"bos_token", options_.cls}, {"eos_token", options_.sep}});
    for (const auto& [key, id] : ids)
      if (const added_token* const t = added_at(id)) special_.emplace_back(key, t->content);
  }

  /// Whether transformers' own class of the architecture gives these ids. It has all of its special tokens whether a
  /// file names them or not, and no choice in everything else; PreTrainedTokenizerFast does what tokenizer.json says.
  bool has_class() const {
    return special_.size() == (mpnet_ ? 7u : 5u) && options_.steps.empty() && options_.normal.clean_text &&
           options_.max_word_chars == 100;
  }

  /// An added token that is no piece gets the first id behind the pieces: their list must end there.
  void number_added() {
    std::vector<std::uint32_t> fresh;
    for (const added_token& t : added_) {
      std::string& piece = pieces_[t.id];
      // The model file calls a row without a piece like the added token that has its id, in brackets. For a token that
      // has brackets itself ("[SEP]") one cannot tell whether it is a piece too, and it makes no difference to any
      // text. It is taken for a piece unless an added token before it is none.
      const bool called = is_bracketed(rows_[t.id]) && rows_[t.id].find(t.content) != std::string::npos;
      if (piece == t.content && !(called && !fresh.empty())) continue;
      if (called) piece.clear();
      fresh.push_back(t.id);
    }
    std::size_t end = pieces_.size();
    while (end > 0 && pieces_[end - 1].empty()) --end;
    const auto named = static_cast<std::size_t>(
        std::count_if(pieces_.begin(), pieces_.end(), [](const std::string& p) { return !p.empty(); }));
    // Rows without a piece count where the added tokens' ids say so; without such tokens they do not matter.
    std::size_t fillers = fresh.empty() ? end - named : fresh[0] - std::min<std::size_t>(named, fresh[0]);
    for (std::size_t id = 0; id < end && fillers != 0; ++id)
      if (pieces_[id].empty() && types_[id] == token_type::unused) pieces_[id] = rows_[id], --fillers;
    for (std::size_t i = 0; i < fresh.size(); ++i)
      if (fillers != 0 || fresh[i] != fresh[0] + i || fresh[0] < named)
        fail("dupq.tokenizer.added_ids: the id " + std::to_string(fresh[i]) +
             " cannot be had in a folder, where added tokens are numbered behind the pieces");
    pieces_.resize(end);
  }

  json::object post_processor() const {
    const auto special = [&](std::int32_t id, int type) {
      return json::object{
          {"SpecialToken",
           json::object{{"id", token(id)}, {"type_id", count(mpnet_ ? 0u : static_cast<unsigned>(type))}}}};
    };
    const auto sequence = [&](const char* name, int type) {
      return json::object{
          {"Sequence", json::object{{"id", name}, {"type_id", count(mpnet_ ? 0u : static_cast<unsigned>(type))}}}};
    };
    json::array single{special(options_.cls, 0), sequence("A", 0), special(options_.sep, 0)}, pair = single;
    if (mpnet_) pair.push_back(special(options_.sep, 0));
    pair.push_back(sequence("B", 1));
    pair.push_back(special(options_.sep, 1));
    json::object tokens;
    for (const std::int32_t id : {options_.cls, options_.sep}) {
      if (!tokens.empty() && options_.cls == options_.sep) break;
      tokens.emplace_back(token(id), json::object{{"id", token(id)},
                                                  {"ids", json::array{count(static_cast<std::uint64_t>(id))}},
                                                  {"tokens", json::array{token(id)}}});
    }
    return {{"type", "TemplateProcessing"},
            {"single", std::move(single)},
            {"pair", std::move(pair)},
            {"special_tokens", std::move(tokens)}};
  }

  const dupq::model& model_;
  const std::string& path_;
  const dupq::tokenizer_options& options_;
  bool mpnet_;
  std::vector<std::string> rows_;    ///< by id, as the model file has them
  std::vector<std::string> pieces_;  ///< by id, as Hugging Face has them; empty: there is none
  std::vector<token_type> types_;
  std::vector<added_token> added_;                            ///< by id
  std::vector<std::pair<std::string, std::string>> special_;  ///< what for, and the token
};

}  // namespace dupq_tool
