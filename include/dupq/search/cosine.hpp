// The similarity of two vectors: the cosine of the angle between them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"

namespace dupq::inline DUPQ_ABI {
namespace search_detail {

/// A vector's length as the cosine divides by it, at least 1e-12, as sentence_transformers.util.cos_sim.
inline float length_of_square(float square) noexcept {
  const float length = std::sqrt(square);
  return length > 1e-12f ? length : 1e-12f;
}

/// dot / (|a| |b|)
inline float cosine_of(float dot, float a_squared, float b_squared) noexcept {
  return dot / (length_of_square(a_squared) * length_of_square(b_squared));
}

}  // namespace search_detail

/// The cosine of the angle between two vectors of the same size, in [-1, 1] up to rounding.
inline float cosine(std::span<const float> a, std::span<const float> b, const kernels* table = nullptr) noexcept {
  const kernels& k = table == nullptr ? *find_kernels() : *table;
  const std::size_t n = std::min(a.size(), b.size());
  float dot, aa, bb;
  const float_environment ieee;
  k.dots(n, a.data(), 1, n, b.data(), &dot);
  k.dots(n, a.data(), 1, n, a.data(), &aa);
  k.dots(n, b.data(), 1, n, b.data(), &bb);
  return ieee.pinned(search_detail::cosine_of(dot, aa, bb));
}

}  // namespace dupq::inline DUPQ_ABI
