#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "report_axis.hpp"
#include "report_curve.hpp"
#include "report_figures.hpp"
#include "report_mistakes.hpp"
#include "report_text.hpp"
#include "report_words.hpp"

using namespace dupq_tool;
using namespace dupq_tool::report;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity(), none = std::numeric_limits<float>::quiet_NaN();

judged_model model_of(std::vector<float> scores, const std::vector<std::uint8_t>& labels,
                      std::optional<double> threshold) {
  const judged_part part{scores, labels};
  return {.name = "m.gguf", .threshold = threshold, .test = judgement("test", part, threshold), .scores = scores};
}

/// How far a point is from a line of points.
double distance_to(const curve& line, const point& p) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 1; i < line.size(); ++i)
    least = std::min(least, curve_detail::distance(p, line[i - 1], line[i]));
  return least;
}

}  // namespace

TEST_CASE("ticks are round numbers and hold all values") {
  std::mt19937 bits(1);
  std::uniform_real_distribution<double> any(-1, 1);
  for (int i = 0; i < 2000; ++i) {
    const double size = std::pow(10.0, 12 * any(bits)), a = size * any(bits), b = i % 10 == 0 ? a : size * any(bits);
    const axis x = round_axis(std::min(a, b), std::max(a, b), 0, 100, 8);
    CAPTURE(a);
    CAPTURE(b);
    const auto ticks = x.ticks();
    REQUIRE(ticks.size() >= 2);
    CHECK(ticks.size() <= 9);
    CHECK(x.low <= std::min(a, b) + 2e-3 * x.step);
    CHECK(x.high >= std::max(a, b) - 2e-3 * x.step);
    CHECK(x(x.low) == 0);
    CHECK(x(x.high) == 100);
    for (std::size_t t = 1; t < ticks.size(); ++t) CHECK(x.label(ticks[t]) != x.label(ticks[t - 1]));
  }
  const axis unit = round_axis(-0.13, 1.0000001, 0, 100, 8);
  CHECK(unit.label(unit.low) == "\u22120.2");
  CHECK(unit.label(unit.high) == "1.0");
  CHECK(unit(std::nan("")) == 0);
  CHECK(unit(std::numeric_limits<double>::infinity()) == 100);
}

TEST_CASE("a thinned curve lies where the whole one does, and reaches its highest point") {
  std::mt19937 bits(2);
  std::uniform_real_distribution<float> any(0, 1);
  std::vector<float> scores;
  std::vector<std::uint8_t> labels;
  for (int i = 0; i < 5000; ++i) {
    scores.push_back(any(bits));
    labels.push_back(any(bits) < scores.back());
  }
  const auto steps = steps_of(scores, labels);
  const axis x{0, 1, 40, 540, 0.2}, y{0, 1, 350, 30, 0.2};
  for (const curve& whole : {f1_over_threshold(steps, 0, 1), precision_over_recall(steps)}) {
    const curve thin = thinned(whole, x, y);
    CHECK(thin.size() < 1500);
    double highest = 1e9, reached = 1e9;
    for (const point& p : whole) {
      highest = std::min(highest, y(p.y));
      CHECK(distance_to(thin, {x(p.x), y(p.y)}) < 0.75);  // half a unit of a column, and a fifth of the rest
    }
    for (const point& p : thin) reached = std::min(reached, p.y);
    CHECK(reached == highest);
  }
  double best = 0;
  for (const score_step& s : steps) best = std::max(best, s.counts.f1());
  CHECK(best == dupq::best_f1(scores, labels)->f1);
}

TEST_CASE("curves of few scores are steps") {
  const std::vector<float> scores{0.2f, 0.4f, 0.4f, 0.8f};
  const std::vector<std::uint8_t> labels{0, 1, 0, 1};
  const curve f1 = f1_over_threshold(steps_of(scores, labels), 0, 1);
  REQUIRE(f1.size() == 8);
  CHECK(f1[0].y == doctest::Approx(2.0 / 3));
  CHECK(f1[2].y == doctest::Approx(0.8));
  CHECK(f1[4].y == doctest::Approx(2.0 / 3));
  CHECK(f1[7].y == 0);
  // The area below precision over recall is the average precision.
  const curve recall = precision_over_recall(steps_of(scores, labels));
  double area = 0;
  for (std::size_t i = 1; i < recall.size(); ++i) area += (recall[i].x - recall[i - 1].x) * recall[i].y;
  CHECK(area == doctest::Approx(dupq::average_precision(scores, labels)));
  CHECK(steps_of({}, {}).empty());
}

