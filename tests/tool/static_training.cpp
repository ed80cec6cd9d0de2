// Training of a static model's table: gradients against finite differences of the same model and loss in double, the
// same bits from any table, any number of threads and after a stop, and what is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/core/thread_pool.hpp>
#include <dupq/training.hpp>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "convert_static.hpp"
#include "golden/hashes.hpp"
#include "tool/converted.hpp"
#include "tool/static_folder.hpp"

using namespace dupq_tool;

namespace {

const std::vector<std::string> first_texts = {"How do I learn C++?", "what is love", "a", "", "Is it how it is?"};
const std::vector<std::string> second_texts = {"what is the best way to learn it", "Is love blind?",
                                               "how are you doing today?", "what", "\xE1\x88\xB4"};
const std::vector<std::string> third_texts = {"what", "how", "is", "love", "a"};
const std::vector<float> labels = {1, 0, 1, 0, 1};

/// A folder whose tokens share rows and count for something.
struct shared_rows : static_folder {
  explicit shared_rows(const char* config) : static_folder(false, 32, config) {
    std::vector<std::int64_t> row_of(tokens);
    std::vector<float> weights(tokens);
    for (std::size_t t = 0; t < tokens; ++t) {
      row_of[t] = static_cast<std::int64_t>(t * 7 % 100);
      weights[t] = 0.25f + static_cast<float>(t % 11) / 8.0f;
    }
    rows.resize(100 * dim);
    write({{"embeddings", "F32", {100, dim}, bytes_of_all(rows)},
           {"mapping", "I64", {tokens}, bytes_of_all(row_of)},
           {"weights", "F32", {tokens}, bytes_of_all(weights)}});
  }
};

dupq::model open(const static_folder& f, const convert_options& options = {}) {
  (void)f.folder.convert(options);
  auto m = dupq::model::open(f.folder.output().string());
  if (!m) FAIL(m.error().code);
  return std::move(*m);
}

dupq::trainer_options options_with(std::size_t texts = 15) {
  dupq::trainer_options o;
  o.optimizer.learning_rate = 1e-2;
  o.warmup = 1, o.steps = 20, o.texts = texts, o.tokens = 400;
  return o;
}

/// The loss of a table in double: mean of (cosine - label)^2.
class double_table {
 public:
  double_table(const dupq::model& m, dupq::static_trainer& from) : model_(m), dim_(m.config().hidden) {
    const auto t = from.tensor(0);
    values.assign(t.values.begin(), t.values.end());
    table_ = *dupq::static_table::read(m.file(), m.config(), true, true);
  }
  std::vector<double> values;

  double loss() const {
    double sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto a = vector_of(first_texts[i]), b = vector_of(second_texts[i]);
      double dot = 0, aa = 0, bb = 0;
      for (std::size_t k = 0; k < dim_; ++k) dot += a[k] * b[k], aa += a[k] * a[k], bb += b[k] * b[k];
      const double lengths = std::sqrt(aa) * std::sqrt(bb);
      sum += std::pow((lengths > 0 ? dot / lengths : 0.0) - static_cast<double>(labels[i]), 2);
    }
    return sum / static_cast<double>(labels.size());
  }

 private:
  std::vector<double> vector_of(const std::string& text) const {
    std::vector<std::int32_t> room(model_.config().max_length);
    const auto read = dupq::static_tokens::read(model_, table_, {}, text, room, dupq::special_tokens::parse);
    std::vector<double> mean(dim_);
    for (const std::int32_t id : read.ids) {
      const bool weighted = table_.tokens.weight_of != nullptr;
      const double weight = weighted ? static_cast<double>(table_.tokens.weight(id)) : 1.0;
      for (std::size_t k = 0; k < dim_; ++k)
        mean[k] += values[table_.tokens.row_number(id) * dim_ + k] * weight / static_cast<double>(read.ids.size());
    }
    return mean;
  }

  const dupq::model& model_;
  std::size_t dim_;
  dupq::static_table table_;
};

void check_gradient(const static_folder& folder) {
  const dupq::model m = open(folder);
  auto t = dupq::static_trainer::make(m, options_with());
  REQUIRE(t);
  double_table model(m, *t);
  const auto report = t->step(first_texts, second_texts, {}, labels, dupq::cosine_loss{});
  REQUIRE(report);
  CHECK(report->loss == doctest::Approx(model.loss()).epsilon(1e-5));
  std::vector<float> gradient(model.values.size());
  t->gradient(0, gradient);
  double squares = 0;
  for (const float g : gradient) squares += static_cast<double>(g) * static_cast<double>(g);
  CHECK(report->gradient_norm == doctest::Approx(std::sqrt(squares)));
  CHECK(squares > 1e-4);
  const std::vector<double> kept = model.values;
  std::mt19937 random(9);
  const std::size_t dim = m.config().hidden;
  for (int direction = 0; direction < 8; ++direction) {
    std::vector<double> signs(kept.size());
    double along = 0;
    for (std::size_t k = 0; k < signs.size(); ++k) {
      const bool chosen = direction < 4 || k / dim % 4 == static_cast<std::size_t>(direction - 4);
      signs[k] = !chosen ? 0 : random() % 2 == 0 ? 1 : -1;
      along += signs[k] * static_cast<double>(gradient[k]);
    }
    const double step = 1e-5;
    const auto at = [&](double steps) {
      for (std::size_t k = 0; k < kept.size(); ++k) model.values[k] = kept[k] + steps * signs[k];
      return model.loss();
    };
    const double slope = (at(step) - at(-step)) / (2 * step);
    CHECK(std::fabs(along - slope) < 1e-5 * std::sqrt(squares) + 3e-8);
  }
}

