// Tokenizers in all the ways that folders write them: what is taken, what is noted, what is refused by file and key.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tool/converted.hpp"
#include "tool/model_folder.hpp"

using namespace dupq_tool;

namespace {

using words = std::vector<std::string>;

/// A copy of a golden folder whose embeddings might have more rows: only its tokenizer is read.
struct tokenizer_folder : model_folder {
  explicit tokenizer_folder(const std::string& golden, bool followed = false) : model_folder(golden) {
    edit("config.json", "\"vocab_size\": 479", "\"vocab_size\": 500");
    if (followed)
      edit("tokenizer_config.json", golden == "mpnet" ? "MPNetTokenizer" : "BertTokenizer", "PreTrainedTokenizerFast");
  }
  hf_tokenizer tokenizer() const { return hf_tokenizer_reader::read(read_hf_folder(path("").string())); }
  void set(const std::string& members) const { edit("tokenizer_config.json", "{", "{" + members + ","); }
  void add(const std::string& tokens) const {
    edit("tokenizer.json", "\"added_tokens\": [", "\"added_tokens\": [" + tokens + ",");
  }
  void normalize(const std::string& value) const {
    std::string text = read("tokenizer.json");
    const std::size_t begin = text.find("\"normalizer\": ") + 14, end = text.find(",\n  \"pre_tokenizer\"");
    write("tokenizer.json", text.replace(begin, end - begin, value));
  }
};

const added_token* find(const hf_tokenizer& t, const std::string& content) {
  for (const added_token& a : t.added)
    if (a.content == content) return &a;
  return nullptr;
}
std::uint32_t id_of(const hf_tokenizer& t, const std::string& content) {
  const added_token* const a = find(t, content);
  REQUIRE_MESSAGE(a != nullptr, content);
  return a->id;
}

/// What the reading says of a folder with an edit.
std::string said(const char* golden, const char* file, const char* from, const char* to, bool followed = false) {
  const model_folder folder(golden);
  if (followed) folder.edit("tokenizer_config.json", "BertTokenizer", "PreTrainedTokenizerFast");
  folder.edit(file, from, to);
  return folder.trouble();
}

}  // namespace

TEST_CASE("a class that is built anew takes its switches from tokenizer_config.json, or has its defaults") {
  const tokenizer_folder folder("bert");
  CHECK(folder.tokenizer().notes.empty());
  folder.edit("tokenizer.json", "\"lowercase\": true", "\"lowercase\": false");
  const hf_tokenizer said_there = folder.tokenizer();
  CHECK(said_there.lowercase);
  REQUIRE(said_there.notes.size() == 1);
  CHECK(
      said_there.notes[0].ends_with("tokenizer.json: normalizer: not followed, as transformers 5 takes do_lower_case, "
                                    "strip_accents and tokenize_chinese_chars of tokenizer_config.json"));
  folder.edit("tokenizer_config.json", "\"do_lower_case\": true,", "");
  CHECK(folder.tokenizer().lowercase);  // the class's default
  folder.edit("tokenizer_config.json", "\"strip_accents\": null", "\"strip_accents\": false");
  folder.edit("tokenizer_config.json", "\"tokenize_chinese_chars\": true", "\"tokenize_chinese_chars\": false");
  const hf_tokenizer t = folder.tokenizer();
  CHECK((t.lowercase && !t.strip_accents && !t.split_cjk && t.clean_text));
  folder.edit("tokenizer_config.json", "\"BertTokenizer\"", "\"PreTrainedTokenizerFast\"");
  CHECK((!folder.tokenizer().lowercase && folder.tokenizer().split_cjk));  // that class follows tokenizer.json
}

TEST_CASE("other things that a class built anew does not take from tokenizer.json are noted") {
  for (const auto& [from, to, key] :
       {std::tuple{"\"BertPreTokenizer\"", "\"Whitespace\"", "pre_tokenizer"},
        std::tuple{"\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 7",
                   "model.max_input_chars_per_word"},
        std::tuple{"\"continuing_subword_prefix\": \"##\"", "\"continuing_subword_prefix\": \"@@\"",
                   "model.continuing_subword_prefix"},
        std::tuple{"\"TemplateProcessing\"", "\"ByteLevel\"", "post_processor"}}) {
    const tokenizer_folder folder("bert");
    folder.edit("tokenizer.json", from, to);
    const hf_tokenizer t = folder.tokenizer();
    REQUIRE(t.notes.size() == 1);
    CHECK(t.notes[0].find(std::string("tokenizer.json: ") + key + ": not followed") != std::string::npos);
    CHECK((t.max_word_chars == 100 && t.cls == 3 && t.sep == 4));
  }
}

