// Rows for tests of searches, and what a search is by definition.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/search/duplicates.hpp>
#include <dupq/search/nearest.hpp>
#include <limits>
#include <random>
#include <span>
#include <tuple>
#include <vector>

namespace dupq {
inline bool operator==(const neighbour& a, const neighbour& b) { return a.row == b.row && a.score == b.score; }
}  // namespace dupq

namespace search_rows {

using found_match = std::tuple<std::size_t, std::size_t, float>;

inline std::span<const float> row(const std::vector<float>& v, std::size_t dim, std::size_t i) {
  return std::span(v).subspan(i * dim, dim);
}

/// Rows around a few centres, so that some are near each other and most are not; of the lengths that are asked for.
inline std::vector<float> around_centres(std::size_t n, std::size_t dim, float shortest, float longest,
                                         unsigned seed = 1) {
  std::mt19937 random(seed + static_cast<unsigned>(n * 1000 + dim));
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> length(shortest, longest);
  const std::size_t centres = n / 5 + 1;
  std::vector<float> centre(centres * dim), out;
  for (float& x : centre) x = normal(random);
  for (std::size_t i = 0; i < n; ++i) {
    const float times = length(random), spread = i % 3 == 0 ? 0.1f : 0.7f;
    const std::size_t from = out.size();
    for (std::size_t c = 0; c < dim; ++c) out.push_back(centre[i % centres * dim + c] + spread * normal(random));
    float square = 0;
    for (std::size_t c = 0; c < dim; ++c) square += out[from + c] * out[from + c];
    for (std::size_t c = 0; c < dim; ++c) out[from + c] *= times / std::sqrt(square);
  }
  return out;
}

/// Among them rows that bounds cannot be trusted with: of zeros, not finite, very large, very small, and repeated.
inline void add_odd_rows(std::vector<float>& v, std::size_t dim) {
  const std::size_t n = v.size() / dim;
  const float odd[] = {0.0f,
                       -0.0f,
                       std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity(),
                       1e25f,
                       1e-25f,
                       1e-40f,
                       3e38f};
  std::size_t at = 3;
  for (const float x : odd) {
    if (at >= n) return;
    for (std::size_t c = 0; c < dim; ++c) v[at * dim + c] = x;
    at += 5;
    if (at >= n) return;
    v[at * dim + dim / 2] = x;  // in one number of a row alone
    at += 6;
  }
  for (; at + 20 < n; at += 20)
    std::copy_n(v.begin() + static_cast<std::ptrdiff_t>(at * dim), dim,
                v.begin() + static_cast<std::ptrdiff_t>((at + 13) * dim));
}

/// The scores of all rows of `a` and `b`, [rows of a][rows of b].
inline std::vector<float> all_scores(const std::vector<float>& a, const std::vector<float>& b, std::size_t dim,
                                     dupq::similarity kind) {
  std::vector<float> out;
  for (std::size_t i = 0; i < a.size() / dim; ++i)
    for (std::size_t j = 0; j < b.size() / dim; ++j)
      out.push_back(dupq::similarity_of(kind, row(a, dim, i), row(b, dim, j)));
  return out;
}

/// By definition: all pairs that reach the threshold, in the order in which searches find them.
inline std::vector<found_match> matches(const std::vector<float>& scores, std::size_t rows, std::size_t columns,
                                        bool same, float threshold) {
  std::vector<found_match> out;
  for (std::size_t a = 0; a < rows; a += 64)
    for (std::size_t b = same ? a : 0; b < columns; b += 64)
      for (std::size_t i = a; i < std::min(rows, a + 64); ++i)
        for (std::size_t j = same ? std::max(b, i + 1) : b; j < std::min(columns, b + 64); ++j)
          if (scores[i * columns + j] >= threshold) out.emplace_back(i, j, scores[i * columns + j]);
  return out;
}

}  // namespace search_rows
