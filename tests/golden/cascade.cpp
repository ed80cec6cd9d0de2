// The cascade of two tiny models, against its encoders one after the other.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <new_keys.hpp>
#include <string>
#include <vector>

#include "models.hpp"

using dupq::cascade_band;
using dupq::errc;

namespace {

/// The pairs of this folder, often enough that they fill several steps.
golden::pair_list many_pairs(std::size_t n) {
  const auto few = golden::pairs();
  golden::pair_list all;
  for (std::size_t i = 0; i < n; ++i) {
    all.a.push_back(few.a[i % few.a.size()]);
    all.b.push_back(few.b[i % few.b.size()]);
  }
  return all;
}

float sigmoid(float x) { return dupq::formulas::sigmoid(x); }

/// What a cascade must give, pair by pair, from the scores of both encoders.
struct truth {
  std::vector<float> similarities, probabilities;
  cascade_band band;

  truth(const dupq::model& bi, const dupq::model& cross, const golden::pair_list& pairs)
      : similarities(pairs.a.size()), probabilities(golden::logits(cross, pairs)) {
    auto encoder = dupq::bi_encoder::make(bi);
    REQUIRE(encoder);
    REQUIRE(encoder->score(pairs.a, pairs.b, similarities));
    for (float& x : probabilities) x = sigmoid(x);
    auto sorted = similarities;  // a third of the pairs below, a third above
    std::ranges::sort(sorted);
    band = {sorted[sorted.size() / 3], sorted[sorted.size() * 2 / 3], 0.5f};
  }
  std::size_t unsure() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(similarities, [&](float s) { return s >= band.lower && s < band.upper; }));
  }
  float operator[](std::size_t i) const {
    const float s = similarities[i];
    return s < band.lower ? s - band.lower : s >= band.upper ? 1 + (s - band.upper) : probabilities[i];
  }
};

/// The bytes of a model file with other keys.
std::string with_keys(const golden::converted& file, const std::vector<dupq_tool::new_key>& keys) {
  const dupq::model m = file.open();
  const auto data = m.file().bytes().subspan(m.file().data_offset());
  return dupq_tool::header_with(m.file(), keys) + std::string(reinterpret_cast<const char*>(data.data()), data.size());
}

std::vector<dupq_tool::new_key> cascade_keys(const dupq::model& cross, const cascade_band& band) {
  return {{"dupq.cascade.lower", band.lower},
          {"dupq.cascade.upper", band.upper},
          {"dupq.cascade.threshold", band.threshold},
          {"dupq.cascade.name", "cross.gguf"},
          {"dupq.cascade.digest", std::string(cross.file().find("dupq.digest")->text())}};
}

}  // namespace

TEST_CASE("every pair has the score of the encoder that decides, for any number of pairs and workers") {
  for (const char* judge : {"cross", "cross_identity"}) {
    const golden::converted bi_file("mpnet"), cross_file(judge);  // another tokenizer
    const dupq::model bi = bi_file.open(), cross = cross_file.open();
    const auto pairs = many_pairs(700);
    const truth expected(bi, cross, pairs);
    REQUIRE(expected.unsure() > 150);
    for (const std::size_t workers : {1u, 3u}) {
      dupq::thread_pool pool(workers);
      const dupq::encoder_options options{.limits = {.texts = 6}, .executor = pool.executor()};
      auto cascade = dupq::cascade::make(bi, cross, {.bi = options, .cross = options, .band = expected.band});
      REQUIRE(cascade);
      for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{129}, pairs.a.size()}) {
        const golden::pair_list some{{pairs.a.begin(), pairs.a.begin() + static_cast<std::ptrdiff_t>(n)},
                                     {pairs.b.begin(), pairs.b.begin() + static_cast<std::ptrdiff_t>(n)}};
        std::vector<float> scores(n);
        const auto seen = cascade->pairs(), judged = cascade->judged();
        REQUIRE(cascade->score(some.a, some.b, scores));
        std::size_t wrong = 0, unsure = 0;
        for (std::size_t i = 0; i < n; ++i) {
          wrong += scores[i] != expected[i];
          unsure += expected.band.unsure(expected.similarities[i]);
        }
        CHECK(wrong == 0);
        CHECK(cascade->pairs() - seen == n);
        CHECK(cascade->judged() - judged == unsure);
      }
      for (std::size_t i = 0; i < 40; ++i) CHECK(cascade->score(pairs.a[i], pairs.b[i]).value() == expected[i]);
      std::vector<float> too_few(3);
      CHECK(cascade->score(pairs.a, pairs.b, too_few).error().code == errc::wrong_size);
    }
  }
}