TEST_CASE("do_lower_case of sentence_bert_config.json comes before all other steps") {
  const tokenizer_folder cased("bert_pooled");
  cased.write("sentence_bert_config.json", R"({"max_seq_length": 36, "do_lower_case": true})");
  CHECK((cased.tokenizer().lowercase && !cased.tokenizer().strip_accents));

  const tokenizer_folder steps("bert", true);
  steps.write("sentence_bert_config.json", R"({"max_seq_length": 24, "do_lower_case": true})");
  steps.normalize(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}]})");
  CHECK(steps.tokenizer().steps == words{"lowercase", "nfc"});
  steps.edit("tokenizer.json", R"({"type": "NFC"})", R"({"type": "NFC"}, {"type": "Lowercase"})");
  CHECK(steps.tokenizer().steps == words{"nfc", "lowercase"});
}

TEST_CASE("a normalizer of many steps, and those that are no more than BERT's") {
  const auto read = [](const std::string& normalizer) {
    const tokenizer_folder folder("bert", true);
    folder.normalize(normalizer);
    return folder.tokenizer();
  };
  const auto sequence = [&](const std::string& steps) {
    return read(R"({"type": "Sequence", "normalizers": [)" + steps + "]}");
  };
  CHECK(sequence(R"({"type": "Lowercase"}, {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false,
                     "strip_accents": null, "lowercase": false})")
            .steps.empty());
  const hf_tokenizer none = read("null");
  CHECK((none.steps.empty() && !none.clean_text && !none.split_cjk && !none.lowercase && !none.strip_accents));
  CHECK(read(R"({"type": "Lowercase"})").steps.empty());
  CHECK(sequence(R"({"type": "NFKC"}, {"type": "Strip", "strip_left": true, "strip_right": false},
                    {"type": "Prepend", "prepend": "so "}, {"type": "Nmt"}, {"type": "StripAccents"})")
            .steps == words{"nfkc", "strip_left", "prepend", "so ", "nmt", "strip_accents"});
  CHECK(sequence(R"({"type": "NFC"}, {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                     "strip_accents": null, "lowercase": true})")
            .steps == words{"nfc", "clean_text", "split_cjk", "nfd", "strip_marks", "lowercase"});
}

TEST_CASE("patterns of Replace") {
  const auto steps = [](const std::string& pattern) {
    const tokenizer_folder folder("bert", true);
    folder.normalize(R"({"type": "Replace", "pattern": )" + pattern + R"(, "content": "-"})");
    return folder.tokenizer().steps;
  };
  const auto regex = [&](const std::string& pattern) { return steps(R"({"Regex": )" + json::quote(pattern) + "}"); };
  CHECK(steps(R"({"String": "a+"})") == words{"replace", "a+", "-"});
  CHECK(regex("ab\\+c") == words{"replace", "ab+c", "-"});
  CHECK(regex("\\n") == words{"replace", "\n", "-"});
  CHECK(regex("[0-9]+") == words{"replace_run", "0", "1", "0", "09", "-"});
  CHECK(regex(" {2,}") == words{"replace_run", "0", "2", "0", "  ", "-"});
  CHECK(regex("[^a-zA-Z_]{3}") == words{"replace_run", "1", "3", "3", "azAZ__", "-"});
  CHECK(regex("[-\\]x]{1,4}") == words{"replace_run", "0", "1", "4", "--]]xx", "-"});
  CHECK(regex("\\s+")[0] == "replace_run");
  CHECK(regex("[\\s\u2022]")[4].ends_with("\u3000\u3000\u2022\u2022"));
  for (const char* pattern : {"", "a|b", "(a)", "a*", "[a-z", "[z-a]", "\\d+", "^a", "a$", "ab+", "a{0,}", "a{3,2}",
                              "[[:alpha:]]", "a{65}", ".", "\\"}) {
    const tokenizer_folder folder("bert", true);
    folder.normalize(R"({"type": "Replace", "pattern": {"Regex": )" + json::quote(pattern) + R"(}, "content": ""})");
    CHECK_MESSAGE(
        folder.trouble().ends_with("tokenizer.json: normalizer.pattern.Regex: " + json::quote(pattern) +
                                   " is not supported, only a text or one set of characters, perhaps repeated"),
        pattern);
  }
}

