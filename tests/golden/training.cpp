// A trainer on the tiny models: the same bits from any table and number of threads, after a stop as well; what it
// refuses; and that it learns.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/core/thread_pool.hpp>
#include <dupq/training.hpp>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models.hpp"
#include "training_bits.hpp"

namespace {

/// Pairs of the folder's texts, long ones among them, with labels.
struct examples {
  std::vector<std::string> a, b, c;
  std::vector<float> labels;

  explicit examples(std::size_t n) {
    const std::vector<std::string> all = golden::texts();
    for (std::size_t i = 0; i < n; ++i) {
      a.push_back(all[i * 7 % all.size()]);
      b.push_back(all[i % 3 == 0 ? i * 7 % all.size() : i * 5 % all.size()]);
      c.push_back(all[i * 3 % all.size()]);
      labels.push_back(i % 3 == 0 ? 1.0f : 0.0f);
    }
  }
};

dupq::trainer_options options(std::size_t pairs, float dropout) {
  dupq::trainer_options o;
  o.optimizer.learning_rate = 1e-3;
  o.warmup = 2, o.steps = 12, o.dropout = dropout, o.texts = 3 * pairs;
  return o;
}

/// One step on some pairs, with another loss for each model.
dupq::result<dupq::step_report> step(dupq::trainer& t, const dupq::model& m, const examples& all, std::size_t first,
                                     std::size_t n) {
  const auto part = [&](const auto& list) { return std::span(list).subspan(first, n); };
  const std::span<const float> labels = part(all.labels);
  const auto a = part(all.a), b = part(all.b), c = part(all.c);
  if (m.config().kind == dupq::model_kind::cross_encoder) return t.step(a, b, labels, dupq::cross_loss{});
  if (m.config().architecture == dupq::architecture::mpnet) return t.step(a, b, c, {}, dupq::mnr_loss{});
  return t.step(a, b, c.first(0), labels, dupq::online_contrastive_loss{});
}

struct state {
  std::vector<float> numbers;
  std::vector<double> losses;
  friend bool operator==(const state& x, const state& y) {
    return x.numbers.size() == y.numbers.size() && x.losses == y.losses &&
           std::memcmp(x.numbers.data(), y.numbers.data(), x.numbers.size() * sizeof(float)) == 0;
  }
};

/// Values and moments.
std::vector<float> numbers_of(dupq::trainer& t) {
  std::vector<float> all;
  for (std::size_t i = 0; i < t.tensor_count(); ++i) {
    const dupq::tensor_view v = t.tensor(i);
    for (const auto& list : {v.values, v.first_moments, v.second_moments})
      all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}
void fill(dupq::trainer& t, const std::vector<float>& numbers) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < t.tensor_count(); ++i) {
    const dupq::tensor_view v = t.tensor(i);
    for (const auto& list : {v.values, v.first_moments, v.second_moments})
      std::copy_n(numbers.data() + at, list.size(), list.data()), at += list.size();
  }
  REQUIRE(at == numbers.size());
}

constexpr std::size_t pairs = 6, steps = 3;

/// `stop`: after so many steps another trainer goes on.
state train(const dupq::model& m, const dupq::trainer_options& o, std::size_t stop = steps) {
  const examples all(pairs * steps);
  state s;
  auto made = dupq::trainer::make(m, o);
  REQUIRE(made);
  auto t = std::make_unique<dupq::trainer>(std::move(*made));
  for (std::size_t n = 0; n < steps; ++n) {
    if (n == stop) {
      auto other = dupq::trainer::make(m, o);
      REQUIRE(other);
      fill(*other, numbers_of(*t));
      REQUIRE(other->resume(t->steps_done()));
      t = std::make_unique<dupq::trainer>(std::move(*other));
    }
    const auto report = step(*t, m, all, n * pairs, n + 1 == steps ? pairs - 2 : pairs);
    REQUIRE(report);
    CHECK(std::isfinite(report->gradient_norm));
    s.losses.push_back(report->loss);
  }
  CHECK(t->steps_done() == steps);
  s.numbers = numbers_of(*t);
  return s;
}

}  // namespace

TEST_CASE("the bits that every CPU has") {
  for (const golden::known_training& known : golden::known_trainings) {
    CAPTURE(known.model);
    const golden::converted file(known.model);
    const dupq::model m = file.open();
    for (const dupq::kernels* table : dupq::available_kernels()) {
      CAPTURE(table->name);
      const auto bits = golden::trained_bits(m, *table, golden::texts());
      REQUIRE(bits);
      CHECK(*bits == known.hash);
    }
  }
}

