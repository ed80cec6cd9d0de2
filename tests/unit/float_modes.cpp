// Whatever a host process has done to the rounding mode and to denormals: the same bits, and its modes as they were.
#include <doctest/doctest.h>

#include <bit>
#include <cfenv>
#include <cstddef>
#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <dupq/device/cpu/exact.hpp>
#include <dupq/dupq.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "loaded_model.hpp"

using dupq_test::loaded_model;
using dupq_test::tiny_model;

namespace {

#if defined(__SSE_MATH__)
constexpr unsigned flushing = 0x8040;                              // of results to 0, and of operands
unsigned control() { return __builtin_ia32_stmxcsr() & 0xFFC0u; }  // without the flags of what has happened
void set_control(unsigned value) { __builtin_ia32_ldmxcsr(value); }
#elif defined(__aarch64__)
constexpr std::uint64_t flushing = std::uint64_t{1} << 24;
std::uint64_t control() {
  std::uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_control(std::uint64_t value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr int flushing = 0;
int control() { return 0; }
void set_control(int) {}
#endif

/// All that the library computes, as bits.
class bits {
 public:
  template <class T>
  void add(T value) {
    static_assert(std::is_arithmetic_v<T>);
    if constexpr (std::is_same_v<T, float>)
      all_.push_back(std::bit_cast<std::uint32_t>(value));
    else if constexpr (std::is_same_v<T, double>)
      all_.push_back(std::bit_cast<std::uint64_t>(value));
    else
      all_.push_back(static_cast<std::uint64_t>(value));
  }
  template <class Range>
  void add_all(const Range& values) {
    for (const auto value : values) add(value);
  }
  void add(const dupq::confusion& c) {
    for (const double ratio : {c.precision(), c.recall(), c.f1(), c.accuracy()}) add(ratio);
    for (const auto count : {c.tp, c.fp, c.fn, c.tn}) add(count);
  }
  void add(const std::optional<dupq::threshold_choice>& best) {
    REQUIRE(best);
    for (const double x : {best->threshold, best->f1, best->precision, best->recall, best->accuracy}) add(x);
    add(best->counts);
  }
  friend bool operator==(const bits&, const bits&) = default;

 private:
  std::vector<std::uint64_t> all_;
};

const std::vector<std::string> texts{"what is C++?", "", "hello hello hello what is a c hello", "is a", "hello"};
const std::vector<std::string> others{"is", "hello", "a", "what is", "hello hello"};

void add_models(bits& to, const dupq::executor& executor) {
  for (const std::string name : {"bert-packed-f32", "bert-packed-int8", "mpnet-plain-f16"}) {
    const loaded_model m(tiny_model(name));
    std::vector<float> vectors(texts.size() * m->dim()), scores(texts.size());
    auto encoder = dupq::bi_encoder::make(*m, {.executor = executor});
    REQUIRE(encoder);
    REQUIRE(encoder->encode(texts, vectors));
    REQUIRE(encoder->score(texts, others, scores));
    to.add_all(vectors), to.add_all(scores);
    to.add(encoder->score(texts[0], others[3]).value_or(9));
  }
  for (const std::string name : {"cross-packed-f32", "cross-packed-int8"}) {
    const loaded_model m(tiny_model(name));
    std::vector<float> scores(texts.size()), logits(texts.size());
    auto judge = dupq::cross_encoder::make(*m, {.executor = executor});
    REQUIRE(judge);
    REQUIRE(judge->score(texts, others, scores));
    REQUIRE(judge->logits(texts, others, logits));
    to.add_all(scores), to.add_all(logits);
    to.add(judge->score(texts[0], others[3]).value_or(9));
  }
}

void add_searches(bits& to, const std::vector<float>& vectors, std::size_t dim, const dupq::executor& executor) {
  for (std::size_t i = 0; i + 2 * dim <= vectors.size(); i += dim)
    to.add(dupq::cosine({vectors.data() + i, dim}, {vectors.data() + i + dim, dim}));
  const dupq::search_options options{.threshold = 1e-40f,
                                     .executor = executor};  // a denormal: 0 where they are flushed
  const auto all_pairs = dupq::find_duplicates(vectors, dim, options, [&](const dupq::match& m) {
    to.add(m.first), to.add(m.second), to.add(m.score);
    return true;
  });
  REQUIRE(all_pairs);
  const auto one_against_all =
      dupq::find_similar(std::span(vectors).first(dim), vectors, options, [&](std::size_t row, float score) {
        to.add(row), to.add(score);
        return true;
      });
  REQUIRE(one_against_all);
}

void add_metrics(bits& to, const std::vector<float>& scores, const std::vector<int>& labels) {
  to.add(dupq::best_f1(scores, labels));
  to.add(dupq::best_f1_on_grid(scores, labels, dupq::cosine_grid));
  to.add(dupq::average_precision(scores, labels));
  for (const double threshold : {0.0, 1e-41, 0.3}) to.add(dupq::confusion_at(scores, labels, threshold));
  const auto two = dupq::train_test_split(labels, {.test_size = 0.3}, 7);
  const auto three = dupq::three_way_split(labels, {.train = 0.5, .validation = 0.3, .test = 0.2}, 7);
  REQUIRE(two);
  REQUIRE(three);
  to.add_all(two->train()), to.add_all(two->test());
  to.add_all(three->train()), to.add_all(three->validation()), to.add_all(three->test());
}

/// What is searched and measured, made before any mode is set.
struct inputs {
  static constexpr std::size_t dim = 7;
  std::vector<float> vectors, scores;
  std::vector<int> labels;

  inputs() {
    for (int i = 0; i < 100 * static_cast<int>(dim); ++i) {
      vectors.push_back(static_cast<float>((i * 7919) % 1001 - 500) / 64);
      if (i % 70 < 7) vectors.back() *= 0x1p-70f;  // whose products are denormal
    }
    for (int i = 0; i < 90; ++i) {
      scores.push_back(static_cast<float>((i * 37) % 64 - 20) / 61);
      if (i % 9 == 0) scores.back() *= 0x1p-130f;
      labels.push_back((i * i) % 3 == 1);
    }
  }
};

bits everything(const inputs& in, const dupq::executor& executor) {
  bits all;
  add_models(all, executor);
  add_searches(all, in.vectors, in.dim, executor);
  add_metrics(all, in.scores, in.labels);
  for (const dupq::kernels* table : dupq::available_kernels()) all.add(dupq::arithmetic_hash(*table));
  return all;
}

}  // namespace

TEST_CASE("rounding modes and the flushing of denormals change nothing, and stay as they were") {
  const auto usual = control();
  const inputs in;
  const bits expected = everything(in, {});
  dupq::thread_pool early(2);
  volatile float one = 1, three = 3, tiny = 1e-40f;
  for (const int rounding : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO})
    for (const bool flush : {false, true}) {
      REQUIRE(std::fesetround(rounding) == 0);
      if (flush) set_control(control() | flushing);
      const auto set = control();
      const float third = one / three, half_tiny = tiny / 2;  // the modes are in force
      dupq::thread_pool late(2);                              // its thread starts with the modes of this one
      const bits here = everything(in, {}), shared = everything(in, early.executor()),
                 inherited = everything(in, late.executor());
      const auto left = control();
      const int rounding_left = std::fegetround();
      set_control(usual);
      REQUIRE(std::fesetround(FE_TONEAREST) == 0);
      CAPTURE(rounding);
      CAPTURE(flush);
      CHECK(left == set);
      CHECK(rounding_left == rounding);
      CHECK((third > 0.33333332f) == (rounding == FE_TONEAREST || rounding == FE_UPWARD));
      CHECK((half_tiny == 0) == (flush && flushing != 0));
      CHECK((here == expected));
      CHECK((shared == expected));
      CHECK((inherited == expected));
    }
}