TEST_CASE("additional_special_tokens, extra_special_tokens, special_tokens_map.json and added_tokens.json") {
  const tokenizer_folder folder("bert");
  const std::string piece = folder.tokenizer().pieces[20];
  folder.set(R"("additional_special_tokens": ["[unused0]", "<new>"], "pad_token": "[PAD]")");
  const hf_tokenizer t = folder.tokenizer();
  CHECK(id_of(t, "[unused0]") == 1);  // a piece keeps its id
  CHECK(id_of(t, "<new>") == 479);    // another one gets the next
  CHECK((find(t, "<new>")->special && !find(t, "<new>")->is_normalized()));
  CHECK(t.pieces.size() == 480);

  folder.write("special_tokens_map.json", R"({"mask_token": {"content": "[unused0]", "lstrip": true, "rstrip": false,
               "normalized": false, "single_word": false}, "additional_special_tokens": ["<other>"]})");
  CHECK(*folder.tokenizer().mask == 1);
  CHECK(find(folder.tokenizer(), "<other>") == nullptr);  // tokenizer_config.json has such a list
  folder.write("added_tokens.json", R"({"<late>": 480, "<new>": 479})");
  CHECK((id_of(folder.tokenizer(), "<new>") == 479 && id_of(folder.tokenizer(), "<late>") == 480));
  CHECK(find(folder.tokenizer(), "<late>")->is_normalized());

  const tokenizer_folder listed("bert");
  listed.write("special_tokens_map.json",
               R"({"additional_special_tokens": ["<other>"], "extra_special_tokens": ["<extra>"]})");
  CHECK(id_of(listed.tokenizer(), "<extra>") == 479);
  listed.set(R"("extra_special_tokens": {"image_token": "<image>"}, "video_token": "<video>")");
  CHECK((id_of(listed.tokenizer(), "<video>") == 479 && id_of(listed.tokenizer(), "<image>") == 480));
}

TEST_CASE("added_tokens_decoder") {
  const char* const decoder =
      R"("added_tokens_decoder": {"1": {"content": "[unused0]", "lstrip": true, "normalized": false},
      "479": {"content": "<x>", "special": true}})";
  const tokenizer_folder anew("bert");
  anew.set(decoder);
  anew.write("special_tokens_map.json", R"({"additional_special_tokens": ["<other>"]})");  // not read then
  anew.add(R"({"id": 480, "content": "<y>"})");
  const hf_tokenizer t = anew.tokenizer();
  CHECK((find(t, "[unused0]")->lstrip && !find(t, "[unused0]")->is_normalized() && !find(t, "[unused0]")->special));
  CHECK(id_of(t, "<x>") == 479);
  CHECK(find(t, "<y>") == nullptr);
  CHECK(find(t, "<other>") == nullptr);
  CHECK(id_of(t, "[MASK]") == 5);

  const tokenizer_folder followed("bert", true);
  followed.set(decoder);
  followed.add(R"({"id": 480, "content": "<y>"})");
  CHECK((id_of(followed.tokenizer(), "<y>") == 479 && id_of(followed.tokenizer(), "<x>") == 480));  // as they come

  CHECK(said("bert", "tokenizer_config.json", "{", R"({"added_tokens_decoder": {"x": {"content": "[unused0]"}},)") ==
        "tokenizer_config.json: added_tokens_decoder.x: the name is not a token's id");
}

TEST_CASE("rows without a piece have names that no text has") {
  const tokenizer_folder folder("bert");
  folder.edit("tokenizer.json", "\"##z\": ", "\"##z\": 499, \"no such word\": ");
  folder.add(
      R"({"id": 490, "content": "brandnew"}, {"id": 491, "content": "[unused9]", "special": true, "normalized": false})");
  const hf_tokenizer t = folder.tokenizer();
  CHECK(t.pieces.size() == 500);
  CHECK(id_of(t, "brandnew") == 480);
  CHECK(id_of(t, "[unused9]") == 481);
  const words rows = gguf_vocabulary(t);
  CHECK((rows[480] == "[brandnew]" && rows[481] == "[unused9]" && rows[482] == "[PAD482]" && rows[499] == "z"));
  const auto types = token_types(t);
  CHECK((types[0] == 3 && types[1] == 1 && types[2] == 2 && types[480] == 4 && types[481] == 3 && types[482] == 5));
}

