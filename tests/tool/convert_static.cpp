// Static models: their folders, what the model files hold, and the vectors that static_encoder makes of them.
#include "convert_static.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <dupq/bi_encoder.hpp>
#include <dupq/core/thread_pool.hpp>
#include <dupq/search/cosine.hpp>
#include <dupq/static_encoder.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tool/converted.hpp"
#include "tool/static_folder.hpp"

using namespace dupq_tool;

namespace {

const std::vector<std::string> questions{"how do i learn c++?",  "What is the best way to learn?", "", "a",
                                         "\xE1\x88\xB4 unknown", std::string(3000, 'a') + " b"};

/// A converted folder, opened.
struct opened {
  dupq::model model;
  explicit opened(const static_folder& f, const convert_options& options = {}, const char* kernels = "")
      : model(open(f, options, kernels)) {}
  static dupq::model open(const static_folder& f, const convert_options& options, const char* kernels) {
    (void)f.folder.convert(options);
    auto m = dupq::model::open(f.folder.output().string(), {.kernels = kernels});
    if (!m) FAIL(m.error().code);
    return std::move(*m);
  }
  std::vector<std::int32_t> ids(const std::string& text) const {
    const auto table = *dupq::static_table::read(model.file(), model.config(), true, true);
    std::vector<std::int32_t> room(model.config().max_length);
    const auto read = dupq::static_tokens::read(model, table, {}, text, room, dupq::special_tokens::parse);
    return {read.ids.begin(), read.ids.end()};
  }
  std::vector<float> encode(std::size_t threads = 0) const {
    dupq::thread_pool pool(threads == 0 ? 1 : threads);
    auto encoder = dupq::static_encoder::make(model, {.executor = threads == 0 ? dupq::executor() : pool.executor()});
    REQUIRE(encoder);
    const auto vectors = encoder->encode(questions);
    REQUIRE(vectors);
    return *vectors;
  }
};

/// The mean of rows in double.
std::vector<double> mean_of(const std::vector<std::vector<double>>& rows, std::size_t dim, bool normalize) {
  std::vector<double> sum(dim);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < dim; ++i) sum[i] += row[i] / static_cast<double>(rows.size());
  double square = 0;
  for (const double v : sum) square += v * v;
  if (normalize && square > 0)
    for (double& v : sum) v /= std::sqrt(square);
  return sum;
}

void check_vectors(const opened& m, const std::vector<float>& rows, std::size_t dim, bool normalize,
                   const std::vector<float>& weights = {}, const std::vector<std::int64_t>& row_of = {},
                   double most = 2e-6, std::size_t stride = 0) {
  const std::vector<float> got = m.encode();
  if (stride == 0) stride = dim;
  for (std::size_t t = 0; t < questions.size(); ++t) {
    std::vector<std::vector<double>> of;
    for (const std::int32_t id : m.ids(questions[t])) {
      const auto token = static_cast<std::size_t>(id);
      const std::size_t row = row_of.empty() ? token : static_cast<std::size_t>(row_of[token]);
      auto& one = of.emplace_back();
      for (std::size_t i = 0; i < dim; ++i)
        one.push_back(double{rows[row * stride + i]} * (weights.empty() ? 1.0 : double{weights[token]}));
    }
    const std::vector<double> expected = of.empty() ? std::vector<double>(dim) : mean_of(of, dim, normalize);
    double worst = 0;
    for (std::size_t i = 0; i < dim; ++i) worst = std::max(worst, std::abs(expected[i] - double{got[t * dim + i]}));
    CHECK_MESSAGE(worst <= most, t);
  }
}

}  // namespace

TEST_CASE("the mean of a text's rows, in every type and from every table") {
  for (const std::uint64_t dim : {32u, 37u, 64u}) {
    const static_folder f(true, dim);
    check_vectors(opened(f), f.rows, dim, true);
    check_vectors(opened(f, {.type = weight_type::f16}), f.rows, dim, true);
    check_vectors(opened(f, {.type = weight_type::int8}), f.rows, dim, true, {}, {}, 0.02);
    for (const auto type : {weight_type::f32, weight_type::f16, weight_type::int8}) {
      const std::vector<float> expected = opened(f, {.type = type}, "scalar").encode();
      for (const dupq::kernels* table : dupq::available_kernels())
        CHECK_MESSAGE(opened(f, {.type = type}, table->name).encode() == expected, table->name);
      CHECK(opened(f, {.type = type}).encode(3) == expected);
    }
  }
}

