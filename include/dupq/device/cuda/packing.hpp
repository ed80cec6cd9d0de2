// A model's weights on their way to a GPU: halves, padded with zeros, in the order in which kernels read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "../narrow.hpp"
#include "../widen.hpp"
#include "layouts.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Where the columns of attention's heads lie: each head padded to 32, 64 or 128 dimensions.
struct head_columns {
  int heads = 0, head_dim = 0;

  constexpr int dims() const noexcept { return head_dim <= 32 ? 32 : head_dim <= 64 ? 64 : 128; }
  constexpr int width() const noexcept { return heads * dims(); }
  /// Where a column of the model goes. It may also be a column of queries, keys and values one behind the other.
  constexpr int column(int i) const noexcept { return i / head_dim * dims() + i % head_dim; }
};

/// Weight (o, i) of a matrix in panels of floats or of halves.
inline std::size_t panel_index(const linear<host_memory>& w, std::size_t o, std::size_t i) noexcept {
  return (o / panel_width * w.inputs + i) * panel_width + o % panel_width;
}
inline half half_at(const std::byte* halves, std::size_t i) noexcept {
  half h;
  std::memcpy(&h, halves + i * sizeof h, sizeof h);
  return h;
}

inline float weight_of(const linear<host_memory>& w, std::size_t o, std::size_t i) noexcept {
  if (w.halves != nullptr) return widen_f16(half_at(w.halves, panel_index(w, o, i)));
  if (w.bytes == nullptr) return w.panels[panel_index(w, o, i)];
  const std::size_t groups = (w.inputs + 3) / 4, panel = o / panel_width, lane = o % panel_width;
  const float value = static_cast<float>(w.bytes[((panel * groups + i / 4) * panel_width + lane) * 4 + i % 4]);
  return value * w.scales[o] * (w.factors == nullptr ? 1.0f : w.factors[i]);
}
/// The same as a half: as the file has it, or rounded, and infinite where it is too large.
inline half half_of(const linear<host_memory>& w, std::size_t o, std::size_t i) noexcept {
  return w.halves != nullptr ? half_at(w.halves, panel_index(w, o, i)) : narrow_f16(weight_of(w, o, i));
}

/// The order of weights that most kernels want.
struct usual_order {
  constexpr std::size_t operator()(int output, int input, int inputs) const noexcept {
    return weight_index(output, input, inputs);
  }
};

/// Output o goes to to_output(o) of `outputs`, input i to to_input(i) of `inputs`; the others are 0. False: a weight is
/// too large for a half.
template <class Output, class Input, class Order = usual_order>
bool pack_linear(const linear<host_memory>& w, int outputs, int inputs, Output&& to_output, Input&& to_input,
                 half* weights, float* bias, Order&& order = {}) noexcept {
  std::fill_n(weights, static_cast<std::size_t>(outputs) * static_cast<std::size_t>(inputs), half{0});
  std::fill_n(bias, outputs, 0.0f);
  bool fits = true;
  for (std::size_t o = 0; o < w.outputs; ++o) {
    const int to = to_output(static_cast<int>(o));
    if (w.bias != nullptr) bias[to] = w.bias[o];
    for (std::size_t i = 0; i < w.inputs; ++i) {
      const half h = half_of(w, o, i);
      fits = fits && (h & 0x7C00u) != 0x7C00u;
      weights[order(to, to_input(static_cast<int>(i)), inputs)] = h;
    }
  }
  return fits;
}

/// Weight (o, i) goes to index(o, i). False: a weight is too large for a half.
template <class Index>
bool pack_tape(const linear<host_memory>& w, Index&& index, half* tape) noexcept {
  bool fits = true;
  for (std::size_t o = 0; o < w.outputs; ++o)
    for (std::size_t i = 0; i < w.inputs; ++i) {
      const half h = tape[index(static_cast<int>(o), static_cast<int>(i))] = half_of(w, o, i);
      fits = fits && (h & 0x7C00u) != 0x7C00u;
    }
  return fits;
}

/// Rows of `columns` numbers to rows of `stride` halves. False: a number is too large for a half.
inline bool pack_table(const table<host_memory>& t, std::size_t columns, std::size_t stride, half* rows) noexcept {
  std::fill_n(rows, t.count * stride, half{0});
  bool fits = true;
  for (std::size_t r = 0; r < t.count; ++r) {
    if (t.format == row_format::f16) {
      std::memcpy(rows + r * stride, t.rows + r * t.row_bytes, columns * sizeof(half));
      continue;
    }
    for (std::size_t i = 0; i < columns; i += 32) {
      float block[32];
      const std::size_t n = columns - i < 32 ? columns - i : 32;
      widen(t.rows + r * t.row_bytes + stored_bytes(t.format, i), t.format, n, block);
      for (std::size_t k = 0; k < n; ++k) {
        const half h = rows[r * stride + i + k] = narrow_f16(block[k]);
        fits = fits && (h & 0x7C00u) != 0x7C00u;
      }
    }
  }
  return fits;
}

}  // namespace dupq::inline DUPQ_ABI::gpu
