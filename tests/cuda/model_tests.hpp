// What holds of whole models on a GPU, be it a chip or the emulator. Before it, `gpu_runtime` is what the engine runs
// on, and gpu(seed, processors) makes one: as many processors as it has, where they are not given.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <dupq/cuda/encoders.hpp>
#include <string>
#include <vector>

#include "agreement.hpp"
#include "golden/models.hpp"

using bi = dupq::gpu::bi_encoder<gpu_runtime>;
using cross = dupq::gpu::cross_encoder<gpu_runtime>;
using cuda_test::check_near;

namespace {

template <class Encoder>
Encoder make(const dupq::model& m, const dupq::limits& l, gpu_runtime&& on) {
  auto made = Encoder::make(m, {.limits = l}, std::move(on));
  cuda_test::require(made);
  return std::move(*made);
}

inline std::vector<std::string> some_texts(std::size_t most) {
  std::vector<std::string> all = golden::texts();
  all.resize(std::min(all.size(), most));
  return all;
}
inline golden::pair_list some_pairs(std::size_t most) {
  golden::pair_list all = golden::pairs();
  all.a.resize(most), all.b.resize(most);
  return all;
}
inline std::vector<float> scores_on_cpu(const dupq::model& m, const golden::pair_list& of) {
  auto encoder = dupq::cross_encoder::make(m);
  cuda_test::require(encoder);
  return cuda_test::score(*encoder, of.a, of.b);
}

}  // namespace

TEST_CASE("bi-encoders on the GPU are near the CPU's, the same bits for any batch, order and repeat") {
  const auto texts = some_texts(20);
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    auto whole = make<bi>(m, {}, gpu(1));
    auto parts = make<bi>(m, {.packed_tokens = m.config().max_length + 10u, .texts = 5}, gpu(2, 0));  // large tiles
    cuda_test::check_vectors(whole, parts, texts, golden::vectors(m, texts));
  }
}

TEST_CASE("scores of pairs, also of those that lie in two batches") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  const auto pairs = some_pairs(11);
  auto on_cpu = dupq::bi_encoder::make(m);
  auto whole = make<bi>(m, {}, gpu(3)),
       parts = make<bi>(m, {.packed_tokens = m.config().max_length + 7u, .texts = 3}, gpu(4));
  cuda_test::check_scores(whole, parts, pairs.a, pairs.b, cuda_test::score(*on_cpu, pairs.a, pairs.b));
  const auto one = parts.score(pairs.a[4], pairs.b[4]);
  REQUIRE(one);
  CHECK(*one == cuda_test::score(parts, pairs.a, pairs.b)[4]);
}

TEST_CASE("cross-encoders on the GPU are near the CPU's, the same bits for any batch, order and repeat") {
  const auto pairs = some_pairs(15);
  for (const std::string name : {"cross", "cross_identity"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    auto whole = make<cross>(m, {}, gpu(5)), parts = make<cross>(m, {.texts = 4}, gpu(6, 0));
    cuda_test::check_scores(whole, parts, pairs.a, pairs.b, scores_on_cpu(m, pairs));
    std::vector<float> logits(pairs.a.size());
    REQUIRE(whole.logits(pairs.a, pairs.b, logits));
    check_near(golden::logits(m, pairs), logits, 1);
  }
}

TEST_CASE(
    "encoders of one or two texts a pass replay graphs, whose results are near the CPU's, the same for any texts") {
  const auto texts = some_texts(3);
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    auto two = make<bi>(m, {.texts = 2}, gpu(1));
    cuda_test::check_few(two, texts, golden::vectors(m, texts));
  }
  const golden::converted file("cross");
  const dupq::model m = file.open();
  const auto pairs = some_pairs(3);
  auto judge = make<cross>(m, {.texts = 2}, gpu(3));
  cuda_test::check_few(judge, pairs.a, pairs.b, scores_on_cpu(m, pairs));
}
