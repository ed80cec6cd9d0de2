// Golden models with settings that few checkpoints have, against Python's formulas: prompts, pooling modes, cut
// vectors, similarities; and how such a file is refused where it is not known.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <dupq/core/os.hpp>
#include <dupq/device/reference.hpp>
#include <dupq/search/duplicates.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "models.hpp"

namespace {

using golden::converted;

std::string made(const std::string& name, const char* file) {
  return golden::folder + "/settings/" + name + "/" + file;
}

std::vector<float> scores(const std::string& name) {
  std::vector<float> values;
  for (const auto& row : fixtures::read_rows<double>(made(name, "expected.tsv")))
    values.push_back(static_cast<float>(row.at(0)));
  return values;
}

/// Encoders that differ in what must not matter: batches, threads' share, kernels.
std::vector<dupq::encoder_options> several() {
  return {{}, {.limits = {.texts = 2}}, {.limits = {.packed_tokens = 64}}};
}

}  // namespace

TEST_CASE("vectors and similarities of bi-encoders with rare settings") {
  for (const std::string name : {"bert-weightedmean", "bert-order", "bert-prompt", "bert-unpooled"}) {
    CAPTURE(name);
    const converted file(name);
    const dupq::model m = file.open();
    const auto truth = fixtures::read_npy(made(name, "expected.npy"));
    CHECK(truth.size() == golden::texts().size() * m.dim());
    CHECK(fixtures::distance(golden::vectors<dupq::reference>(m, golden::texts()), truth) < 2e-6);
    const auto first = golden::vectors(m, golden::texts());
    CHECK(fixtures::distance(first, truth) < 1e-5);
    const auto pairs = golden::pairs();
    const std::vector<float> similarities = scores(name);
    for (const dupq::encoder_options& options : several()) CHECK(golden::vectors(m, golden::texts(), options) == first);
    for (const dupq::kernels* table : dupq::available_kernels())
      CHECK(golden::vectors(file.open(table->name), golden::texts()) == first);
    auto encoder = dupq::bi_encoder::make(m);
    REQUIRE(encoder);
    std::vector<float> found(similarities.size());
    REQUIRE(encoder->score(pairs.a, pairs.b, found));
    CHECK(fixtures::distance(found, similarities) < 1e-5);
    CHECK(*encoder->score(pairs.a[3], pairs.b[3]) == found[3]);

    // A search means the same by a score.
    std::vector<float> two = golden::vectors(m, {pairs.a[3], pairs.b[3]});
    std::size_t matches = 0;
    const dupq::search_options search{.threshold = -1e30f, .similarity = m.config().similarity};
    const auto searched1 = dupq::find_duplicates(two, m.dim(), search, [&](const dupq::match& match) {
      CHECK(match.score == found[3]);
      return ++matches != 0;
    });
    REQUIRE(searched1);
    const auto searched2 = dupq::find_similar(std::span(two).first(m.dim()), std::span(two).subspan(m.dim()), search,
                                              [&](std::size_t, float score) {
                                                CHECK(score == found[3]);
                                                return ++matches != 0;
                                              });
    REQUIRE(searched2);
    CHECK(matches == 2);
  }
}

TEST_CASE("the prompt of a cross-encoder stands before the first text only") {
  const converted file("cross-prompt");
  const dupq::model m = file.open();
  const auto pairs = golden::pairs();
  const auto truth = scores("cross-prompt");
  CHECK(fixtures::distance(golden::logits<dupq::reference>(m, pairs), truth) < 5e-6);
  CHECK(fixtures::distance(golden::logits(m, pairs), truth) < 1e-4);
  const auto ids = fixtures::read_rows<std::int32_t>(made("cross-prompt", "expected.ids"));
  const auto use = dupq::prompt_for(m, {}, {.text_tokens = m.config().max_length});
  REQUIRE(use);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::vector<std::int32_t> found(m.config().max_length);
    found.resize(dupq::encode_pair(m, *use, pairs.a[i], pairs.b[i], found, dupq::special_tokens::parse).tokens);
    CHECK_MESSAGE(found == ids[i], "pair " << i);
  }
}

TEST_CASE("prompts by name, none, and one that is not there") {
  const converted file("bert-prompt");
  const dupq::model m = file.open();
  const auto with = [&](const char* prompt, const char* text) {
    return golden::vectors(m, {text}, {.prompt = prompt});
  };
  CHECK(golden::vectors(m, {"y they sleep"}) == with("", "How do you why they sleep"));
  CHECK(with("other", "why") == with("", "x why"));
  CHECK(with("ask", "why") == golden::vectors(m, {"why"}));
  const auto missing = dupq::bi_encoder::make(m, {.prompt = "no such"});
  REQUIRE(!missing);
  CHECK(missing.error().code == dupq::errc::missing_key);
  CHECK(std::string(missing.error().subject) == "no such");
}

TEST_CASE("a text with a prompt before it is the one text that they are together") {
  const converted file("bert");
  const dupq::model m = file.open();
  const dupq::tokenizer& t = m.tokenizer();
  const auto ids = [&](const auto& text) {
    std::vector<std::int32_t> out(4000);
    out.resize(t.encode(text, out.size(), out).tokens);
    return out;
  };
  // Cut anywhere: in words, in special tokens, in characters of the text (a prompt is UTF-8).
  for (const std::string text :
       {"How do [MASK]you sleep, [SEP]why?", "a  b [PAD] c", "na\xC3\xAFve \xE4\xBD\xA0\xE5\xA5\xBD"})
    for (std::size_t at = 0; at <= text.size(); ++at)
      if (at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80)
        CHECK(ids(dupq::prompted_text{std::string_view(text).substr(0, at), std::string_view(text).substr(at)}) ==
              ids(std::string_view(text)));
  // Texts longer than what stands in one piece with the prompt: mostly blanks, or too many tokens.
  for (const std::string& middle :
       {std::string(20000, ' '), std::string(20000, '\n') + "why", std::string(5000, ' ')}) {
    const std::string text = "ell me" + middle + "how are [MASK] you?" + middle + "well";
    CHECK(ids(dupq::prompted_text{"T", text}) == ids(std::string_view("T" + text)));
    std::vector<std::int32_t> pair(40), same(40);
    CHECK(t.encode_pair(dupq::prompted_text{"T", text}, text, pair.size(), pair).tokens ==
          t.encode_pair("T" + text, text, same.size(), same).tokens);
    CHECK(pair == same);
  }
  std::string many;
  while (many.size() < 30000) many += "how do you sleep ";
  CHECK(ids(dupq::prompted_text{"T", many}) == ids(std::string_view("T" + many)));
}

TEST_CASE("without the settings a file that needs them is refused") {
  const converted rare("bert-order"), plain("bert");
  for (const auto* file : {&rare, &plain}) {
    std::ifstream stream(file->path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    const auto needed = dupq::model::storage_bytes(std::as_bytes(std::span(bytes)));
    REQUIRE(needed);
    void* const storage = dupq::os::allocate(*needed);
    const std::span room(static_cast<std::byte*>(storage), *needed);
    const auto without = dupq::model::load(std::as_bytes(std::span(bytes)), room);
    CHECK(without.has_value() == (file == &plain));
    if (!without) CHECK(std::string(without.error().subject) == "dupq.version");
    CHECK(dupq::model::load(std::as_bytes(std::span(bytes)), room, {.settings = &dupq::all_settings}).has_value());
    dupq::os::release(storage);
  }
}
