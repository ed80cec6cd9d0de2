// The page of `dupq eval --report`: what stands where, and the words between figures and tables.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/platform.hpp>
#include <string>
#include <vector>

#include "report.hpp"
#include "report_figures.hpp"
#include "report_mistakes.hpp"
#include "report_names.hpp"
#include "report_style.hpp"
#include "report_svg.hpp"
#include "report_tables.hpp"
#include "report_text.hpp"

namespace dupq_tool::report {
namespace {

std::uint64_t duplicates_of(const content& c) {
  const auto labels = c.all.test_labels();
  return static_cast<std::uint64_t>(std::count_if(labels.begin(), labels.end(), [](auto l) { return l != 0; }));
}

/// On what the models were judged, and how thresholds were chosen.
std::string introduction(const content& c) {
  const std::size_t n = c.all.tested().size();
  const std::uint64_t duplicates = duplicates_of(c);
  std::string out = "<p>Judged on " + counted(n, c.all.split ? "test pair" : "pair") + ", of which " +
                    grouped(duplicates) + " (" + percent(duplicates, n) +
                    ") are labelled duplicates. A pair is called a duplicate where its score reaches the model\u2019s "
                    "threshold. ";
  if (c.on_grid)
    out += "The thresholds were chosen on these very pairs, as the seed notebook does: their F1 is optimistic.";
  else if (c.all.split)
    out += "The thresholds were chosen on " + counted(c.all.validation, "other pair") + " (validation); " +
           counted(c.all.train, "training pair") + " not used.";
  else
    out += "A threshold that was chosen on the same data is judged on it: its F1 is optimistic.";
  if (c.models[0].notebook)
    out +=
        " Beside it stands the F1 that the seed notebook would report: at a threshold of a grid, chosen on the test "
        "pairs themselves, so it is optimistic.";
  return out + "</p>\n";
}

std::string legend(const std::vector<std::string>& names) {
  std::string out = "<ul class=\"legend\">";
  for (std::size_t m = 0; m < names.size(); ++m) out += "<li>" + badge(m) + ' ' + names[m] + "</li>";
  return out + "</ul>\n";
}

std::string figure(const std::string& drawing, const std::string& caption) {
  return "<figure>" + drawing + "<figcaption>" + caption + "</figcaption></figure>\n";
}

/// What a score of 0.7 says depends on who says it.
std::string meaning_of(const judged_model& m) {
  if (!m.cross.empty())
    return "Scores by label. Below 0 and from 1 on, the bi-encoder alone was sure; between them stand the "
           "cross-encoder\u2019s probabilities.";
  return m.kind == dupq::model_kind::cross_encoder ? "Scores by label, as the cross-encoder gives them."
                                                   : "Scores by label: how alike the vectors of two questions are.";
}

/// Models whose scores are cosines or probabilities share a figure; others have other scales, and one of their own.
std::string f1_figures(const std::vector<drawn_model>& models) {
  std::vector<std::vector<const drawn_model*>> groups(1);
  for (const drawn_model& m : models) {
    score_range range;
    range.add(m.judged);
    if (range.bounded(!m.judged.cross.empty()))
      groups[0].push_back(&m);
    else
      groups.push_back({&m});
  }
  std::string out;
  for (const auto& group : groups)
    if (!group.empty())
      out +=
          figure(f1_figure("f1-" + std::to_string(group[0]->number + 1), group),
                 "F1 that each threshold would give. A number marks the threshold that a model has; on a broad hill, "
                 "another one nearby is as good.");
  return out;
}

}  // namespace

std::string page(const content& c) {
  const auto labels = c.all.test_labels();
  const std::vector<std::string> names = names_of(c.models);
  std::vector<drawn_model> models;
  for (std::size_t m = 0; m < c.models.size(); ++m)
    models.push_back({m, c.models[m], steps_of(c.models[m].scores, labels)});
  const bool several = models.size() > 1;
  const std::string file = text(base_name(c.file), 120);
  const std::string title = counted(models.size(), "model") + " on " + file;
  const double share = static_cast<double>(duplicates_of(c)) / static_cast<double>(labels.size());

  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      // Nothing may be loaded or run, whatever texts hold.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      title + " \u2013 dupq</title>\n<style>" + std::string(style) + "</style>\n</head>\n<body>\n<header>\n<h1>" +
      title + "</h1>\n" + introduction(c) +
      "<nav aria-label=\"Contents\"><ul><li><a href=\"#results\">Results</a></li>"
      "<li><a href=\"#curves\">Thresholds</a></li><li><a href=\"#models\">Scores and confusion</a></li>"
      "<li><a href=\"#mistakes\">Worst mistakes</a></li>" +
      (several ? "<li><a href=\"#disagreements\">Disagreements</a></li>" : "") +
      "</ul></nav>\n</header>\n<main>\n<h2 id=\"results\">Results</h2>\n" + results(c, names) + differences(c);

  out += "<h2 id=\"curves\">Thresholds</h2>\n" + legend(names) + "<div class=\"two\">\n" + f1_figures(models) +
         figure(recall_figure("recall", models, share),
                "What share of the found pairs is right (precision), over the share of duplicates that is found "
                "(recall). Dotted: where F1 is the same.") +
         "</div>\n";

  out +=
      "<h2 id=\"models\">Scores and confusion</h2>\n<p>Duplicates stand above the line and different pairs below it; "
      "what the threshold gets wrong is red. Heights go by the square root of the counts, so that few pairs are "
      "seen beside many.</p>\n<div class=\"two\">\n";
  for (const drawn_model& m : models)
    out += "<section><h3>" + badge(m.number) + ' ' + names[m.number] + "</h3>\n" +
           figure(histogram("scores-" + std::to_string(m.number + 1), m, labels), meaning_of(m.judged)) +
           confusion(m.judged) + "</section>\n";
  out +=
      "</div>\n<h2 id=\"mistakes\">Worst mistakes</h2>\n<p>Words that only one of two questions has, or has "
      "elsewhere, are marked.</p>\n";
  for (const drawn_model& m : models)
    out += "<section><h3>" + badge(m.number) + ' ' + names[m.number] + "</h3>\n" + mistakes(c, m.judged, true) +
           mistakes(c, m.judged, false) + "</section>\n";

  if (several) {
    const agreement agreed(c.models, labels);
    out += "<h2 id=\"disagreements\">Disagreements</h2>\n<p>All models are right on " +
           counted(agreed.all_right(), "pair") + " (" + percent(agreed.all_right(), labels.size()) +
           "), all are wrong on " + grouped(agreed.all_wrong()) + " (" + percent(agreed.all_wrong(), labels.size()) +
           "), and they disagree on " + grouped(agreed.disputed()) + " (" + percent(agreed.disputed(), labels.size()) +
           ").</p>\n" + only_right(c, names, agreed) + disputed(c, agreed);
  }
  return out + "</main>\n<footer>Made by dupq " + std::to_string(DUPQ_VERSION_MAJOR) + '.' +
         std::to_string(DUPQ_VERSION_MINOR) + '.' + std::to_string(DUPQ_VERSION_PATCH) +
         ". \u201CPair\u201D is a pair\u2019s number in the file, from 1. The speed was measured in this run; "
         "everything else "
         "is the same in every run.</footer>\n</body>\n</html>\n";
}

}  // namespace dupq_tool::report
