#include <doctest/doctest.h>

#include <dupq/core/thread_pool.hpp>
#include <dupq/encoder.hpp>
#include <string>
#include <thread>
#include <vector>

#include "loaded_model.hpp"

using dupq::errc;
using dupq_test::loaded_model;
using dupq_test::outputs;
using dupq_test::tiny_model;

namespace {

std::vector<std::string> many_texts() {
  const std::vector<std::string> words{"what", "is", "a", "c", "+", "hello", "[SEP]", "caf\xC3\xA9", "unheard"};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < 150; ++i) {
    out.emplace_back();
    for (std::size_t k = 0; k < i * i % 23; ++k) out.back() += words[(i + k * k) % words.size()] + ' ';
  }
  return out;
}

}  // namespace

TEST_CASE("one model serves many threads, which all get the same bytes") {
  for (const std::string name : {"bert-packed-f32", "mpnet-plain-f16"}) {
    const loaded_model m(tiny_model(name));
    const auto texts = many_texts();
    std::vector<std::vector<float>> out(8, std::vector<float>(texts.size() * m->dim()));
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < out.size(); ++t)
      threads.emplace_back([&, t] {
        auto encoder = dupq::bi_encoder::make(*m, {.limits = {.texts = 2 + 5 * t}});
        if (!encoder || !encoder->encode(texts, out[t])) out[t].clear();
      });
    for (auto& thread : threads) thread.join();
    for (const auto& vectors : out) CHECK(vectors == out[0]);
    CHECK(out[0].size() == texts.size() * m->dim());
  }
}

TEST_CASE("an executor changes the time, not the bytes or the count of cut texts") {
  const auto texts = many_texts();
  const std::vector<std::string> others(texts.rbegin(), texts.rend());
  dupq::thread_pool pool(4);
  const loaded_model bi(tiny_model("bert-packed-f32")), cross(tiny_model("cross-packed-f32"));
  std::vector<float> one(texts.size()), four(texts.size());
  const auto compare = [&](auto serial, auto parallel) {
    REQUIRE(serial);
    REQUIRE(parallel);
    REQUIRE(serial->score(texts, others, one));
    REQUIRE(parallel->score(texts, others, four));
    CHECK(one == four);
    CHECK(serial->truncated() > 0);
    CHECK(serial->truncated() == parallel->truncated());
  };
  compare(dupq::bi_encoder::make(*bi), dupq::bi_encoder::make(*bi, {.executor = pool.executor()}));
  compare(dupq::cross_encoder::make(*cross), dupq::cross_encoder::make(*cross, {.executor = pool.executor()}));
}

TEST_CASE("vectors stand in the order of the texts for any number of workers") {
  const auto texts = many_texts();
  const loaded_model m(tiny_model("bert-packed-f32"));
  auto serial = dupq::bi_encoder::make(*m);
  REQUIRE(serial);
  for (const std::size_t workers : {2u, 3u, 5u}) {
    dupq::thread_pool pool(workers);
    auto parallel = dupq::bi_encoder::make(*m, {.limits = {.texts = 7}, .executor = pool.executor()});
    REQUIRE(parallel);
    for (std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{9}, texts.size()}) {
      const std::vector<std::string> some(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(n));
      std::vector<float> one(n * m->dim()), many(n * m->dim());
      REQUIRE(serial->encode(some, one));
      REQUIRE(parallel->encode(some, many));
      CHECK(one == many);
    }
  }
}

TEST_CASE("output of another size is refused and left alone") {
  const loaded_model bi(tiny_model("bert-packed-f32")), cross(tiny_model("cross-packed-f32"));
  auto encoder = dupq::bi_encoder::make(*bi);
  auto judge = dupq::cross_encoder::make(*cross);
  REQUIRE(encoder);
  REQUIRE(judge);
  const std::string_view two[] = {"a", "is"}, three[] = {"a", "is", "c"};
  std::vector<float> out(2 * bi->dim() + 1, 7.0f);
  const auto vectors = encoder->encode(two, out);
  REQUIRE(!vectors);
  CHECK(vectors.error().code == errc::wrong_size);
  CHECK(vectors.error().expected == 2 * bi->dim());
  CHECK(vectors.error().found == out.size());
  const std::span<float> room(out);
  for (const auto& done : {encoder->score(two, three, room.first(2)), judge->score(two, three, room.first(2)),
                           judge->logits(three, two, room.first(3))}) {
    REQUIRE(!done);
    CHECK(done.error().code == errc::wrong_size);
    CHECK(std::string(done.error().subject) == "second texts");
  }
  for (const auto& done : {encoder->score(two, two, room.first(3)), judge->score(two, two, room.first(1))}) {
    REQUIRE(!done);
    CHECK(std::string(done.error().subject) == "scores");
  }
  for (const float x : out) CHECK(x == 7.0f);
}

TEST_CASE("no texts are no work") {
  const loaded_model bi(tiny_model("bert-packed-f32")), cross(tiny_model("cross-packed-f32"));
  auto encoder = dupq::bi_encoder::make(*bi);
  auto judge = dupq::cross_encoder::make(*cross);
  const std::vector<std::string> none;
  CHECK(encoder->encode(none, {}));
  CHECK(encoder->score(none, none, {}));
  CHECK(judge->score(none, none, {}));
}

TEST_CASE("long texts are cut and counted") {
  const loaded_model m(tiny_model("bert-packed-f32"));
  auto encoder = dupq::bi_encoder::make(*m, {.limits = {.text_tokens = 5}});
  REQUIRE(encoder);
  std::vector<float> two(2 * m->dim());
  const std::string_view texts[] = {"what is a hello hello", "what is a"};
  REQUIRE(encoder->encode(texts, two));
  CHECK(encoder->truncated() == 1);
  CHECK(std::equal(two.begin(), two.begin() + static_cast<std::ptrdiff_t>(m->dim()),
                   two.begin() + static_cast<std::ptrdiff_t>(m->dim())));
  CHECK(encoder->score(texts[0], texts[0]));
  CHECK(encoder->truncated() == 3);
}

TEST_CASE("special tokens in a text are tokens or text, as the caller says") {
  const loaded_model m(tiny_model("bert-packed-f32"));
  std::vector<float> parsed(m->dim()), literal(m->dim());
  const std::string_view texts[] = {"what [SEP] is"};
  auto as_tokens = dupq::bi_encoder::make(*m);
  auto as_text = dupq::bi_encoder::make(*m, {.special_tokens = dupq::special_tokens::literal});
  REQUIRE(as_tokens->encode(texts, parsed));
  REQUIRE(as_text->encode(texts, literal));
  CHECK(parsed != literal);
}

TEST_CASE("encoders move, and their workspace with them") {
  const loaded_model m(tiny_model("bert-packed-f32"));
  const auto expected = outputs(*m);
  auto made = dupq::bi_encoder::make(*m);
  REQUIRE(made);
  dupq::bi_encoder first = std::move(*made);
  auto again = dupq::bi_encoder::make(*m);
  REQUIRE(again);
  first = std::move(*again);
  const std::string_view texts[] = {"what is C++?", "", "hello hello hello what is a c hello"};
  std::vector<float> out(3 * m->dim());
  REQUIRE(first.encode(texts, out));
  CHECK(out == expected);
}
