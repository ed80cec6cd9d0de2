// The encoders of cuda.cuh as a user has them, over a CUDA that is not there: see driver.hpp.
#include <doctest/doctest.h>

#include <cmath>
#include <dupq/cuda.cuh>
#include <string>
#include <vector>

#include "cuda/wide_model.hpp"
#include "golden/models.hpp"

namespace {

using bi = dupq::cuda::bi_encoder;
using cross = dupq::cuda::cross_encoder;
using driver = fake_cuda::driver;

constexpr float tolerance = 4e-3f;  // of tiny random models, see model_tests.hpp

driver& fresh() {
  driver& d = driver::self();
  d.reset();
  emulator::m().code_waits = true;
  return d;
}

const std::vector<std::string> questions{"how do I learn C++?", "why", "what is the best way to learn C++ at home?",
                                         "one more", "and the last of them all"};

bool near(const std::vector<float>& truth, const std::vector<float>& found) {
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (!(std::fabs(truth[i] - found[i]) < tolerance * (1 + std::fabs(truth[i])))) return false;
  return true;
}

/// Many small batches in two slots, and one or two texts at a time by graphs.
std::vector<dupq::encoder_options> both(const dupq::model& m) {
  return {{.limits = {.packed_tokens = m.config().max_length, .texts = 3}}, {.limits = {.texts = 2}}};
}

void nothing_left(const driver& d) {
  CHECK(d.problem == "");
  CHECK(d.kept() == 0);
  CHECK(d.current == 0);
  CHECK(d.last() == fake_cuda::success);
}

}  // namespace

TEST_CASE("encoders keep CUDA's rules on any device, with work done at once or as late as may be") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  const auto truth = golden::vectors(m, questions);
  for (const bool eager : {false, true})
    for (const int device : {-1, 1})
      for (const auto& options : both(m)) {
        driver& d = fresh();
        d.eager = eager;
        {
          auto made = bi::make(m, options, {.device = device});
          REQUIRE(made);
          bi encoder = std::move(*made);  // what is left of the other is destroyed at the end
          std::vector<float> found(truth.size());
          for (int round = 0; round < 2; ++round) {
            REQUIRE(encoder.encode(questions, found));
            CHECK(near(truth, found));
          }
          CHECK(d.overlapped > 0);
        }
        nothing_left(d);
      }
}

TEST_CASE("cross-encoders and wide models too: clusters, and more shared memory than is given unasked") {
  driver& d = fresh();
  {
    const golden::converted file("cross");
    const dupq::model m = file.open();
    const auto score = dupq::cross_encoder::make(m)->score(questions[0], questions[2]);
    for (const auto& options : both(m)) {
      auto judge = cross::make(m, options);
      REQUIRE(judge);
      const auto found = judge->score(questions[0], questions[2]);
      REQUIRE(found);
      CHECK(near({*score}, {*found}));
    }
    const golden::wide_model wide(golden::wide_model::kind::mpnet);
    const dupq::model w = wide.open();
    auto encoder = bi::make(w, {.limits = {.packed_tokens = w.config().max_length}});
    REQUIRE(encoder);
    std::vector<float> out(w.dim());
    CHECK(encoder->encode(std::vector<std::string>{"why"}, out));
  }
  nothing_left(d);
}

TEST_CASE("code that does not wait for kernels is launched without overlap; none for a GPU is an error at once") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  const auto truth = golden::vectors(m, questions);
  driver& d = fresh();
  emulator::m().code_waits = false;  // of sm_80, compiled for Hopper by the driver
  for (const auto& options : both(m)) {
    auto encoder = bi::make(m, options);
    REQUIRE(encoder);
    std::vector<float> found(truth.size());
    REQUIRE(encoder->encode(questions, found));
    CHECK(near(truth, found));
  }
  CHECK(d.overlapped == 0);
  emulator::m().code_waits = true;
  d.has_code = false;
  const auto none = bi::make(m);
  REQUIRE(!none);
  CHECK(none.error().code == dupq::errc::gpu_failed);
  const auto far = bi::make(m, {}, {.device = 2});
  REQUIRE(!far);
  CHECK(far.error().code == dupq::errc::no_gpu);
  nothing_left(d);
}

TEST_CASE("calls begin after the work in the caller's stream") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  for (const auto& options : both(m)) {
    driver& d = fresh();
    {
      cudaStream_t mine = nullptr;
      REQUIRE(cudaStreamCreateWithFlags(&mine, 0) == cudaSuccess);
      auto encoder = bi::make(m, options, {.stream = mine});
      REQUIRE(encoder);
      int worked = 0;
      std::vector<float> out(m.dim());
      for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5; ++i) d.add(mine, [&] { ++worked; });
        CHECK(encoder->encode(std::vector<std::string>{"why"}, out));
        CHECK(worked == 5 * (round + 1));
      }
      (void)cudaStreamDestroy(mine);
    }
    nothing_left(d);
  }
}

TEST_CASE("whichever call of CUDA fails, it is reported or made up for, and nothing is kept") {
  const golden::converted file("bert");
  const dupq::model m = file.open();
  const std::vector<std::string> texts{"why"};
  const auto truth = golden::vectors(m, texts);
  for (const auto& options : both(m))
    for (int call = 0;; call += call < 60 ? 1 : 10) {  // calls go by threes: two choose the device
      driver& d = fresh();
      d.fail_call = call;
      bool reported = false, right = false;
      {
        auto encoder = bi::make(m, options, {.device = 1});
        std::vector<float> found(truth.size());
        reported = !encoder || !encoder->encode(texts, found);
        right = !reported && near(truth, found);
        if (encoder && reported) {
          REQUIRE(encoder->encode(texts, found));  // it works again
          CHECK(near(truth, found));
        }
      }
      INFO(call);
      CHECK((reported || right));
      if (!d.failed_call) break;
      nothing_left(d);
    }
}
