// What holds of models whose short texts go through bins where a GPU has warpgroups, be it a chip or the emulator;
// after model_tests.hpp.
#pragma once

#include "wide_model.hpp"

namespace {

/// Texts of one token to more than any model takes, short and long ones by turns.
inline std::vector<std::string> mixed_texts() {
  std::vector<std::string> all = some_texts();
  all.resize(6);
  const std::vector<std::string> words{"how", "do", "I", "learn", "the", "best", "way", "in", "India"};
  for (std::size_t n = 3; n < 110; n += 18) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += words[i * i % words.size()] + " ";
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(n % all.size()), text);
  }
  return all;
}

inline constexpr float wide_tolerance = 2e-3f;

}  // namespace

TEST_CASE("short and long texts of a wide model are near the CPU's, the same bits for any batch and order") {
  const golden::wide_model file(golden::wide_model::kind::bert);
  const dupq::model m = file.open();
  const auto texts = mixed_texts();
  const auto truth = golden::vectors(m, texts);
  const dupq::encoder_options small{.limits = {.packed_tokens = 130, .texts = 5}};
  auto whole = bi::make(m, {}, gpu(1));
  auto parts = bi::make(m, small, gpu(2, 1));
  REQUIRE(whole);
  REQUIRE(parts);
  std::vector<float> a(truth.size()), b(truth.size()), reversed(truth.size());
  REQUIRE(!whole->encode(texts, a));
  REQUIRE(!parts->encode(texts, b));
  CHECK(apart(truth, a) < wide_tolerance);
  CHECK(a == b);
  REQUIRE(!whole->encode(std::vector<std::string>(texts.rbegin(), texts.rend()), reversed));
  for (std::size_t t = 0; t < texts.size(); ++t)
    CHECK(std::equal(a.begin() + static_cast<std::ptrdiff_t>(t * m.dim()),
                     a.begin() + static_cast<std::ptrdiff_t>((t + 1) * m.dim()),
                     reversed.begin() + static_cast<std::ptrdiff_t>((texts.size() - 1 - t) * m.dim())));
}

TEST_CASE("pairs of short and of long texts, judged by a wide model, are near the CPU's") {
  const golden::wide_model file(golden::wide_model::kind::judge);
  const dupq::model m = file.open();
  const auto texts = mixed_texts();
  const std::vector<std::string> first(texts.begin(), texts.begin() + 8), second(texts.rbegin(), texts.rbegin() + 8);
  auto judge = cross::make(m, {.limits = {.packed_tokens = 150, .texts = 4}}, gpu(3));
  REQUIRE(judge);
  std::vector<float> found(8), truth(8), one(1);
  REQUIRE(!judge->logits(first, second, found));
  REQUIRE(!dupq::cross_encoder::make(m)->logits(first, second, truth));
  CHECK(apart(truth, found) < wide_tolerance);
  for (std::size_t i = 0; i < 8; i += 5) {
    REQUIRE(!judge->logits(std::vector{first[i]}, std::vector{second[i]}, one));
    CHECK(one[0] == found[i]);
  }
}

TEST_CASE("a wide model's passes of one or two texts are near the CPU's, and the same for any texts beside them") {
  const golden::wide_model file(golden::wide_model::kind::bert), judge_file(golden::wide_model::kind::judge);
  const dupq::model m = file.open(), c = judge_file.open();
  const std::vector<std::string> texts{"how do I learn C++?", "why",
                                       "what is the best way to learn C++ at home, in India?"};
  const auto truth = golden::vectors(m, texts);
  auto encoder = bi::make(m, {.limits = {.texts = 2}}, gpu(5));
  REQUIRE(encoder);
  std::vector<float> all(truth.size()), one(m.dim());
  REQUIRE(!encoder->encode(texts, all));
  CHECK(apart(truth, all) < wide_tolerance);
  for (std::size_t t = texts.size(); t-- > 0;) {
    REQUIRE(!encoder->encode(std::vector{texts[t]}, one));
    CHECK(std::equal(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(t * m.dim())));
  }
  auto judge = cross::make(c, {.limits = {.texts = 2}}, gpu(6));
  REQUIRE(judge);
  const auto found = judge->score(texts[0], texts[2]),
             expected = dupq::cross_encoder::make(c)->score(texts[0], texts[2]);
  REQUIRE(found);
  CHECK(std::fabs(*found - *expected) < wide_tolerance);
}

TEST_CASE("texts of a model 768 wide are near the CPU's, the same bits for any batch and order") {
  const golden::wide_model file(golden::wide_model::kind::mpnet);
  const dupq::model m = file.open();
  auto texts = mixed_texts();
  texts.erase(texts.begin(), texts.begin() + 4);
  const auto truth = golden::vectors(m, texts);
  auto whole = bi::make(m, {}, gpu(1));
  auto parts = bi::make(m, {.limits = {.packed_tokens = 140, .texts = 5}}, gpu(2, 3));
  REQUIRE(whole);
  REQUIRE(parts);
  std::vector<float> a(truth.size()), b(truth.size());
  REQUIRE(!whole->encode(texts, a));
  REQUIRE(!parts->encode(std::vector<std::string>(texts.rbegin(), texts.rend()), b));
  CHECK(apart(truth, a) < wide_tolerance);
  for (std::size_t t = 0; t < texts.size(); ++t)
    CHECK(std::equal(a.begin() + static_cast<std::ptrdiff_t>(t * m.dim()),
                     a.begin() + static_cast<std::ptrdiff_t>((t + 1) * m.dim()),
                     b.begin() + static_cast<std::ptrdiff_t>((texts.size() - 1 - t) * m.dim())));
}
