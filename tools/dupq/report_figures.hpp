// The report's figures: F1 over the threshold, precision over recall, and each model's scores by label.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "judged_model.hpp"
#include "report_axis.hpp"
#include "report_curve.hpp"
#include "report_svg.hpp"
#include "report_text.hpp"

namespace dupq_tool::report {

/// The least and the greatest of finite values; 0 and 1 where there are none.
struct score_range {
  double low = INFINITY, high = -INFINITY;

  void add(double value) {
    if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
  }
  void add(const judged_model& m) {
    for (const float s : m.scores) add(static_cast<double>(s));
    if (m.threshold) add(*m.threshold);
  }
  axis on(double from, double to, double most) const {
    return low <= high ? round_axis(low, high, from, to, most) : round_axis(0, 1, from, to, most);
  }
  /// Cosines and probabilities, which may share an axis, and a cascade's scores, which are their differences beyond 0
  /// and 1; sums of products and logits go anywhere.
  bool bounded(bool cascade) const { return low >= (cascade ? -2.01 : -1.01) && high <= (cascade ? 3.01 : 1.01); }
};

/// A model of the page, with what its curves are made of.
struct drawn_model {
  std::size_t number;  ///< among the page's models, from 0
  const judged_model& judged;
  std::vector<score_step> steps;
};

inline constexpr int curve_width = 560, curve_height = 400;

/// F1 of models whose scores share an axis.
inline std::string f1_figure(const std::string& id, std::span<const drawn_model* const> models) {
  score_range range;
  double best = 0;
  // A cascade's scores of pairs that its bi-encoder is sure of lie beyond those of the others; there it has no
  // threshold.
  const bool only_cascades =
      std::all_of(models.begin(), models.end(), [](auto* m) { return !m->judged.cross.empty(); });
  for (const drawn_model* m : models) {
    if (only_cascades || m->judged.cross.empty()) range.add(m->judged);
    if (m->judged.threshold) range.add(*m->judged.threshold);
    for (const score_step& s : m->steps) best = std::max(best, s.counts.f1());
  }
  const axis x = range.on(46, curve_width - 12, 8),
             y = round_axis(0, std::min(best + 0.08, 1.0), curve_height - 46, 30, 6);
  marks marked(x, y);
  std::string curves, drops;
  for (const drawn_model* m : models) {
    const std::string who = series_class(m->number);
    curves += "<path class=\"curve " + who + "\" d=\"" +
              as_path(thinned(f1_over_threshold(m->steps, x.low, x.high), x, y)) + "\"/>";
    if (!m->judged.threshold) continue;
    const double f1 = m->judged.test.counts.f1();
    drops += line(x(*m->judged.threshold), y(f1), x(*m->judged.threshold), y.from, "drop " + who);
    marked.add(m->number, *m->judged.threshold, f1);
  }
  return drawing(id, curve_width, curve_height, "F1 over the threshold",
                 "One curve a model; its number stands where its threshold is. The best F1 of any threshold is " +
                     fixed(best, 4) + '.',
                 frame(x, y, "threshold", "F1") + drops + curves + marked.draw());
}

/// Curves of equal F1, precision = F1 recall / (2 recall - F1), named at their right ends.
inline std::string equal_f1(const axis& x, const axis& y) {
  std::string out = words(x.to + 6, y.to - 12, "tick start", "F1");
  for (const double f1 : {0.2, 0.4, 0.6, 0.8, 0.9}) {
    curve places;
    for (int k = 0; k <= 40; ++k) {
      const double recall = f1 / (2 - f1) + (1 - f1 / (2 - f1)) * k / 40;
      places.push_back({x(recall), y(f1 * recall / (2 * recall - f1))});
    }
    out += "<path class=\"equal\" d=\"" + as_path(places) + "\"/>";
    out += words(x.to + 6, y(f1 / (2 - f1)) + 4, "tick start", fixed(f1, 1));
  }
  return out;
}

inline std::string recall_figure(const std::string& id, std::span<const drawn_model> models, double duplicates) {
  const axis x{0, 1, 46, curve_width - 34, 0.2}, y{0, 1, curve_height - 46, 30, 0.2};
  marks marked(x, y);
  std::string curves;
  for (const drawn_model& m : models) {
    curves += "<path class=\"curve " + series_class(m.number) + "\" d=\"" +
              as_path(thinned(precision_over_recall(m.steps), x, y)) + "\"/>";
    const dupq::confusion& c = m.judged.test.counts;
    if (c.tp + c.fp != 0) marked.add(m.number, c.recall(), c.precision());
  }
  const std::string chance = line(x.from, y(duplicates), x.to, y(duplicates), "chance");
  const std::string chance_name =
      words(x.from + 6, y(duplicates) + (duplicates > 0.1 ? 14 : -6), "tick start", "chance");
  return drawing(id, curve_width, curve_height, "Precision over recall",
                 "One curve a model; its number stands where its threshold is. By chance, precision is " +
                     fixed(duplicates, 4) + '.',
                 frame(x, y, "recall", "precision") + equal_f1(x, y) + chance + curves + chance_name + marked.draw());
}

/// How many pairs of each label have a score in which bin. The threshold is an edge, so that a bin is right or wrong as
/// a whole: bins from 0 on are called duplicates.
struct score_bins {
  double edge, width;
  std::map<long, std::uint64_t> of_label[2];
  std::uint64_t most = 1;

