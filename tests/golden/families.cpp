// The families that become BERT or MPNet when they are converted, against what Hugging Face's classes computed:
// RoBERTa's positions, DistilBERT without token types, the heads of each, two labels.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/device/reference.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "family.hpp"
#include "models.hpp"

namespace {

using dupq_tool::tensor_layout;
using dupq_tool::weight_type;

using golden::family;

/// The golden texts, and one with RoBERTa's token of padding in it.
std::vector<std::string> texts() {
  auto all = golden::texts();
  all.push_back("how [unused0] do i learn [unused0] cooking");
  return all;
}

/// llama.cpp, whose layout the plain one is, does not know that padding within RoBERTa's texts takes no position.
bool has_padding(const std::string& text) {
  return text.find("<pad>") != text.npos || text.find("[unused0]") != text.npos;
}

std::vector<float> expected_scores(const family& f) {
  std::vector<float> values;
  for (const auto& row : fixtures::read_rows<double>(f.made("expected.tsv")))
    values.push_back(static_cast<float>(row.at(0)));
  return values;
}

template <class Device = dupq::cpu>
std::vector<float> scores(const dupq::model& m) {
  auto encoder = dupq::basic_cross_encoder<Device>::make(m);
  REQUIRE(encoder);
  const auto pairs = golden::pairs();
  std::vector<float> out(pairs.a.size());
  REQUIRE(encoder->score(pairs.a, pairs.b, out));
  return out;
}

/// Where the family has a tokenizer of its own: ids of the texts, or of the pairs.
void check_ids(const family& f, const dupq::model& m) {
  const auto rows = fixtures::read_rows<std::int32_t>(f.made("expected.ids"));
  const bool cross = m.config().kind == dupq::model_kind::cross_encoder;
  const auto pairs = golden::pairs();
  const auto single = texts();
  REQUIRE(rows.size() == (cross ? pairs.a.size() : single.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::int32_t> ids(m.config().max_length);
    const auto made = cross ? m.tokenizer().encode_pair(pairs.a[i], pairs.b[i], ids.size(), ids)
                            : m.tokenizer().encode(f.prompt() + single[i], ids.size(), ids);
    ids.resize(made.tokens);
    CHECK_MESSAGE(ids == rows[i], "text or pair " << i);
  }
}

constexpr const char* bi_encoders[] = {
    "distilbert",      "roberta",     "electra",        "distilbert-dense",    "electra-dense", "bert-tanh",
    "distilbert-relu", "roberta-bpe", "distilbert-bpe", "xlm-roberta-unigram", "bert-unigram"};
constexpr const char* cross_encoders[] = {
    "distilbert-cross", "roberta-cross",  "xlm-roberta-cross", "mpnet-cross",
    "electra-cross",    "bert-cross-two", "roberta-bpe-cross", "xlm-roberta-unigram-cross"};

}  // namespace

TEST_CASE("vectors of bi-encoders of other families") {
  for (const char* name : bi_encoders) {
    CAPTURE(name);
    const family f(name);
    const dupq::model m = f.open();
    if (f.has_own_words()) check_ids(f, m);
    const auto truth = fixtures::read_npy(f.made("expected.npy"));
    if (m.config().hidden_activation == dupq::hidden_activation::gelu)
      CHECK(fixtures::distance(golden::vectors<dupq::reference>(m, texts()), truth) < 4e-6);
    else
      CHECK(dupq::basic_bi_encoder<dupq::reference>::make(m).error().code == dupq::errc::unsupported);
    const auto found = golden::vectors(m, texts());
    CHECK(fixtures::distance(found, truth) < 1e-5);
    // The checkpoints have halves, so nothing is lost when halves are stored.
    CHECK(golden::vectors(f.open({.type = weight_type::f16}), texts()) == found);
    if (m.config().dense_dim != 0) {  // llama.cpp knows no such layer
      CHECK(f.trouble({.layout = tensor_layout::plain}) ==
            "Dense is not supported by the plain layout, only by the "
            "packed one");
      continue;
    }
    const auto plain = golden::vectors(f.open({.layout = tensor_layout::plain}), texts());
    for (std::size_t i = 0; i < texts().size(); ++i) {
      const auto row = static_cast<std::ptrdiff_t>(i * m.dim()), end = row + static_cast<std::ptrdiff_t>(m.dim());
      if (!has_padding(texts()[i])) CHECK(std::equal(plain.begin() + row, plain.begin() + end, found.begin() + row));
    }
    for (const weight_type type : {weight_type::f32, weight_type::int8}) {
      const auto scalar = golden::vectors(f.open({.type = type}, "scalar"), texts());
      for (const dupq::kernels* table : dupq::available_kernels())
        CHECK(golden::vectors(f.open({.type = type}, table->name), texts()) == scalar);
      if (type == weight_type::f32) CHECK(scalar == found);
      for (std::size_t i = 0; i < scalar.size(); i += m.dim())
        CHECK(dupq::cosine({scalar.data() + i, m.dim()}, {found.data() + i, m.dim()}) > 0.95f);
    }
  }
}

TEST_CASE("scores of cross-encoders of other families") {
  for (const char* name : cross_encoders) {
    CAPTURE(name);
    const family f(name);
    const dupq::model m = f.open();
    if (f.has_own_words()) check_ids(f, m);
    const auto truth = expected_scores(f);
    CHECK(fixtures::distance(scores<dupq::reference>(m), truth) < 1e-6);
    const auto found = scores(m);
    CHECK(fixtures::distance(found, truth) < 1e-5);
    CHECK(fixtures::distance(scores(f.open({.type = weight_type::f16})), truth) < 1e-3);
    const auto plain = scores(f.open({.layout = tensor_layout::plain}));
    for (std::size_t i = 0; i < found.size(); ++i)
      if (!has_padding(golden::pairs().a[i] + golden::pairs().b[i])) CHECK(plain[i] == found[i]);
    for (const weight_type type : {weight_type::f32, weight_type::int8}) {
      const auto scalar = scores(f.open({.type = type}, "scalar"));
      for (const dupq::kernels* table : dupq::available_kernels())
        CHECK(scores(f.open({.type = type}, table->name)) == scalar);
      CHECK(fixtures::distance(scalar, truth) < 0.1);
    }
  }
}

TEST_CASE("a linear layer after the pooling") {
  const family f("distilbert-dense"), both("electra-dense");
  const dupq::model m = f.open(), cut = [&] {
    std::ofstream(f.file("config_sentence_transformers.json")) << R"({"truncate_dim": 7, "similarity_fn_name": "dot"})";
    return f.open();
  }();
  CHECK(m.dim() == 20);
  CHECK(m.config().whole_dim() == 20);
  CHECK(cut.dim() == 7);
  const auto whole = golden::vectors(m, texts()), part = golden::vectors(cut, texts());
  for (std::size_t i = 0; i < texts().size(); ++i)
    CHECK(std::equal(part.begin() + static_cast<std::ptrdiff_t>(7 * i),
                     part.begin() + static_cast<std::ptrdiff_t>(7 * i + 7),
                     whole.begin() + static_cast<std::ptrdiff_t>(20 * i)));
  // Scores need room for vectors that are longer than what is pooled.
  auto encoder = dupq::bi_encoder::make(m, {.limits = {.texts = 4}});
  REQUIRE(encoder);
  const auto pairs = golden::pairs();
  std::vector<float> scores(pairs.a.size());
  REQUIRE(encoder->score(pairs.a, pairs.b, scores));
  const auto a = golden::vectors(m, pairs.a), b = golden::vectors(m, pairs.b);
  for (std::size_t i = 0; i < scores.size(); ++i)
    CHECK(scores[i] == dupq::cosine({a.data() + 20 * i, 20}, {b.data() + 20 * i, 20}));

  both.edit("3_Dense/config.json", "\"in_features\": 16", "\"in_features\": 15");
  CHECK(both.trouble() == "in_features: 15 contradicts the pooling's 16");
  both.edit("3_Dense/config.json", "\"in_features\": 15", "\"in_features\": 16");
  both.edit("3_Dense/config.json", "Identity", "PReLU");
  CHECK(both.trouble() ==
        "activation_function: \"torch.nn.modules.linear.PReLU\" is not supported, only torch's Tanh "
        "and Identity");
  both.edit("3_Dense/config.json", "linear.PReLU", "linear.Identity");
  both.edit("3_Dense/config.json", "\"out_features\": 11", "\"out_features\": 113");
  CHECK(both.trouble() == "out_features: must be from 1 to 112, found 113");
  both.edit("3_Dense/config.json", "\"out_features\": 113", "\"out_features\": 12");
  CHECK(both.trouble() == "tensor \"linear.weight\": has the shape [11, 16], config.json says [12, 16]");
}

TEST_CASE("what stands around a text and between two is as tokenizer.json's post_processor has it") {
  using ids = std::vector<std::int32_t>;
  const auto pair_of = [](const family& f) {
    const dupq::model m = f.open();
    ids out(16);
    out.resize(m.tokenizer().encode_pair("a", "b", out.size(), out).tokens);
    return out;
  };
  const std::string roberta = R"({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]})";
  const std::string single = R"([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                 {"SpecialToken": {"id": "</s>", "type_id": 0}}])";
  const std::string of_one = R"([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                 {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                                 {"SpecialToken": {"id": "</s>", "type_id": 1}}])";
  const std::string specials = R"({"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                                   "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}})";
  for (const char* name : {"roberta-bpe", "xlm-roberta-unigram"}) {
    CAPTURE(name);
    const family f(name);
    const ids two = pair_of(f), separators{2, 2};
    ids one = two;
    const auto between = std::search(one.begin(), one.end(), separators.begin(), separators.end());
    REQUIRE(between != one.end());
    one.erase(between);
    f.process(roberta);
    CHECK(pair_of(f) == two);
    f.process(R"({"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": true}, )" + roberta + "]}");
    CHECK(pair_of(f) == two);
    f.process(R"({"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]})");
    CHECK(pair_of(f) == one);
    f.process(R"({"type": "TemplateProcessing", "single": )" + single + R"(, "pair": )" + of_one +
              R"(, "special_tokens": )" + specials + "}");
    CHECK(pair_of(f) == one);
    f.process(R"({"type": "TemplateProcessing", "single": )" + single + R"(, "pair": )" + single +
              R"(, "special_tokens": )" + specials + "}");
    CHECK(f.trouble() == "post_processor.pair: not supported");
    for (const char* const type : {"ByteLevel", "Sequence", "Other"}) {
      f.process(R"({"type": ")" + std::string(type) + R"(", "processors": []})");
      CHECK(f.trouble() == "post_processor.type: \"" + std::string(type) + "\" is not supported");
    }
    // These classes bring their own; others put nothing around a text then.
    f.process("null");
    CHECK(pair_of(f) == two);
    std::ofstream(f.file("tokenizer_config.json")) << R"({"tokenizer_class": "PreTrainedTokenizerFast"})";
    CHECK(f.trouble() == "post_processor: missing, and a text without special tokens is not supported");
  }
}

