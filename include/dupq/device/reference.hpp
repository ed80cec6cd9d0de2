// The judge of correctness: every operation in plain loops with double accumulators and the C library's functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "device.hpp"
#include "widen.hpp"

namespace dupq::inline DUPQ_ABI {

/// Meets `device`; see device.hpp for what each operation computes. Slow, and close to exact: results are rounded to
/// float only where they are stored.
class reference {
 public:
  using memory = host_memory;

  void embed(const token_batch& batch, const table<memory>& words, const table<memory>& types,
             const table<memory>& positions, const layer_norm<memory>& norm, matrix<float> y) const noexcept {
    for (std::size_t t = 0; t < batch.tokens; ++t) {
      const auto at = [&](const table<memory>& rows, std::size_t row, std::size_t i) {
        if (rows.count == 0) return 0.0;
        float block[32];
        const std::size_t from = i / 32 * 32;
        widen(rows.rows + row * rows.row_bytes + stored_bytes(rows.format, from), rows.format,
              std::min<std::size_t>(32, norm.size - from), block);
        return static_cast<double>(block[i - from]);
      };
      const std::size_t type = batch.types == nullptr ? 0 : batch.types[t];
      for (std::size_t i = 0; i < norm.size; ++i)
        y.row(t)[i] = static_cast<float>(at(words, static_cast<std::size_t>(batch.ids[t]), i) + at(types, type, i) +
                                         at(positions, static_cast<std::size_t>(batch.positions[t]), i));
      normalize_row(norm, y.row(t));
    }
  }

  void apply(const linear<memory>& weight, matrix<const float> x, activation act, float*,
             matrix<float> y) const noexcept {
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t o = 0; o < weight.outputs; ++o) {
        double v = output(weight, x.row(r), o);
        if (act == activation::gelu) v = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
        if (act == activation::tanh) v = std::tanh(v);
        y.row(r)[o] = static_cast<float>(v);
      }
  }

  void apply_residual_norm(const linear<memory>& weight, matrix<const float> x, const layer_norm<memory>& norm, float*,
                           matrix<float> y) const noexcept {
    for (std::size_t r = 0; r < x.rows; ++r) {
      for (std::size_t o = 0; o < weight.outputs; ++o)
        y.row(r)[o] = static_cast<float>(output(weight, x.row(r), o) + static_cast<double>(y.row(r)[o]));
      normalize_row(norm, y.row(r));
    }
  }

  void attention(const token_batch& batch, const attention_shape& shape, matrix<const float> qkv, float* scratch,
                 matrix<float> y) const noexcept {
    const std::size_t d = shape.head_dim, hidden = shape.heads * d;
    for (std::size_t t = 0; t < batch.texts; ++t)
      for (std::size_t head = 0; head < shape.heads; ++head)
        for (std::size_t q = batch.offsets[t]; q < batch.offsets[t + 1]; ++q) {
          const std::size_t begin = batch.offsets[t], keys = batch.offsets[t + 1] - begin;
          const float* const relative =
              shape.relative == nullptr ? nullptr : shape.relative + head * (2 * shape.span - 1) + shape.span - 1;
          double highest = -HUGE_VAL, sum = 0;
          for (std::size_t k = 0; k < keys; ++k) {
            double dot = 0;
            for (std::size_t i = 0; i < d; ++i)
              dot += static_cast<double>(qkv.row(q)[head * d + i]) *
                     static_cast<double>(qkv.row(begin + k)[hidden + head * d + i]);
            dot /= std::sqrt(static_cast<double>(d));
            if (relative != nullptr) dot += static_cast<double>(*(relative + (q - begin) - k));
            scratch[k] = static_cast<float>(dot);
            highest = std::max(highest, static_cast<double>(scratch[k]));
          }
          for (std::size_t k = 0; k < keys; ++k) sum += std::exp(static_cast<double>(scratch[k]) - highest);
          for (std::size_t i = 0; i < d; ++i) {
            double v = 0;
            for (std::size_t k = 0; k < keys; ++k)
              v += std::exp(static_cast<double>(scratch[k]) - highest) / sum *
                   static_cast<double>(qkv.row(begin + k)[2 * hidden + head * d + i]);
            y.row(q)[head * d + i] = static_cast<float>(v);
          }
        }
  }