  score_bins(const judged_model& m, std::span<const std::uint8_t> labels, const axis& x)
      : edge(m.threshold && std::isfinite(*m.threshold) ? *m.threshold : x.high), width((x.high - x.low) / 40) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const double score = static_cast<double>(m.scores[i]);
      const double held = std::isnan(score) ? x.low : std::clamp(score, x.low, x.high);
      long bin = std::lround(std::floor((held - edge) / width));
      if (m.calls(i) != (bin >= 0)) bin = m.calls(i) ? 0 : -1;  // nothing is called without a threshold
      most = std::max(most, ++of_label[labels[i] != 0][bin]);
    }
  }

  double begin(long bin) const { return edge + static_cast<double>(bin) * width; }
  /// With as many digits as tell one edge from the next.
  std::string label(long bin) const {
    return fixed(begin(bin), std::clamp(static_cast<int>(std::ceil(1 - std::log10(width))), 0, 12));
  }
};

/// Counts from 1, 2, 5, 10, ... to `most` whose square roots are far enough apart to be written.
inline std::vector<std::uint64_t> root_ticks(std::uint64_t most, double height) {
  std::vector<std::uint64_t> out;
  const double unit = height / std::sqrt(static_cast<double>(most));
  double last = INFINITY;
  for (std::uint64_t power = 1'000'000'000'000; power != 0; power /= 10)
    for (const std::uint64_t by : {5u, 2u, 1u}) {
      const std::uint64_t value = by * power;
      const double at = unit * std::sqrt(static_cast<double>(value));
      if (value > most || last - at < 18 || at < 14) continue;
      out.push_back(value);
      last = at;
    }
  return out;
}

inline constexpr int bins_width = 560, bins_height = 300;

/// Duplicates upwards, different ones downwards; what the threshold gets wrong has a colour of its own.
inline std::string histogram(const std::string& id, const drawn_model& m, std::span<const std::uint8_t> labels) {
  score_range range;
  range.add(m.judged);
  const axis x = range.on(62, bins_width - 12, 8);
  const double top = 24, bottom = bins_height - 46, middle = (top + bottom) / 2, height = middle - top - 8;
  const score_bins bins(m.judged, labels, x);
  const double unit = height / std::sqrt(static_cast<double>(bins.most));
  std::string grid, bars;
  for (const std::uint64_t count : root_ticks(bins.most, height)) {
    const double up = unit * std::sqrt(static_cast<double>(count));
    for (const double at : {middle - up, middle + up}) {
      grid += line(x.from, at, x.to, at, "grid");
      grid += words(x.from - 7, at + 4, "tick end", grouped(count));
    }
  }
  grid += words(x.from - 7, middle + 4, "tick end", "0");
  for (const double t : x.ticks()) grid += words(x(t), bottom + 17, "tick", x.label(t));
  for (const bool duplicate : {true, false})
    for (const auto& [bin, count] : bins.of_label[duplicate]) {
      const double up = std::max(1.0, unit * std::sqrt(static_cast<double>(count)));
      double left = x(bins.begin(bin)), wide = x(bins.begin(bin + 1)) - left - 0.7;
      if (wide < 1) left = std::min(left, x.to - 1), wide = 1;
      const bool right = (bin >= 0) == duplicate;
      bars += std::string("<rect class=\"") + (right ? "right" : "wrong") + "\" x=\"" + place(left) + "\" y=\"" +
              place(duplicate ? middle - up : middle) + "\" width=\"" + place(wide) + "\" height=\"" + place(up) +
              "\"><title>" + grouped(count) + (duplicate ? " duplicate" : " different") + ", scores from " +
              bins.label(bin) + " to " + bins.label(bin + 1) + "</title></rect>";
    }
  std::string marked;
  if (m.judged.threshold) {
    const double at = x(*m.judged.threshold);
    marked =
        line(at, top - 8, at, bottom, "threshold") + words(at, top - 12, at > bins_width - 70 ? "name end" : "name",
                                                           "threshold " + short_number(*m.judged.threshold));
  }
  return drawing(id, bins_width, bins_height, "Scores by label",
                 "How many pairs have which score: those labelled duplicates upwards, those labelled different "
                 "downwards, with the square root of their number as height.",
                 grid + bars + line(x.from, middle, x.to, middle, "axis") +
                     upwards(14, (top + middle) / 2, "duplicates") + upwards(14, (middle + bottom) / 2, "different") +
                     marked + words((x.from + x.to) / 2, bottom + 36, "name", "score"));
}

}  // namespace dupq_tool::report
