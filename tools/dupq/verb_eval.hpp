// dupq eval: how well a model tells duplicates apart on labelled pairs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/cascade_band.hpp>
#include <dupq/metrics.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cascade_scoring.hpp"
#include "eval_many.hpp"
#include "json.hpp"
#include "judged_model.hpp"
#include "judgement.hpp"
#include "output_file.hpp"
#include "report_file.hpp"
#include "scoring.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

inline void run_eval(const arguments& args) {
  if (wants_many(args)) return run_eval_many(args);
  if (args.has("--bootstrap")) throw usage_error("--bootstrap compares models: it needs more than one");
  const std::string split_name = args.text("--split").value_or("none");
  const bool has_split = split_name != "none", on_grid = args.choice("--sweep", {"exact", "grid"}) == 1;
  if (has_split && split_name != "notebook") parse_split(split_name);  // wrong usage is told before files are read
  const auto seed = args.number<std::uint32_t>("--seed", 0, UINT32_MAX).value_or(42);
  const bool notebook = wants_notebook(args);
  if (on_grid && args.has("--cascade")) throw usage_error("--sweep grid and --cascade exclude each other");
  if (args.has("--aim") && !(args.has("--cascade") && has_split))
    throw usage_error("--aim needs --cascade and --split");
  report_file page(args);
  session s(args[0], args);
  std::optional<cascade_judge> judge;
  dupq::cascade_band band;
  if (const auto cross = args.text("--cascade")) {
    judge.emplace(s, *cross, args);
    if (!has_split) band = cascade_for(s.model(), s.path(), judge->cross().model(), *cross).band;
  }
  if (on_grid || notebook) check_grid(s.model().config(), s.path(), notebook ? "--as-in-the-notebook" : "--sweep grid");
  row_source rows(args, args[1], row_kind::labelled);
  const judged_rows all = eval_detail::choose_rows_to_judge(rows, split_name, seed);
  const std::size_t validation = all.validation;

  const auto start = std::chrono::steady_clock::now();
  std::uint64_t questions = 0;
  std::vector<float> scores = score_rows(s, all.pairs, all.rows, questions);
  std::uint64_t judged = 0, judged_of_validation = 0;
  if (judge) {
    if (has_split)
      band = choose_cascade(*judge, args, args[1], all.pairs, all.held_out(), scores, judged_of_validation);
    judged = judge->finish(all.pairs, all.tested(), band, std::span(scores).subspan(validation));
    questions += 2 * (validation + judged);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double rate = seconds > 0 ? static_cast<double>(questions) / seconds : 0;
  const auto part = [&](std::size_t begin, std::size_t end) {
    judged_part p;
    for (std::size_t i = begin; i < end; ++i) p.scores.push_back(scores[i]), p.labels.push_back(all.labels[i]);
    return p;
  };

  std::vector<judgement> table;
  std::string from;
  if (has_split) {
    const judged_part held_out = part(0, validation), test = part(validation, scores.size());
    const auto threshold =
        judge ? std::optional<double>(band.threshold) : choose_threshold(on_grid ? test : held_out, on_grid, s.cross());
    from = on_grid ? "grid on test" : "validation";
    table.emplace_back("validation", held_out, threshold);
    table.emplace_back("test", test, threshold);
    if (notebook) table.push_back(notebook_judgement(test, s.cross()));
  } else {
    const judged_part everything = part(0, scores.size());
    if (const auto own = judge ? std::optional(band.threshold) : s.model().threshold())
      table.emplace_back("model's threshold", everything, own);
    table.emplace_back(on_grid ? "best on the grid" : "best", everything,
                       choose_threshold(everything, on_grid, s.cross()));
    from = table.size() == 2 ? "model" : on_grid ? "grid on the same data" : "the same data";
  }
  if (judge) {
    for (judgement& j : table)
      j.cross_encoder_share = static_cast<double>(&j == &table[0] && has_split ? judged_of_validation : judged) /
                              static_cast<double>(j.pairs);
    std::fprintf(stderr, "%s, those of %s to %s\n", session::cascade_share(judged, table.back().pairs).c_str(),
                 shortest(band.lower).c_str(), shortest(band.upper).c_str());
  }

  const judgement& told = table[has_split ? 1 : 0];
  const judged_model row{.name = args[0],
                         .cross = args.text("--cascade").value_or(""),
                         .kind = s.model().config().kind,
                         .threshold = told.threshold,
                         .threshold_from = from,
                         .validation = has_split ? std::optional(table[0]) : std::nullopt,
                         .test = told,
                         .scores = {scores.begin() + static_cast<std::ptrdiff_t>(validation), scores.end()},
                         .seconds = seconds,
                         .rate = rate,
                         .f1 = {},
                         .notebook = notebook ? std::optional(table[2]) : std::nullopt};
  page.write({.file = args[1], .all = all, .models = {&row, 1}, .on_grid = on_grid});

  output_file out("-");
  if (args.has("--json")) {
    const auto count = [](std::size_t n) { return json::value(static_cast<std::int64_t>(n)); };
    json::object o{{"pairs", count(all.pairs.labels.size())}};
    if (has_split) {
      o.emplace_back("split", json::object{{"train", count(all.train)},
                                           {"validation", count(validation)},
                                           {"test", count(scores.size() - validation)}});
      o.emplace_back("threshold", as_json(table[1])[0].second);
      o.emplace_back("threshold_from", from);
      o.emplace_back("validation", as_json(table[0]));
      o.emplace_back("test", as_json(table[1]));
      if (notebook) o.emplace_back("as_in_the_notebook", as_json(table[2]));
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
      out.write("The threshold is chosen on the validation pairs. " + counted(all.train, "training pair") +
                " not used.\n");
    if (notebook) out.write(notebook_threshold_mistake);
    out.write(counted(questions, "question") + " in " + fixed(seconds, 1) + " s, " + fixed(rate, 0) + "/s\n");
  }
  out.commit();
  rows.report(s.truncated(), s.tokens(), s.cross() ? "pair" : "text");
  if (judge) judge->report();
  page.finish();
}

inline verb eval_verb() {
  return {
      .name = "eval",
      .summary = "F1, precision, recall and threshold on labelled pairs",
      .usage = "M.gguf... FILE [--split none|notebook|TRAIN,VALID,TEST] [--json] [--report FILE.html]",
      .help =
          "A label is 0 or 1, true or false, yes or no. Of several models each gets a row.\n"
          "  --split none    judge all pairs at the model's threshold and at the best one (default)\n"
          "  --split notebook  at most 50,000 pairs, 80/10/10, as scikit-learn splits them: the threshold is chosen on "
          "the\n"
          "                  validation pairs and judged on the test pairs\n"
          "  --split T,V,T   the same for three counts or fractions\n"
          "  --seed N        of the split (default 42)\n"
          "  --sweep grid    choose the threshold as the seed notebook does: on its grid, on the test pairs; exact\n"
          "                  (default): the best one of all on the validation pairs\n"
          "  --as-in-the-notebook  with --split: show that F1 as well, beside the honest one\n"
          "  --cascade CROSS.gguf  M.gguf is a bi-encoder, and pairs that it is unsure of are judged by this\n"
          "                  cross-encoder: as `dupq calibrate --cascade` chose, or as the validation pairs do\n"
          "                  A.gguf,CROSS.gguf is a row of its own, beside other models; may be given several times\n"
          "  --aim A         with --split: what the cascade's thresholds are chosen for, as in `dupq calibrate`\n"
          "  --bootstrap N   several models: intervals of F1 (95 %) from N samples of the pairs, by --seed, and "
          "whether\n"
          "                  two models differ\n"
          "  --report FILE.html  one page that needs nothing else: the table, F1 over the threshold, precision over\n"
          "                  recall, scores by label, confusion, the worst mistakes, and where models disagree\n"
          "  --json          one JSON object\n",
      .options = {{"--split", true},
                  {"--seed", true},
                  {"--sweep", true},
                  {"--as-in-the-notebook", false},
                  {"--json", false},
                  {"--cascade", true, true},
                  {"--bootstrap", true},
                  {"--report", true},
                  {"--aim", true}},
      .runs_model = true,
      .reads_texts = true,
      .least = 1,
      .most = 1000,
      .run = run_eval};
}

}  // namespace dupq_tool
