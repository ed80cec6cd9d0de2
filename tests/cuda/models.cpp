// Whole models: the engine and its kernels, launched in the emulator, against the CPU.
#include <doctest/doctest.h>

#include "emulator/mutations.hpp"
#include "emulator/runtime.hpp"

using gpu_runtime = emulator::runtime;
static gpu_runtime gpu(std::uint32_t seed, int processors = 1000) { return gpu_runtime(seed, processors); }

#include "model_tests.hpp"
#include "wide_model_tests.hpp"

TEST_CASE("every kernel waits for the one before it, and one that does not is found") {
  const golden::converted bert("bert"), judge("cross");
  const dupq::model m = bert.open(), c = judge.open();
  std::vector<float> vector(m.dim());
  std::string problem;
  gpu_runtime::problems = &problem;
  std::set<std::string> planted;
  const dupq::encoder_options few{.limits = {.text_tokens = 16, .packed_tokens = 16, .texts = 2}},
      many{.limits = {.text_tokens = 16, .packed_tokens = 16, .texts = 4}};
  const auto unnoticed = emulator::unnoticed_defects(
      [&] {
        problem.clear();
        (void)bi::make(m, many, gpu(1))->encode(std::vector<std::string>{"one text"}, vector);
        (void)bi::make(m, few, gpu(1))->encode(std::vector<std::string>{"one text"}, vector);
        (void)cross::make(c, many, gpu(1))->score("one text", "and another");
        (void)cross::make(c, few, gpu(1))->score("one text", "and another");
        return problem;
      },
      planted, "wait_for_previous_kernel");
  gpu_runtime::problems = nullptr;
  for (const auto& line : unnoticed) FAIL_CHECK(line);
  // Embedding, linear layers, those with a norm, attention, pooling, heads; for few texts what receives them, the first
  // linear layer and those behind a norm, attention, the last norm, heads.
  CHECK(planted.size() == 12);
}

TEST_CASE("prompts, cut vectors and similarities as on the CPU; poolings that a GPU does not have are refused") {
  const golden::converted file("bert-prompt"), pairs_file("cross-prompt");
  const dupq::model m = file.open(), c = pairs_file.open();
  const auto texts = some_texts(6);
  const auto pairs = some_pairs(3);
  auto on_cpu = dupq::bi_encoder::make(m);
  for (const std::size_t most : {dupq::limits{}.texts, std::size_t{2}}) {
    auto encoder = make<bi>(m, {.texts = most}, gpu(1));
    check_near(golden::vectors(m, texts), cuda_test::encode(encoder, texts, m.dim()), m.dim());
    check_near(cuda_test::score(*on_cpu, pairs.a, pairs.b), cuda_test::score(encoder, pairs.a, pairs.b), 1, 2e-3);
    auto judge = make<cross>(c, {.texts = most}, gpu(2));
    check_near(scores_on_cpu(c, pairs), cuda_test::score(judge, pairs.a, pairs.b), 1, 2e-3);
  }
  for (const char* name : {"bert-weightedmean", "bert-unpooled"}) {
    const golden::converted other(name);
    const dupq::model rare = other.open();
    const auto made = bi::make(rare, {}, gpu(1));
    REQUIRE(!made);
    CHECK(made.error().code == dupq::errc::unsupported);
    CHECK(std::string(made.error().subject).ends_with(" on a GPU"));
  }
}

TEST_CASE("errors come back as errors, and the encoder works afterwards") {
  const golden::converted file("bert"), judge("cross");
  const dupq::model m = file.open(), c = judge.open();
  CHECK(!bi::make(c, {}, gpu(1)));
  CHECK(!cross::make(m, {}, gpu(1)));
  gpu_runtime failing(1);
  failing.fail_after = 2;  // the weights are the first
  auto encoder = bi::make(m, {}, std::move(failing));
  REQUIRE(encoder);
  const std::vector<std::string> texts{"one", "two words"};
  std::vector<float> out(2 * m.dim()), again(2 * m.dim());
  const auto done = encoder->encode(texts, out);
  REQUIRE(!done);
  CHECK(done.error().code == dupq::errc::gpu_failed);
  REQUIRE(encoder->encode(texts, again));
  check_near(golden::vectors(m, texts), again, m.dim());
  CHECK(encoder->encode(texts, std::span<float>(out).first(3)).error().code == dupq::errc::wrong_size);
  CHECK(encoder->encode(std::vector<std::string>{}, {}));
}
