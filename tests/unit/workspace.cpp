#include <doctest/doctest.h>

#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <dupq/workspace.hpp>
#include <string>

#include "loaded_model.hpp"

using dupq::errc;
using dupq_test::aligned_bytes;
using dupq_test::loaded_model;
using dupq_test::outputs;
using dupq_test::tiny_model;

namespace {

constexpr dupq::config minilm{.layers = 6,
                              .hidden = 384,
                              .heads = 12,
                              .intermediate = 1536,
                              .vocabulary = 30522,
                              .positions = 512,
                              .token_types = 2,
                              .max_length = 256,
                              .pooling = {.mean = true}};

// Known to the compiler, so that it may be the size of an array.
constexpr std::size_t one_text = dupq::workspace_bytes(minilm, {.text_tokens = 32, .packed_tokens = 64, .texts = 2});
static_assert(one_text < std::size_t{1} << 20);
static_assert(one_text % dupq::alignment == 0);

dupq::result<void> attempt(const dupq::model& m, const dupq::encoder_options& options) {
  const auto made = dupq::bi_encoder::make(m, options);
  const auto limits = dupq::limits_for(m, options, dupq::model_kind::bi_encoder);  // known without an encoder
  REQUIRE(limits.has_value() == made.has_value());
  if (!made) return made.error();
  CHECK(limits->packed_tokens == made->sizes().packed_tokens);
  return {};
}

}  // namespace

TEST_CASE("limits that no address space holds are known to the compiler, and refused") {
  constexpr std::size_t most = ~std::size_t{0}, impossible = dupq::arena::impossible;
  static_assert(dupq::workspace_bytes(minilm, {.packed_tokens = most}) == impossible);
  static_assert(dupq::workspace_bytes(minilm, {.packed_tokens = most / 384 / 4 + 1}) == impossible);
  static_assert(dupq::workspace_bytes(minilm, {.text_tokens = most}) == impossible);
  static_assert(dupq::workspace_bytes(minilm, {.texts = most}) == impossible);
  static_assert(dupq::workspace_bytes(minilm, {.workers = most}) == impossible);
  constexpr auto with = [](std::uint32_t hidden, std::uint32_t intermediate) {
    dupq::config c = minilm;
    c.hidden = hidden, c.intermediate = intermediate;
    return dupq::workspace_bytes(c, {.packed_tokens = std::size_t{1} << 24, .workers = 4096});
  };
  // Of 64 bits these need fewer than 64; of 32 bits all of them are too many.
  constexpr bool narrow = sizeof(std::size_t) == 4;
  static_assert((with(384, 1536) == impossible) == narrow);
  static_assert((with(1u << 16, ~0u) == impossible) == narrow);
  static_assert(dupq::workspace_bytes(dupq::config{}, {}) < impossible);
  if constexpr (narrow) {
    const loaded_model m(tiny_model("bert-packed-f32"));
    const auto refused =
        dupq::bi_encoder::make(*m, {.limits = {.packed_tokens = std::size_t{1} << 24, .workers = 4096}});
    REQUIRE(!refused);
    CHECK(refused.error().code == errc::bad_limit);
  }
}

TEST_CASE("limits of 0 are chosen for the model") {
  const dupq::limits l = dupq::resolve({}, minilm);
  CHECK(l.text_tokens == 256);
  CHECK(l.packed_tokens >= l.text_tokens);
  CHECK(dupq::resolve({.text_tokens = 8}, minilm).text_tokens == 8);
  CHECK(dupq::workspace_bytes(minilm) == dupq::workspace_bytes(minilm, l));
  const dupq::limits two{.workers = 2};
  const std::size_t once = dupq::workspace_bytes(minilm), twice = dupq::workspace_bytes(minilm, two);
  CHECK(twice > 2 * once - 1024);
  CHECK(twice < 2 * once + 1024);
}

