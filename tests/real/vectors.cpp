// A real model, fetched and converted: ids, vectors and scores against what sentence-transformers computes in float64.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <dupq/core/thread_pool.hpp>
#include <dupq/dupq.hpp>
#include <string>
#include <vector>

#include "support/fixtures.hpp"

TEST_CASE("ids, vectors and scores") {
  const char* const name = std::getenv("DUPQ_MODEL");
  REQUIRE(name != nullptr);
  const std::string stem = std::string(DUPQ_TEST_DIR) + "/" + name;
  const auto opened = dupq::model::open((std::string(DUPQ_MODELS) + "/" + name + ".gguf").c_str());
  if (!opened) dupq::print_error(opened.error());
  REQUIRE(opened);
  const dupq::model& m = *opened;
  const auto texts = fixtures::read_model_texts(DUPQ_TEST_DIR, name);

  const auto ids = fixtures::read_rows<std::int32_t>(stem + ".ids");
  REQUIRE(ids.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<std::int32_t> ours(m.config().max_length);
    ours.resize(m.tokenizer().encode(texts[i], ours.size(), ours).tokens);
    CHECK_MESSAGE(ours == ids[i], "text " << i);
  }

  auto encoder = dupq::bi_encoder::make(m);
  REQUIRE(encoder);
  std::vector<float> vectors(texts.size() * m.dim());
  REQUIRE(encoder->encode(texts, vectors));
  CHECK(fixtures::distance(vectors, fixtures::read_npy(stem + ".npy")) <= 1e-5);

  // One text at a time, each with all threads of a pool at its products: the same bits.
  dupq::thread_pool pool(2);
  auto shared = dupq::bi_encoder::make(m, {.executor = pool.executor()});
  REQUIRE(shared);
  for (std::size_t i = 0; i < texts.size(); i += 10) {
    std::vector<float> one(m.dim());
    REQUIRE(shared->encode(std::vector{texts[i]}, one));
    CHECK(std::equal(one.begin(), one.end(), vectors.begin() + static_cast<std::ptrdiff_t>(i * m.dim())));
  }

  const auto scores = fixtures::read_rows<double>(stem + ".scores.tsv");
  REQUIRE(scores.size() >= 20);
  for (const auto& row : scores) {
    REQUIRE(row.size() == 3);
    const auto a = static_cast<std::size_t>(row[0]), b = static_cast<std::size_t>(row[1]);
    const auto score = encoder->score(texts.at(a), texts.at(b));
    REQUIRE(score);
    CHECK(std::fabs(static_cast<double>(*score) - row[2]) < 1e-6);
    const auto again = shared->score(texts.at(a), texts.at(b));
    REQUIRE(again);
    CHECK(*again == *score);
  }
}
