// A folder's WordPiece tokenizer: from tokenizer.json, or from vocab.txt and tokenizer_config.json.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hf_folder.hpp"
#include "json_file.hpp"

namespace dupq_tool {

struct added_token {
  std::string content;
  std::uint32_t id = 0;
  bool normalized = false, lstrip = false, rstrip = false, single_word = false, special = false;
};

/// Everything that turns a text into ids, as Hugging Face's fast tokenizer does it.
struct hf_tokenizer {
  std::string source;               ///< the file it comes from
  std::vector<std::string> pieces;  ///< by id, in Hugging Face's form ("##" continues a word)
  std::vector<added_token> added;   ///< by id; cut out of the text before anything else
  bool clean_text = true, split_cjk = true, lowercase = true, strip_accents = true;
  std::uint32_t max_word_chars = 100;
  std::uint32_t pair_separators = 1;
  std::uint32_t unk = 0, cls = 0, sep = 0, pad = 0;
  std::optional<std::uint32_t> mask;
};

/// Reads one tokenizer; `read` is the only entry.
class hf_tokenizer_reader {
 public:
  static hf_tokenizer read(const hf_folder& folder) { return hf_tokenizer_reader(folder).run(); }

 private:
  explicit hf_tokenizer_reader(const hf_folder& folder)
      : folder_(folder),
        mpnet_(folder.config.architecture == dupq::architecture::mpnet),
        json_path_(folder.transformer / "tokenizer.json"),
        config_path_(folder.transformer / "tokenizer_config.json"),
        vocab_path_(folder.transformer / "vocab.txt"),
        settings_(folder.tokenizer_settings) {
    out_.source = (std::filesystem::exists(json_path_) ? json_path_ : vocab_path_).string();
  }

