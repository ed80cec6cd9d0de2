// dupq eval: how well a model tells duplicates apart on labelled pairs.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/cascade_band.hpp>
#include <dupq/metrics.hpp>
#include <dupq/split.hpp>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascade_scoring.hpp"
#include "eval_many.hpp"
#include "json.hpp"
#include "judgement.hpp"
#include "output_file.hpp"
#include "scoring.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

inline void run_eval(const arguments& args) {
  if (wants_many(args)) return run_eval_many(args);
  if (args.has("--bootstrap")) throw usage_error("--bootstrap compares models: it needs more than one");
  const std::string split_name = args.text("--split").value_or("none");
  const bool has_split = split_name != "none", on_grid = args.choice("--sweep", {"exact", "grid"}) == 1;
  std::optional<dupq::three_way_sizes> sizes;
  if (has_split && split_name != "notebook") sizes = parse_split(split_name);
  const auto seed = args.number<std::uint32_t>("--seed", 0, UINT32_MAX).value_or(42);
  if (on_grid && args.has("--cascade")) throw usage_error("--sweep grid and --cascade exclude each other");
  if (args.has("--aim") && !(args.has("--cascade") && has_split))
    throw usage_error("--aim needs --cascade and --split");
  session s(args[0], args);
  std::optional<cascade_judge> judge;
  dupq::cascade_band band;
  if (const auto cross = args.text("--cascade")) {
    judge.emplace(s, *cross, args);
    if (!has_split) band = cascade_for(s.model(), s.path(), judge->cross().model(), *cross).band;
  }
  if (on_grid && s.model().config().similarity != dupq::similarity::cosine)
    throw failure(s.path() + ": --sweep grid is for cosines, and this model's similarity is " +
                  std::string(name(s.model().config().similarity)));
  row_source rows(args, args[1], row_kind::labelled);
  const labelled_pairs pairs = read_labelled(rows);

  // The rows to score: all, or those for validation and then those for testing.
  std::vector<std::size_t> scored(pairs.labels.size());
  std::iota(scored.begin(), scored.end(), std::size_t{0});
  std::size_t train = 0, validation = 0;
  if (has_split) {
    const auto split =
        sizes ? dupq::three_way_split(pairs.labels, *sizes, seed) : dupq::notebook_split(pairs.labels, seed);
    if (!split) throw failure(split.error().in(args[1]));
    train = split->train().size();
    validation = split->validation().size();
    scored.assign(split->validation().begin(), split->validation().end());
    scored.insert(scored.end(), split->test().begin(), split->test().end());
  }

  const auto start = std::chrono::steady_clock::now();
  std::uint64_t questions = 0;
  std::vector<float> scores = score_rows(s, pairs, scored, questions);
  std::uint64_t judged = 0, judged_of_validation = 0;
  if (judge) {
    const std::span<const std::size_t> all = scored;
    if (has_split)
      band = choose_cascade(*judge, args, args[1], pairs, all.first(validation), scores, judged_of_validation);
    judged = judge->finish(pairs, all.subspan(validation), band, std::span(scores).subspan(validation));
    questions += 2 * (validation + judged);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = seconds > 0 ? static_cast<double>(questions) / seconds : 0;
  const auto part = [&](std::size_t begin, std::size_t end) {
    judged_part p;
    for (std::size_t i = begin; i < end; ++i)
      p.scores.push_back(scores[i]), p.labels.push_back(pairs.labels[scored[i]]);
    return p;
  };

  std::vector<judgement> table;
  std::string from;
  if (has_split) {
    const judged_part held_out = part(0, validation), test = part(validation, scored.size());
    const auto threshold =
        judge ? std::optional<double>(band.threshold) : choose_threshold(on_grid ? test : held_out, on_grid, s.cross());
    from = on_grid ? "grid on test" : "validation";
    table.emplace_back("validation", held_out, threshold);
    table.emplace_back("test", test, threshold);
  } else {
    const judged_part all = part(0, scored.size());
    if (const auto own = judge ? std::optional(band.threshold) : s.model().threshold())
      table.emplace_back("model's threshold", all, own);
    table.emplace_back(on_grid ? "best on the grid" : "best", all, choose_threshold(all, on_grid, s.cross()));
    from = table.size() == 2 ? "model" : on_grid ? "grid on the same data" : "the same data";
  }
  if (judge) {
    for (judgement& j : table)
      j.cross_encoder_share = static_cast<double>(&j == &table[0] && has_split ? judged_of_validation : judged) /
                              static_cast<double>(j.pairs);
    std::fprintf(stderr, "%s, those of %s to %s\n", session::cascade_share(judged, table.back().pairs).c_str(),
                 shortest(band.lower).c_str(), shortest(band.upper).c_str());
  }

  output_file out("-");
  if (args.has("--json")) {
    const auto count = [](std::size_t n) { return json::value(static_cast<std::int64_t>(n)); };
    json::object o{{"pairs", count(pairs.labels.size())}};
    if (has_split) {
      o.emplace_back("split", json::object{{"train", count(train)},
                                           {"validation", count(validation)},
                                           {"test", count(scored.size() - validation)}});
      o.emplace_back("threshold", as_json(table[1])[0].second);
      o.emplace_back("threshold_from", from);
      o.emplace_back("validation", as_json(table[0]));
      o.emplace_back("test", as_json(table[1]));
    } else {
      json::object first = as_json(table[0]);
      o.push_back(first[0]);
      o.emplace_back("threshold_from", from);
      o.insert(o.end(), first.begin() + 1, first.end());
      if (table.size() == 2) o.emplace_back("best_on_the_same_data", as_json(table[1]));
    }
    o.emplace_back("seconds", seconds);
    o.emplace_back("questions_per_second", rate);
    out.write(json::print(o, 1) + '\n');
  } else {
    out.write(as_table(table));
    if (!has_split)
      out.write("The best threshold is chosen on the pairs that it is judged on, so its F1 is optimistic.\n");
    else if (on_grid)
      out.write("The threshold is chosen on the test pairs, as the seed notebook does: its F1 is optimistic.\n");
    else
      out.write("The threshold is chosen on the validation pairs. " + counted(train, "training pair") + " not used.\n");
    out.write(counted(questions, "question") + " in " + fixed(seconds, 1) + " s, " + fixed(rate, 0) + "/s\n");
  }
  out.commit();
  rows.report(s.truncated(), s.tokens(), s.cross() ? "pair" : "text");
  if (judge) judge->report();
}

inline verb eval_verb() {
  return {
      .name = "eval",
      .summary = "F1, precision, recall and threshold on labelled pairs",
      .usage = "M.gguf... FILE [--split none|notebook|TRAIN,VALID,TEST] [--json]",
      .help =
          "A label is 0 or 1, true or false, yes or no. Of several models each gets a row.\n"
          "  --split none    judge all pairs at the model's threshold and at the best one (default)\n"
          "  --split notebook  50,000 pairs, 80/10/10, as scikit-learn splits them: the threshold is chosen on the\n"
          "                  validation pairs and judged on the test pairs\n"
          "  --split T,V,T   the same for three counts or fractions\n"
          "  --seed N        of the split (default 42)\n"
          "  --sweep grid    choose the threshold as the seed notebook does: on its grid, on the test pairs\n"
          "  --cascade CROSS.gguf  M.gguf is a bi-encoder, and pairs that it is unsure of are judged by this\n"
          "                  cross-encoder: as `dupq calibrate --cascade` chose, or as the validation pairs do\n"
          "  --aim A         with --split: what the cascade's thresholds are chosen for, as in `dupq calibrate`\n"
          "                  A.gguf,CROSS.gguf is a row of its own, beside other models; may be given several times\n"
          "  --bootstrap N   several models: intervals of F1 (95 %) from N samples of the pairs, by --seed, and "
          "whether\n"
          "                  two models differ\n"
          "  --json          one JSON object\n",
      .options = {{"--split", true},
                  {"--seed", true},
                  {"--sweep", true},
                  {"--json", false},
                  {"--cascade", true, true},
                  {"--bootstrap", true},
                  {"--aim", true}},
      .runs_model = true,
      .reads_texts = true,
      .least = 1,
      .most = 1000,
      .run = run_eval};
}

}  // namespace dupq_tool
