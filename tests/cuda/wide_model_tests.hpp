// What holds of models whose short texts go through bins where a GPU has warpgroups, be it a chip or the emulator;
// after model_tests.hpp.
#pragma once

#include "wide_model.hpp"

namespace {

/// Texts of one token to more than any model takes, short and long ones by turns.
inline std::vector<std::string> mixed_texts() {
  std::vector<std::string> all = some_texts(5);
  const std::vector<std::string> words{"how", "do", "I", "learn", "the", "best", "way", "in", "India"};
  for (std::size_t n = 3; n < 110; n += 18) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += words[i * i % words.size()] + " ";
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(n % all.size()), text);
  }
  return all;
}

}  // namespace

TEST_CASE("short and long texts of a wide model are near the CPU's, the same bits for any batch, order and repeat") {
  const golden::wide_model file(golden::wide_model::kind::bert);
  const dupq::model m = file.open();
  const auto texts = mixed_texts();
  auto whole = make<bi>(m, {}, gpu(1)), parts = make<bi>(m, {.packed_tokens = 130, .texts = 5}, gpu(2, 1));
  cuda_test::check_vectors(whole, parts, texts, golden::vectors(m, texts));
}

TEST_CASE("pairs of short and of long texts, judged by a wide model, are near the CPU's, and the same bits too") {
  const golden::wide_model file(golden::wide_model::kind::judge);
  const dupq::model m = file.open();
  const auto texts = mixed_texts();
  const golden::pair_list pairs{{texts.begin(), texts.begin() + 4}, {texts.rbegin(), texts.rbegin() + 4}};
  auto whole = make<cross>(m, {}, gpu(3)), parts = make<cross>(m, {.packed_tokens = 150, .texts = 3}, gpu(4, 1));
  cuda_test::check_scores(whole, parts, pairs.a, pairs.b, scores_on_cpu(m, pairs));
}

TEST_CASE("a wide model's passes of one or two texts are near the CPU's, and the same for any texts beside them") {
  const golden::wide_model file(golden::wide_model::kind::bert), judge_file(golden::wide_model::kind::judge);
  const dupq::model m = file.open(), c = judge_file.open();
  const std::vector<std::string> texts{"why", "what is the best way to learn C++ at home, in India?"};
  auto encoder = make<bi>(m, {.texts = 2}, gpu(5));
  cuda_test::check_few(encoder, texts, golden::vectors(m, texts));
  auto judge = make<cross>(c, {.texts = 2}, gpu(6));
  const std::vector<std::string> first{texts[0]}, second{texts[1]};
  cuda_test::check_few(judge, first, second, scores_on_cpu(c, {first, second}));
}

TEST_CASE("texts of a model 768 wide are near the CPU's, the same bits for any batch, order and repeat") {
  const golden::wide_model file(golden::wide_model::kind::mpnet);
  const dupq::model m = file.open();
  auto texts = mixed_texts();
  texts.erase(texts.begin(), texts.begin() + 5);
  auto whole = make<bi>(m, {}, gpu(1)), parts = make<bi>(m, {.packed_tokens = 140, .texts = 5}, gpu(2, 3));
  cuda_test::check_vectors(whole, parts, texts, golden::vectors(m, texts));
}