TEST_CASE("an encoder works in exactly workspace_bytes, and refuses a byte less") {
  for (const std::string name : {"bert-packed-f32", "mpnet-plain-f16", "cross-packed-f32"}) {
    const loaded_model m(tiny_model(name));
    const auto expected = outputs(*m);
    for (const dupq::limits limits :
         {dupq::limits{}, dupq::limits{.texts = 2}, dupq::limits{.text_tokens = 16, .packed_tokens = 16, .texts = 2},
          dupq::limits{.packed_tokens = 33, .texts = 7, .workers = 3}}) {
      const std::size_t needed = dupq::workspace_bytes(m->config(), limits);
      const aligned_bytes exact(needed), shifted(needed, 16);  // sanitizers watch the bytes behind them
      const std::string_view texts[] = {"what is C++?", "", "hello hello hello what is a c hello"};
      const std::string_view others[] = {"is", "hello", "a"};
      const auto check = [&](auto encoder_type, auto run) {
        using encoder_of = typename decltype(encoder_type)::type;
        const auto less = encoder_of::make(*m, {.limits = limits}, exact.span().first(needed - 1));
        REQUIRE(!less);
        CHECK(less.error().code == errc::too_small);
        CHECK(less.error().expected == needed);
        CHECK(less.error().found == needed - 1);
        const auto misaligned = encoder_of::make(*m, {.limits = limits}, shifted.span());
        REQUIRE(!misaligned);
        CHECK(misaligned.error().code == errc::not_aligned);
        auto encoder = encoder_of::make(*m, {.limits = limits}, exact.span());
        REQUIRE(encoder);
        std::vector<float> out(expected.size());
        REQUIRE(run(*encoder, out));
        CHECK(out == expected);
      };
      if (m->config().kind == dupq::model_kind::bi_encoder)
        check(std::type_identity<dupq::bi_encoder>(),
              [&](auto& encoder, std::vector<float>& out) { return encoder.encode(texts, out); });
      else
        check(std::type_identity<dupq::cross_encoder>(),
              [&](auto& encoder, std::vector<float>& out) { return encoder.score(texts, others, out); });
    }
  }
}

TEST_CASE("limits that no workspace can meet") {
  const loaded_model m(tiny_model("bert-packed-f32"));
  struct wrong {
    dupq::limits limits;
    const char* subject;
  };
  constexpr std::size_t most = ~std::size_t{0};
  for (const auto& [limits, subject] :
       {wrong{{.text_tokens = 17}, "limits.text_tokens"}, wrong{{.text_tokens = 2}, "limits.text_tokens"},
        wrong{{.text_tokens = most}, "limits.text_tokens"}, wrong{{.packed_tokens = 15}, "limits.packed_tokens"},
        wrong{{.packed_tokens = most}, "limits.packed_tokens"}, wrong{{.texts = 0}, "limits.texts"},
        wrong{{.texts = 1}, "limits.texts"}, wrong{{.texts = most}, "limits.texts"},
        wrong{{.workers = most}, "limits.workers"}}) {
    const auto made = attempt(*m, {.limits = limits});
    REQUIRE(!made);
    CHECK(made.error().code == errc::bad_limit);
    CHECK(std::string(made.error().subject) == subject);
  }
  CHECK(attempt(*m, {.limits = {.text_tokens = 3}}));
}

TEST_CASE("workers are as many as the executor has") {
  const loaded_model m(tiny_model("bert-packed-f32"));
  dupq::thread_pool pool(3);
  const auto encoder = dupq::bi_encoder::make(*m, {.executor = pool.executor()});
  REQUIRE(encoder);
  CHECK(encoder->sizes().workers == 3);
  const aligned_bytes for_one(dupq::workspace_bytes(m->config()));
  const auto small = dupq::bi_encoder::make(*m, {.executor = pool.executor()}, for_one.span());
  REQUIRE(!small);
  CHECK(small.error().expected == dupq::workspace_bytes(m->config(), {.workers = 3}));
}
