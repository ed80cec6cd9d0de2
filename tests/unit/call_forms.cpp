// The ways to call an encoder: one text, lists of any kind, vectors that the call makes, and calls that are watched.
#include <doctest/doctest.h>

#include <algorithm>
#include <dupq/core/thread_pool.hpp>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "loaded_model.hpp"

using dupq::errc;
using dupq_test::loaded_model;
using dupq_test::tiny_model;

namespace {

std::vector<std::string> some_texts(std::size_t n) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(i % 5 == 3 ? "what is a c hello hello hello what is" : "what is c");
  return out;
}

bool free_function(std::size_t done, std::size_t total) { return done <= total; }

struct row {
  int number;
  std::string question;
};

}  // namespace

TEST_CASE("every form of encode gives the same vectors") {
  const loaded_model m(tiny_model("bert-packed-f32"));
  auto encoder = dupq::bi_encoder::make(*m);
  REQUIRE(encoder);
  const std::size_t dim = encoder->dim();
  CHECK(dim == m->dim());
  const std::vector<std::string> texts{"what is", "hello"};
  std::vector<float> truth(2 * dim), two(2 * dim), one(dim);
  REQUIRE(encoder->encode(texts, truth));

  REQUIRE(encoder->encode({"what is", "hello"}, two));
  CHECK(two == truth);
  const auto made = encoder->encode(texts);
  REQUIRE(made);
  CHECK(*made == truth);
  CHECK(encoder->encode({"what is", "hello"}).value() == truth);
  CHECK(encoder->encode({}).value().empty());

  const std::vector<float> second(truth.begin() + static_cast<std::ptrdiff_t>(dim), truth.end());
  const std::string string = "hello";
  const std::string_view view = string;
  REQUIRE(encoder->encode("hello", one));
  CHECK(one == second);
  REQUIRE(encoder->encode(string, one));
  CHECK(one == second);
  CHECK(encoder->encode("hello").value() == second);
  CHECK(encoder->encode(string).value() == second);
  CHECK(encoder->encode(view).value() == second);
  CHECK(encoder->encode("hello", two).error().code == errc::wrong_size);

  std::vector<float> scores(2);
  REQUIRE(encoder->score({"what is", "hello"}, {"what", "hello"}, scores));
  CHECK(scores[0] == encoder->score("what is", "what").value());

#if !defined(__clang__) || __clang_major__ >= 16  // older ones cannot compile the standard library's views
  const std::vector<row> table{{1, "what is"}, {2, "hello"}};
  CHECK(encoder->encode(table | std::views::transform(&row::question)).value() == truth);
  const auto column = [](const row& r) { return std::string_view(r.question); };
  REQUIRE(encoder->encode(table | std::views::transform(column), two));
  CHECK(two == truth);
#endif
}

TEST_CASE("calls say how far they are, and which texts were cut") {
  const loaded_model bi(tiny_model("bert-packed-f32")), cross(tiny_model("cross-packed-f32"));
  const auto texts = some_texts(70);
  for (const std::size_t workers : {1u, 3u}) {
    dupq::thread_pool pool(workers);
    const dupq::encoder_options options{.limits = {.text_tokens = 6, .packed_tokens = 24, .texts = 4},
                                        .executor = pool.executor()};
    auto encoder = dupq::bi_encoder::make(*bi, options);
    auto judge = dupq::cross_encoder::make(*cross, options);
    REQUIRE(encoder);
    REQUIRE(judge);
    std::size_t last = 0, calls = 0;
    std::vector<std::size_t> cut;
    const auto progress = [&](std::size_t done, std::size_t total) {
      CHECK(total == texts.size());
      CHECK(done > last);
      last = done, ++calls;
      return true;
    };
    const auto truncated = [&](std::size_t i) { cut.push_back(i); };
    const dupq::call_options watched{.on_progress = progress, .on_truncated = truncated};
    std::vector<float> plain(texts.size() * bi->dim()), out(plain.size()), scores(texts.size()), same(texts.size());
    const auto check = [&](std::size_t first, std::size_t step) {
      CHECK(last == texts.size());
      CHECK(calls > 1);
      std::ranges::sort(cut);
      std::vector<std::size_t> expected;
      for (std::size_t i = first; i < texts.size(); i += step) expected.push_back(i);
      CHECK(cut == expected);
      last = calls = 0;
      cut.clear();
    };
    REQUIRE(encoder->encode(texts, plain));
    REQUIRE(encoder->encode(texts, out, watched));
    CHECK(out == plain);
    check(3, 5);
    REQUIRE(encoder->score(texts, texts, scores, watched));
    check(3, 5);  // a pair of which both texts are cut is told once
    REQUIRE(encoder->score(texts, texts, same));
    CHECK(scores == same);
    REQUIRE(judge->score(texts, texts, scores, watched));
    check(0, 1);
    REQUIRE(judge->score(texts, texts, same));
    CHECK(scores == same);
    REQUIRE(encoder->encode(texts, out, {.on_progress = free_function}));
    REQUIRE(encoder->encode({}, {}, watched));
    CHECK(calls == 0);
  }
}

TEST_CASE("a call ends when its progress is answered with no, and the encoder goes on to work") {
  const loaded_model bi(tiny_model("bert-packed-f32")), cross(tiny_model("cross-packed-f32"));
  const auto texts = some_texts(200);
  for (const std::size_t workers : {1u, 3u}) {
    dupq::thread_pool pool(workers);
    const dupq::encoder_options options{.limits = {.packed_tokens = 32, .texts = 4}, .executor = pool.executor()};
    auto encoder = dupq::bi_encoder::make(*bi, options);
    auto judge = dupq::cross_encoder::make(*cross, options);
    REQUIRE(encoder);
    REQUIRE(judge);
    std::vector<float> truth(texts.size() * bi->dim()), out(truth.size(), 7.0f), scores(texts.size());
    REQUIRE(encoder->encode(texts, truth));
    const auto stop = [](std::size_t done, std::size_t) { return done < 20; };
    const dupq::call_options stopped{.on_progress = stop};
    const auto cancelled = [](const dupq::result<void>& done) { return !done && done.error().code == errc::cancelled; };
    CHECK(cancelled(encoder->encode(texts, out, stopped)));
    CHECK(std::ranges::count(out, 7.0f) > 0);
    CHECK(out[0] == truth[0]);
    CHECK(cancelled(encoder->score(texts, texts, scores, stopped)));
    // Whatever stands in the output of a call that was ended is a score, not what scores are made of.
    std::vector<float> judged(texts.size());
    REQUIRE(judge->score(texts, texts, judged));
    std::ranges::fill(scores, 7.0f);
    CHECK(cancelled(judge->score(texts, texts, scores, stopped)));
    CHECK(std::ranges::count(scores, 7.0f) > 0);
    std::size_t there = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (scores[i] == 7.0f) continue;
      ++there;
      CHECK(scores[i] == judged[i]);
    }
    CHECK(there >= 20);
    REQUIRE(encoder->encode(texts, out));
    CHECK(out == truth);
    const auto late = [](std::size_t done, std::size_t total) { return done < total; };
    CHECK(encoder->encode(texts, out, {.on_progress = late}));  // all was done already
  }
}
