// What holds of whole models on a GPU, be it a chip or the emulator. Before it, `gpu_runtime` is what the engine runs
// on, and gpu(seed, processors) makes one: as many processors as it has, where they are not given.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <dupq/device/cuda/encoders.hpp>
#include <string>
#include <vector>

#include "golden/models.hpp"

using bi = dupq::gpu::bi_encoder<gpu_runtime>;
using cross = dupq::gpu::cross_encoder<gpu_runtime>;

namespace {

/// Half precision in tiny random models, whose values are large: real ones come within 2e-3.
inline constexpr float tolerance = 4e-3f;

/// The largest difference, over 1 + |a|; NaN is far.
inline float apart(const std::vector<float>& a, const std::vector<float>& b) {
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float d = std::fabs(b[i] - a[i]) / (1 + std::fabs(a[i]));
    if (std::isnan(d)) return d;
    most = std::max(most, d);
  }
  return most;
}

inline std::vector<std::string> some_texts() {
  std::vector<std::string> all = golden::texts();
  all.resize(std::min<std::size_t>(all.size(), 24));
  return all;
}

}  // namespace

TEST_CASE("bi-encoders on the GPU are near the CPU's, the same bits for any batch and order") {
  const auto texts = some_texts();
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    const auto truth = golden::vectors(m, texts);
    const dupq::encoder_options small{.limits = {.packed_tokens = m.config().max_length + 10u, .texts = 5}};
    auto whole = bi::make(m, {}, gpu(1));
    auto parts = bi::make(m, small, gpu(2, 0));  // large tiles, small batches
    REQUIRE(whole);
    REQUIRE(parts);
    std::vector<float> a(truth.size()), b(truth.size());
    REQUIRE(!whole->encode(texts, a));
    REQUIRE(!parts->encode(texts, b));
    CHECK(apart(truth, a) < tolerance);
    CHECK(a == b);
    std::vector<float> reversed(truth.size());
    REQUIRE(!whole->encode(std::vector<std::string>(texts.rbegin(), texts.rend()), reversed));
    for (std::size_t t = 0; t < texts.size(); ++t)
      CHECK(std::equal(a.begin() + static_cast<std::ptrdiff_t>(t * m.dim()),
                       a.begin() + static_cast<std::ptrdiff_t>((t + 1) * m.dim()),
                       reversed.begin() + static_cast<std::ptrdiff_t>((texts.size() - 1 - t) * m.dim())));
  }
}

TEST_CASE("scores of pairs, also of those that lie in two batches") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  auto pairs = golden::pairs();
  pairs.a.resize(11), pairs.b.resize(11);
  auto on_cpu = dupq::bi_encoder::make(m);
  auto on_gpu = bi::make(m, {.limits = {.packed_tokens = m.config().max_length + 7u, .texts = 3}}, gpu(3));
  REQUIRE(on_gpu);
  std::vector<float> truth(11), found(11);
  REQUIRE(!on_cpu->score(pairs.a, pairs.b, truth));
  REQUIRE(!on_gpu->score(pairs.a, pairs.b, found));
  CHECK(apart(truth, found) < tolerance);
  const auto one = on_gpu->score(pairs.a[4], pairs.b[4]);
  REQUIRE(one);
  CHECK(*one == found[4]);
}

TEST_CASE("cross-encoders on the GPU are near the CPU's") {
  auto pairs = golden::pairs();
  pairs.a.resize(15), pairs.b.resize(15);
  for (const std::string name : {"cross", "cross_identity"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    const auto truth = golden::logits(m, pairs);
    auto encoder = cross::make(m, {.limits = {.texts = 4}}, gpu(5));
    REQUIRE(encoder);
    std::vector<float> found(15), scores(15), cpu_scores(15);
    REQUIRE(!encoder->logits(pairs.a, pairs.b, found));
    CHECK(apart(truth, found) < tolerance);
    REQUIRE(!encoder->score(pairs.a, pairs.b, scores));
    REQUIRE(!dupq::cross_encoder::make(m)->score(pairs.a, pairs.b, cpu_scores));
    CHECK(apart(cpu_scores, scores) < tolerance);
  }
}

TEST_CASE(
    "encoders of one or two texts a pass replay graphs, whose results are near the CPU's and the same for any texts") {
  auto texts = some_texts();
  texts.resize(5);
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    const auto truth = golden::vectors(m, texts);
    auto encoder = bi::make(m, {.limits = {.texts = 2}}, gpu(1));
    REQUIRE(encoder);
    std::vector<float> all(truth.size()), one(m.dim());
    REQUIRE(!encoder->encode(texts, all));
    CHECK(apart(truth, all) < tolerance);
    for (std::size_t t = texts.size(); t-- > 0;) {
      REQUIRE(!encoder->encode(std::vector{texts[t]}, one));
      CHECK(std::equal(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(t * m.dim())));
    }
  }
  const golden::converted file("cross");
  const dupq::model c = file.open();
  auto pairs = golden::pairs();
  pairs.a.resize(5), pairs.b.resize(5);
  auto judge = cross::make(c, {.limits = {.texts = 2}}, gpu(4));
  REQUIRE(judge);
  std::vector<float> scores(5), truth(5);
  REQUIRE(!judge->score(pairs.a, pairs.b, scores));
  REQUIRE(!dupq::cross_encoder::make(c)->score(pairs.a, pairs.b, truth));
  CHECK(apart(truth, scores) < tolerance);
  for (std::size_t i = 5; i-- > 0;) CHECK(*judge->score(pairs.a[i], pairs.b[i]) == scores[i]);
}