TEST_CASE("CamemBERT is RoBERTa by another name") {
  const family f("roberta");
  f.edit("config.json", "\"roberta\"", "\"camembert\"");
  f.edit("config.json", "RobertaModel", "CamembertModel");
  CHECK(fixtures::distance(golden::vectors(f.open(), texts()), fixtures::read_npy(f.made("expected.npy"))) < 1e-5);
}

TEST_CASE("which of two labels means duplicates") {
  const family f("bert-cross-two");
  const auto truth = expected_scores(f);
  auto other = truth;
  for (float& v : other) v = 1 - v;
  const auto found = [&](std::optional<std::string> label) {
    return scores(f.open({.positive_label = std::move(label)}));
  };
  CHECK(fixtures::distance(found("1"), truth) < 1e-5);
  CHECK(fixtures::distance(found("LABEL_0"), other) < 1e-5);
  CHECK(f.convert().notes.size() == 1);  // nothing says so: 1 is what people mean
  CHECK(f.convert({.positive_label = "1"}).notes.empty());
  CHECK(f.trouble({.positive_label = "yes"}) == "id2label: no label is named \"yes\" (--positive-label)");

  f.edit("config.json", "LABEL_0", "isDuplicate");
  f.edit("config.json", "LABEL_1", "not a duplicate");
  CHECK(fixtures::distance(found({}), other) < 1e-5);
  f.edit("config.json", "isDuplicate", "entailment");
  CHECK(f.trouble() ==
        "id2label: \"entailment\" or \"not a duplicate\": say which means duplicates, with "
        "--positive-label");
  CHECK(fixtures::distance(found("entailment"), other) < 1e-5);
  f.edit("config.json", "\"model_type\"",
         "\"sentence_transformers\": {\"activation_fn\": \"torch.nn.Sigmoid\"}, "
         "\"model_type\"");
  CHECK(f.trouble({.positive_label = "0"}) == "a Sigmoid of each of 2 labels is not supported");
}

TEST_CASE("what other families say wrongly is refused") {
  const family roberta("roberta"), electra("electra"), cross("distilbert-cross");
  roberta.edit("config.json", "\"pad_token_id\": 1", "\"pad_token_id\": 3");
  CHECK(roberta.trouble() == "pad_token_id: 3 contradicts the tokenizer's 1");
  roberta.edit("config.json", "\"pad_token_id\": 3", "\"pad_token_id\": 33");
  CHECK(roberta.trouble() == "max_position_embeddings: 36 are too few after pad_token_id 33");
  electra.edit("config.json", "\"embedding_size\": 16", "\"embedding_size\": 8");
  CHECK(electra.trouble() == "embedding_size: 8 is not supported, only hidden_size 16");
  CHECK(cross.trouble({.positive_label = "0"}) == "id2label: 1 label: --positive-label is for models with two");
  cross.edit("config.json", "\"activation\": \"gelu\"", "\"activation\": \"silu\"");
  CHECK(cross.trouble() ==
        "activation: \"silu\" is not supported, only gelu, gelu_new, gelu_pytorch_tanh, gelu_fast and "
        "relu");
}
