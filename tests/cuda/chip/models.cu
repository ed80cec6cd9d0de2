// The emulator's tests of whole models, on a real GPU.
#include "chip.hpp"
//
#include "../model_tests.hpp"
#include "../wide_model_tests.hpp"

TEST_CASE("a small case for compute-sanitizer: every kernel once") {
  const std::vector<std::string> texts{"how do I learn C++?", "why", "what is the best way to learn C++ at home?"};
  const auto check = [&](const dupq::model& m, float at_most) {
    const auto truth = golden::vectors(m, texts);
    for (const std::size_t most : {64, 2})
      for (const int processors : {0, 1000}) {  // large tiles, small tiles
        auto encoder =
            bi::make(m, {.limits = {.packed_tokens = m.config().max_length, .texts = most}}, gpu(1, processors));
        REQUIRE(encoder);
        std::vector<float> found(truth.size());
        REQUIRE(!encoder->encode(texts, found));
        CHECK(apart(truth, found) < at_most);
      }
  };
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    const golden::converted file(name);
    check(file.open(), tolerance);
  }
  for (const auto kind : {golden::wide_model::kind::bert, golden::wide_model::kind::mpnet}) {
    const golden::wide_model wide(kind);
    check(wide.open(), wide_tolerance);
  }
  const golden::converted file("cross");
  const dupq::model c = file.open();
  auto judge = cross::make(c, {.limits = {.packed_tokens = c.config().max_length}}, gpu(1));
  REQUIRE(judge);
  const auto score = judge->score(texts[0], texts[2]), truth = dupq::cross_encoder::make(c)->score(texts[0], texts[2]);
  REQUIRE(score);
  CHECK(std::fabs(*score - *truth) < tolerance);
}
