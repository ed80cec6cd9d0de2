// dupq eval of several models: a row each, on the same pairs; cascades are rows among them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/split.hpp>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bootstrap.hpp"
#include "cascade_scoring.hpp"
#include "judged_model.hpp"
#include "judgement.hpp"
#include "output_file.hpp"
#include "report_file.hpp"
#include "session.hpp"

namespace dupq_tool {

/// Whether several models are asked for, or a cascade with its two models by name.
inline bool wants_many(const arguments& args) {
  const auto cascades = args.all("--cascade");
  const auto named = static_cast<std::size_t>(std::count_if(
      cascades.begin(), cascades.end(), [](const std::string& c) { return c.find(',') != std::string::npos; }));
  if (named != 0 && named != cascades.size()) throw usage_error("--cascade needs A.gguf,CROSS.gguf each time");
  if (args.size() > 2 && named != cascades.size())
    throw usage_error("--cascade among several models needs A.gguf,CROSS.gguf");
  if (cascades.size() > 1 && named == 0) throw usage_error("--cascade is given twice");
  if (args.size() + named < 2) throw usage_error("too few arguments");
  return args.size() > 2 || named != 0;
}

namespace eval_detail {

inline judged_rows choose_rows_to_judge(row_source& source, const std::string& split_name, std::uint32_t seed) {
  judged_rows out;
  out.split = split_name != "none";
  std::optional<dupq::three_way_sizes> sizes;
  if (out.split && split_name != "notebook") sizes = parse_split(split_name);
  out.pairs = read_labelled(source);
  out.rows.resize(out.pairs.labels.size());
  std::iota(out.rows.begin(), out.rows.end(), std::size_t{0});
  if (out.split) {
    const auto split =
        sizes ? dupq::three_way_split(out.pairs.labels, *sizes, seed) : dupq::notebook_split(out.pairs.labels, seed);
    if (!split) throw failure(split.error().in(source.name()));
    out.train = split->train().size();
    out.validation = split->validation().size();
    out.rows.assign(split->validation().begin(), split->validation().end());
    out.rows.insert(out.rows.end(), split->test().begin(), split->test().end());
  }
  for (const std::size_t row : out.rows) out.labels.push_back(out.pairs.labels[row]);
  return out;
}

inline judged_model judge_model(const std::string& path, const std::string& cross_path, const arguments& args,
                                const std::string& file, const judged_rows& all, bool on_grid, bool notebook) {
  session s(path, args);
  std::optional<cascade_judge> judge;
  dupq::cascade_band band;
  if (!cross_path.empty()) {
    judge.emplace(s, cross_path, args);
    if (!all.split) band = cascade_for(s.model(), s.path(), judge->cross().model(), cross_path).band;
  }
  if (on_grid || notebook) check_grid(s.model().config(), path, notebook ? "--as-in-the-notebook" : "--sweep grid");
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t questions = 0, judged = 0, judged_of_validation = 0;
  std::vector<float> scores = score_rows(s, all.pairs, all.rows, questions);
  if (judge) {
    const std::span<float> own(scores);
    if (all.split)
      band = choose_cascade(*judge, args, file, all.pairs, all.held_out(), own.first(all.validation),
                            judged_of_validation);
    judged = judge->finish(all.pairs, all.tested(), band, own.subspan(all.validation));
    questions += 2 * (all.validation + judged);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto part = [&](std::size_t begin, std::size_t end) {
    return judged_part{
        {scores.begin() + static_cast<std::ptrdiff_t>(begin), scores.begin() + static_cast<std::ptrdiff_t>(end)},
        {all.labels.begin() + static_cast<std::ptrdiff_t>(begin),
         all.labels.begin() + static_cast<std::ptrdiff_t>(end)}};
  };
  const judged_part held_out = part(0, all.validation), test = part(all.validation, scores.size());
  std::optional<double> threshold;
  std::string from;
  if (judge)
    threshold = static_cast<double>(band.threshold), from = all.split ? "validation" : "model";
  else if (!all.split && s.model().threshold() && !on_grid)
    threshold = static_cast<double>(*s.model().threshold()), from = "model";
  else
    threshold = choose_threshold(on_grid || !all.split ? test : held_out, on_grid, s.cross()),
    from = on_grid     ? "grid on test"
           : all.split ? "validation"
                       : "the same data";
  judged_model out{.name = path,
                   .cross = cross_path,
                   .kind = s.model().config().kind,
                   .threshold = threshold,
                   .threshold_from = from,
                   .validation = {},
                   .test = judgement("test", test, threshold),
                   .scores = test.scores,
                   .seconds = seconds,
                   .rate = seconds > 0 ? static_cast<double>(questions) / seconds : 0,
                   .f1 = {},
                   .notebook = {}};
  if (all.split) out.validation.emplace("validation", held_out, threshold);
  if (notebook) out.notebook.emplace(notebook_judgement(test, s.cross()));
  if (judge) {
    out.test.cross_encoder_share = static_cast<double>(judged) / static_cast<double>(out.test.pairs);
    if (all.split)
      out.validation->cross_encoder_share =
          static_cast<double>(judged_of_validation) / static_cast<double>(all.validation);
  }
  if (const std::uint64_t n = s.truncated(); n != 0)
    std::fprintf(stderr, "%s: %s cut to %zu tokens\n", path.c_str(), counted(n, s.cross() ? "pair" : "text").c_str(),
                 s.tokens());
  if (judge) judge->report();
  return out;
}

/// Intervals of each model's F1, and of all differences.
inline std::vector<model_difference> compare(std::vector<judged_model>& models, const judged_rows& all,
                                             std::size_t samples, std::uint64_t seed) {
  std::vector<std::vector<std::uint8_t>> called(models.size());
  for (std::size_t m = 0; m < models.size(); ++m)
    for (std::size_t i = 0; i < models[m].scores.size(); ++i) called[m].push_back(models[m].calls(i));
  const bootstrap samples_of(called, all.test_labels(), samples, seed);
  std::vector<model_difference> out;
  for (std::size_t m = 0; m < models.size(); ++m) {
    models[m].f1 = samples_of.f1(m);
    for (std::size_t other = m + 1; other < models.size(); ++other)
      out.push_back(
          {m, other, models[m].test.counts.f1() - models[other].test.counts.f1(), samples_of.difference(m, other)});
  }
  return out;
}

inline std::string as_table(const std::vector<judged_model>& models, bool split, bool intervals, bool notebook) {
  std::vector<std::string> titles{""};
  if (split) titles.emplace_back("validation F1");
  titles.emplace_back(split ? "test F1" : "F1");
  if (intervals) titles.emplace_back("95 % of samples");
  for (const char* title : {"threshold", "precision", "recall", "average precision", "questions/s"})
    titles.emplace_back(title);
  if (!split) titles.emplace_back("threshold from");
  if (notebook) titles.insert(titles.end(), {"notebook's test F1", "at"});
  std::vector<std::vector<std::string>> cells{std::move(titles)};
  for (const judged_model& m : models) {
    const dupq::confusion& c = m.test.counts;
    std::vector<std::string>& row = cells.emplace_back(std::vector<std::string>{m.title()});
    if (split) row.push_back(fixed(m.validation->counts.f1(), 4));
    row.push_back(fixed(c.f1(), 4));
    if (intervals) row.push_back(fixed(m.f1->low, 4) + " to " + fixed(m.f1->high, 4));
    const auto threshold = [](const std::optional<double>& t) {
      return t ? shortest(static_cast<float>(*t)) : std::string("none");
    };
    row.push_back(threshold(m.threshold));
    row.insert(row.end(),
               {fixed(c.precision(), 4), fixed(c.recall(), 4), fixed(m.test.average_precision, 4), fixed(m.rate, 0)});
    if (!split) row.push_back(m.threshold_from);
    if (notebook) row.insert(row.end(), {fixed(m.notebook->counts.f1(), 4), threshold(m.notebook->threshold)});
  }
  return in_columns(cells);
}

inline json::object as_json(const std::vector<judged_model>& models, const std::vector<model_difference>& differences,
                            const judged_rows& all, std::size_t samples) {
  const auto count = [](std::size_t n) { return json::value(static_cast<std::int64_t>(n)); };
  const auto range = [](const interval& i) { return json::object{{"low", i.low}, {"high", i.high}}; };
  json::object o{{"pairs", count(all.pairs.labels.size())}};
  if (all.split)
    o.emplace_back("split", json::object{{"train", count(all.train)},
                                         {"validation", count(all.validation)},
                                         {"test", count(all.rows.size() - all.validation)}});
  json::array list;
  for (const judged_model& m : models) {
    json::object one{{"model", m.name}};
    if (!m.cross.empty()) one.emplace_back("cross_encoder", m.cross);
    one.emplace_back("kind", m.cross.empty() ? std::string(name(m.kind)) : "cascade");
    json::object test = dupq_tool::as_json(m.test);
    one.push_back(test[0]);
    one.emplace_back("threshold_from", m.threshold_from);
    if (m.validation) one.emplace_back("validation", dupq_tool::as_json(*m.validation));
    if (all.split)
      one.emplace_back("test", std::move(test));
    else
      one.insert(one.end(), test.begin() + 1, test.end());
    if (m.notebook) one.emplace_back("as_in_the_notebook", dupq_tool::as_json(*m.notebook));
    if (m.f1) one.emplace_back("f1_interval", range(*m.f1));
    one.emplace_back("seconds", m.seconds);
    one.emplace_back("questions_per_second", m.rate);
    list.emplace_back(std::move(one));
  }
  o.emplace_back("models", std::move(list));
  if (samples == 0) return o;
  o.emplace_back("bootstrap_samples", count(samples));
  json::array compared;
  for (const model_difference& d : differences)
    compared.emplace_back(json::object{{"first", models[d.first].title()},
                                       {"second", models[d.second].title()},
                                       {"difference", d.f1},
                                       {"interval", range(d.range)},
                                       {"differ", d.differ()}});
  o.emplace_back("differences", std::move(compared));
  return o;
}

inline std::string as_text(const std::vector<judged_model>& models, const model_difference& d) {
  const auto with_sign = [](double x) { return (x < 0 ? "" : "+") + fixed(x, 4); };
  return models[d.first].title() + " against " + models[d.second].title() + ": F1 " + with_sign(d.f1) + " (" +
         with_sign(d.range.low) + " to " + with_sign(d.range.high) + "), " +
         (d.differ() ? "they differ" : "these pairs do not tell them apart") + '\n';
}

}  // namespace eval_detail

inline void run_eval_many(const arguments& args) {
  const std::string& file = args[args.size() - 1];
  const bool on_grid = args.choice("--sweep", {"exact", "grid"}) == 1, notebook = wants_notebook(args);
  const auto seed = args.number<std::uint32_t>("--seed", 0, UINT32_MAX).value_or(42);
  const std::size_t samples = args.number<std::size_t>("--bootstrap", 40, 1'000'000).value_or(0);
  const auto cascades = args.all("--cascade");
  if (on_grid && !cascades.empty()) throw usage_error("--sweep grid and --cascade exclude each other");
  const std::string split_name = args.text("--split").value_or("none");
  if (args.has("--aim") && (cascades.empty() || split_name == "none"))
    throw usage_error("--aim needs --cascade and --split");
  std::vector<std::pair<std::string, std::string>> wanted;
  for (std::size_t i = 0; i + 1 < args.size(); ++i) wanted.emplace_back(args[i], "");
  for (const std::string& c : cascades) {
    const auto both = arguments::split(c, ',');
    if (both.size() != 2 || both[0].empty() || both[1].empty())
      throw usage_error("--cascade cannot be " + printable(c) + " (A.gguf,CROSS.gguf)");
    wanted.emplace_back(both[0], both[1]);
  }
  report_file page(args);
  row_source source(args, file, row_kind::labelled);
  const judged_rows all = eval_detail::choose_rows_to_judge(source, split_name, seed);
  std::vector<judged_model> models;
  for (const auto& [path, cross] : wanted)
    models.push_back(eval_detail::judge_model(path, cross, args, file, all, on_grid, notebook));
  std::vector<model_difference> differences;
  if (samples != 0) differences = eval_detail::compare(models, all, samples, seed);
  page.write({file, all, models, differences, samples, on_grid});

  output_file out("-");
  if (args.has("--json")) {
    out.write(json::print(eval_detail::as_json(models, differences, all, samples), 1) + '\n');
  } else {
    out.write(eval_detail::as_table(models, all.split, samples != 0, notebook));
    for (const model_difference& d : differences) out.write(eval_detail::as_text(models, d));
    if (on_grid)
      out.write("Thresholds are chosen on the test pairs, as the seed notebook does: their F1 is optimistic.\n");
    else if (all.split)
      out.write("Thresholds are chosen on the validation pairs. " + counted(all.train, "training pair") +
                " not used.\n");
    else
      out.write("A threshold that is chosen on the same data is judged on it: its F1 is optimistic.\n");
    if (notebook) out.write(notebook_threshold_mistake);
  }
  out.commit();
  source.report(0, 0, "text");
  page.finish();
}

}  // namespace dupq_tool
