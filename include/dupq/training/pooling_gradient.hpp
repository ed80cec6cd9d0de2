// The last steps of a bi-encoder in training, token vectors to text vectors, and their gradients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../core/config.hpp"
#include "../device/cpu/formulas.hpp"
#include "../model/rare_settings.hpp"

namespace dupq::inline DUPQ_ABI {

/// The modes of a pooling as a sequence; see pooling::sequence.
inline std::uint32_t pooling_sequence(const pooling& p) noexcept {
  if (p.sequence != 0) return p.sequence;
  std::uint32_t modes = 0, shift = 0;
  const auto add = [&](bool wanted, pooling_mode mode) {
    if (wanted) modes |= static_cast<std::uint32_t>(mode) << shift, shift += 4;
  };
  add(p.cls, pooling_mode::cls), add(p.max, pooling_mode::max), add(p.mean, pooling_mode::mean);
  return modes;
}

/// d_x += what one mode of one text makes of d_y; x and d_x are the rows that are pooled, before
/// which `skipped` others stand.
inline void pooling_gradient(pooling_mode mode, std::size_t skipped, matrix<const float> x, const float* dy,
                             matrix<float> dx) noexcept {
  const std::size_t rows = x.rows, n = x.columns;
  const auto count = static_cast<float>(rows);
  const auto add_row = [&](std::size_t r, float weight) {
    for (std::size_t i = 0; i < n; ++i) dx.row(r)[i] = formulas::fused(dy[i], weight, dx.row(r)[i]);
  };
  const auto add_all = [&](float weight) {
    for (std::size_t r = 0; r < rows; ++r) add_row(r, weight);
  };
  switch (mode) {
    case pooling_mode::cls: return add_row(0, 1.0f);
    case pooling_mode::lasttoken: return add_row(rows - 1, 1.0f);
    case pooling_mode::mean: return add_all(1.0f / count);
    case pooling_mode::mean_sqrt_len_tokens: return add_all(1.0f / std::sqrt(count));
    case pooling_mode::weightedmean: {
      float sum = 0;  // exact: whole numbers
      for (std::size_t r = 0; r < rows; ++r) sum += static_cast<float>(skipped + r + 1);
      for (std::size_t r = 0; r < rows; ++r) add_row(r, static_cast<float>(skipped + r + 1) / sum);
      return;
    }
    case pooling_mode::max: break;
  }
  for (std::size_t i = 0; i < n; ++i) {  // the first of the largest
    std::size_t most = 0;
    for (std::size_t r = 1; r < rows; ++r)
      if (x.row(r)[i] > x.row(most)[i]) most = r;
    dx.row(most)[i] = dx.row(most)[i] + dy[i];
  }
}

/// In place of d_y, with y = x / |x| and `length` = |x|, at least 1e-12: d_x = (d_y - (d_y . y) y) / |x|.
inline void normalize_gradient(std::size_t n, const float* y, float length, float* dy) noexcept {
  double dot = 0;
  for (std::size_t i = 0; i < n; ++i) dot += static_cast<double>(dy[i]) * static_cast<double>(y[i]);  // exact products
  const auto along = static_cast<float>(dot);
  for (std::size_t i = 0; i < n; ++i) dy[i] = formulas::fused(-along, y[i], dy[i]) / length;
}

}  // namespace dupq::inline DUPQ_ABI
