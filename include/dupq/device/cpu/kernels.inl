// The kernels over lanes of sixteen floats, included once for each instruction set (lanes_*.hpp), which defines
// DUPQ_KERNELS (its namespace), DUPQ_ISA and DUPQ_LANE, the type f32x16 and its operations. Each gives the bits of
// scalar.hpp's function of the same name.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

// ---- tails: fewer than 16 floats

DUPQ_LANE f32x16 load_first(const float* p, std::size_t n, float fill) noexcept {
  float lanes[16];
  for (std::size_t i = 0; i < 16; ++i) lanes[i] = i < n ? p[i] : fill;
  return load(lanes);
}
DUPQ_LANE void store_first(float* p, std::size_t n, f32x16 v) noexcept {
  float lanes[16];
  store(lanes, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
}
/// v with zeros from lane n on: a padded term of a sum must be +0, not a function of a padded input.
DUPQ_LANE f32x16 keep_first(f32x16 v, std::size_t n) noexcept {
  float lanes[16];
  store(lanes, v);
  for (std::size_t i = n; i < 16; ++i) lanes[i] = 0.0f;
  return load(lanes);
}

/// Prefetches what lies `ahead` floats behind p, which may be no valid address.
DUPQ_LANE void request(const float* p, std::size_t ahead) noexcept {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) + ahead * sizeof(float)), 0, 3);
}

// ---- formulas

DUPQ_LANE f32x16 exp_negative(f32x16 x) noexcept {
  const f32x16 t = fused(x, splat(formulas::log2_e), splat(formulas::round_magic));
  const f32x16 n = sub(t, splat(formulas::round_magic));
  const f32x16 r = fused(n, splat(-formulas::ln2_low), fused(n, splat(-formulas::ln2_high), x));
  f32x16 p = splat(formulas::exp_terms[0]);
  DUPQ_UNROLL
  for (int i = 1; i < 7; ++i) p = fused(p, r, splat(formulas::exp_terms[i]));
  return zero_below(scale_by_power(p, t), x, splat(formulas::exp_low));
}

template <int Terms>
DUPQ_LANE f32x16 gelu(f32x16 x, const formulas::gelu_fit<Terms>& fit) noexcept {
  const f32x16 zero = splat(0.0f);
  const f32x16 positive = greater(x, zero);
  const f32x16 a = greater(sub(smaller(x, zero), positive), splat(-fit.end));
  const f32x16 s = fused(a, splat(-2.0f / fit.end), splat(-1.0f));
  const f32x16 s2 = mul(s, s), s4 = mul(s2, s2);
  f32x16 q = splat(fit.terms[0]);
  DUPQ_UNROLL
  for (int i = 1; i < Terms; i += 4) {
    const f32x16 high = fused(splat(fit.terms[i]), s, splat(fit.terms[i + 1]));
    const f32x16 low = fused(splat(fit.terms[i + 2]), s, splat(fit.terms[i + 3]));
    q = fused(q, s4, fused(high, s2, low));
  }
  return fused(a, q, positive);
}

// ---- rows

DUPQ_ISA inline void widen(const std::byte* row, row_format format, std::size_t n, float* out) noexcept {
  widen_inlined(row, format, n, out);
}

DUPQ_ISA inline void add_rows(std::size_t n, const float* a, const float* b, const float* c, float* y) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 x = b == nullptr ? load(a + i) : add(load(a + i), load(b + i));
    store(y + i, add(x, load(c + i)));
  }
  if (i < n) scalar_kernels::add_rows(n - i, a + i, b == nullptr ? b : b + i, c + i, y + i);
}

