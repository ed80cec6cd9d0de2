// The families that become BERT or MPNet when they are converted, against what Hugging Face's classes computed:
// RoBERTa's positions, DistilBERT without token types, the heads of each, two labels.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <dupq/device/reference.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "models.hpp"

namespace {

namespace fs = std::filesystem;
using dupq_tool::tensor_layout;
using dupq_tool::weight_type;

/// A folder of families/ with a tokenizer, which a test may change, and its conversions.
class family {
 public:
  explicit family(const std::string& name) : name_(name), folder_(directory_.path() / name) {
    const bool mpnet = name.starts_with("mpnet");
    fs::copy(golden::folder + "/families/" + name, folder_, fs::copy_options::recursive);
    fs::copy(golden::folder + (mpnet ? "/mpnet/" : "/bert/") + "tokenizer.json", folder_ / "tokenizer.json");
  }
  std::string file(const std::string& file) const { return (folder_ / file).string(); }
  std::string made(const std::string& file) const { return golden::folder + "/families/" + name_ + "/" + file; }

  void edit(const std::string& name, const std::string& from, const std::string& to) const {
    std::ifstream in(file(name));
    std::string text = (std::stringstream() << in.rdbuf()).str();
    const std::size_t at = text.find(from);
    REQUIRE_MESSAGE(at != text.npos, name << ": " << from);
    std::ofstream(file(name)) << text.replace(at, from.size(), to);
  }
  dupq_tool::convert_summary convert(const dupq_tool::convert_options& options = {}) const {
    return dupq_tool::convert(folder_.string(), model_path(), options);
  }
  dupq::model open(const dupq_tool::convert_options& options = {}, std::string_view kernels = {}) const {
    convert(options);
    auto m = dupq::model::open(model_path(), {.kernels = kernels});
    if (!m) dupq::print_error(m.error());
    REQUIRE(m);
    return std::move(*m);
  }
  std::string trouble(const dupq_tool::convert_options& options = {}) const {
    try {
      convert(options);
    } catch (const dupq_tool::failure& e) {
      const std::string what = e.what();
      return what.substr(what.find(": ") + 2);
    }
    return "";
  }

 private:
  std::string model_path() const { return directory_.file("model.gguf"); }

  temporary_folder directory_;
  std::string name_;
  fs::path folder_;
};

/// The golden texts, and one with RoBERTa's token of padding in it.
std::vector<std::string> texts() {
  auto all = golden::texts();
  all.push_back("how [unused0] do i learn [unused0] cooking");
  return all;
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

constexpr const char* bi_encoders[] = {"distilbert", "roberta", "electra"};
constexpr const char* cross_encoders[] = {"distilbert-cross", "roberta-cross", "xlm-roberta-cross",
                                          "mpnet-cross",      "electra-cross", "bert-cross-two"};

}  // namespace

TEST_CASE("vectors of bi-encoders of other families") {
  for (const char* name : bi_encoders) {
    CAPTURE(name);
    const family f(name);
    const dupq::model m = f.open();
    const auto truth = fixtures::read_npy(f.made("expected.npy"));
    CHECK(fixtures::distance(golden::vectors<dupq::reference>(m, texts()), truth) < 4e-6);
    const auto found = golden::vectors(m, texts());
    CHECK(fixtures::distance(found, truth) < 1e-5);
    // The checkpoints have halves, so nothing is lost when halves are stored.
    CHECK(golden::vectors(f.open({.type = weight_type::f16}), texts()) == found);
    // llama.cpp knows no position of padding.
    const auto plain = golden::vectors(f.open({.layout = tensor_layout::plain}), golden::texts());
    CHECK(std::equal(plain.begin(), plain.end(), found.begin()));
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
    const auto truth = expected_scores(f);
    CHECK(fixtures::distance(scores<dupq::reference>(m), truth) < 1e-6);
    const auto found = scores(m);
    CHECK(fixtures::distance(found, truth) < 1e-5);
    CHECK(fixtures::distance(scores(f.open({.type = weight_type::f16})), truth) < 1e-3);
    CHECK(scores(f.open({.layout = tensor_layout::plain})) == found);
    for (const weight_type type : {weight_type::f32, weight_type::int8}) {
      const auto scalar = scores(f.open({.type = type}, "scalar"));
      for (const dupq::kernels* table : dupq::available_kernels())
        CHECK(scores(f.open({.type = type}, table->name)) == scalar);
      CHECK(fixtures::distance(scalar, truth) < 0.1);
    }
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
  CHECK(cross.trouble() == "activation: \"silu\" is not supported, only \"gelu\"");
}
