// Real models on a real GPU against the CPU: DUPQ_GPU_MODELS are files, separated by colons; DUPQ_GPU_TEXTS has a text
// a line.
#include "chip.hpp"
//
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <dupq/core/thread_pool.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

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

template <class T>
std::vector<T> shuffled(const std::vector<T>& list, const std::vector<std::size_t>& order, std::size_t each = 1) {
  std::vector<T> moved(list.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    std::copy_n(list.begin() + static_cast<std::ptrdiff_t>(order[i] * each), each,
                moved.begin() + static_cast<std::ptrdiff_t>(i * each));
  return moved;
}

std::vector<std::size_t> random_order(std::size_t n) {
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  return order;
}

template <class Encoder>
auto make(const dupq::model& m, const dupq::encoder_options& options) {
  auto encoder = Encoder::make(m, options);
  if (!encoder) dupq::print_error(encoder.error());
  REQUIRE(encoder);
  return encoder;
}

void check_vectors(const dupq::model& m, const dupq::executor& threads) {
  const auto texts = some_texts();
  const auto encode = [&](auto& encoder, const std::vector<std::string>& list) {
    std::vector<float> out(list.size() * m.dim());
    const auto failed = encoder->encode(list, out);
    if (failed) dupq::print_error(*failed);
    REQUIRE(!failed);
    return out;
  };
  auto cpu = make<dupq::bi_encoder>(m, {.executor = threads});
  auto gpu = make<dupq::basic_bi_encoder<dupq::cuda>>(m, {.executor = threads});
  auto small =
      make<dupq::basic_bi_encoder<dupq::cuda>>(m, {.limits = {.packed_tokens = m.config().max_length, .texts = 7}});
  auto one = make<dupq::basic_bi_encoder<dupq::cuda>>(m, {.limits = {.texts = 2}});
  const auto truth = encode(cpu, texts), found = encode(gpu, texts), by_few = encode(one, texts);
  const auto near = [&](const std::vector<float>& v) {
    double most = 0, least = 1;
    for (std::size_t t = 0; t < texts.size(); ++t) {
      double product = 0, squares = 0, others = 0;
      for (std::size_t i = t * m.dim(); i < (t + 1) * m.dim(); ++i) {
        const double a = truth[i], b = v[i];
        most = std::fabs(a - b) <= most ? most : std::fabs(a - b);
        product += a * b, squares += a * a, others += b * b;
      }
      const double cosine = product / std::sqrt(squares * others);
      least = cosine >= least ? least : cosine;  // NaN counts
    }
    MESSAGE(texts.size(), " texts: a component differs by ", most, " at most, the least cosine is ", least);
    CHECK(most < 2e-3);
    CHECK(least >= 0.9999);
  };
  near(found);
  near(by_few);
  const auto order = random_order(texts.size());
  const bool repeats = encode(gpu, texts) == found,
             any_order = encode(gpu, shuffled(texts, order)) == shuffled(found, order, m.dim()),
             any_batch = encode(small, texts) == found,
             few_any_order = encode(one, shuffled(texts, order)) == shuffled(by_few, order, m.dim());
  CHECK(repeats);
  CHECK(any_order);
  CHECK(any_batch);
  CHECK(few_any_order);
}

void check_scores(const dupq::model& m, const dupq::executor& threads) {
  const auto a = some_texts();
  const auto order = random_order(a.size());
  const auto b = shuffled(a, order);
  const auto score = [&](auto& encoder, const std::vector<std::string>& first, const std::vector<std::string>& second) {
    std::vector<float> out(first.size());
    const auto failed = encoder->score(first, second, out);
    if (failed) dupq::print_error(*failed);
    REQUIRE(!failed);
    return out;
  };
  auto cpu = make<dupq::cross_encoder>(m, {.executor = threads});
  auto gpu = make<dupq::basic_cross_encoder<dupq::cuda>>(m, {.executor = threads});
  auto one = make<dupq::basic_cross_encoder<dupq::cuda>>(m, {.limits = {.texts = 2}});
  const auto truth = score(cpu, a, b), found = score(gpu, a, b), by_few = score(one, a, b);
  for (const auto* v : {&found, &by_few}) {
    double most = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const double d = std::fabs(double{truth[i]} - double{(*v)[i]}) / (1 + std::fabs(double{truth[i]}));
      most = d <= most ? most : d;
    }
    MESSAGE(truth.size(), " pairs: a score differs by ", most, " at most");
    CHECK(most < 2e-3);
  }
  const bool repeats = score(gpu, a, b) == found,
             any_order = score(gpu, shuffled(a, order), shuffled(b, order)) == shuffled(found, order);
  CHECK(repeats);
  CHECK(any_order);
}

}  // namespace

TEST_CASE("real models on the GPU are near the CPU's, the same bits for any batch, order and repeat") {
  dupq::thread_pool pool;
  std::istringstream list(variable("DUPQ_GPU_MODELS"));
  for (std::string path; std::getline(list, path, ':');) {
    MESSAGE(path);
    const auto m = dupq::model::open(path.c_str());
    if (!m) dupq::print_error(m.error());
    REQUIRE(m);
    REQUIRE_MESSAGE(m->config().weights == dupq::weight_type::f32, "of integers, which the CPU alone computes with");
    if (m->config().kind == dupq::model_kind::cross_encoder)
      check_scores(*m, pool.executor());
    else
      check_vectors(*m, pool.executor());
  }
}