/// `Rows` rows at a time, so that their chains of additions overlap; the rows after them are prefetched.
template <int Rows>
DUPQ_ISA void norm_of(std::size_t n, std::size_t stride, const float* gain, const float* bias, float epsilon,
                      float* x) noexcept {
  const std::size_t whole = n / 16 * 16, tail = n - whole;
  f32x16 sums[Rows], squares[Rows], means[Rows], inverses[Rows];
  float mean[Rows], inverse[Rows];
  DUPQ_UNROLL
  for (int r = 0; r < Rows; ++r) sums[r] = squares[r] = splat(0.0f);
  float* row[Rows];
  DUPQ_UNROLL
  for (int r = 0; r < Rows; ++r) row[r] = x + static_cast<std::size_t>(r) * stride;
  for (std::size_t i = 0; i < whole; i += 16) {
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r) sums[r] = add(sums[r], load(row[r] + i));
  }
  DUPQ_UNROLL
  for (int r = 0; r < Rows; ++r) {
    if (tail != 0) sums[r] = add(sums[r], load_first(row[r] + whole, tail, 0.0f));
    mean[r] = sum_lanes(sums[r]) / static_cast<float>(n);
    means[r] = splat(mean[r]);
  }
  for (std::size_t i = 0; i < whole; i += 16) {
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const f32x16 d = sub(load(row[r] + i), means[r]);
      request(row[r] + i, Rows * stride);
      squares[r] = fused(d, d, squares[r]);
    }
  }
  DUPQ_UNROLL
  for (int r = 0; r < Rows; ++r) {
    if (tail != 0) {
      const f32x16 d = keep_first(sub(load_first(row[r] + whole, tail, 0.0f), means[r]), tail);
      squares[r] = fused(d, d, squares[r]);
    }
    inverse[r] = 1.0f / std::sqrt(sum_lanes(squares[r]) / static_cast<float>(n) + epsilon);
    inverses[r] = splat(inverse[r]);
  }
  for (std::size_t i = 0; i < whole; i += 16) {
    const f32x16 gains = load(gain + i), biases = load(bias + i);
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r)
      store(row[r] + i, fused(mul(sub(load(row[r] + i), means[r]), inverses[r]), gains, biases));
  }
  for (int r = 0; r < Rows; ++r)
    for (std::size_t i = whole; i < n; ++i)
      row[r][i] = formulas::fused((row[r][i] - mean[r]) * inverse[r], gain[i], bias[i]);
}

DUPQ_ISA inline void norm(std::size_t rows, std::size_t n, std::size_t stride, const float* gain, const float* bias,
                          float epsilon, float* x) noexcept {
  std::size_t r = 0;
  if constexpr (quantized_rows > 2)
    for (; r + 8 <= rows; r += 8) norm_of<8>(n, stride, gain, bias, epsilon, x + r * stride);
  for (; r + 4 <= rows; r += 4) norm_of<4>(n, stride, gain, bias, epsilon, x + r * stride);
  for (; r + 2 <= rows; r += 2) norm_of<2>(n, stride, gain, bias, epsilon, x + r * stride);
  for (; r < rows; ++r) norm_of<1>(n, stride, gain, bias, epsilon, x + r * stride);
}

/// The sum of sums[First], sums[First + Step], ... in the order of kernels.hpp.
template <std::size_t First, std::size_t Step>
DUPQ_LANE f32x16 sum_of_16(const float (&sums)[16][16]) noexcept {
  if constexpr (Step == 16)
    return load(sums[First]);
  else
    return add(sum_of_16<First, 2 * Step>(sums), sum_of_16<First + Step, 2 * Step>(sums));
}

