// Whole models: the engine and its kernels, launched in the emulator, against the CPU.
#include <doctest/doctest.h>

#include <cstdlib>
#include <deque>
#include <dupq/device/cuda/encoders.hpp>
#include <memory>
#include <string>
#include <vector>

#include "data.hpp"
#include "emulator/mutations.hpp"
#include "golden/models.hpp"

namespace {

/// A runtime whose GPU is the emulator; copies are put off until they are waited for.
class emulated {
 public:
  explicit emulated(std::uint32_t seed, int processors = 1000)
      : seed_(std::make_shared<std::uint32_t>(seed)), processors_(processors) {}

  void* device_memory(std::size_t bytes) {
    memory_.push_back(std::make_unique<emulator::buffer<std::byte>>((bytes + 3) / 4 * 4));
    return memory_.back()->data();
  }
  void* pinned_memory(std::size_t bytes) {
    pinned_.push_back(std::make_unique<emulator::buffer<std::byte>>(bytes, emulator::use::read));
    emulator::global_memory::all().remove(pinned_.back()->data());  // no kernel reaches it
    return pinned_.back()->data();
  }
  void* mapped_memory(std::size_t bytes) {
    mapped_.push_back(std::make_unique<emulator::buffer<std::byte>>((bytes + 3) / 4 * 4));
    return mapped_.back()->data();
  }
  void clear(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }
  void upload(int slot, void* to, const void* from, std::size_t bytes) { later(slot, to, from, bytes); }
  void download(int slot, void* to, const void* from, std::size_t bytes) { later(slot, to, from, bytes); }
  template <class Args>
  void launch(int slot, void (*kernel)(Args), int blocks, int threads, std::size_t shared_bytes, const Args& args) {
    (recorded_ != nullptr ? *recorded_ : work_[slot]).push_back([=, seed = seed_] {
      const std::string problem = emulator::launch(
          {.blocks = blocks, .threads = threads, .shared_bytes = shared_bytes, .seed = ++*seed, .overlaps = true},
          [&] { kernel(args); });
      if (problems == nullptr)
        CHECK(problem == "");
      else if (problems->empty())
        *problems = problem;
    });
  }
  template <class Launches>
  int record(int, Launches&& launches) {
    recorded_ = &graphs_.emplace_back();
    launches();
    recorded_ = nullptr;
    return static_cast<int>(graphs_.size()) - 1;
  }
  void replay(int slot, int graph) {
    const auto& steps = graphs_[static_cast<std::size_t>(graph)];
    work_[slot].insert(work_[slot].end(), steps.begin(), steps.end());
  }
  /// The first look sees that it is not done, but lets it be done.
  bool finished(int slot) {
    const bool nothing_left = work_[slot].empty();
    run(slot);
    return nothing_left;
  }
  std::optional<dupq::error> begin() { return {}; }
  std::optional<dupq::error> wait(int slot) {
    run(slot);
    if (fail_after != 0 && --fail_after == 0) return dupq::error(dupq::errc::gpu_failed, "test", 0, 700);
    return {};
  }
  int processors() const { return processors_; }

  int fail_after = 0;                             ///< waits
  static inline std::string* problems = nullptr;  ///< where kernels' problems are expected: the first of them

 private:
  using step_list = std::vector<std::function<void()>>;

  void run(int slot) {
    for (const auto& step : work_[slot]) step();
    work_[slot].clear();
  }
  void later(int slot, void* to, const void* from, std::size_t bytes) {
    work_[slot].push_back([=] { std::memcpy(to, from, bytes); });
  }

  std::vector<std::unique_ptr<emulator::buffer<std::byte>>> memory_, pinned_, mapped_;
  step_list work_[2], *recorded_ = nullptr;
  std::deque<step_list> graphs_;
  std::shared_ptr<std::uint32_t> seed_;  // graphs use it, wherever the runtime is moved
  int processors_;
};

using bi = dupq::gpu::bi_encoder<emulated>;
using cross = dupq::gpu::cross_encoder<emulated>;

/// Half precision in tiny random models, whose values are large: real ones come within 2e-3.
constexpr float tolerance = 4e-3f;

float apart(const std::vector<float>& a, const std::vector<float>& b) {
  return cuda_test::distance(a, 1, b, 1, a.size(), 1);
}

std::vector<std::string> some_texts() {
  std::vector<std::string> all = golden::texts();
  all.resize(std::min<std::size_t>(all.size(), 24));
  return all;
}

}  // namespace

TEST_CASE("bi-encoders on the GPU are near the CPU's, the same bits for any batch and order") {
  const auto texts = some_texts();
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    const auto truth = golden::vectors(m, texts);
    const dupq::encoder_options small{.limits = {.packed_tokens = m.config().max_length + 10u, .texts = 5}};
    auto whole = bi::make(m, {}, emulated(1));
    auto parts = bi::make(m, small, emulated(2, 0));  // large tiles, small batches
    REQUIRE(whole);
    REQUIRE(parts);
    std::vector<float> a(truth.size()), b(truth.size());
    REQUIRE(!whole->encode(texts, a));
    REQUIRE(!parts->encode(texts, b));
    CHECK(apart(truth, a) < tolerance);
    CHECK(a == b);
    std::vector<float> reversed(truth.size());
    REQUIRE(!whole->encode(std::vector<std::string>(texts.rbegin(), texts.rend()), reversed));
    for (std::size_t t = 0; t < texts.size(); ++t)
      CHECK(std::equal(a.begin() + static_cast<std::ptrdiff_t>(t * m.dim()),
                       a.begin() + static_cast<std::ptrdiff_t>((t + 1) * m.dim()),
                       reversed.begin() + static_cast<std::ptrdiff_t>((texts.size() - 1 - t) * m.dim())));
  }
}