std::vector<float> numbers_of(dupq::static_trainer& t) {
  const auto v = t.tensor(0);
  std::vector<float> all;
  for (const auto& list : {v.values, v.first_moments, v.second_moments})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}
void fill(dupq::static_trainer& t, const std::vector<float>& numbers) {
  const auto v = t.tensor(0);
  const std::size_t n = v.values.size();
  REQUIRE(numbers.size() == 3 * n);
  std::copy_n(numbers.data(), n, v.values.data());
  std::copy_n(numbers.data() + n, n, v.first_moments.data());
  std::copy_n(numbers.data() + 2 * n, n, v.second_moments.data());
}

/// Three steps with three losses, the last one on fewer pairs; `stop`: after so many another trainer goes on.
struct trained {
  std::vector<float> numbers;
  std::vector<double> losses;

  trained(const dupq::model& m, const dupq::trainer_options& o, int stop = 3) {
    auto made = dupq::static_trainer::make(m, o);
    REQUIRE(made);
    dupq::static_trainer first = std::move(*made);
    auto other = dupq::static_trainer::make(m, o);
    REQUIRE(other);
    for (int n = 0; n < 3; ++n) {
      if (n == stop) {
        fill(*other, numbers_of(first));
        REQUIRE(other->resume(first.steps_done()));
      }
      dupq::static_trainer& t = n < stop ? first : *other;
      const std::size_t pairs = n == 2 ? 2 : labels.size();
      const auto part = [&](const auto& list) { return std::span(list).first(pairs); };
      const auto a = part(first_texts), b = part(second_texts), c = part(third_texts), none = a.first(0);
      const auto report = n == 0   ? t.step(a, b, none, part(labels), dupq::online_contrastive_loss{.margin = 0.5f})
                          : n == 1 ? t.step(a, b, c, {}, dupq::mnr_loss{.scale = 20})
                                   : t.step(a, b, none, part(labels), dupq::contrastive_loss{.margin = 0.5f});
      REQUIRE(report);
      losses.push_back(report->loss);
    }
    numbers = numbers_of(stop < 3 ? *other : first);
  }
  friend bool operator==(const trained& x, const trained& y) {
    return x.losses == y.losses && x.numbers.size() == y.numbers.size() &&
           std::memcmp(x.numbers.data(), y.numbers.data(), x.numbers.size() * sizeof(float)) == 0;
  }
};

constexpr const char *unnormalized = R"({"model_type": "model2vec"})",
                     *normalized = R"({"model_type": "model2vec", "normalize": true})";

}  // namespace

TEST_CASE("static_training: gradients") {
  check_gradient(static_folder(true));
  check_gradient(static_folder(false, 32, unnormalized));
  check_gradient(static_folder(false, 27, normalized));
  check_gradient(shared_rows(unnormalized));
  check_gradient(shared_rows(normalized));
}

TEST_CASE("static_training: the same bits from any table, any number of threads, and after a stop") {
  const shared_rows folder(normalized);
  const dupq::model m = open(folder);
  dupq::trainer_options o = options_with();
  o.kernels = dupq::find_kernels("scalar");
  const trained expected(m, o);
  golden::hash hash;
  for (const float x : expected.numbers) hash.add(x);
  CHECK(hash.value() == 0x466e7a5749a23cb7u);  // on every machine
  for (const int stop : {1, 2}) CHECK(trained(m, o, stop) == expected);
  for (const dupq::kernels* table : dupq::available_kernels()) {
    CAPTURE(table->name);
    o.kernels = table;
    CHECK(trained(m, o) == expected);
  }
  o.kernels = nullptr;
  for (const std::size_t threads : {std::size_t{2}, std::size_t{5}}) {
    dupq::thread_pool pool(threads);
    o.executor = pool.executor();
    CHECK(trained(m, o) == expected);
  }
}

