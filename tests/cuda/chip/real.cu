// A real model on a real GPU against the CPU: DUPQ_GPU_MODEL is its file; DUPQ_GPU_TEXTS has a text a line.
#include "chip.hpp"
//
#include <algorithm>
#include <cstdlib>
#include <dupq/core/thread_pool.hpp>
#include <string>
#include <vector>

#include "../agreement.hpp"
#include "support/fixtures.hpp"

namespace {

constexpr std::size_t most_texts = 2000;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  REQUIRE_MESSAGE(value != nullptr, name);
  return value;
}

/// Questions, and some of all lengths up to beyond what models read.
std::vector<std::string> some_texts() {
  auto texts = fixtures::read_texts(variable("DUPQ_GPU_TEXTS"), '\n');
  texts.resize(std::min(texts.size(), most_texts));
  std::string longer;
  for (std::size_t i = 0; longer.size() < 4000; i = (i + 1) % texts.size()) {
    longer += texts[i] + " ";
    if (i % 3 == 0) texts.push_back(longer);
    if (texts.size() > 2 * most_texts) break;
  }
  return texts;
}

template <class Encoder>
Encoder make(const dupq::model& m, const dupq::limits& l, const dupq::executor& threads) {
  auto made = Encoder::make(m, {.limits = l, .executor = threads});
  cuda_test::require(made);
  return std::move(*made);
}

dupq::limits small(const dupq::model& m) { return {.packed_tokens = m.config().max_length, .texts = 7}; }

void check_vectors(const dupq::model& m, const dupq::executor& threads) {
  using on_gpu = dupq::cuda::bi_encoder;
  const auto texts = some_texts();
  auto cpu = make<dupq::bi_encoder>(m, {}, threads);
  auto whole = make<on_gpu>(m, {}, threads), parts = make<on_gpu>(m, small(m), {}),
       two = make<on_gpu>(m, {.texts = 2}, {});
  const auto truth = cuda_test::encode(cpu, texts, m.dim());
  for (const auto& c : {cuda_test::check_vectors(whole, parts, texts, truth), cuda_test::check_few(two, texts, truth)})
    MESSAGE(texts.size(), " texts: a component differs by ", c.component, " at most, the least cosine is ", c.cosine);
}

void check_scores(const dupq::model& m, const dupq::executor& threads) {
  using on_gpu = dupq::cuda::cross_encoder;
  const auto a = some_texts(), b = cuda_test::reordered(a, cuda_test::random_order(a.size()));
  auto cpu = make<dupq::cross_encoder>(m, {}, threads);
  auto whole = make<on_gpu>(m, {}, threads), parts = make<on_gpu>(m, small(m), {}),
       two = make<on_gpu>(m, {.texts = 2}, {});
  const auto truth = cuda_test::score(cpu, a, b);
  // A judge that was trained on such pairs is steep between its answers: in the emulator 4e-3 apart in 400 pairs, and
  // 1e-4 in most. What that does to F1 is checked by gpu.sh.
  constexpr double most = 1e-2;
  for (const auto& c :
       {cuda_test::check_scores(whole, parts, a, b, truth, most), cuda_test::check_few(two, a, b, truth, most)})
    MESSAGE(truth.size(), " pairs: a score differs by ", c.component, " at most");
}

}  // namespace

TEST_CASE("a real model on the GPU is near the CPU's, the same bits for any batch, order and repeat") {
  dupq::thread_pool pool;
  const auto m = dupq::model::open(variable("DUPQ_GPU_MODEL").c_str());
  cuda_test::require(m);
  REQUIRE_MESSAGE(m->config().weights == dupq::weight_type::f32, "of integers, which the CPU alone computes with");
  if (m->config().kind == dupq::model_kind::cross_encoder)
    check_scores(*m, pool.executor());
  else
    check_vectors(*m, pool.executor());
}
