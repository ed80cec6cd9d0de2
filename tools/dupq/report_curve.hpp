// Curves of a model's scores against labels, and what of them a screen can show.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/metrics.hpp>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "report_axis.hpp"

namespace dupq_tool::report {

struct point {
  double x = 0, y = 0;
};
using curve = std::vector<point>;  ///< x never decreases

/// What every threshold gives: for each distinct score, from the lowest, the counts when pairs from it on are called
/// duplicates.
struct score_step {
  double score = 0;
  dupq::confusion counts;
};

inline std::vector<score_step> steps_of(std::span<const float> scores, std::span<const std::uint8_t> labels) {
  const dupq::metrics_detail::ranking ranking(scores, labels);
  if (!ranking.pairs) throw std::bad_alloc();
  std::vector<score_step> steps;
  ranking.for_each_group([&](std::size_t begin, const dupq::confusion& counts) {
    const double score = static_cast<double>(ranking.pairs[begin].score);
    if (!std::isnan(score)) steps.push_back({score, counts});
  });
  return steps;
}

/// From `low` to `high`. Between two scores it is what the higher one gives, and nothing is found beyond the last.
inline curve f1_over_threshold(std::span<const score_step> steps, double low, double high) {
  curve out;
  double from = low;
  for (const score_step& s : steps) {
    if (s.score < low) continue;
    out.push_back({from, s.counts.f1()});
    from = std::clamp(s.score, low, high);
    out.push_back({from, s.counts.f1()});
    if (s.score > high + 1e-3 * (high - low)) return out;
  }
  out.push_back({from, 0});
  out.push_back({high, 0});
  return out;
}

/// From the highest score down. The area under it is the average precision.
inline curve precision_over_recall(std::span<const score_step> steps) {
  curve out;
  double recall = 0;
  for (std::size_t i = steps.size(); i-- > 0;) {
    out.push_back({recall, steps[i].counts.precision()});
    recall = steps[i].counts.recall();
    out.push_back({recall, steps[i].counts.precision()});
  }
  return out;
}

namespace curve_detail {

/// From a point to the line between two others, their ends included.
inline double distance(const point& p, const point& a, const point& b) {
  const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
  const double along = square == 0 ? 0 : std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / square, 0.0, 1.0);
  return std::hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

/// Of the points in each half unit of x: the first, the lowest, the highest and the last.
inline curve by_column(const curve& points) {
  curve out;
  for (std::size_t begin = 0, end; begin < points.size(); begin = end) {
    std::size_t low = begin, high = begin;
    const double column = std::floor(2 * points[begin].x);
    for (end = begin; end < points.size() && std::floor(2 * points[end].x) == column; ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::size_t kept[] = {begin, std::min(low, high), std::max(low, high), end - 1};
    for (std::size_t i = 0; i < 4; ++i)
      if (i == 0 || kept[i] != kept[i - 1]) out.push_back(points[kept[i]]);
  }
  return out;
}

/// Marks the points between `first` and `last` without which the line would move by more than a fifth of a unit
/// (Douglas and Peucker).
inline void keep_corners(const curve& points, std::size_t first, std::size_t last, std::vector<bool>& kept) {
  std::vector<std::pair<std::size_t, std::size_t>> open{{first, last}};
  while (!open.empty()) {
    const auto [begin, end] = open.back();
    open.pop_back();
    std::size_t farthest = begin;
    double most = 0.2;
    for (std::size_t i = begin + 1; i < end; ++i)
      if (const double d = distance(points[i], points[begin], points[end]); d > most) most = d, farthest = i;
    if (farthest == begin) continue;
    kept[farthest] = true;
    open.emplace_back(begin, farthest);
    open.emplace_back(farthest, end);
  }
}

}  // namespace curve_detail

/// The curve at its places on the axes, without the points that nobody could see; its highest one is always there.
inline curve thinned(const curve& values, const axis& x, const axis& y) {
  curve all;
  for (const point& p : values) all.push_back({x(p.x), y(p.y)});
  all = curve_detail::by_column(all);
  if (all.size() < 3) return all;
  const auto highest = static_cast<std::size_t>(  // y grows downwards
      std::min_element(all.begin(), all.end(), [](const point& a, const point& b) { return a.y < b.y; }) - all.begin());
  std::vector<bool> kept(all.size());
  kept.front() = kept[highest] = kept.back() = true;
  curve_detail::keep_corners(all, 0, highest, kept);
  curve_detail::keep_corners(all, highest, all.size() - 1, kept);
  curve out;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (kept[i]) out.push_back(all[i]);
  return out;
}

/// As the `d` of an SVG path.
inline std::string as_path(const curve& places) {
  std::string out, last;
  for (const point& p : places) {
    std::string next = place(p.x) + ' ' + place(p.y);
    if (next == last) continue;
    out += (out.empty() ? "M" : " ") + next;
    last = std::move(next);
  }
  return out;
}

}  // namespace dupq_tool::report
