// How alike two vectors are, in the sense that a model names: sentence_transformers' similarity_pairwise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "../core/config.hpp"
#include "cosine.hpp"

namespace dupq::inline DUPQ_ABI {

/// Of two vectors of the same size: the cosine, the dot product, or the distance with a minus sign (the sum of the
/// differences' squares under a root, or of the differences). Larger is more alike.
inline float similarity_of(similarity kind, std::span<const float> a, std::span<const float> b,
                           const kernels* table = nullptr) noexcept {
  if (kind == similarity::cosine) return cosine(a, b, table);
  const kernels& k = table == nullptr ? *find_kernels() : *table;
  const std::size_t n = std::min(a.size(), b.size());
  float sum = 0;
  const float_environment ieee;
  if (kind == similarity::dot) return k.dots(n, a.data(), 1, n, b.data(), &sum), ieee.pinned(sum);
  constexpr std::size_t block = 256;
  float difference[block];
  for (std::size_t at = 0; at < n; at += block) {
    const std::size_t count = std::min(block, n - at);
    for (std::size_t i = 0; i < count; ++i) difference[i] = a[at + i] - b[at + i];
    float part = 0;
    if (kind == similarity::euclidean)
      k.dots(count, difference, 1, count, difference, &part);
    else
      for (std::size_t i = 0; i < count; ++i) part = part + std::fabs(difference[i]);
    sum = sum + part;
  }
  return ieee.pinned(-(kind == similarity::euclidean ? std::sqrt(sum) : sum));
}

}  // namespace dupq::inline DUPQ_ABI