TEST_CASE("vocab.txt as people have it") {
  const tokenizer_folder folder("bert_pooled");
  const std::string vocab = folder.read("vocab.txt");
  const words pieces = folder.tokenizer().pieces;
  CHECK(pieces.size() == 479);
  const auto with = [&](const std::string& text) {
    folder.write("vocab.txt", text);
    return folder.tokenizer();
  };
  CHECK(with(vocab + "\n\n").pieces.size() == 479);  // blank lines are no tokens
  CHECK(with(vocab.substr(0, vocab.size() - 1)).pieces == pieces);
  std::string returns = vocab;
  for (std::size_t at = 0; (at = returns.find('\n', at)) != returns.npos; at += 3) returns.replace(at, 1, " \r\n");
  CHECK(with(returns).pieces == pieces);
  CHECK(with("[PAD]\n\n" + vocab.substr(6)).pieces[1] == "");  // a blank line keeps its number
  const hf_tokenizer again = with(vocab + "hello\n[SEP]\n");   // of equal lines the last counts
  CHECK((again.sep == 480 && again.pieces[480] == "[SEP]" && again.pieces[479] == "hello"));
  CHECK(std::count(again.pieces.begin(), again.pieces.end(), "hello") == 1);

  // The mark belongs to the first line, and the class adds the token that is missing then, if there is a row for it.
  CHECK(with("\xEF\xBB\xBF" + vocab).pad == 479);
  folder.edit("config.json", "\"vocab_size\": 500", "\"vocab_size\": 479");
  CHECK(with("\xEF\xBB\xBF" + vocab).pad == 0);
  with(vocab);
  folder.remove("tokenizer_config.json");
  CHECK(folder.tokenizer().lowercase);  // all defaults

  CHECK(said("bert_pooled", "vocab.txt", "[UNK]\n", "[unk]\n") ==
        "vocab.txt: unk_token: \"[UNK]\" is not in the vocabulary");
  CHECK(said("bert_pooled", "vocab.txt", "[unused0]\n", "\xFF\n") == "vocab.txt: token 1: not UTF-8");
  CHECK(said("bert_pooled", "vocab.txt", "[unused0]\n", "[unused0]\none more\n") ==
        "vocab.txt: 480 tokens, more than config.json's vocab_size 479");
  CHECK(said("bert_pooled", "tokenizer_config.json", "BertTokenizer", "PreTrainedTokenizerFast") ==
        "tokenizer_config.json: tokenizer_class: \"PreTrainedTokenizerFast\" needs a tokenizer.json");
}

TEST_CASE("a cross-encoder whose tokenizer gives no token types") {
  const auto types = [](const char* edit) {
    const model_folder folder("cross");
    if (*edit != '\0') folder.edit("tokenizer_config.json", "{", edit);
    folder.edit("tokenizer_config.json", "\"BertTokenizer\"", "\"PreTrainedTokenizerFast\"");
    const converted c(folder, {});
    const auto rows = c.values("token_types.weight");
    return std::equal(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2),
                      rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2));
  };
  CHECK(types(""));
  CHECK_FALSE(types(R"({"model_input_names": ["input_ids", "token_type_ids", "attention_mask"],)"));
}

