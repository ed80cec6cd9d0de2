// Fewer texts than keep all workers busy: those that have nothing to do share the products of the others, and no bit
// changes by it.
#include <doctest/doctest.h>

#include <cstddef>
#include <dupq/bi_encoder.hpp>
#include <dupq/core/thread_pool.hpp>
#include <dupq/cross_encoder.hpp>
#include <string>
#include <vector>

#include "loaded_model.hpp"
#include "support/fixtures.hpp"
#include "tool/checkpoint.hpp"

namespace {

/// Runs tasks in turn, and counts runs within tasks; `free` workers are idle at any time.
struct counting_pool {
  std::size_t free = 0, depth = 0, outer = 0, inner = 0, most = 0;

  dupq::executor executor(std::size_t workers) {
    return {this,
            [](void* self, std::size_t n, dupq::executor::body call, void* context) noexcept {
              auto& pool = *static_cast<counting_pool*>(self);
              ++(pool.depth == 0 ? pool.outer : pool.inner);
              if (pool.depth != 0) pool.most = std::max(pool.most, n);
              ++pool.depth;
              for (std::size_t i = 0; i < n; ++i) call(context, i, 0);
              --pool.depth;
            },
            workers, [](void* self) noexcept { return static_cast<counting_pool*>(self)->free; }};
  }
};

/// A model whose products are wide enough to be shared, in `type`.
std::string wide_model(dupq_tool::convert_options options) {
  const dupq_tool::model_folder folder("bert");
  dupq_tool::reshape(folder, {.hidden = 64, .inner = 256});
  (void)folder.convert(options);
  return fixtures::read_file(folder.output().string());
}

std::vector<std::string> texts_of(std::size_t n) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < n; ++i) {
    texts.emplace_back();
    for (std::size_t k = 0; k < 8 + 5 * i % 13; ++k) texts.back() += (k + i) % 3 == 0 ? "what " : "learn c++ ";
  }
  return texts;
}

std::vector<float> vectors_of(const dupq::model& m, const std::vector<std::string>& texts,
                              const dupq::executor& executor) {
  auto encoder = dupq::bi_encoder::make(m, {.executor = executor});
  REQUIRE(encoder);
  std::vector<float> out(texts.size() * m.dim()), scores(texts.size());
  REQUIRE(encoder->encode(texts, out));
  const std::vector<std::string> others(texts.rbegin(), texts.rend());
  REQUIRE(encoder->score(texts, others, scores));
  out.insert(out.end(), scores.begin(), scores.end());
  return out;
}

}  // namespace

TEST_CASE("workers without a text share the products of those that have one") {
  for (const auto type : {dupq_tool::convert_options{}.type, decltype(dupq_tool::convert_options{}.type)::int8}) {
    const dupq_test::loaded_model m(wide_model({.type = type}));
    const auto texts = texts_of(3);
    const auto alone = vectors_of(*m, texts, {});
    for (const std::size_t idle : {0u, 1u, 2u, 100u}) {
      counting_pool pool{.free = idle};
      CHECK(vectors_of(*m, texts, pool.executor(3)) == alone);
      CHECK(pool.outer == 2);  // encode and score
      CHECK((pool.inner != 0) == (idle != 0));
      CHECK(pool.most == (idle == 0 ? 0 : std::min<std::size_t>(idle + 1, 2)));  // 192 outputs are two shares
    }
  }
}

TEST_CASE("a pool that does not say who is idle is not used within its tasks") {
  const dupq_test::loaded_model m(wide_model({}));
  const auto texts = texts_of(3);
  counting_pool pool{.free = 2};
  dupq::executor plain = pool.executor(3);
  plain.idle = nullptr;
  CHECK(vectors_of(*m, texts, plain) == vectors_of(*m, texts, {}));
  CHECK(pool.outer == 2);
  CHECK(pool.inner == 0);
  auto encoder = dupq::bi_encoder::make(*m, {.executor = plain});
  REQUIRE(encoder->score(texts[0], texts[1]));  // with one pair there is nobody else to be busy
  CHECK(pool.outer > 2);
}

TEST_CASE("few texts on any pool of threads have the same bytes") {
  const dupq_test::loaded_model m(wide_model({}));
  for (const std::size_t workers : {2u, 3u, 5u}) {
    dupq::thread_pool pool(workers);
    for (std::size_t n = 1; n < 9; ++n) {
      const auto texts = texts_of(n);
      const auto expected = vectors_of(*m, texts, {});
      for (int round = 0; round < 20; ++round) CHECK(vectors_of(*m, texts, pool.executor()) == expected);
    }
  }
}
