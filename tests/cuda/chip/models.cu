// The emulator's tests of whole models, on a real GPU.
#include "chip.hpp"
//
#include "../model_tests.hpp"
#include "../wide_model_tests.hpp"

TEST_CASE("a small case for compute-sanitizer: every kernel once") {
  const std::vector<std::string> texts{"how do I learn C++?", "why", "what is the best way to learn C++ at home?"};
  const auto check = [&](const dupq::model& m) {
    for (const std::size_t most : {64, 2})
      for (const int processors : {0, 1000}) {  // large tiles, small tiles
        auto encoder = make<bi>(m, {.packed_tokens = m.config().max_length, .texts = most}, gpu(1, processors));
        check_near(golden::vectors(m, texts), cuda_test::encode(encoder, texts, m.dim()), m.dim());
      }
  };
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    const golden::converted file(name);
    check(file.open());
  }
  for (const auto kind : {golden::wide_model::kind::bert, golden::wide_model::kind::mpnet}) {
    const golden::wide_model wide(kind);
    check(wide.open());
  }
  const golden::converted file("cross");
  const dupq::model c = file.open();
  const golden::pair_list pairs{{texts[0], texts[1]}, {texts[2], texts[0]}};
  for (const std::size_t most : {64, 2}) {
    auto judge = make<cross>(c, {.packed_tokens = c.config().max_length, .texts = most}, gpu(1));
    check_near(scores_on_cpu(c, pairs), cuda_test::score(judge, pairs.a, pairs.b), 1);
  }
}