TEST_CASE("what cannot be taken is refused by file and key") {
  CHECK(said("bert", "tokenizer.json", "\"WordPiece\",\n    \"unk_token\"", "\"WordLevel\",\n    \"unk_token\"") ==
        "tokenizer.json: model: type \"WordLevel\" is not supported, only \"WordPiece\", \"Unigram\" and \"BPE\"");
  CHECK(said("bert", "tokenizer.json", "\"WordPiece\",\n    \"unk_token\"", "\"BPE\",\n    \"unk_token\"") ==
        "tokenizer.json: model.continuing_subword_prefix: \"##\" is not supported");
  CHECK(said("bert", "tokenizer.json", "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[XXX]\"", true) ==
        "tokenizer.json: model.unk_token: \"[XXX]\" is not in the vocabulary");
  CHECK(said("bert", "tokenizer.json", "\"continuing_subword_prefix\": \"##\"", "\"continuing_subword_prefix\": \"@@\"",
             true) == "tokenizer.json: model.continuing_subword_prefix: \"@@\" is not supported, only \"##\"");
  CHECK(said("bert", "tokenizer.json", "\"[unused0]\": 1", "\"[unused0]\": 7") ==
        "tokenizer.json: model.vocab: token \"\\\"\": another token, \"[unused0]\", has the same id");
  CHECK(said("bert", "tokenizer.json", "\"[unused0]\": 1", "\"[unused0]\": 16777216") ==
        "tokenizer.json: model.vocab: token \"[unused0]\": its id 16777216 is too large");
  CHECK(said("bert", "tokenizer.json", "\"[unused0]\": 1", "\"[unused0]\": 1.5") ==
        "tokenizer.json: model.vocab: token \"[unused0]\": its id is no whole number");
  CHECK(said("bert", "tokenizer.json", "\"##z\": ", "\"##z\": 1") ==
        "tokenizer.json: 1103 tokens, more than config.json's vocab_size 479");
  CHECK(said("bert", "tokenizer.json", "\"hello\": ", "\"##\xE2\x96\x81hello\": ") ==
        "tokenizer.json: the piece \"##\xE2\x96\x81hello\" is not supported");
  CHECK(said("bert", "tokenizer.json", "\"BertPreTokenizer\"", "\"Whitespace\"", true) ==
        "tokenizer.json: pre_tokenizer.type: \"Whitespace\" is not supported, only BertPreTokenizer");
  CHECK(said("bert", "tokenizer.json", "\"BertNormalizer\"", "\"ByteLevel\"", true) ==
        "tokenizer.json: normalizer.type: \"ByteLevel\" is not supported");
  CHECK(said("bert", "tokenizer.json", "\"TemplateProcessing\"", "\"ByteLevel\"", true) ==
        "tokenizer.json: post_processor.type: \"ByteLevel\" is not supported");
  CHECK(said("mpnet", "tokenizer.json", "\"<pad>\": 1", "\"<pad>\": 300") ==
        "tokenizer.json: model.vocab: token \"from\": another token, \"<pad>\", has the same id");
  CHECK(said("bert", "tokenizer_config.json", "{", R"({"cls_token": "<cls>",)") ==
        "tokenizer.json: 480 tokens, more than config.json's vocab_size 479");
  CHECK(said("bert", "tokenizer_config.json", "{", R"({"unk_token": "[XXX]",)") ==
        "tokenizer.json: unk_token: \"[XXX]\" is not in the vocabulary");
  CHECK(said("bert", "tokenizer_config.json", "{", R"({"truncation_side": "left",)") ==
        "tokenizer_config.json: truncation_side: only \"right\" is supported");
  CHECK(said("bert", "tokenizer_config.json", "{", R"({"split_special_tokens": true,)") ==
        "tokenizer_config.json: split_special_tokens: true is not supported");
  CHECK(said("bert", "tokenizer_config.json", "BertTokenizer", "BertJapaneseTokenizer") ==
        "tokenizer_config.json: tokenizer_class: \"BertJapaneseTokenizer\" is not supported");
  CHECK(said("bert", "tokenizer.json", "\"truncation\": null", "\"truncation\": {\"direction\": \"Left\"}") ==
        "tokenizer.json: truncation.direction: only \"Right\" is supported");
  CHECK(said("bert", "tokenizer.json", "\"added_tokens\": [", R"("added_tokens": [{"id": 0, "content": "a"},)") ==
        "tokenizer.json: added_tokens.1: id 0 appears twice");
  CHECK(said("bert", "tokenizer.json", "\"added_tokens\": [", R"("added_tokens": [{"id": 1, "content": "[PAD]"},)") ==
        "tokenizer.json: added_tokens.1: \"[PAD]\" appears twice");
  // A token of its own row is fine; then the embeddings lack that row.
  CHECK(said("bert", "tokenizer.json", "\"added_tokens\": [",
             R"("added_tokens": [{"id": 479, "content": "brandnew"},)") ==
        "tokenizer.json: 480 tokens, more than config.json's vocab_size 479");
}

TEST_CASE("a setting that nobody knows is refused by file and key") {
  const char* const end = ": this setting is not supported; remove it if it changes nothing";
  CHECK(said("bert", "tokenizer_config.json", "{", R"({"mystery": 1,)") ==
        std::string("tokenizer_config.json: mystery") + end);
  CHECK(said("bert", "tokenizer.json", "\"version\"", R"("mystery": 1, "version")") ==
        std::string("tokenizer.json: mystery") + end);
  CHECK(said("bert", "tokenizer.json", "\"clean_text\": true", "\"clean_text\": true, \"mystery\": 1", true) ==
        std::string("tokenizer.json: normalizer.mystery") + end);
  CHECK(said("bert", "tokenizer.json", "\"id\": 0,", "\"id\": 0, \"mystery\": 1,") ==
        std::string("tokenizer.json: added_tokens.0.mystery") + end);
  CHECK(said("bert", "tokenizer.json", "\"post_processor\": {", "\"post_processor\": {\"mystery\": 1,", true) ==
        std::string("tokenizer.json: post_processor.mystery") + end);
  const model_folder folder("bert");
  folder.write("special_tokens_map.json", R"({"mystery": 1})");
  CHECK(folder.trouble() == std::string("special_tokens_map.json: mystery") + end);
}