TEST_CASE("the same bits from any table, any number of threads, and after a stop") {
  for (const char* name : {"bert", "bert_pooled", "mpnet", "cross"}) {
    CAPTURE(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    for (const float dropout : {0.0f, 0.1f}) {
      if (dropout == 0.0f && std::string(name) != "cross") continue;
      CAPTURE(dropout);
      dupq::trainer_options o = options(pairs, dropout);
      o.kernels = dupq::find_kernels("scalar");
      const state expected = train(m, o);
      CHECK(train(m, o, 1) == expected);
      for (const dupq::kernels* table : dupq::available_kernels()) {
        CAPTURE(table->name);
        o.kernels = table;
        CHECK(train(m, o) == expected);
      }
      o.kernels = nullptr;
      for (const std::size_t threads : {std::size_t{2}, std::size_t{5}}) {
        CAPTURE(threads);
        dupq::thread_pool pool(threads);
        o.executor = pool.executor();
        CHECK(train(m, o) == expected);
      }
      dupq::trainer_options other = options(pairs, dropout);
      other.seed = 43;
      CHECK((train(m, other) == expected) == (dropout == 0.0f));
    }
  }
}

TEST_CASE("values are those of the model until the learning rate is more than 0, whatever type the file has") {
  using dupq_tool::tensor_layout, dupq_tool::weight_type;
  for (const dupq_tool::convert_options& how : {dupq_tool::convert_options{weight_type::f32, tensor_layout::packed},
                                                {weight_type::f32, tensor_layout::plain},
                                                {weight_type::f16, tensor_layout::plain}}) {
    const golden::converted file("mpnet", how), plain("mpnet", {how.type, tensor_layout::plain});
    const dupq::model m = file.open(), expected = plain.open();
    auto t = dupq::trainer::make(m, options(pairs, 0.1f));
    REQUIRE(t);
    const examples all(pairs);
    REQUIRE(step(*t, m, all, 0, pairs));  // the first of a warm-up
    for (std::size_t i = 0; i < t->tensor_count(); ++i) {
      const dupq::tensor_view v = t->tensor(i);
      const std::string name{std::string_view(v.name)};
      CAPTURE(name);
      const auto stored = expected.file().tensor(std::string_view(v.name));
      REQUIRE(stored);
      std::vector<float> wide(v.values.size());
      const auto format = stored->type == dupq::gguf::tensor_type::f16 ? dupq::row_format::f16 : dupq::row_format::f32;
      dupq::widen(stored->bytes.data(), format, wide.size(), wide.data());
      CHECK(std::memcmp(wide.data(), v.values.data(), v.values.size_bytes()) == 0);
    }
  }
}

TEST_CASE("it learns what it is shown") {
  for (const char* name : {"bert", "cross"}) {
    const golden::converted file(name);
    const dupq::model m = file.open();
    dupq::trainer_options o = options(pairs, 0.0f);
    o.steps = 200;
    auto t = dupq::trainer::make(m, o);
    REQUIRE(t);
    const examples all(pairs);
    const auto loss = [&] {
      const auto report = m.config().kind == dupq::model_kind::cross_encoder
                              ? t->step(all.a, all.b, all.labels, dupq::cross_loss{})
                              : t->step(all.a, all.b, std::span(all.c).first(0), all.labels, dupq::cosine_loss{});
      REQUIRE(report);
      return report->loss;
    };
    const double before = loss();
    double after = before;
    for (int i = 0; i < 60; ++i) after = loss();
    INFO(name << ": " << before << " to " << after);
    CHECK(after < before / 2);
  }
}

TEST_CASE("what cannot be done is refused, and nothing has changed") {
  const golden::converted file("bert"), judge("cross"), integers("bert", {dupq_tool::weight_type::int8});
  const dupq::model m = file.open(), cross = judge.open(), rounded = integers.open();
  const auto made_with = [&](auto&& change) {
    dupq::trainer_options o = options(pairs, 0.1f);
    change(o);
    const auto t = dupq::trainer::make(m, o);
    return t ? dupq::errc{} : t.error().code;
  };
  CHECK(made_with([](auto& o) { o.steps = 0; }) == dupq::errc::bad_limit);
  CHECK(made_with([](auto& o) { o.texts = 0; }) == dupq::errc::bad_limit);
  CHECK(made_with([](auto& o) { o.tokens = std::size_t{1} << 40; }) == dupq::errc::bad_limit);
  CHECK(made_with([](auto& o) { o.dropout = 1.0f; }) == dupq::errc::bad_fraction);
  CHECK(made_with([](auto& o) { o.dropout = std::numeric_limits<float>::quiet_NaN(); }) == dupq::errc::bad_fraction);
  const auto whole = dupq::trainer::make(rounded, options(pairs, 0));
  REQUIRE(!whole);
  CHECK(whole.error().code == dupq::errc::unsupported);

  const examples all(pairs);
  auto t = dupq::trainer::make(m, options(pairs, 0));
  REQUIRE(t);
  const std::vector<float> before = numbers_of(*t);
  const std::span<const std::string> none, few = std::span(all.a).first(2);
  const auto refused = [](const dupq::result<dupq::step_report>& r) { return r ? dupq::errc{} : r.error().code; };
  const dupq::cosine_loss loss;
  CHECK(refused(t->step(none, none, none, {}, loss)) == dupq::errc::too_small);
  CHECK(refused(t->step(all.a, few, none, all.labels, loss)) == dupq::errc::wrong_size);
  CHECK(refused(t->step(all.a, all.b, few, all.labels, loss)) == dupq::errc::wrong_size);
  CHECK(refused(t->step(all.a, all.b, none, std::span(all.labels).first(2), loss)) == dupq::errc::wrong_size);
  CHECK(refused(t->step(all.a, all.b, all.labels, dupq::cross_loss{})) == dupq::errc::wrong_kind);
  const examples many(4 * pairs);
  CHECK(refused(t->step(many.a, many.b, none, many.labels, loss)) == dupq::errc::too_small);
  std::vector<float> labels = all.labels;
  labels[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(refused(t->step(all.a, all.b, none, labels, loss)) == dupq::errc::not_finite);
  CHECK(numbers_of(*t) == before);
  CHECK(t->steps_done() == 0);

  dupq::trainer moved = std::move(*t);
  CHECK(refused(t->step(all.a, all.b, none, all.labels, loss)) == dupq::errc::moved_from);
  CHECK(!t->resume(0));
  CHECK(t->tensor_count() == 0);
  CHECK(moved.step(all.a, all.b, none, all.labels, loss));

  dupq::trainer_options small = options(pairs, 0);
  small.tokens = 20;
  auto tight = dupq::trainer::make(cross, small);
  REQUIRE(tight);
  CHECK(refused(tight->step(all.a, all.b, all.labels, dupq::cross_loss{})) == dupq::errc::too_small);
}