  void pool(const token_batch& batch, pooling mode, matrix<const float> x, matrix<float> y) const noexcept {
    for (std::size_t t = 0; t < batch.texts; ++t) {
      float* to = y.row(t);
      const auto columns = [&](bool wanted, auto&& value) {
        if (!wanted) return;
        for (std::size_t i = 0; i < x.columns; ++i) to[i] = value(i);
        to += x.columns;
      };
      const std::size_t begin = batch.offsets[t], end = batch.offsets[t + 1];
      columns(mode.cls, [&](std::size_t i) { return x.row(begin)[i]; });
      columns(mode.max, [&](std::size_t i) {
        float m = x.row(begin)[i];
        for (std::size_t r = begin; r < end; ++r) m = std::max(m, x.row(r)[i]);
        return m;
      });
      columns(mode.mean, [&](std::size_t i) {
        double sum = 0;
        for (std::size_t r = begin; r < end; ++r) sum += static_cast<double>(x.row(r)[i]);
        return static_cast<float>(sum / static_cast<double>(end - begin));
      });
    }
  }

  void normalize(matrix<float> y) const noexcept {
    for (std::size_t r = 0; r < y.rows; ++r) {
      double squares = 0;
      for (std::size_t i = 0; i < y.columns; ++i)
        squares += static_cast<double>(y.row(r)[i]) * static_cast<double>(y.row(r)[i]);
      const double length = std::max(std::sqrt(squares), 1e-12);
      for (std::size_t i = 0; i < y.columns; ++i)
        y.row(r)[i] = static_cast<float>(static_cast<double>(y.row(r)[i]) / length);
    }
  }

  static constexpr std::uint64_t scratch_floats(const config&, std::size_t text_tokens, std::size_t) noexcept {
    return text_tokens;
  }

 private:
  static double weight(const linear<memory>& w, std::size_t o, std::size_t i) noexcept {
    const std::size_t panel = o / panel_width, lane = o % panel_width;
    if (w.bytes == nullptr) return static_cast<double>(w.panels[(panel * w.inputs + i) * panel_width + lane]);
    const std::size_t groups = (w.inputs + 3) / 4;
    const std::int8_t byte = w.bytes[((panel * groups + i / 4) * panel_width + lane) * 4 + i % 4];
    const double factor = w.factors == nullptr ? 1.0 : static_cast<double>(w.factors[i]);
    return static_cast<double>(byte) * static_cast<double>(w.scales[o]) * factor;
  }
  static double output(const linear<memory>& w, const float* x, std::size_t o) noexcept {
    double sum = w.bias == nullptr ? 0.0 : static_cast<double>(w.bias[o]);
    for (std::size_t i = 0; i < w.inputs; ++i) sum += static_cast<double>(x[i]) * weight(w, o, i);
    return sum;
  }

  static void normalize_row(const layer_norm<memory>& norm, float* x) noexcept {
    const auto n = static_cast<double>(norm.size);
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < norm.size; ++i) mean += static_cast<double>(x[i]) / n;
    for (std::size_t i = 0; i < norm.size; ++i)
      variance += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean) / n;
    const double inverse = 1 / std::sqrt(variance + static_cast<double>(norm.epsilon));
    for (std::size_t i = 0; i < norm.size; ++i)
      x[i] = static_cast<float>((static_cast<double>(x[i]) - mean) * inverse * static_cast<double>(norm.gain[i]) +
                                static_cast<double>(norm.bias[i]));
  }
};

static_assert(device<reference>);

}  // namespace dupq::inline DUPQ_ABI
