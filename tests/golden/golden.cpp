// The tiny models against what Hugging Face's classes computed: ids, vectors, logits, through the converter.
#include <doctest/doctest.h>

#include <cmath>
#include <dupq/device/reference.hpp>
#include <string>
#include <vector>

#include "models.hpp"

namespace {

using golden::converted;
using golden::expected;

dupq_tool::convert_options layout(bool packed) {
  dupq_tool::convert_options options;
  options.layout = packed ? decltype(options.layout)::packed : decltype(options.layout)::plain;
  return options;
}

std::vector<float> column(const std::string& path, std::size_t which) {
  std::vector<float> values;
  for (const auto& row : fixtures::read_rows<double>(path)) values.push_back(static_cast<float>(row.at(which)));
  return values;
}

void check_ids(const dupq::model& m, const std::string& name) {
  const auto rows = fixtures::read_rows<std::int32_t>(expected(name + ".ids"));
  const auto texts = golden::texts();
  REQUIRE(rows.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<std::int32_t> ids(m.config().max_length);
    ids.resize(m.tokenizer().encode(texts[i], ids.size(), ids).tokens);
    CHECK_MESSAGE(ids == rows[i], name << ": text " << i);
  }
}

}  // namespace

TEST_CASE("vectors of the bi-encoders") {
  for (const std::string name : {"bert", "bert_pooled", "mpnet"})
    for (const bool packed : {true, false}) {
      CAPTURE(name);
      CAPTURE(packed);
      const converted file(name, layout(packed));
      const dupq::model m = file.open();
      CHECK(m.packed() == packed);
      check_ids(m, name);
      const auto truth = fixtures::read_npy(expected(name + ".npy"));
      CHECK(fixtures::distance(golden::vectors<dupq::reference>(m, golden::texts()), truth) < 2e-6);
      CHECK(fixtures::distance(golden::vectors(m, golden::texts()), truth) < 1e-5);
    }
}

TEST_CASE("logits and scores of the cross-encoders") {
  for (const std::string name : {"cross", "cross_identity"})
    for (const bool packed : {true, false}) {
      CAPTURE(name);
      CAPTURE(packed);
      const converted file(name, layout(packed));
      const dupq::model m = file.open();
      const auto pairs = golden::pairs();
      const auto rows = fixtures::read_rows<std::int32_t>(expected(name + ".ids"));
      REQUIRE(rows.size() == pairs.a.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<std::int32_t> ids(m.config().max_length);
        ids.resize(m.tokenizer().encode_pair(pairs.a[i], pairs.b[i], ids.size(), ids).tokens);
        CHECK_MESSAGE(ids == rows[i], name << ": pair " << i);
      }
      const auto truth = column(expected(name + ".tsv"), 0);
      CHECK(fixtures::distance(golden::logits<dupq::reference>(m, pairs), truth) < 5e-6);
      CHECK(fixtures::distance(golden::logits(m, pairs), truth) < 1e-4);
      auto encoder = dupq::cross_encoder::make(m);
      REQUIRE(encoder);
      std::vector<float> scores(truth.size());
      REQUIRE(encoder->score(pairs.a, pairs.b, scores));
      CHECK(fixtures::distance(scores, column(expected(name + ".tsv"), 1)) < 1e-4);
      const auto one = encoder->score(pairs.a[3], pairs.b[3]);
      REQUIRE(one);
      CHECK(*one == scores[3]);
    }
}

TEST_CASE("half precision on disk changes little") {
  dupq_tool::convert_options half;
  half.type = decltype(half.type)::f16;
  for (const bool packed : {true, false}) {
    half.layout = layout(packed).layout;
    const converted file("bert", half);
    const auto vectors = golden::vectors(file.open(), golden::texts());
    const double d = fixtures::distance(vectors, fixtures::read_npy(expected("bert.npy")));
    CHECK(d < 2e-2);
    CHECK(d > 1e-6);  // it is indeed another file
  }
}

TEST_CASE("files that llama.cpp's converter writes") {
  for (const std::string type : {"f32", "f16", "q8_0"}) {
    CAPTURE(type);
    auto opened = dupq::model::open((golden::folder + "/foreign/bert-" + type + ".gguf").c_str());
    REQUIRE(opened);
    const dupq::model m = std::move(*opened);
    auto truth = fixtures::read_npy(expected("foreign-" + type + ".npy"));
    const std::size_t dim = m.dim();
    for (std::size_t row = 0; row < truth.size(); row += dim) {  // such files say nothing of it: vectors have length 1
      double squares = 0;
      for (std::size_t i = 0; i < dim; ++i)
        squares += static_cast<double>(truth[row + i]) * static_cast<double>(truth[row + i]);
      for (std::size_t i = 0; i < dim; ++i)
        truth[row + i] = static_cast<float>(static_cast<double>(truth[row + i]) / std::sqrt(squares));
    }
    CHECK(fixtures::distance(golden::vectors(m, golden::texts()), truth) < 1e-5);
  }
}

TEST_CASE("pairs of a bi-encoder are scored by their cosine") {
  const converted file("bert_pooled");  // its vectors are not normalised
  const dupq::model m = file.open();
  auto encoder = dupq::bi_encoder::make(m, {.limits = {.texts = 6}});
  REQUIRE(encoder);
  const auto pairs = golden::pairs();
  std::vector<float> scores(pairs.a.size());
  REQUIRE(encoder->score(pairs.a, pairs.b, scores));
  const auto a = golden::vectors(m, pairs.a), b = golden::vectors(m, pairs.b);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t k = i * m.dim(); k < (i + 1) * m.dim(); ++k) {
      ab += static_cast<double>(a[k]) * static_cast<double>(b[k]);
      aa += static_cast<double>(a[k]) * static_cast<double>(a[k]);
      bb += static_cast<double>(b[k]) * static_cast<double>(b[k]);
    }
    CHECK(static_cast<double>(scores[i]) == doctest::Approx(ab / std::sqrt(aa * bb)).epsilon(1e-6));
    const auto one = encoder->score(pairs.a[i], pairs.b[i]);
    REQUIRE(one);
    CHECK(*one == scores[i]);
  }
  CHECK(encoder->truncated() > 0);
}