DUPQ_ISA inline void softmax(std::size_t keys, std::size_t queries, std::size_t stride, float scale, const float* bias,
                             float* x) noexcept {
  const f32x16 scales = splat(scale);
  for (std::size_t q = 0; q < queries; q += 16, x += 16) {
    f32x16 top = splat(-HUGE_VALF);
    for (std::size_t k = 0; k < keys; ++k) {
      const f32x16 raw = load(x + k * stride);
      const f32x16 v = bias == nullptr ? mul(raw, scales) : fused(raw, scales, load(bias + q - k));
      store(x + k * stride, v);
      top = greater(v, top);
    }
    float sums[16][16];
    for (std::size_t i = 0; i < 16; ++i) {
      f32x16 sum = splat(0.0f);
      for (std::size_t k = i; k < keys; k += 16) {
        const f32x16 e = exp_negative(sub(load(x + k * stride), top));
        store(x + k * stride, e);
        sum = add(sum, e);
      }
      store(sums[i], sum);
    }
    const f32x16 inverse = div(splat(1.0f), sum_of_16<0, 1>(sums));
    for (std::size_t k = 0; k < keys; ++k) store(x + k * stride, mul(load(x + k * stride), inverse));
  }
}

DUPQ_ISA inline void transpose(std::size_t rows, std::size_t columns, std::size_t stride, const float* x,
                               float* panels) noexcept {
  constexpr float zeros[4] = {};
  for (std::size_t first = 0; first < rows; first += panel_width, panels += columns * panel_width) {
    const auto row = [&](std::size_t i, std::size_t c) {
      return first + i < rows ? x + (first + i) * stride + c : zeros;
    };
    std::size_t c = 0;
    for (; c + 4 <= columns; c += 4) {
      f32x16 four[4];
      DUPQ_UNROLL
      for (std::size_t i = 0; i < 4; ++i)
        four[i] = load_quarters(row(i, c), row(i + 4, c), row(i + 8, c), row(i + 12, c));
      transpose_quarters(four);
      DUPQ_UNROLL
      for (std::size_t i = 0; i < 4; ++i) store(panels + (c + i) * panel_width, four[i]);
    }
    for (; c < columns; ++c)
      for (std::size_t i = 0; i < panel_width; ++i) panels[c * panel_width + i] = *row(i, c);
  }
}

DUPQ_ISA inline void mean(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept {
  const f32x16 count = splat(static_cast<float>(rows));
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 sum = splat(0.0f);
    for (std::size_t r = 0; r < rows; ++r) sum = add(sum, load(x + r * stride + i));
    store(y + i, div(sum, count));
  }
  if (i < n) scalar_kernels::mean(rows, n - i, stride, x + i, y + i);
}

DUPQ_ISA inline void max(std::size_t rows, std::size_t n, std::size_t stride, const float* x, float* y) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 m = load(x + i);
    for (std::size_t r = 1; r < rows; ++r) m = greater(load(x + r * stride + i), m);
    store(y + i, m);
  }
  if (i < n) scalar_kernels::max(rows, n - i, stride, x + i, y + i);
}

/// `Rows` rows at a time, so that their chains of additions overlap.
template <std::size_t Rows>
DUPQ_ISA void dots_of(std::size_t n, const float* a, std::size_t stride, const float* b, float* y) noexcept {
  f32x16 sums[Rows];
  DUPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) sums[r] = splat(0.0f);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 x = load(a + i);
    DUPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) sums[r] = fused(x, load(b + r * stride + i), sums[r]);
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    if (i < n) {
      const f32x16 x = load_first(a + i, n - i, 0.0f);
      sums[r] = fused(x, load_first(b + r * stride + i, n - i, 0.0f), sums[r]);
    }
    y[r] = sum_lanes(sums[r]);
  }
}

DUPQ_ISA inline void dots(std::size_t n, const float* a, std::size_t rows, std::size_t stride, const float* b,
                          float* y) noexcept {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) dots_of<4>(n, a, stride, b + r * stride, y + r);
  for (; r < rows; ++r) dots_of<1>(n, a, stride, b + r * stride, y + r);
}

DUPQ_ISA inline void divide(std::size_t n, float divisor, float* x) noexcept {
  const f32x16 d = splat(divisor);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(x + i, div(load(x + i), d));
  for (; i < n; ++i) x[i] = x[i] / divisor;
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS

#include "activations.inl"

#include "gemm.inl"

#include "quantize.inl"

#include "gemm8.inl"

#include "filter.inl"