TEST_CASE("scores of pairs, also of those that lie in two batches") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  auto pairs = golden::pairs();
  pairs.a.resize(11), pairs.b.resize(11);
  auto on_cpu = dupq::bi_encoder::make(m);
  auto on_gpu = bi::make(m, {.limits = {.packed_tokens = m.config().max_length + 7u, .texts = 3}}, emulated(3));
  REQUIRE(on_gpu);
  std::vector<float> truth(11), found(11);
  REQUIRE(!on_cpu->score(pairs.a, pairs.b, truth));
  REQUIRE(!on_gpu->score(pairs.a, pairs.b, found));
  CHECK(apart(truth, found) < tolerance);
  const auto one = on_gpu->score(pairs.a[4], pairs.b[4]);
  REQUIRE(one);
  CHECK(*one == found[4]);
}

TEST_CASE("cross-encoders on the GPU are near the CPU's") {
  auto pairs = golden::pairs();
  pairs.a.resize(15), pairs.b.resize(15);
  for (const std::string name : {"cross", "cross_identity"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    const auto truth = golden::logits(m, pairs);
    auto encoder = cross::make(m, {.limits = {.texts = 4}}, emulated(5));
    REQUIRE(encoder);
    std::vector<float> found(15), scores(15), cpu_scores(15);
    REQUIRE(!encoder->logits(pairs.a, pairs.b, found));
    CHECK(apart(truth, found) < tolerance);
    REQUIRE(!encoder->score(pairs.a, pairs.b, scores));
    REQUIRE(!dupq::cross_encoder::make(m)->score(pairs.a, pairs.b, cpu_scores));
    CHECK(apart(cpu_scores, scores) < tolerance);
  }
}

TEST_CASE(
    "encoders of one or two texts a pass replay graphs, whose results are near the CPU's and the same for any texts") {
  auto texts = some_texts();
  texts.resize(9);
  for (const std::string name : {"bert", "mpnet", "bert_pooled"}) {
    INFO(name);
    const golden::converted file(name);
    const dupq::model m = file.open();
    const auto truth = golden::vectors(m, texts);
    auto encoder = bi::make(m, {.limits = {.texts = 2}}, emulated(1));
    REQUIRE(encoder);
    std::vector<float> all(truth.size()), one(m.dim());
    REQUIRE(!encoder->encode(texts, all));
    CHECK(apart(truth, all) < tolerance);
    for (std::size_t t = texts.size(); t-- > 0;) {
      REQUIRE(!encoder->encode(std::vector{texts[t]}, one));
      CHECK(std::equal(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(t * m.dim())));
    }
  }
  const golden::converted file("cross");
  const dupq::model c = file.open();
  auto pairs = golden::pairs();
  pairs.a.resize(5), pairs.b.resize(5);
  auto judge = cross::make(c, {.limits = {.texts = 2}}, emulated(4));
  REQUIRE(judge);
  std::vector<float> scores(5), truth(5);
  REQUIRE(!judge->score(pairs.a, pairs.b, scores));
  REQUIRE(!dupq::cross_encoder::make(c)->score(pairs.a, pairs.b, truth));
  CHECK(apart(truth, scores) < tolerance);
  for (std::size_t i = 5; i-- > 0;) CHECK(*judge->score(pairs.a[i], pairs.b[i]) == scores[i]);
}

TEST_CASE("every kernel waits for the one before it, and one that does not is found") {
  const golden::converted bert("bert"), judge("cross");
  const dupq::model m = bert.open(), c = judge.open();
  std::vector<float> vector(m.dim());
  std::string problem;
  emulated::problems = &problem;
  std::set<std::string> planted;
  const auto unnoticed = emulator::unnoticed_defects(
      [&] {
        problem.clear();
        (void)bi::make(m, {}, emulated(1))->encode(std::vector<std::string>{"one text"}, vector);
        (void)bi::make(m, {.limits = {.texts = 2}}, emulated(1))->encode(std::vector<std::string>{"one text"}, vector);
        (void)cross::make(c, {}, emulated(1))->score("one text", "and another");
        return problem;
      },
      planted, "wait_for_previous_kernel");
  emulated::problems = nullptr;
  for (const auto& line : unnoticed) FAIL_CHECK(line);
  CHECK(planted.size() ==
        7);  // what receives texts, embedding, linear layers, those with a norm, attention, pooling, heads
}

TEST_CASE("errors come back as errors, and the encoder works afterwards") {
  const golden::converted file("bert"), judge("cross");
  const dupq::model m = file.open(), c = judge.open();
  CHECK(!bi::make(c, {}, emulated(1)));
  CHECK(!cross::make(m, {}, emulated(1)));
  emulated failing(1);
  failing.fail_after = 2;  // the weights are the first
  auto encoder = bi::make(m, {}, std::move(failing));
  REQUIRE(encoder);
  const std::vector<std::string> texts{"one", "two words"};
  std::vector<float> out(2 * m.dim()), again(2 * m.dim());
  const auto failed = encoder->encode(texts, out);
  REQUIRE(failed);
  CHECK(failed->code == dupq::errc::gpu_failed);
  REQUIRE(!encoder->encode(texts, again));
  CHECK(apart(golden::vectors(m, texts), again) < tolerance);
  CHECK(encoder->encode(texts, std::span<float>(out).first(3))->code == dupq::errc::wrong_size);
  CHECK(!encoder->encode(std::vector<std::string>{}, {}));
}