TEST_CASE("scores that are no numbers, or infinite, have a place") {
  const std::vector<float> scores{none, -inf, 0.2f, 0.8f, inf, none};
  const std::vector<std::uint8_t> labels{1, 0, 0, 1, 1, 0};
  for (const std::optional<double> threshold :
       {std::optional<double>(0.5), std::optional<double>(), std::optional<double>(inf)}) {
    const judged_model m = model_of(scores, labels, threshold);
    const drawn_model drawn{0, m, steps_of(m.scores, labels)};
    const drawn_model* const all[] = {&drawn};
    for (const std::string& picture :
         {histogram("h", drawn, labels), f1_figure("f", all), recall_figure("r", {&drawn, 1}, 0.5)}) {
      CHECK(picture.find("nan") == std::string::npos);
      if (threshold != inf) CHECK(picture.find("inf") == std::string::npos);
    }
    std::uint64_t seen = 0;
    for (const auto& side : score_bins(m, labels, axis{0, 1, 0, 1, 0.2}).of_label)
      for (const auto& [bin, count] : side) seen += count;
    CHECK(seen == scores.size());
  }
  const judged_model m = model_of(scores, labels, 0.5);
  CHECK(worst(m, labels, false, 9) == std::vector<std::size_t>{0});
  CHECK(worst(m, labels, true, 9).empty());
}

TEST_CASE("what models disagree on most comes first") {
  const std::vector<std::uint8_t> labels{1, 1, 0, 0};
  const std::vector<judged_model> models{model_of({0.9f, 0.6f, 0.55f, 0.1f}, labels, 0.5),
                                         model_of({8, -1, -9, -5}, labels, 0.0)};
  const agreement a(models, labels);
  CHECK(a.all_right() == 2);
  CHECK(a.all_wrong() == 0);
  CHECK(a.disputed() == 2);
  CHECK(a.only(0, 1) == 1);
  CHECK(a.only(1, 0) == 1);
  CHECK(a.most_disputed(9) == std::vector<std::size_t>{2, 1});
  CHECK(a.most_disputed(1) == std::vector<std::size_t>{2});
}

TEST_CASE("texts are cut by characters, and escaped") {
  CHECK(text("<a href='x'>&\"") == "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
  CHECK(text(std::string_view("\0\n\x7F", 3)) == "\u2400\u240A\u2421");
  CHECK(text("\xC2\x85\xEF\xBF\xBE\xE2\x82") == "\uFFFD\uFFFD\uFFFD");
  CHECK(text("\u05E9\u05DC\u05D5\u05DD", 4) == "\u05E9\u05DC\u05D5\u05DD");
  CHECK(text("\u05E9\u05DC\u05D5\u05DD", 2) == "\u05E9\u05DC\u2026 <small>(4 characters)</small>");
  CHECK(text("", 2).empty());
}

TEST_CASE("scores are short") {
  CHECK(short_number(0.7853) == "0.785");
  CHECK(short_number(-12.5) == "\u221212.500");
  CHECK(short_number(0) == "0.000");
  CHECK(short_number(1e-43) == "1e-43");
  CHECK(short_number(-2.5e30) == "\u22122.5e+30");
}

TEST_CASE("words that tell two texts apart are marked") {
  const auto marked = [](const char* a, const char* b, std::size_t most = 99) {
    const auto both = marked_texts(a, b, most);
    return both[0] + " | " + both[1];
  };
  CHECK(marked("Take 2 pills", "take 20 pills!") == "Take <mark>2</mark> pills | take <mark>20</mark> pills!");
  CHECK(marked("dogs eat chocolate", "chocolate eat dogs") ==
        "<mark>dogs eat</mark> chocolate | chocolate <mark>eat dogs</mark>");
  CHECK(marked("same", "same") == "same | same");
  CHECK(marked("all", "other") == "all | other");
  CHECK(marked("", "x") == " | x");
  CHECK(marked("a <b>", "a c") == "a &lt;<mark>b</mark>&gt; | a <mark>c</mark>");
  CHECK(marked("one two three", "one two", 7) == "one two\u2026 <small>(13 characters)</small> | one two");
}
