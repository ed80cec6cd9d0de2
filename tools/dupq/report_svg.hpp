// Drawings (SVG) with two axes: the frame with its grid, lines, and numbered marks that keep clear of each other.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "report_axis.hpp"
#include "report_curve.hpp"
#include "report_text.hpp"

namespace dupq_tool::report {

/// The class that gives a model its colour and, after eight of them, its dashes.
inline std::string series_class(std::size_t model) {
  const std::size_t dashes = model / 8 % 4;
  return "s" + std::to_string(model % 8 + 1) + (dashes == 0 ? "" : " d" + std::to_string(dashes));
}

/// A model's number, as it stands in tables and legends beside its name, and in drawings on its curve.
inline std::string badge(std::size_t model) {
  return "<b class=\"n " + series_class(model) + "\">" + std::to_string(model + 1) + "</b>";
}

inline std::string line(double x1, double y1, double x2, double y2, const std::string& classes) {
  return "<path class=\"" + classes + "\" d=\"M" + place(x1) + ' ' + place(y1) + 'L' + place(x2) + ' ' + place(y2) +
         "\"/>";
}

inline std::string words(double x, double y, const std::string& classes, const std::string& text) {
  return "<text class=\"" + classes + "\" x=\"" + place(x) + "\" y=\"" + place(y) + "\">" + text + "</text>";
}

/// A name beside an axis, read upwards.
inline std::string upwards(double x, double y, const std::string& text) {
  return "<text class=\"name\" transform=\"translate(" + place(x) + ' ' + place(y) + ")rotate(-90)\">" + text +
         "</text>";
}

/// A drawing of that size. `id` is its name in the page, `title` and `description` say in words what it shows.
inline std::string drawing(const std::string& id, int width, int height, const std::string& title,
                           const std::string& description, const std::string& inside) {
  return "<svg viewBox=\"0 0 " + std::to_string(width) + ' ' + std::to_string(height) +
         "\" role=\"img\" aria-labelledby=\"" + id + "-t " + id + "-d\"><title id=\"" + id + "-t\">" + title +
         "</title><desc id=\"" + id + "-d\">" + description + "</desc>" + inside + "</svg>\n";
}

/// Grid, ticks and names of two axes.
inline std::string frame(const axis& x, const axis& y, const std::string& x_name, const std::string& y_name) {
  std::string out;
  for (const double t : x.ticks()) {
    out += line(x(t), y.from, x(t), y.to, "grid");
    out += words(x(t), y.from + 17, "tick", x.label(t));
  }
  for (const double t : y.ticks()) {
    out += line(x.from, y(t), x.to, y(t), "grid");
    out += words(x.from - 7, y(t) + 4, "tick end", y.label(t));
  }
  out += line(x.from, y.from, x.to, y.from, "axis");
  out += words((x.from + x.to) / 2, y.from + 36, "name", x_name);
  return out + words(x.from, y.to - 12, "name start", y_name);
}

/// Numbered marks at points of curves. The numbers stand beside their points, clear of points and of each other.
class marks {
 public:
  marks(const axis& x, const axis& y) : x_(x), y_(y) {}

  void add(std::size_t model, double x, double y) { points_.push_back({model, {x_(x), y_(y)}}); }

  std::string draw() const {
    std::string lines, dots, numbers;
    std::vector<point> taken;
    for (const mark& m : points_) {
      const point at = free_place(m.at, taken);
      taken.push_back(at);
      const std::string who = series_class(m.model);
      lines += line(m.at.x, m.at.y, at.x, at.y, "lead " + who);
      dots += "<circle class=\"dot " + who + "\" r=\"4\" cx=\"" + place(m.at.x) + "\" cy=\"" + place(m.at.y) + "\"/>";
      numbers += "<circle class=\"disc " + who + "\" r=\"9\" cx=\"" + place(at.x) + "\" cy=\"" + place(at.y) + "\"/>" +
                 words(at.x, at.y + 3.8, "number", std::to_string(m.model + 1));
    }
    return lines + dots + numbers;
  }

 private:
  struct mark {
    std::size_t model;
    point at;
  };

  /// The nearest place around a point, above it first, where a number covers nothing.
  point free_place(const point& at, const std::vector<point>& taken) const {
    constexpr std::pair<double, double> directions[] = {{0, -1}, {0.7, -0.7}, {-0.7, -0.7}, {1, 0},
                                                        {-1, 0}, {0, 1},      {0.7, 0.7},   {-0.7, 0.7}};
    for (double away = 22; away < 400; away += 10)
      for (const auto& [dx, dy] : directions) {
        const point p{at.x + away * dx, at.y + away * dy};
        if (p.x < x_.from + 10 || p.x > x_.to - 10 || p.y < y_.to + 10 || p.y > y_.from - 10) continue;
        bool free = true;
        for (const point& other : taken) free = free && std::hypot(p.x - other.x, p.y - other.y) >= 21;
        for (const mark& other : points_) free = free && std::hypot(p.x - other.at.x, p.y - other.at.y) >= 15;
        if (free) return p;
      }
    return {at.x, at.y - 22};
  }

  axis x_, y_;
  std::vector<mark> points_;
};

}  // namespace dupq_tool::report