TEST_CASE("static_training: vectors are the encoder's, and rows without a gradient only decay") {
  const static_folder folder(true);
  const dupq::model m = open(folder, {.type = weight_type::f16});
  auto encoder = dupq::static_encoder::make(m);
  REQUIRE(encoder);
  std::vector<float> a(first_texts.size() * m.dim()), b(a), da(a), db(a);
  REQUIRE(encoder->encode(first_texts, a));
  REQUIRE(encoder->encode(second_texts, b));
  const auto rows = [&](std::vector<float>& x) { return dupq::matrix<float>(x.data(), labels.size(), m.dim()); };
  std::vector<double> room(dupq::cosine_loss::scratch_doubles(labels.size(), m.dim()) + 1);
  const double expected =
      dupq::cosine_loss{}({rows(a), rows(b), {}, labels}, {rows(da), rows(db), {}}, std::span<double>(room));
  dupq::trainer_options o = options_with();
  o.warmup = 0;
  auto t = dupq::static_trainer::make(m, o);
  REQUIRE(t);
  const std::vector<float> before = numbers_of(*t);
  CHECK(t->tokens(first_texts[0]) == 8);
  const auto report = t->step(first_texts, second_texts, {}, labels, dupq::cosine_loss{});
  REQUIRE(report);
  CHECK(report->loss == expected);
  const std::vector<float> after = numbers_of(*t);
  std::vector<float> gradient(after.size() / 3);
  t->gradient(0, gradient);
  const float decay = dupq::adamw_at(o.optimizer, report->learning_rate, 1, report->gradient_norm, true).decay;
  std::size_t moved = 0;
  for (std::size_t r = 0; r < static_folder::tokens; ++r) {
    const auto row = std::span(gradient).subspan(r * m.dim(), m.dim());
    const bool used = std::any_of(row.begin(), row.end(), [](float g) { return g != 0; });
    moved += used;
    for (std::size_t i = r * m.dim(); !used && i < (r + 1) * m.dim(); ++i) CHECK(after[i] == before[i] * decay);
  }
  CHECK(moved > 10);
}

TEST_CASE("static_training: it learns what it is shown") {
  const static_folder folder(true);
  const dupq::model m = open(folder);
  dupq::trainer_options o = options_with();
  o.steps = 100;
  auto t = dupq::static_trainer::make(m, o);
  REQUIRE(t);
  double first = 0, last = 0;
  for (int i = 0; i < 60; ++i) {
    const auto report = t->step(first_texts, second_texts, {}, labels, dupq::cosine_loss{});
    REQUIRE(report);
    (i == 0 ? first : last) = report->loss;
  }
  CHECK(last < first / 2);
}

TEST_CASE("static_training: what cannot be done is refused, and nothing has changed") {
  const static_folder folder(true);
  const dupq::model m = open(folder);
  const auto refused = [](const auto& r) { return r ? dupq::errc{} : r.error().code; };
  const auto made_with = [&](auto&& change) {
    dupq::trainer_options o = options_with();
    change(o);
    return refused(dupq::static_trainer::make(m, o));
  };
  CHECK(made_with([](auto&) {}) == dupq::errc{});
  CHECK(made_with([](auto& o) { o.steps = 0; }) == dupq::errc::bad_limit);
  CHECK(made_with([](auto& o) { o.texts = 0; }) == dupq::errc::bad_limit);
  CHECK(made_with([](auto& o) { o.tokens = std::size_t{1} << 40; }) == dupq::errc::bad_limit);
  CHECK(refused(dupq::trainer::make(m, options_with())) == dupq::errc::wrong_kind);
  {
    const static_folder integers(true);
    const dupq::model rounded = open(integers, {.type = weight_type::int8});
    CHECK(refused(dupq::static_trainer::make(rounded, options_with())) == dupq::errc::unsupported);
    const model_folder layers("bert");
    (void)layers.convert();
    const auto bert = dupq::model::open(layers.output().string());
    REQUIRE(bert);
    CHECK(refused(dupq::static_trainer::make(*bert, options_with())) == dupq::errc::wrong_kind);
  }

  auto t = dupq::static_trainer::make(m, options_with(10));
  REQUIRE(t);
  const std::vector<float> before = numbers_of(*t);
  const std::span<const std::string> none, few = std::span(first_texts).first(2);
  const dupq::cosine_loss loss;
  CHECK(refused(t->step(none, none, none, {}, loss)) == dupq::errc::too_small);
  CHECK(refused(t->step(first_texts, few, none, labels, loss)) == dupq::errc::wrong_size);
  CHECK(refused(t->step(first_texts, second_texts, few, labels, loss)) == dupq::errc::wrong_size);
  CHECK(refused(t->step(first_texts, second_texts, none, std::span(labels).first(2), loss)) == dupq::errc::wrong_size);
  CHECK(refused(t->step(first_texts, second_texts, third_texts, {}, dupq::mnr_loss{})) == dupq::errc::too_small);
  std::vector<std::string> longer = first_texts;
  for (int i = 0; i < 500; ++i) longer[2] += " what";
  CHECK(refused(t->step(longer, second_texts, none, labels, loss)) == dupq::errc::too_small);
  std::vector<float> broken = labels;
  broken[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(refused(t->step(first_texts, second_texts, none, broken, loss)) == dupq::errc::not_finite);
  CHECK(numbers_of(*t) == before);
  CHECK(t->steps_done() == 0);

  dupq::static_trainer moved = std::move(*t);
  CHECK(refused(t->step(first_texts, second_texts, none, labels, loss)) == dupq::errc::moved_from);
  CHECK(!t->resume(0));
  CHECK(t->tensor_count() == 0);
  CHECK(t->tokens("what") == 0);
  CHECK(moved.step(first_texts, second_texts, none, labels, loss));
}
