// What the GPU's path takes of the families and settings that models have: all that fold into BERT or MPNet; of the
// rest an encoder says what it is that is not done there.
#include <doctest/doctest.h>

#include <cmath>
#include <dupq/cuda.cuh>
#include <fstream>
#include <string>
#include <vector>

#include "driver.hpp"
#include "golden/family.hpp"
#include "golden/models.hpp"
#include "tool/static_folder.hpp"

namespace {

using bi = dupq::cuda::bi_encoder;
using cross = dupq::cuda::cross_encoder;
using golden::family;

template <class Encoder>
std::string trouble(const dupq::model& m, const dupq::encoder_options& options = {}) {
  fake_cuda::driver::self().reset();
  const auto made = Encoder::make(m, options);
  REQUIRE(!made);
  CHECK(fake_cuda::driver::self().kept() == 0);
  CHECK(std::string(m.path()).ends_with(made.error().file));
  CHECK(made.error().code == dupq::errc::unsupported);
  return made.error().subject;
}

const std::vector<std::string> questions{"how do I learn C++?", "why", "what is the best way to learn C++ at home?"};

bool near(const std::vector<float>& truth, const std::vector<float>& found) {
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (!(std::fabs(truth[i] - found[i]) < 4e-3f * (1 + std::fabs(truth[i])))) return false;
  return truth.size() == found.size();
}

}  // namespace

TEST_CASE("families that fold into BERT run, whatever their tokenizer") {
  for (const char* name : {"roberta-bpe", "xlm-roberta-unigram", "bert-unigram", "distilbert"}) {
    CAPTURE(name);
    const family f(name);
    const dupq::model m = f.open();
    fake_cuda::driver::self().reset();
    auto encoder = bi::make(m, {.limits = {.texts = 2}});
    REQUIRE(encoder);
    std::vector<float> found(questions.size() * m.dim());
    REQUIRE(encoder->encode(questions, found));
    CHECK(near(golden::vectors(m, questions), found));
  }
  for (const char* name : {"roberta-bpe-cross", "bert-cross-two", "mpnet-cross"}) {
    CAPTURE(name);
    const family f(name);
    const dupq::model m = f.open();
    fake_cuda::driver::self().reset();
    auto on_cpu = dupq::cross_encoder::make(m);
    auto judge = cross::make(m, {.limits = {.texts = 2}});
    REQUIRE(judge);
    const auto truth = on_cpu->score(questions[0], questions[2]), found = judge->score(questions[0], questions[2]);
    REQUIRE((truth && found));
    CHECK(near({*truth}, {*found}));
  }
}

TEST_CASE("what is not done on a GPU is named") {
  CHECK(trouble<bi>(family("bert-tanh").open()) == "this activation on a GPU");
  CHECK(trouble<bi>(family("distilbert-relu").open()) == "this activation on a GPU");
  CHECK(trouble<cross>(family("electra-cross").open()) == "this head's activation on a GPU");
  CHECK(trouble<cross>(family("distilbert-cross").open()) == "this head's activation on a GPU");
  CHECK(trouble<bi>(family("distilbert-dense").open()) == "a Dense after the pooling on a GPU");
  CHECK(trouble<bi>(golden::converted("bert-weightedmean").open()) == "this pooling on a GPU");
  CHECK(trouble<bi>(golden::converted("bert-order").open()) == "this pooling on a GPU");
  const family unpooled("bert-unigram");
  unpooled.edit("1_Pooling/config.json", "{", "{\"include_prompt\": false,");
  CHECK(trouble<bi>(unpooled.open()) == "a pooling without the prompt on a GPU");
}

TEST_CASE("models of another kind are refused as on a CPU, static ones too") {
  const family judge("roberta-bpe-cross"), f("roberta-bpe");
  const dupq::model c = judge.open(), m = f.open();
  fake_cuda::driver::self().reset();
  CHECK(bi::make(c).error().code == dupq::errc::wrong_kind);
  CHECK(cross::make(m).error().code == dupq::errc::wrong_kind);
  const dupq_tool::static_folder table(false);
  (void)table.folder.convert({});
  const auto s = dupq::model::open(table.folder.output().string().c_str());
  REQUIRE(s);
  CHECK(bi::make(*s).error().code == dupq::errc::wrong_kind);
  CHECK(cross::make(*s).error().code == dupq::errc::wrong_kind);
}
