// A folder's tokenizer, as transformers 5 makes it: from tokenizer.json, or WordPiece from vocab.txt.
//
// BertTokenizer and MPNetTokenizer are built anew: their pieces come from the file, everything else from
// tokenizer_config.json and the class's defaults. PreTrainedTokenizerFast does what tokenizer.json says, and so is
// every tokenizer read that is not WordPiece.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/model_limits.hpp>
#include <dupq/text/normalizer.hpp>
#include <dupq/text/normalizer_steps.hpp>
#include <dupq/text/unicode.hpp>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hf_folder.hpp"
#include "hf_harmless.hpp"
#include "hf_normalizer.hpp"
#include "hf_pre_tokenizer.hpp"
#include "hf_special_tokens.hpp"
#include "hf_template.hpp"
#include "hf_tokenizer_data.hpp"
#include "hf_vocabulary.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// Reads one tokenizer; `read` is the only entry.
class hf_tokenizer_reader {
 public:
  static hf_tokenizer read(const hf_folder& folder) { return hf_tokenizer_reader(folder).run(); }

 private:
  explicit hf_tokenizer_reader(const hf_folder& folder)
      : folder_(folder),
        mpnet_(folder.config.architecture == dupq::architecture::mpnet),
        static_(folder.config.architecture == dupq::architecture::static_table),
        files_(folder.transformer, folder.tokenizer_settings, folder.config.vocabulary) {}

  hf_tokenizer run() {
    read_class();
    const auto cut = files_.json ? files_.json->get("truncation") : std::nullopt;
    if (cut && cut->text_or("direction", "Right") != "Right") cut->at("direction").fail("only \"Right\" is supported");
    if (const auto side = files_.setting("truncation_side"); side && side->text() != "right")
      side->fail("only \"right\" is supported");
    if (const auto split = files_.setting("split_special_tokens"); split && split->flag())
      split->fail("true is not supported");
    if (files_.json) {
      out_.source = os::name_of(files_.json_path);
      read_pieces(*files_.json);
    } else {
      out_.source = os::name_of(files_.vocab_path);
      read_vocab_txt();
    }
    out_.pair_separators = mpnet_ || out_.kind != tokenizer_kind::wordpiece ? 2 : 1;
    if (built_anew_)
      read_settings();
    else
      follow_json(*files_.json);
    tokens_.read(files_, class_defaults(), built_anew_, vocabulary_);
    read_named_ids();
    if (!built_anew_ && !static_) read_followed_template();
    read_types();
    take_rows();
    check_files();
    return std::move(out_);
  }

  // ---- which of transformers' classes reads the folder

  void read_class() {
    if (static_) {
      if (!files_.json) throw failure(os::name_of(files_.json_path) + ": no such file");
      return built_anew_ = false, void(read_kind());
    }
    std::optional<json_node> named = files_.setting("tokenizer_class");
    const json_node config = json_node::open(folder_.transformer / "config.json");
    if (!named) named = config.get("tokenizer_class");
    if (const auto code = files_.setting("auto_map")) code->fail("a tokenizer with code of its own is not supported");
    std::string name = named ? named->text() : mpnet_ ? "MPNetTokenizer" : "BertTokenizer";
    if (name.ends_with("Fast") && name != "PreTrainedTokenizerFast") name.resize(name.size() - 4);
    roberta_ = name == "RobertaTokenizer" || name == "XLMRobertaTokenizer" || name == "CamembertTokenizer";
    if (read_kind()) return;
    constexpr std::string_view bert[] = {"BertTokenizer",     "DistilBertTokenizer", "ElectraTokenizer",
                                         "LayoutLMTokenizer", "LxmertTokenizer",     "MobileBertTokenizer",
                                         "ConvBertTokenizer", "SqueezeBertTokenizer"};
    constexpr std::string_view followed[] = {"PreTrainedTokenizerFast", "TokenizersBackend"};
    built_anew_ = std::find(std::begin(followed), std::end(followed), name) == std::end(followed);
    const bool fits =
        mpnet_ ? name == "MPNetTokenizer" : std::find(std::begin(bert), std::end(bert), name) != std::end(bert);
    if (built_anew_ && !fits) named->fail(json::quote(named->text()) + " is not supported");
    if (!files_.json && !files_.has_vocab)
      throw failure(os::name_of(files_.json_path) + ": no such file, and no vocab.txt either");
    if (!files_.json && !built_anew_) named->fail(json::quote(named->text()) + " needs a tokenizer.json");
  }

