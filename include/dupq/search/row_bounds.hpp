// How far a similarity can be from what the integers of two rows say.
//
// With x = x' + e and y = y' + f, where x' and y' are what the integers stand for, Cauchy and Schwarz bound what they
// leave out: x.y <= x'.y' + |e||y'| + |x||f|. A sketch is made of the first few numbers of the rows in another basis;
// what is left of them adds at most |x2||y2| <= (|x2|^2 + |y2|^2) / 2. All of it is in units of the similarity: for the
// cosine rows are taken as if they had the length 1, for a distance x.y >= (|x|^2 + |y|^2 - distance^2) / 2, and a sum
// of differences is never below the root of the sum of their squares.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "../core/config.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/filter_kernels.hpp"

namespace dupq::inline DUPQ_ABI::search_detail {

/// How far computed sums over dim products of rows, and what is made of them, may be from the truth, in units of the
/// rows' lengths: four times the bound of 2^-24 for each of the additions of a lane.
inline float rounding(std::size_t dim) noexcept { return (static_cast<float>(dim) / 16 + 16) * 0x1p-22f; }

inline bool is_distance(similarity kind) noexcept {
  return kind == similarity::euclidean || kind == similarity::manhattan;
}

/// What is known of all rows of a set together.
struct row_maxima {
  float length = 0;
  float error = 0;  ///< of either form
  float rest = 0;   ///< what a sketch leaves out
};

/// A row in one of its integer forms. An index keeps what is computed here: products are rounded before anything is
/// added to them, whatever the compiler would like better.
struct row_form {
  float step = 0;
  float length = 0;   ///< of the whole row
  float error = 0;    ///< between the form's numbers and its integers, at most
  float rest = 0;     ///< the length of what the form leaves out, at most
  bool plain = true;  ///< false where bounds do not hold: not finite, or so large or small that squares are not

  /// The whole row, whose dot product with itself is `square`.
  row_form(const integer_row& row, float square, std::size_t dim) noexcept
      : step(row.step),
        length(std::sqrt(square)),
        error(std::sqrt(row.error) + float_environment::pinned(length * rounding(dim))) {
    plain = (square >= 1e-20f && square <= 1e20f) || (row.step == 0 && square == 0);
  }
  /// Its sketch. `spread` is how far the basis' rows are from orthonormal, and its products from exact.
  row_form(const integer_row& row, const row_form& whole, float spread) noexcept
      : step(row.step), length(whole.length), plain(whole.plain) {
    error = std::sqrt(row.error) + float_environment::pinned(length * spread);
    rest = std::sqrt(std::max(0.0f, float_environment::pinned(length * length * (1 + 4 * spread)) - row.square));
  }

  float unit(similarity kind) const noexcept { return kind == similarity::cosine && length > 0 ? 1 / length : 1.0f; }
  void add_to(row_maxima& most) const noexcept {
    if (!plain) return;
    most.length = std::max(most.length, length);
    most.error = std::max(most.error, error);
    most.rest = std::max(most.rest, rest);
  }
};

/// Where a row that cannot be bounded stands, every comparison is made.
inline void set_column(panel_tail& tail, std::size_t i, const row_form& row, std::int32_t sum,
                       similarity kind) noexcept {
  const float length = row.length, unit = row.unit(kind), error = row.error * unit, rest = row.rest * unit;
  tail.length[i] = length > 1e-12f ? length : 1e-12f;
  tail.start[i] = row.plain ? -128 * sum : 0;
  tail.scale[i] = row.plain ? row.step * unit : 0;
  if (!row.plain)
    tail.slack[i] = std::numeric_limits<float>::infinity();
  else if (kind == similarity::cosine)
    tail.slack[i] = error + error * error / 2 + rest * rest / 2;
  else if (kind == similarity::dot)
    tail.slack[i] = error;
  else
    tail.slack[i] = rest * rest / 2 - length * length / 2;
}

/// A row of the other side: where its bound stands for each threshold.
class left_row {
 public:
  left_row() = default;
  left_row(const row_form& row, similarity kind, std::size_t dim, const row_maxima& others, float spread) noexcept {
    if (!row.plain) return;
    const float slack = rounding(dim) + 4 * spread;
    if (kind == similarity::cosine) {
      const float unit = row.unit(kind), error = row.error * unit, rest = row.rest * unit;
      scale_ = row.step * unit;
      below_ = error + error * error / 2 + rest * rest / 2 + slack;
    } else if (kind == similarity::dot) {
      times_ = row.length > 0 ? 1 / row.length : 1.0f;
      scale_ = row.step * times_;
      below_ = times_ * (row.error * (others.length + others.error) + row.rest * others.rest) + slack * others.length;
    } else {
      const float square = row.length * row.length;
      scale_ = row.step;
      below_ = row.error * (others.length + others.error) + row.length * others.error + row.rest * row.rest / 2 -
               square / 2 + slack * (square + others.length * others.length);
    }
  }

  row_bound bound(similarity kind, float threshold, std::size_t dim) const noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    if (!(below_ < infinity)) return {0, -infinity};
    float t = threshold * times_;
    // No distance is below 0. A sum of differences has more roundings, one behind the other, than one of products.
    if (is_distance(kind)) t = threshold > 0 ? infinity : -threshold * threshold / 2 * (1 + 16 * rounding(dim));
    return {scale_, t - below_};
  }

 private:
  float scale_ = 0;
  float below_ = std::numeric_limits<float>::infinity();  ///< how far below the threshold the bound stands
  float times_ = 1;                                       ///< what the threshold is multiplied with
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
