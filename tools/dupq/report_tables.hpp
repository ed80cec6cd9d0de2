// The report's tables: results, confusion, and the pairs that models get wrong or judge differently.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report.hpp"
#include "report_mistakes.hpp"
#include "report_svg.hpp"
#include "report_text.hpp"
#include "report_words.hpp"

namespace dupq_tool::report {

/// A table that scrolls where the page is too narrow for it; its caption is escaped.
inline std::string table(const std::string& classes, const std::string& caption, const std::string& head,
                         const std::string& body) {
  return "<div class=\"wide\"><table class=\"" + classes + "\"><caption>" + caption + "</caption>\n<thead>" + head +
         "</thead>\n<tbody>" + body + "</tbody></table></div>\n";
}

inline std::string header(const std::string& title) { return "<th scope=\"col\">" + title + "</th>"; }

inline std::string fixed_or_grouped(double value, int places) {
  return places != 0 || !(value < 1e15) ? fixed(value, places) : grouped(static_cast<std::uint64_t>(value + 0.5));
}

/// A row a model; the best value of a column is bold.
inline std::string results(const content& c, const std::vector<std::string>& names) {
  std::string head = "<tr>" + header("model");
  std::vector<std::string> rows;
  for (std::size_t m = 0; m < c.models.size(); ++m)
    rows.push_back("<th scope=\"row\">" + badge(m) + ' ' + names[m] + " <small>" + kind_of(c.models[m]) +
                   "</small></th>");
  const auto column = [&](const std::string& title, const auto& value, int places, const char* classes = "") {
    head += header(title);
    double best = value(c.models[0]), least = best;
    for (const judged_model& m : c.models) best = std::max(best, value(m)), least = std::min(least, value(m));
    for (std::size_t m = 0; m < c.models.size(); ++m) {
      const bool is_best = best > least && value(c.models[m]) == best;
      rows[m] += std::string("<td class=\"") + (is_best ? "best " : "") + classes + "\">" +
                 number(value(c.models[m]), fixed_or_grouped(value(c.models[m]), places)) + "</td>";
    }
  };
  const auto plain = [&](const std::string& title, const auto& cell) {
    head += header(title);
    for (std::size_t m = 0; m < c.models.size(); ++m) rows[m] += "<td>" + cell(c.models[m]) + "</td>";
  };
  if (c.all.split)
    column(
        "validation F1", [](const judged_model& m) { return m.validation ? m.validation->counts.f1() : 0; }, 4);
  column(
      c.all.split ? "test F1" : "F1", [](const judged_model& m) { return m.test.counts.f1(); }, 4);
  if (c.samples != 0)
    plain("95\u00A0% of samples", [](const judged_model& m) {
      return m.f1 ? number(m.f1->low, 4) + " to " + number(m.f1->high, 4) : std::string();
    });
  plain("threshold", [](const judged_model& m) {
    if (!m.threshold) return std::string("none");
    const float t = static_cast<float>(*m.threshold);
    return number(as_shortest(t), with_minus(shortest(t)));
  });
  if (!c.all.split)
    plain("chosen", [](const judged_model& m) {
      return m.threshold_from == "model" ? std::string("in the model") : "on " + m.threshold_from;
    });
  if (c.models[0].notebook)
    plain("notebook\u2019s test F1", [](const judged_model& m) { return number(m.notebook->counts.f1(), 4); });
  column(
      "precision", [](const judged_model& m) { return m.test.counts.precision(); }, 4);
  column(
      "recall", [](const judged_model& m) { return m.test.counts.recall(); }, 4);
  column(
      "average precision", [](const judged_model& m) { return m.test.average_precision; }, 4);
  column(
      "questions/s", [](const judged_model& m) { return m.rate; }, 0, "rate");
  std::string body;
  for (const std::string& row : rows) body += "<tr>" + row + "</tr>\n";
  return table("results", "Each model at its threshold", head + "</tr>", body);
}

/// Whether models differ, by samples of the pairs.
inline std::string differences(const content& c) {
  if (c.differences.empty()) return "";
  const auto with_sign = [](double x) { return number(x, (x < 0 ? "" : "+") + with_minus(fixed(x, 4))); };
  std::string body;
  for (const model_difference& d : c.differences)
    body += "<tr><th scope=\"row\">" + badge(d.first) + " against " + badge(d.second) + "</th><td>" + with_sign(d.f1) +
            "</td><td>" + with_sign(d.range.low) + " to " + with_sign(d.range.high) + "</td><td>" +
            (d.differ() ? "they differ" : "these pairs do not tell them apart") + "</td></tr>\n";
  return table(
      "differences",
      "Do they differ? F1 of the first less F1 of the second, in " + counted(c.samples, "sample") +
          " of the pairs (bootstrap)",
      "<tr>" + header("models") + header("difference") + header("95\u00A0% of samples") + header("so") + "</tr>", body);
}

inline std::string confusion(const judged_model& m) {
  const dupq::confusion& c = m.test.counts;
  const auto cell = [](std::uint64_t n, std::uint64_t of, bool right, const char* word) {
    const double share = of == 0 ? 0 : static_cast<double>(n) / static_cast<double>(of);
    return std::string("<td class=\"") + (right ? "right" : "wrong") + "\" style=\"--share:" + fixed(share, 3) +
           "\"><b><data value=\"" + std::to_string(n) + "\">" + grouped(n) + "</data></b> " + word + "<small>" +
           percent(n, of) + "</small></td>";
  };
  return table("confusion", "Confusion at the threshold; shares are of the row",
               "<tr><td></td>" + header("called duplicate") + header("called different") + "</tr>",
               "<tr><th scope=\"row\">labelled duplicate</th>" + cell(c.tp, c.tp + c.fn, true, "found") +
                   cell(c.fn, c.tp + c.fn, false, "missed") + "</tr>\n<tr><th scope=\"row\">labelled different</th>" +
                   cell(c.fp, c.fp + c.tn, false, "false hits") + cell(c.tn, c.fp + c.tn, true, "told apart") +
                   "</tr>\n");
}

/// How many pairs are shown of a kind, so that many models do not make a page too large to read.
inline std::size_t shown_of(const content& c) { return std::clamp<std::size_t>(120 / c.models.size(), 3, 10); }
inline constexpr std::size_t shown_characters = 240;  ///< of a text

inline std::string label_word(const content& c, std::size_t pair) {
  return c.all.test_labels()[pair] != 0 ? "duplicate" : "different";
}

/// The two texts of a pair, in cells of their own; `pair` counts among those that are judged.
inline std::string texts_of(const content& c, std::size_t pair) {
  const std::size_t row = c.all.tested()[pair];
  std::string out;
  for (const std::string& t : marked_texts(c.all.pairs.first[row], c.all.pairs.second[row], shown_characters))
    out += "<td class=\"text\" dir=\"auto\">" + (t.empty() ? "<small>(empty)</small>" : t) + "</td>";
  return out;
}
inline std::string pair_number(const content& c, std::size_t pair) {
  return "<td class=\"row\">" + grouped(c.all.tested()[pair] + 1) + "</td>";
}

inline std::string mistakes(const content& c, const judged_model& m, bool called) {
  std::string body;
  const std::uint64_t all = called ? m.test.counts.fp : m.test.counts.fn;
  for (const std::size_t pair : worst(m, c.all.test_labels(), called, shown_of(c))) {
    const double score = as_shortest(m.scores[pair]);
    body += "<tr><td class=\"score\">" + number(score, short_number(score)) + "</td><td>" + label_word(c, pair) +
            "</td>" + texts_of(c, pair) + pair_number(c, pair) + "</tr>\n";
  }
  if (body.empty()) return std::string("<p class=\"none\">") + (called ? "No false hits." : "No misses.") + "</p>\n";
  return table("pairs",
               std::string(called ? "Worst false hits: different, with the highest scores"
                                  : "Worst misses: duplicates, with the lowest scores") +
                   " (of " + grouped(all) + ")",
               "<tr>" + header("score") + header("label") + header("question 1") + header("question 2") +
                   header("pair") + "</tr>",
               body);
}

/// How often one model is right where another is wrong.
inline std::string only_right(const content& c, const std::vector<std::string>& names, const agreement& a) {
  if (!a.compared()) return "";
  std::string head = "<tr>" + header("right, where this one is wrong:"), body;
  for (std::size_t m = 0; m < c.models.size(); ++m) {
    head += header(badge(m));
    body += "<tr><th scope=\"row\">" + badge(m) + ' ' + names[m] + "</th>";
    for (std::size_t other = 0; other < c.models.size(); ++other)
      body += m == other ? "<td>\u2013</td>" : "<td>" + grouped(a.only(m, other)) + "</td>";
    body += "</tr>\n";
  }
  return table("only", "Pairs that one model (row) judges rightly and another (column) wrongly", head + "</tr>", body);
}

/// The pairs of which models think most differently: each model's score, and whether it is right.
inline std::string disputed(const content& c, const agreement& a) {
  std::string body;
  for (const std::size_t pair : a.most_disputed(2 * shown_of(c))) {
    const bool duplicate = c.all.test_labels()[pair] != 0;
    std::string judges;
    for (std::size_t m = 0; m < c.models.size(); ++m) {
      const bool right = c.models[m].calls(pair) == duplicate;
      const double score = as_shortest(c.models[m].scores[pair]);
      judges += "<li class=\"" + std::string(right ? "right" : "wrong") + "\">" + badge(m) + ' ' +
                number(score, short_number(score)) + ' ' + (right ? "right" : "wrong") + "</li>";
    }
    body += "<tr><td>" + label_word(c, pair) + "</td><td><ul class=\"judges\">" + judges + "</ul></td>" +
            texts_of(c, pair) + pair_number(c, pair) + "</tr>\n";
  }
  if (body.empty()) return "<p class=\"none\">They agree on every pair.</p>\n";
  return table("pairs",
               "What one model calls clearly a duplicate and another clearly different comes first (of " +
                   grouped(a.disputed()) + ")",
               "<tr>" + header("label") + header("scores") + header("question 1") + header("question 2") +
                   header("pair") + "</tr>",
               body);
}

}  // namespace dupq_tool::report