TEST_CASE("a call says how far it is and which pairs were cut, and can be stopped") {
  const golden::converted bi_file("bert"), cross_file("cross");
  const dupq::model bi = bi_file.open(), cross = cross_file.open();
  auto pairs = many_pairs(700);
  for (std::size_t i = 0; i < pairs.a.size(); i += 3)
    for (int k = 0; k < 5; ++k) pairs.a[i] += " how do I learn India";
  const truth expected(bi, cross, pairs);
  for (const std::size_t workers : {1u, 3u}) {
    dupq::thread_pool pool(workers);
    const dupq::encoder_options options{.limits = {.text_tokens = 12, .texts = 6}, .executor = pool.executor()};
    auto cascade = dupq::cascade::make(bi, cross, {.bi = options, .cross = options, .band = expected.band});
    auto first = dupq::bi_encoder::make(bi, options);
    auto second = dupq::cross_encoder::make(cross, options);
    REQUIRE(cascade);
    REQUIRE(first);
    REQUIRE(second);
    const std::size_t n = pairs.a.size();
    std::vector<std::size_t> cut, bi_cut, cross_cut, wanted;
    std::vector<float> plain(n), scores(n), similarities(n), ignored(n);
    const auto note = [](std::vector<std::size_t>& list) { return [&list](std::size_t i) { list.push_back(i); }; };
    const auto in_bi = note(bi_cut), in_cross = note(cross_cut), in_either = note(cut);
    REQUIRE(first->score(pairs.a, pairs.b, similarities, {.on_truncated = in_bi}));
    REQUIRE(second->score(pairs.a, pairs.b, ignored, {.on_truncated = in_cross}));
    REQUIRE(cascade->score(pairs.a, pairs.b, plain));
    std::size_t last = 0;
    const auto progress = [&](std::size_t done, std::size_t total) {
      CHECK(total == n);
      CHECK(done > last);
      last = done;
      return true;
    };
    REQUIRE(cascade->score(pairs.a, pairs.b, scores, {.on_progress = progress, .on_truncated = in_either}));
    CHECK(scores == plain);
    CHECK(last == n);
    for (std::size_t i = 0; i < n; ++i)
      if (std::ranges::count(bi_cut, i) != 0 ||
          (expected.band.unsure(similarities[i]) && std::ranges::count(cross_cut, i) != 0))
        wanted.push_back(i);
    std::ranges::sort(cut);
    CHECK(cut == wanted);
    CHECK(wanted.size() > 100);
    CHECK(cut.size() > bi_cut.size());  // some pairs are cut only together

    for (const std::size_t most : {1u, 60u, 200u, 450u}) {
      std::vector<float> part(n, 7.0f);
      const auto stop = [&](std::size_t done, std::size_t) { return done < most; };
      const auto done = cascade->score(pairs.a, pairs.b, part, {.on_progress = stop});
      REQUIRE(!done);
      CHECK(done.error().code == errc::cancelled);
      std::size_t final = 0, wrong = 0;
      for (std::size_t i = 0; i < n; ++i)
        if (part[i] != 7.0f) ++final, wrong += part[i] != plain[i];
      CHECK(final >= most);
      CHECK(final < n);
      CHECK(wrong == 0);
    }
    const auto late = [](std::size_t done, std::size_t total) { return done < total; };
    CHECK(cascade->score(pairs.a, pairs.b, scores, {.on_progress = late}));
    CHECK(scores == plain);
  }
}

TEST_CASE("the band of a model file is for one cross-encoder") {
  const golden::converted bi_file("bert"), cross_file("cross"), other_file("cross_identity");
  const dupq::model cross = cross_file.open(), other = other_file.open();
  temporary_folder folder;
  int number = 0;
  std::vector<dupq::model> kept;
  const auto calibrated = [&](const std::vector<dupq_tool::new_key>& keys) -> const dupq::model& {
    const std::string path = folder.file(std::to_string(number++) + ".gguf");
    std::ofstream(path, std::ios::binary) << with_keys(bi_file, keys);
    auto m = dupq::model::open(path);
    REQUIRE(m);
    kept.push_back(std::move(*m));
    return kept.back();
  };
  kept.reserve(16);
  const cascade_band band{0.25f, 0.5f, 0.75f};
  const auto keys = cascade_keys(cross, band);
  const auto refused = [&](const dupq::model& bi, const dupq::model& judge, errc code, std::string_view subject) {
    const auto made = dupq::cascade::make(bi, judge);
    REQUIRE(!made);
    CHECK(made.error().code == code);
    CHECK(std::string_view(made.error().subject).find(subject) != std::string_view::npos);
    CHECK(made.error().file[0] != '\0');
  };
  const dupq::model& good = calibrated(keys);
  const auto cascade = dupq::cascade::make(good, cross);
  REQUIRE(cascade);
  CHECK(cascade->band() == band);
  refused(good, other, errc::wrong_model, "cross.gguf, not ");
  const dupq::model plain = bi_file.open();
  refused(plain, cross, errc::missing_key, "dupq.cascade.lower");
  refused(cross, cross, errc::wrong_kind, "cross_encoder");
  refused(good, plain, errc::wrong_kind, "bi_encoder");
  CHECK(dupq::cascade::make(plain, other, {.band = band}));  // the caller knows better
  CHECK(dupq::cascade::make(plain, other, {.band = cascade_band{1, 0, 0}}).error().code == errc::wrong_value);
  for (std::size_t k = 0; k < 3; ++k)
    for (const float bad : {std::nanf(""), HUGE_VALF, 2.0f - 3.0f * static_cast<float>(k == 1)}) {
      auto changed = keys;
      changed[k].value = bad;
      refused(calibrated(changed), cross, std::isfinite(bad) ? errc::wrong_value : errc::not_finite,
              std::isfinite(bad) && k == 0 ? "dupq.cascade.upper" : changed[k].key);
    }
}