TEST_CASE("rows that tokens share, and their weights") {
  const static_folder f(false);
  std::vector<std::int64_t> row_of;
  std::vector<std::int32_t> narrow;
  std::vector<float> weights;
  for (std::uint64_t t = 0; t < f.tokens; ++t) {
    row_of.push_back(static_cast<std::int64_t>(t * 7 % 100));
    narrow.push_back(static_cast<std::int32_t>(row_of.back()));
    weights.push_back(0.1f + static_cast<float>(t % 13));
  }
  std::vector<std::int8_t> bytes;
  std::vector<float> as_floats;
  for (std::uint64_t i = 0; i < 100 * f.dim; ++i) {
    bytes.push_back(static_cast<std::int8_t>(i * 37 % 255 - 127));
    as_floats.push_back(bytes.back());
  }
  const raw_tensor rows{"embeddings", "I8", {100, f.dim}, bytes_of_all(bytes)};
  const raw_tensor weight{"weights", "F32", {f.tokens}, bytes_of_all(weights)};
  for (const raw_tensor& mapping : {raw_tensor{"mapping", "I64", {f.tokens}, bytes_of_all(row_of)},
                                    raw_tensor{"mapping", "I32", {f.tokens}, bytes_of_all(narrow)}}) {
    f.write({rows, mapping, weight});
    check_vectors(opened(f), as_floats, f.dim, true, weights, row_of);
    f.write({rows, mapping});
    check_vectors(opened(f), as_floats, f.dim, true, {}, row_of);
    const std::vector<float> expected = opened(f, {}, "scalar").encode();
    f.write({rows, mapping, weight});
    const std::vector<float> weighted = opened(f, {}, "scalar").encode();
    CHECK(weighted != expected);
    for (const dupq::kernels* table : dupq::available_kernels()) CHECK(opened(f, {}, table->name).encode() == weighted);
  }
  f.write({{"embeddings", "F32", {f.tokens, f.dim}, bytes_of_all(f.rows)}, weight});
  check_vectors(opened(f), f.rows, f.dim, true, weights);
}

TEST_CASE("model2vec leaves out the unknown token and cuts texts, sentence-transformers does not") {
  const opened theirs{static_folder(false)}, ours{static_folder(true)};
  const auto unk = theirs.model.tokenizer().options().unk;
  const auto has_unk = [&](const std::vector<std::int32_t>& ids) {
    return std::count(ids.begin(), ids.end(), unk) != 0;
  };
  CHECK(!has_unk(theirs.ids(questions[4])));
  CHECK(has_unk(ours.ids(questions[4])));
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "a ";
  CHECK(theirs.ids(many).size() == 512);
  CHECK(ours.ids(many).size() == 2000);
  // Cut to so many characters as 512 tokens of median length have, before anything is read.
  CHECK(theirs.model.file().find(dupq::static_table::chars_key).has_value());
  CHECK(!ours.model.file().find(dupq::static_table::chars_key).has_value());
  const opened unlimited{static_folder(false, 32, R"({"model_type": "model2vec", "max_length": null})")};
  CHECK(unlimited.ids(many).size() == 2000);
  CHECK(!unlimited.model.config().normalize);  // false where nothing is said
  const opened short_one{static_folder(false, 32, R"({"model_type": "model2vec", "max_length": 3})")};
  CHECK(short_one.ids("a a a a a").size() == 3);
  auto encoder = dupq::static_encoder::make(short_one.model);
  REQUIRE(encoder);
  CHECK(encoder->encode({"a a a", "a a a a"}));
  CHECK(encoder->truncated() == 1);
}

TEST_CASE("the first numbers of each vector") {
  const static_folder f(true, 64);
  check_vectors(opened(f, {.dim = 32}), f.rows, 32, true, {}, {}, 2e-6, 64);
  check_vectors(opened(f, {.dim = 64}), f.rows, 64, true);
  CHECK_THROWS_AS(f.folder.convert({.dim = 65}), usage_error);
  CHECK_THROWS_AS(model_folder("bert").convert({.dim = 16}), usage_error);
}

