// Finds duplicates among vectors: all pairs, or one against many, by cosine similarity.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "device/cpu/cpu.hpp"

namespace dupq::inline DUPQ_ABI {

/// Two vectors whose cosine reaches the threshold; `first` < `second` are their rows.
struct match {
  std::size_t first = 0;
  std::size_t second = 0;
  float score = 0;
};

struct search_options {
  float threshold = 0.75f;
  const dupq::kernels* kernels = nullptr;  ///< null: the fastest of this CPU; every table gives the same scores
};

/// dot / (|a| |b|), lengths at least 1e-12, as sentence_transformers.util.cos_sim.
inline float cosine_of(float dot, float a_squared, float b_squared) noexcept {
  const float a = std::sqrt(a_squared), b = std::sqrt(b_squared);
  return dot / ((a > 1e-12f ? a : 1e-12f) * (b > 1e-12f ? b : 1e-12f));
}

/// The cosine of the angle between two vectors of the same size, in [-1, 1] up to rounding.
inline float cosine(std::span<const float> a, std::span<const float> b, const kernels* table = nullptr) noexcept {
  const kernels& k = table == nullptr ? *find_kernels() : *table;
  const std::size_t n = std::min(a.size(), b.size());
  float dot, aa, bb;
  k.dots(n, a.data(), 1, n, b.data(), &dot);
  k.dots(n, a.data(), 1, n, a.data(), &aa);
  k.dots(n, b.data(), 1, n, b.data(), &bb);
  return cosine_of(dot, aa, bb);
}

/// Calls found(match) for each pair of rows of `vectors` ([n][dim]) whose cosine is at least the threshold, block by
/// block, until it returns false. Nothing is allocated; time grows with n^2.
template <class Found>
void find_duplicates(std::span<const float> vectors, std::size_t dim, const search_options& options, Found&& found) {
  constexpr std::size_t block = 64;  // rows that stay in the cache while they meet others
  if (dim == 0) return;
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const std::size_t n = vectors.size() / dim;
  const auto row = [&](std::size_t r) { return vectors.data() + r * dim; };
  const auto squares = [&](std::size_t first, std::size_t last, float* to) {
    for (std::size_t r = first; r < last; ++r) k.dots(dim, row(r), 1, dim, row(r), to + (r - first));
  };
  float left[block], right[block], dots[block];
  for (std::size_t a = 0; a < n; a += block) {
    const std::size_t a_end = std::min(n, a + block);
    squares(a, a_end, left);
    for (std::size_t b = a; b < n; b += block) {
      const std::size_t b_end = std::min(n, b + block);
      squares(b, b_end, right);
      for (std::size_t i = a; i < a_end; ++i) {
        const std::size_t from = std::max(b, i + 1);
        if (from >= b_end) continue;
        k.dots(dim, row(i), b_end - from, dim, row(from), dots);
        for (std::size_t j = from; j < b_end; ++j) {
          const float score = cosine_of(dots[j - from], left[i - a], right[j - b]);
          if (score >= options.threshold && !found(match{i, j, score})) return;
        }
      }
    }
  }
}

/// Calls found(row, score) for each row of `vectors` whose cosine with `query` is at least the threshold, in order,
/// until it returns false.
template <class Found>
void find_similar(std::span<const float> query, std::span<const float> vectors, const search_options& options,
                  Found&& found) {
  constexpr std::size_t block = 64;
  const std::size_t dim = query.size();
  if (dim == 0) return;
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const std::size_t n = vectors.size() / dim;
  float square, dots[block];
  k.dots(dim, query.data(), 1, dim, query.data(), &square);
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t rows = std::min(block, n - first);
    const float* const b = vectors.data() + first * dim;
    k.dots(dim, query.data(), rows, dim, b, dots);
    for (std::size_t r = 0; r < rows; ++r) {
      float other;
      k.dots(dim, b + r * dim, 1, dim, b + r * dim, &other);
      const float score = cosine_of(dots[r], square, other);
      if (score >= options.threshold && !found(first + r, score)) return;
    }
  }
}

}  // namespace dupq::inline DUPQ_ABI
