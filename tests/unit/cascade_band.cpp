#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <dupq/cascade_band.hpp>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <vector>

using dupq::band_aim;
using dupq::band_choice;
using dupq::cascade_band;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

struct labelled {
  std::vector<float> similarities, probabilities;
  std::vector<int> labels;
};

/// What a band makes of the pairs, pair by pair.
struct outcome {
  dupq::confusion counts;
  std::size_t unsure = 0;
};
outcome judge(const labelled& all, const cascade_band& band) {
  outcome o;
  std::vector<float> scores;
  for (std::size_t i = 0; i < all.labels.size(); ++i) {
    const float s = all.similarities[i];
    o.unsure += band.unsure(s);
    scores.push_back(band.unsure(s) ? all.probabilities[i] : band.sure_score(s));
  }
  o.counts = dupq::confusion_at(scores, all.labels, static_cast<double>(band.threshold));
  return o;
}

/// The same choice by trying every band.
std::optional<band_choice> try_all(const labelled& all, const dupq::band_options& options) {
  const auto best = dupq::best_f1(all.probabilities, all.labels);
  if (!best) return {};
  std::vector<float> cuts{-FLT_MAX, FLT_MAX};
  for (const float s : all.similarities)
    if (!std::isnan(s)) cuts.push_back(s);
  std::vector<band_choice> bands;
  double aim = best->f1;
  for (const float lower : cuts)
    for (const float upper : cuts) {
      if (lower > upper) continue;
      const cascade_band band{lower, upper, static_cast<float>(best->threshold)};
      const outcome o = judge(all, band);
      bands.push_back({.band = band, .unsure = o.unsure, .pairs = all.labels.size(), .counts = o.counts});
      if (options.aim == band_aim::best) aim = std::max(aim, o.counts.f1());
    }
  std::optional<band_choice> chosen;
  for (const band_choice& b : bands) {
    if (b.counts.f1() < aim - options.loss - 0x1p-31) continue;
    if (!chosen || b.unsure < chosen->unsure || (b.unsure == chosen->unsure && b.counts.f1() > chosen->counts.f1()))
      chosen = b;
  }
  return chosen;
}

}  // namespace

TEST_CASE("a pair's score is one number in order") {
  const cascade_band band{0.5f, 0.75f, 0.25f};
  CHECK(band.sound());
  CHECK_FALSE(band.unsure(0.4999f));
  CHECK(band.unsure(0.5f));
  CHECK(band.unsure(0.7499f));
  CHECK_FALSE(band.unsure(0.75f));
  CHECK(band.unsure(not_a_number));
  CHECK(band.sure_score(0.25f) == -0.25f);
  CHECK(band.sure_score(0.75f) == 1);
  CHECK(band.sure_score(1) == 1.25f);
  CHECK(band.sure_score(std::nextafter(0.5f, 0.0f)) < 0);
  CHECK(cascade_band{0, 1, 0.5f}.sure_score(-std::numeric_limits<float>::denorm_min()) < 0);
  for (const float infinite : {std::numeric_limits<float>::infinity(), not_a_number})
    for (const cascade_band bad : {cascade_band{infinite, 1, 0}, {0, infinite, 0}, {0, 1, infinite}})
      CHECK_FALSE(bad.sound());
  CHECK_FALSE(cascade_band{0.5f, 0.4f, 0.5f}.sound());
  CHECK_FALSE(cascade_band{0, 1, 1.5f}.sound());
  CHECK_FALSE(cascade_band{0, 1, -0.5f}.sound());
}

TEST_CASE("the narrowest band, as trying all of them finds it") {
  std::mt19937 random(7);
  const auto number = [&](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  std::set<std::size_t> widths;
  std::size_t better_together = 0;
  for (int round = 0; round < 1500; ++round) {
    labelled all;
    const int n = number(1, 24), steps = number(2, 40), skill = number(0, 8), judges_skill = number(0, 12);
    for (int i = 0; i < n; ++i) {
      const int label = number(0, 2) == 0;
      all.labels.push_back(label);
      const float s = static_cast<float>(number(0, steps) + label * skill) / 16 - 1;
      all.similarities.push_back(number(0, 19) == 0 ? not_a_number : s);
      const float p = static_cast<float>(number(0, 12) + label * judges_skill) / 24;
      all.probabilities.push_back(number(0, 29) == 0 ? not_a_number : p);
    }
    for (const dupq::band_options options : {dupq::band_options{},
                                             {.loss = 0},
                                             {.loss = 0.1},
                                             {.loss = 2},
                                             {.aim = band_aim::best},
                                             {.loss = 0, .aim = band_aim::best}}) {
      CAPTURE(round);
      const auto chosen = dupq::choose_band(all.similarities, all.probabilities, all.labels, options);
      const auto truth = try_all(all, options);
      REQUIRE(chosen.has_value() == truth.has_value());
      if (!chosen) continue;
      CHECK(chosen->unsure == truth->unsure);
      CHECK(chosen->counts.f1() == truth->counts.f1());
      CHECK(chosen->pairs == all.labels.size());
      CHECK(chosen->band.sound());
      const outcome o = judge(all, chosen->band);
      CHECK(o.unsure == chosen->unsure);
      CHECK(o.counts == chosen->counts);
      CHECK(chosen->cross_f1 == dupq::best_f1(all.probabilities, all.labels)->f1);
      widths.insert(chosen->unsure);
      better_together += chosen->counts.f1() > chosen->cross_f1;
    }
  }
  CHECK(widths.size() > 15);  // all kinds of bands have come up
  CHECK(better_together > 100);
}

TEST_CASE("bands without a judge, without an end, and none at all") {
  const std::vector<int> labels{0, 0, 1, 1};
  const std::vector<float> right{0.1f, 0.2f, 0.8f, 0.9f}, wrong{0.9f, 0.2f, 0.3f, 0.1f};
  const auto alone = dupq::choose_band(right, right, labels);
  REQUIRE(alone);
  CHECK(alone->unsure == 0);
  CHECK(alone->share() == 0);
  CHECK(alone->band.lower == 0.5f);  // midway between the scores that it parts
  CHECK(alone->band.upper == 0.5f);
  // The similarities mean nothing, so the cross-encoder sees all, and will see what is beyond all that was seen.
  const auto all = dupq::choose_band(wrong, right, labels, {.loss = 0});
  REQUIRE(all);
  CHECK(all->unsure == 4);
  CHECK(all->share() == 1);
  CHECK(all->band.lower == -FLT_MAX);
  CHECK(all->band.unsure(5.0f));
  CHECK(all->counts.f1() == 1);
  CHECK_FALSE(dupq::choose_band(right, right, std::vector<int>{0, 0, 0, 0}));
  CHECK_FALSE(dupq::choose_band({}, {}, std::vector<int>{}));
  const std::vector<float> nothing(4, not_a_number);
  const auto unknown = dupq::choose_band(nothing, right, labels);
  REQUIRE(unknown);
  CHECK(unknown->unsure == 4);
  CHECK(unknown->band.unsure(0.5f));
}