  hf_tokenizer run() {
    if (std::filesystem::exists(json_path_))
      read_json(json_node::open(json_path_));
    else if (std::filesystem::exists(vocab_path_))
      read_vocab_txt();
    else
      throw failure(json_path_.string() + ": no such file, and no vocab.txt either");
    if (settings_ && settings_->text_or("truncation_side", "right") != "right")
      settings_->at("truncation_side").fail("only \"right\" is supported");
    if (folder_.lowercase_before) out_.lowercase = true;  // accents stay as the tokenizer's own flags have them
    if (out_.pieces.size() > folder_.config.vocabulary)   // more rows than tokens are padding
      throw failure(out_.source + ": " + std::to_string(out_.pieces.size()) +
                    " tokens contradict config.json's vocab_size " + std::to_string(folder_.config.vocabulary));
    if (mpnet_ && out_.pad != 1)
      throw failure(out_.source + ": pad_token: MPNet's positions need id 1, found " + std::to_string(out_.pad));
    out_.pair_separators = mpnet_ ? 2 : 1;
    std::sort(out_.added.begin(), out_.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return std::move(out_);
  }

  // ---- tokenizer.json

  void read_json(const json_node& json) {
    const json_node model = json.at("model");
    const std::string type = model.text_or("type", model.get("max_input_chars_per_word") ? "WordPiece" : "");
    if (type != "WordPiece") model.fail("type " + json::quote(type) + " is not supported, only \"WordPiece\"");
    if (const json_node prefix = model.at("continuing_subword_prefix"); prefix.text() != "##")
      prefix.fail(json::quote(prefix.text()) + " is not supported, only \"##\"");
    out_.max_word_chars = model.at("max_input_chars_per_word").count(1, dupq::model_limits::word_chars);
    read_vocabulary(model.at("vocab"));
    if (const auto added = json.get("added_tokens"))
      for (const json_node& token : added->items()) add(added_at(token, token.at("id").count()), token);
    read_normalizer(json.at("normalizer"));
    if (const json_node splitter = json.at("pre_tokenizer"); splitter.at("type").text() != "BertPreTokenizer")
      splitter.at("type").fail(json::quote(splitter.at("type").text()) + " is not supported, only BertPreTokenizer");
    if (const auto cut = json.get("truncation"); cut && cut->text_or("direction", "Right") != "Right")
      cut->at("direction").fail("only \"Right\" is supported");
    out_.unk = piece_id(model.at("unk_token"));
    const auto same_unk = setting("unk_token");
    if (same_unk && text_of(*same_unk) != model.at("unk_token").text())
      same_unk->fail(json::quote(text_of(*same_unk)) + " contradicts tokenizer.json's unk_token " +
                     json::quote(model.at("unk_token").text()));
    read_specials();
    read_template(json.at("post_processor"));
  }

  void read_vocabulary(const json_node& vocab) {
    const auto* entries = vocab.raw().as<json::object>();
    if (entries == nullptr) vocab.fail("an object of tokens and ids is expected");
    std::vector<bool> taken(entries->size());
    out_.pieces.resize(entries->size());
    for (const json::member& entry : *entries) {
      const auto& piece = entry.first;
      const json::value& id = entry.second;
      const auto* n = id.as<std::int64_t>();
      const auto fail = [&](const char* what) { vocab.fail("token " + json::quote(piece) + ": " + what); };
      if (n == nullptr || *n < 0) fail("its id is no whole number");
      if (static_cast<std::uint64_t>(*n) >= entries->size()) fail("its id is beyond the number of tokens");
      const auto i = static_cast<std::size_t>(*n);
      if (taken[i]) fail("another token has the same id");
      taken[i] = true;
      out_.pieces[i] = piece;
    }
    index();
  }

  void read_normalizer(json_node normalizer) {
    bool lowercase_first = false;
    if (normalizer.at("type").text() ==
        "Sequence") {  // sentence-transformers puts Lowercase before the tokenizer's own
      const auto steps = normalizer.at("normalizers").items();
      lowercase_first = steps.size() == 2 && steps[0].at("type").text() == "Lowercase";
      if (steps.size() != (lowercase_first ? 2u : 1u)) normalizer.fail("this Sequence is not supported");
      normalizer = steps.back();
    }
    if (normalizer.at("type").text() != "BertNormalizer")
      normalizer.at("type").fail(json::quote(normalizer.at("type").text()) + " is not supported, only BertNormalizer");
    out_.clean_text = normalizer.at("clean_text").flag();
    out_.split_cjk = normalizer.at("handle_chinese_chars").flag();
    out_.lowercase = normalizer.at("lowercase").flag();
    out_.strip_accents = normalizer.flag_or("strip_accents", out_.lowercase);
    agree("tokenize_chinese_chars", "handle_chinese_chars", out_.split_cjk);
    agree("do_lower_case", "lowercase", out_.lowercase);
    agree("strip_accents", "strip_accents", out_.strip_accents);
    out_.lowercase = out_.lowercase || lowercase_first;
  }

  /// transformers takes these from tokenizer_config.json, the tokenizers library from tokenizer.json: they must agree.
  void agree(const char* key, const char* other, bool value) const {
    const auto v = setting(key);
    if (v && v->flag() != value)
      v->fail(std::string(v->flag() ? "true" : "false") + " contradicts tokenizer.json's normalizer." + other);
  }

  /// Single texts as [CLS] A [SEP]; pairs as [CLS] A [SEP] B [SEP] with B of type 1, or <s> A </s></s> B </s>.
  void read_template(const json_node& post) const {
    const std::string& type = post.at("type").text();
    const auto same = [&](const json_node& pair, std::uint32_t id) {
      const auto items = pair.items();
      if (items.size() != 2 || items[1].count() != id) pair.fail("contradicts the tokenizer's special tokens");
    };
    if (type == (mpnet_ ? "RobertaProcessing" : "BertProcessing")) {
      same(post.at("cls"), out_.cls);
      same(post.at("sep"), out_.sep);
      return;
    }
    if (type != "TemplateProcessing") post.at("type").fail(json::quote(type) + " is not supported");
    const auto flat = [&](const json_node& sequence) {
      std::string text;
      for (const json_node& item : sequence.items()) {
        const auto special = item.get("SpecialToken");
        const json_node& part = special ? *special : item.at("Sequence");
        const std::string id = part.at("id").text();
        const std::uint32_t row = part.at("type_id").count();
        std::string label = id;
        if (special) {
          const auto ids = post.at("special_tokens").at(id).at("ids").items();
          const std::uint32_t token = ids.size() == 1 ? ids[0].count() : 0xFFFFFFFF;
          label = token == out_.cls ? "cls" : token == out_.sep ? "sep" : "other";
        }
        text += label + (mpnet_ ? "" : std::to_string(row)) + " ";
      }
      return text;
    };
    if (flat(post.at("single")) != (mpnet_ ? "cls A sep " : "cls0 A0 sep0 ")) post.at("single").fail("not supported");
    if (flat(post.at("pair")) != (mpnet_ ? "cls A sep sep B sep " : "cls0 A0 sep0 B1 sep1 "))
      post.at("pair").fail("not supported");
  }

  // ---- vocab.txt and tokenizer_config.json

  void read_vocab_txt() {
    if (!settings_) throw failure(config_path_.string() + ": no such file");
    if (const auto type = setting("tokenizer_class")) {
      const std::string& name = type->text();
      if (name != "BertTokenizer" && name != "BertTokenizerFast" && name != "MPNetTokenizer" &&
          name != "MPNetTokenizerFast")
        type->fail(json::quote(name) + " is not supported without a tokenizer.json");
    }
    const dupq::mapped_file file = open_folder_file(vocab_path_);
    std::string_view text = as_text(file.bytes());
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
      out_.pieces.emplace_back(line);
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    index();
    out_.split_cjk = settings_->flag_or("tokenize_chinese_chars", true);
    out_.lowercase = settings_->flag_or("do_lower_case", true);
    out_.strip_accents = settings_->flag_or("strip_accents", out_.lowercase);
    out_.unk = special("unk_token", "[UNK]");
    read_specials();
    if (const auto listed = setting("added_tokens_decoder"))
      for (const auto& [id, token] : listed->members()) add(added_at(token, id_of(token, id)), token);
    for (std::uint32_t id : {out_.pad, out_.unk, out_.cls, out_.sep}) add_special(id, false);
    if (out_.mask) add_special(*out_.mask, mpnet_);  // MPNet's <mask> takes the blanks before it
  }

  static std::uint32_t id_of(const json_node& token, const std::string& digits) {
    const bool number = !digits.empty() && digits.size() < 9 && digits.find_first_not_of("0123456789") == digits.npos;
    if (!number) token.fail("the name is not a token's id");
    return static_cast<std::uint32_t>(std::stoul(digits));
  }

  void add_special(std::uint32_t id, bool lstrip) {
    for (const added_token& token : out_.added)
      if (token.id == id) return;
    added_token token;
    token.content = out_.pieces[id];
    token.id = id;
    token.lstrip = lstrip;
    token.special = true;
    out_.added.push_back(std::move(token));
  }

  // ---- both

  std::optional<json_node> setting(const char* key) const { return settings_ ? settings_->get(key) : std::nullopt; }
  /// A token is written as its text, or as an object with flags.
  static const std::string& text_of(const json_node& token) {
    return token.is_text() ? token.text() : token.at("content").text();
  }

  void read_specials() {
    out_.cls = special("cls_token", mpnet_ ? "<s>" : "[CLS]");
    out_.sep = special("sep_token", mpnet_ ? "</s>" : "[SEP]");
    out_.pad = special("pad_token", mpnet_ ? "<pad>" : "[PAD]");
    const auto mask = setting("mask_token");
    if (mask || ids_.contains(mpnet_ ? "<mask>" : "[MASK]"))
      out_.mask = special("mask_token", mpnet_ ? "<mask>" : "[MASK]");
  }

  std::uint32_t special(const char* key, const char* otherwise) const {
    const auto v = setting(key);
    const std::string content = v ? text_of(*v) : otherwise;
    const auto at = ids_.find(content);
    if (at == ids_.end())
      throw failure((v ? v->where() : out_.source + ": " + key) + ": " + json::quote(content) +
                    " is not in the vocabulary");
    return at->second;
  }
  std::uint32_t piece_id(const json_node& piece) const {
    const auto at = ids_.find(piece.text());
    if (at == ids_.end()) piece.fail(json::quote(piece.text()) + " is not in the vocabulary");
    return at->second;
  }

  added_token added_at(const json_node& token, std::uint32_t id) const {
    added_token out;
    out.content = token.at("content").text();
    out.id = id;
    out.special = token.flag_or("special", false);
    out.normalized = token.flag_or("normalized", !out.special);
    out.lstrip = token.flag_or("lstrip", false);
    out.rstrip = token.flag_or("rstrip", false);
    out.single_word = token.flag_or("single_word", false);
    return out;
  }

  /// Added tokens repeat a piece, or follow the last one.
  void add(added_token token, const json_node& where) {
    if (token.content.empty()) where.fail("an empty token");
    if (out_.added.size() == dupq::model_limits::added_tokens)
      where.fail("at most " + std::to_string(dupq::model_limits::added_tokens) + " added tokens are supported");
    for (const added_token& other : out_.added)
      if (other.content == token.content || other.id == token.id)
        where.fail(json::quote(token.content) + " appears twice");
    if (token.id < out_.pieces.size()) {
      if (out_.pieces[token.id] != token.content)
        where.fail(json::quote(token.content) + " contradicts the vocabulary's " + json::quote(out_.pieces[token.id]));
    } else {
      if (token.id != out_.pieces.size())
        where.fail("id " + std::to_string(token.id) + " leaves a gap in the vocabulary");
      // Such a token is no piece of a word, but it gets a row among them: it must be cut out before words are looked
      // up.
      const bool mark = token.content.find_first_of("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ") != token.content.npos;
      if (!mark && (!token.normalized || token.single_word))
        where.fail(json::quote(token.content) +
                   " lies outside the vocabulary and does not match everywhere: not supported");
      if (!ids_.emplace(token.content, token.id).second) where.fail(json::quote(token.content) + " has two ids");
      out_.pieces.push_back(token.content);
    }
    out_.added.push_back(std::move(token));
  }

  /// Fills `ids_`; every piece must be text of its own.
  void index() {
    ids_.reserve(out_.pieces.size());
    for (std::size_t i = 0; i < out_.pieces.size(); ++i) {
      const std::string& piece = out_.pieces[i];
      const auto fail = [&](const std::string& what) {
        throw failure(out_.source + ": token " + std::to_string(i) + ": " + what);
      };
      if (piece.empty()) fail("is empty");
      if (!is_utf8(piece)) fail("not UTF-8");
      const auto [at, fresh] = ids_.emplace(piece, static_cast<std::uint32_t>(i));
      if (!fresh) fail(json::quote(piece) + " is also token " + std::to_string(at->second));
    }
  }

  const hf_folder& folder_;
  bool mpnet_;
  std::filesystem::path json_path_, config_path_, vocab_path_;
  std::optional<json_node> settings_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  hf_tokenizer out_;
};

}  // namespace dupq_tool