  /// Whether the tokenizer is of another kind than WordPiece.
  bool read_kind() {
    const auto merges = folder_.transformer / "merges.txt", vocab = folder_.transformer / "vocab.json";
    if (!files_.json && std::filesystem::exists(merges) && std::filesystem::exists(vocab)) {
      files_.json = hf_bpe_reader::from_older_files(vocab, merges, files_.flag_or("add_prefix_space", false),
                                                    tokenizer_files::most_entries(folder_.config.vocabulary));
      files_.json_path = vocab;
    }
    if (!files_.json) return false;
    const json_node model = files_.json->at("model");
    const std::string type = model.text_or("type", model.get("unk_id") ? "Unigram" : model.get("merges") ? "BPE" : "");
    if (type == "Unigram") out_.kind = tokenizer_kind::unigram;
    if (type == "BPE") out_.kind = tokenizer_kind::bpe;
    if (out_.kind == tokenizer_kind::wordpiece) return false;
    built_anew_ = false;
    return true;
  }

  special_defaults class_defaults() const {
    if (!built_anew_) return {};
    if (mpnet_)
      return {{"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "[UNK]"},  {"sep_token", "</s>"},
              {"pad_token", "<pad>"}, {"cls_token", "<s>"},  {"mask_token", "<mask>"}};
    return {{"unk_token", "[UNK]"},
            {"sep_token", "[SEP]"},
            {"pad_token", "[PAD]"},
            {"cls_token", "[CLS]"},
            {"mask_token", "[MASK]"}};
  }

  void read_pieces(const json_node& json) {
    const json_node model = json.at("model");
    check_rows(model.at("vocab").entries());
    if (out_.kind == tokenizer_kind::unigram) {
      out_.unk = read_unigram(model, vocabulary_, out_.unigram);
      return;
    }
    const std::string type = model.text_or("type", model.get("max_input_chars_per_word") ? "WordPiece" : "");
    if (type != "WordPiece" && out_.kind != tokenizer_kind::bpe)
      model.fail("type " + json::quote(type) + " is not supported, only \"WordPiece\", \"Unigram\" and \"BPE\"");
    const json_node vocab = model.at("vocab");
    const auto* entries = vocab.raw().as<json::object>();
    if (entries == nullptr) vocab.fail("an object of tokens and ids is expected");
    if (entries->empty()) vocab.fail("no tokens");
    std::unordered_map<std::int64_t, std::string_view> taken;
    for (const json::member& entry : *entries) {
      const auto& piece = entry.first;
      const auto* n = entry.second.as<std::int64_t>();
      const auto fail = [&](const std::string& what) { vocab.fail("token " + json::quote(piece) + ": " + what); };
      if (n == nullptr || *n < 0) fail("its id is no whole number");
      if (*n >= (std::int64_t{1} << 24)) fail("its id " + std::to_string(*n) + " is too large");
      const auto [other, fresh] = taken.emplace(*n, piece);
      if (!fresh) fail("another token, " + json::quote(other->second) + ", has the same id");
      vocabulary_.set_piece(piece, static_cast<std::uint32_t>(*n));
    }
  }

  /// A token a line, without white space at its end; its id is the number of its line. transformers takes a byte-order
  /// mark for a part of the first token, so that the token itself (such as "[PAD]") is missing from the list and is
  /// added again behind the last one. That is followed only where the embeddings have a row for it; otherwise the mark
  /// is dropped.
  void read_vocab_txt() {
    const dupq::mapped_file file = open_folder_file(files_.vocab_path);
    std::string_view text = as_text(file.bytes());
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + !text.ends_with('\n');
    if (lines > tokenizer_files::most_entries(folder_.config.vocabulary)) check_rows(lines);
    if (text.starts_with(mark) && lines >= folder_.config.vocabulary) text.remove_prefix(mark.size());
    for (std::uint32_t id = 0; !text.empty(); ++id) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      if (!is_utf8(line)) throw failure(out_.source + ": token " + std::to_string(id) + ": not UTF-8");
      const char* last = line.data() + line.size();
      while (last > line.data()) {
        const char32_t c = dupq::unicode::decode_before(line.data(), last);
        if (!dupq::unicode::is_space(c)) break;
        char bytes[4];
        last -= dupq::unicode::encode(c, bytes);
      }
      vocabulary_.set_piece({line.data(), last}, id);
      text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
  }

  // ---- the rest, built anew

  void read_settings() {
    dupq::normalization n;
    n.split_cjk = files_.flag_or("tokenize_chinese_chars", true);
    n.lowercase = files_.flag_or("do_lower_case", true);
    n.strip_accents = files_.flag_or("strip_accents", n.lowercase);
    if (files_.json) note_differences(*files_.json, n);
    n.lowercase = n.lowercase || folder_.lowercase_before;  // accents stay as the tokenizer's own flags have them
    take(n);
  }

  /// Notes what tokenizer.json says otherwise: transformers 5 does not follow it there, older versions do.
  void note_differences(const json_node& json, const dupq::normalization& n) {
    const auto note = [&](const std::string& key, const std::string& instead) {
      out_.notes.push_back(json.where() + ": " + key + ": not followed, as transformers 5 takes " + instead);
    };
    std::optional<dupq::normalization> theirs;
    try {
      theirs = hf_normalizer(json.get("normalizer")).switches();
    } catch (const failure&) {
    }
    const bool same = theirs && theirs->clean_text == n.clean_text && theirs->split_cjk == n.split_cjk &&
                      theirs->lowercase == n.lowercase && theirs->strip_accents == n.strip_accents;
    if (!same) note("normalizer", "do_lower_case, strip_accents and tokenize_chinese_chars of tokenizer_config.json");
    const auto splitter = json.get("pre_tokenizer");
    if (!splitter || splitter->text_or("type", "") != "BertPreTokenizer") note("pre_tokenizer", "BertPreTokenizer");
    const json_node model = json.at("model");
    if (const auto most = model.get("max_input_chars_per_word"); most && most->number() != out_.max_word_chars)
      note("model.max_input_chars_per_word", std::to_string(out_.max_word_chars));
    if (model.text_or("continuing_subword_prefix", "##") != "##") note("model.continuing_subword_prefix", "\"##\"");
  }

  // ---- the rest, as tokenizer.json has it

  void follow_json(const json_node& json) {
    if (out_.kind != tokenizer_kind::wordpiece) return follow_subword(json);
    const json_node model = json.at("model");
    if (const json_node prefix = model.at("continuing_subword_prefix"); prefix.text() != "##")
      prefix.fail(json::quote(prefix.text()) + " is not supported, only \"##\"");
    out_.max_word_chars = model.at("max_input_chars_per_word").count(1, dupq::model_limits::word_chars);
    if (const json_node splitter = json.at("pre_tokenizer"); splitter.at("type").text() != "BertPreTokenizer")
      splitter.at("type").fail(json::quote(splitter.at("type").text()) + " is not supported, only BertPreTokenizer");
    hf_normalizer normal(json.get("normalizer"));
    if (folder_.lowercase_before) normal.lowercase_before();
    if (const auto n = normal.switches()) return take(*n);
    take_steps(json, normal);
  }
  void follow_subword(const json_node& json) {
    hf_normalizer normal(json.get("normalizer"));
    if (folder_.lowercase_before) normal.lowercase_before();
    take_steps(json, normal);
    if (out_.kind == tokenizer_kind::unigram) {
      out_.unigram.cut = hf_pre_tokenizer::read(json.get("pre_tokenizer"));
      return;
    }
    std::optional<std::uint32_t> unknown;
    if (const auto token = json.at("model").get("unk_token")) {
      unknown = vocabulary_.piece(token->text());
      if (!unknown) token->fail(json::quote(token->text()) + " is not in the vocabulary");
    }
    out_.bpe = hf_bpe_reader::read(json, vocabulary_, unknown);
    out_.unk = unknown.value_or(0);
  }
  void take_steps(const json_node& json, const hf_normalizer& normal) {
    out_.steps = normal.words();
    take({normal.has("clean_text"), normal.has("split_cjk"), normal.has("strip_accents") || normal.has("strip_marks"),
          normal.has("lowercase")});
    const std::string bytes = string_list(out_.steps);
    if (!dupq::normalizer_steps(std::as_bytes(std::span(bytes)), out_.steps.size()).check())
      json.at("normalizer").fail("more steps than are supported");
  }

  void take(const dupq::normalization& n) {
    out_.clean_text = n.clean_text, out_.split_cjk = n.split_cjk;
    out_.lowercase = n.lowercase, out_.strip_accents = n.strip_accents;
  }

  void read_named_ids() {
    const auto id = [&](const char* key, const char* of_roberta = nullptr) -> std::optional<std::uint32_t> {
      const auto token = tokens_.named(key);
      if (!token && roberta_ && !built_anew_ && of_roberta != nullptr) return vocabulary_.find(of_roberta);
      return token ? vocabulary_.find(*token) : std::nullopt;
    };
    if (built_anew_) {
      const std::string unk = *tokens_.named("unk_token");
      const auto piece = vocabulary_.piece(unk);
      if (!piece) throw failure(out_.source + ": unk_token: " + json::quote(unk) + " is not in the vocabulary");
      out_.unk = *piece;
      out_.cls = *id("cls_token"), out_.sep = *id("sep_token");
      if (files_.json)
        if (const auto post = files_.json->get("post_processor")) read_template(*post, false);
    } else if (out_.kind == tokenizer_kind::wordpiece) {
      const json_node unk = files_.json->at("model").at("unk_token");
      const auto piece = vocabulary_.piece(unk.text());
      if (!piece) unk.fail(json::quote(unk.text()) + " is not in the vocabulary");
      out_.unk = *piece;
    }
    const std::uint32_t rows = folder_.config.vocabulary;
    const auto pad = id("pad_token", "<pad>"), mask = id("mask_token", "<mask>");
    out_.pad = pad && *pad < rows ? *pad : 0;
    if (mask && *mask < rows) out_.mask = mask;
    if (mpnet_ && out_.pad != 1)
      throw failure(out_.source + ": pad_token: MPNet's positions need id 1, found " + std::to_string(out_.pad));
  }

  void read_followed_template() {
    if (const auto post = files_.json->get("post_processor")) return read_template(*post, true);
    // Without a post_processor a text has no special tokens around it, except in classes that add their own.
    if (!roberta_) files_.json->fail("post_processor: missing, and a text without special tokens is not supported");
    const auto id = [&](const char* key, const char* otherwise) {
      const std::string token = tokens_.named(key).value_or(otherwise);
      const auto found = vocabulary_.find(token);
      if (!found) files_.json->fail(std::string(key) + ": " + json::quote(token) + " is not in the vocabulary");
      return *found;
    };
    out_.cls = id("cls_token", "<s>"), out_.sep = id("sep_token", "</s>");
  }
  void read_template(const json_node& post, bool followed) {
    using form = hf_template::form;
    const bool wordpiece = out_.kind == tokenizer_kind::wordpiece;
    const hf_template around(post, mpnet_ ? form::mpnet : wordpiece ? form::bert : form::any);
    if (followed) {
      around.require_supported();
      out_.cls = around.cls(), out_.sep = around.sep(), out_.pair_separators = around.separators();
    } else if (!around.supported() || around.cls() != out_.cls || around.sep() != out_.sep) {
      out_.notes.push_back(post.where() + ": not followed, as transformers 5 puts cls_token and sep_token of " +
                           "tokenizer_config.json around a text");
    }
  }

  /// Whether a model gets token types at all: where not, all tokens of a pair are of type 0.
  void read_types() {
    out_.pairs_typed = built_anew_;
    if (const auto inputs = files_.setting("model_input_names")) {
      out_.pairs_typed = false;
      for (const json_node& name : inputs->items()) out_.pairs_typed |= name.text() == "token_type_ids";
    }
  }

  // ---- ids and the rows of the embeddings

  void check_rows(std::size_t tokens) const {
    if (tokens > folder_.config.vocabulary)
      throw failure(out_.source + ": " + std::to_string(tokens) + " tokens, more than " +
                    (static_ ? "the table's rows, " : "config.json's vocab_size ") +
                    std::to_string(folder_.config.vocabulary));
  }

  /// Each id that a text can have must have a row in the embeddings. More rows than that are padding.
  void take_rows() {
    const std::uint32_t rows = folder_.config.vocabulary;
    out_.pieces.resize(rows);
    std::uint32_t needed = std::max({out_.cls, out_.sep, out_.unk}) + 1;
    for (const auto& [piece, id] : vocabulary_.pieces()) {
      if (piece.empty()) continue;  // an empty line: no text has it
      needed = std::max(needed, id + 1);
      if (id < rows) out_.pieces[id] = piece;
    }
    for (const auto& [id, token] : vocabulary_.added()) {
      if (id >= rows && tokens_.is_only_named(token.content)) continue;
      needed = std::max(needed, id + 1);
      out_.added.push_back(token);
    }
    out_.normalize_nothing();
    check_rows(needed);
    out_.pieces.resize(std::max({needed, out_.pad + 1, out_.mask.value_or(0) + 1}));
    if (out_.added.size() > dupq::model_limits::added_tokens)
      throw failure(out_.source + ": added_tokens: " + std::to_string(out_.added.size()) + " of them, at most " +
                    std::to_string(dupq::model_limits::added_tokens) + " are supported");
  }

  /// Refuses every setting that was not read by now, but for those that change no id.
  void check_files() const {
    if (files_.settings) files_.settings->finish(harmless_settings);
    if (files_.json) {
      std::vector<std::string_view> harmless{"version",      "padding", "padding.*", "truncation",
                                             "truncation.*", "decoder", "decoder.*"};
      harmless.insert(harmless.end(), hf_template::harmless.begin(), hf_template::harmless.end());
      if (built_anew_)
        for (const char* key : {"normalizer", "normalizer.*", "pre_tokenizer", "pre_tokenizer.*", "model.unk_token",
                                "model.continuing_subword_prefix"})
          harmless.push_back(key);
      if (built_anew_ || static_) harmless.insert(harmless.end(), {"post_processor", "post_processor.*"});
      files_.json->finish(harmless);
    }
    if (files_.map) files_.map->finish();
  }

  const hf_folder& folder_;
  bool mpnet_;
  bool static_;  ///< read as the `tokenizers` library reads tokenizer.json, without special tokens around a text
  bool built_anew_ = true;
  bool roberta_ = false;  ///< a class that puts <s> and </s> around a text, whatever tokenizer.json says
  tokenizer_files files_;
  special_tokens_reader tokens_;
  hf_vocabulary vocabulary_;
  hf_tokenizer out_;
};

}  // namespace dupq_tool