TEST_CASE("scores, memory of the caller's, and what is no static model") {
  const static_folder f(true);
  const opened m(f);
  auto encoder = dupq::static_encoder::make(m.model);
  REQUIRE(encoder);
  const auto vectors = m.encode();
  const auto score = encoder->score(questions[0], questions[1]);
  REQUIRE(score);
  CHECK(*score == dupq::cosine({vectors.data(), 32}, {vectors.data() + 32, 32}));
  const dupq::limits small{.text_tokens = 64, .packed_tokens = 64};
  const std::size_t bytes = dupq::static_encoder::workspace_bytes(m.model.config(), small);
  CHECK(bytes < 1500);
  alignas(dupq::alignment) std::byte memory[1536];
  auto embedded = dupq::static_encoder::make(m.model, {.limits = small}, memory);
  REQUIRE(embedded);
  std::vector<float> one(32);
  CHECK(embedded->encode(questions[0], one));
  CHECK(std::equal(one.begin(), one.end(), vectors.begin()));
  auto moved = std::move(*embedded);
  CHECK(embedded->encode(questions[0], one).error().code == dupq::errc::moved_from);
  CHECK(moved.encode(questions[0], one));
  CHECK(dupq::static_encoder::make(m.model, {.limits = small}, std::span(memory, 64)).error().code ==
        dupq::errc::too_small);
  CHECK(dupq::bi_encoder::make(m.model).error().code == dupq::errc::wrong_kind);
  const model_folder bert("bert");
  (void)bert.convert();
  const auto other = dupq::model::open(bert.output().string());
  REQUIRE(other);
  CHECK(dupq::static_encoder::make(*other).error().code == dupq::errc::wrong_kind);
}

TEST_CASE("folders that are broken") {
  const auto said = [](bool modules, const std::vector<raw_tensor>& tensors) {
    const static_folder f(modules);
    f.write(tensors);
    return f.folder.trouble();
  };
  const std::string at = "model.safetensors: tensor ";
  const std::vector<float> table(479 * 4), few(400 * 4);
  const std::vector<std::int64_t> rows(479, 3), outside(479, 479);
  const raw_tensor good{"embeddings", "F32", {479, 4}, bytes_of_all(table)};
  CHECK(said(false, {good}) == "");
  CHECK(said(true, {good}) == "");
  CHECK(said(false, {{"other", "F32", {479, 4}, bytes_of_all(table)}}) ==
        at + "\"embedding.weight\": missing, and \"embeddings\"");
  CHECK(said(false, {good, {"other", "F32", {1}, "aaaa"}}) == at + "\"other\": is no part of a static model");
  CHECK(said(false, {{"embeddings", "F32", {479 * 4}, bytes_of_all(table)}}) ==
        at + "\"embeddings\": a table of vectors is expected");
  CHECK(said(false, {{"embeddings", "I64", {479, 1}, bytes_of_all(rows)}})
            .starts_with(at + "\"embeddings\": has the type I64"));
  CHECK(said(false, {{"embeddings", "F32", {400, 4}, bytes_of_all(few)}}) ==
        "tokenizer.json: 479 tokens, more than the table's rows, 400");
  CHECK(said(false, {good, {"mapping", "I64", {479}, bytes_of_all(outside)}}) ==
        at + "\"mapping\": element 0 is 479, there are 479 rows");
  CHECK(said(false, {good, {"mapping", "F32", {479}, std::string(479 * 4, '\0')}}) ==
        at + "\"mapping\": has the type F32, only I64 and I32 are supported");
  CHECK(said(false, {good, {"weights", "F32", {4}, std::string(16, '\0')}}) ==
        at + "\"weights\": has 4 numbers, one for each of 479 tokens is expected");
  CHECK(said(false, {good, {"weights", "F32", {479}, std::string(479 * 4, '\xFF')}}) ==
        at + "\"weights\": element 0 is not finite");
  CHECK(said(false, {{"embeddings", "F32", {479, 4}, std::string(479 * 16, '\xFF')}}) ==
        at + "\"embeddings\": element 0 is not finite");
  static_folder pooled(true);
  pooled.folder.edit("modules.json", "models.Normalize", "models.Pooling");
  CHECK(pooled.folder.trouble() ==
        "modules.json: 1.type: \"sentence_transformers.models.Pooling\" is not supported, only Normalize may follow a "
        "StaticEmbedding");
  static_folder bare(true);
  bare.folder.remove("tokenizer.json");
  CHECK(bare.folder.trouble().starts_with("tokenizer.json: no such file"));
}
