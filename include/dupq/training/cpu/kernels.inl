// The training kernels over lanes of sixteen floats, included once for each instruction set by tables.hpp, which
// defines DUPQ_KERNELS, DUPQ_ISA and DUPQ_LANE. Each gives the bits of the scalar function of the same name in
// kernels.hpp.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

DUPQ_ISA inline void training_norm(std::size_t rows, std::size_t n, const float* gain, const float* bias, float epsilon,
                                   float* x, float* inverse, float* y) noexcept {
  const std::size_t whole = n / 16 * 16, tail = n - whole;
  for (std::size_t r = 0; r < rows; ++r, x += n, y += n) {
    f32x16 sum = splat(0.0f), square = splat(0.0f);
    for (std::size_t i = 0; i < whole; i += 16) sum = add(sum, load(x + i));
    if (tail != 0) sum = add(sum, load_first(x + whole, tail, 0.0f));
    const float mean = sum_lanes(sum) / static_cast<float>(n);
    const f32x16 means = splat(mean);
    for (std::size_t i = 0; i < whole; i += 16) {
      const f32x16 d = sub(load(x + i), means);
      square = fused(d, d, square);
    }
    if (tail != 0) {
      const f32x16 d = keep_first(sub(load_first(x + whole, tail, 0.0f), means), tail);
      square = fused(d, d, square);
    }
    inverse[r] = 1.0f / std::sqrt(sum_lanes(square) / static_cast<float>(n) + epsilon);
    const f32x16 inverses = splat(inverse[r]);
    for (std::size_t i = 0; i < whole; i += 16) {
      const f32x16 v = mul(sub(load(x + i), means), inverses);
      store(x + i, v);
      store(y + i, fused(v, load(gain + i), load(bias + i)));
    }
    for (std::size_t i = whole; i < n; ++i) {
      x[i] = (x[i] - mean) * inverse[r];
      y[i] = formulas::fused(x[i], gain[i], bias[i]);
    }
  }
}

DUPQ_ISA inline void norm_output(std::size_t rows, std::size_t n, const float* gain, const float* bias, const float* x,
                                 float* y) noexcept {
  for (std::size_t r = 0; r < rows; ++r, x += n, y += n) {
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) store(y + i, fused(load(x + i), load(gain + i), load(bias + i)));
    if (i < n) scalar_kernels::norm_output(1, n - i, gain + i, bias + i, x + i, y + i);
  }
}

DUPQ_ISA inline void norm_gradient(std::size_t rows, std::size_t n, const float* gain, const float* x,
                                   const float* inverse, const float* dy, float* dx) noexcept {
  const std::size_t whole = n / 16 * 16, tail = n - whole;
  for (std::size_t r = 0; r < rows; ++r, x += n, dy += n, dx += n) {
    f32x16 sum = splat(0.0f), product = splat(0.0f);
    for (std::size_t i = 0; i < whole; i += 16) {
      const f32x16 d = load(dy + i), g = load(gain + i);
      sum = fused(d, g, sum);
      product = fused(mul(d, g), load(x + i), product);
    }
    if (tail != 0) {
      const f32x16 d = load_first(dy + whole, tail, 0.0f), g = load_first(gain + whole, tail, 0.0f);
      sum = fused(d, g, sum);
      product = fused(mul(d, g), load_first(x + whole, tail, 0.0f), product);
    }
    const float mean = sum_lanes(sum) / static_cast<float>(n), slope = sum_lanes(product) / static_cast<float>(n);
    const f32x16 means = splat(-mean), slopes = splat(-slope), inverses = splat(inverse[r]);
    for (std::size_t i = 0; i < whole; i += 16) {
      const f32x16 centred = fused(load(dy + i), load(gain + i), means);
      store(dx + i, mul(fused(slopes, load(x + i), centred), inverses));
    }
    for (std::size_t i = whole; i < n; ++i) {
      const float centred = formulas::fused(dy[i], gain[i], -mean);
      dx[i] = formulas::fused(-slope, x[i], centred) * inverse[r];
    }
  }
}

DUPQ_ISA inline void column_sums(std::size_t rows, std::size_t n, const float* x, const float* y, float* products,
                                 float* sums) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 sum = splat(0.0f), product = splat(0.0f);
    for (std::size_t r = 0; r < rows; ++r) {
      const f32x16 v = load(y + r * n + i);
      sum = add(sum, v);
      if (x != nullptr) product = fused(load(x + r * n + i), v, product);
    }
    store(sums + i, sum);
    if (x != nullptr) store(products + i, product);
  }
  for (; i < n; ++i) {
    float sum = 0, product = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      sum = sum + y[r * n + i];
      if (x != nullptr) product = formulas::fused(x[r * n + i], y[r * n + i], product);
    }
    sums[i] = sum;
    if (x != nullptr) products[i] = product;
  }
}

DUPQ_ISA inline void training_gelu(std::size_t n, const float* x, float* y) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, gelu(load(x + i), formulas::gelu_full));
  if (i < n) scalar_kernels::training_gelu(n - i, x + i, y + i);
}

DUPQ_LANE f32x16 gelu_derivative(f32x16 x) noexcept {
  constexpr const auto& fit = formulas::gelu_slope;
  const f32x16 positive = zero_below(splat(1.0f), x, splat(0.0f));
  const f32x16 a = smaller(greater(x, sub(splat(0.0f), x)), splat(fit.end));
  const f32x16 s = fused(a, splat(2.0f / fit.end), splat(-1.0f));
  const f32x16 s2 = mul(s, s), s4 = mul(s2, s2);
  f32x16 q = splat(fit.terms[0]);
  DUPQ_UNROLL
  for (int i = 1; i < 21; i += 4) {
    const f32x16 high = fused(splat(fit.terms[i]), s, splat(fit.terms[i + 1]));
    const f32x16 low = fused(splat(fit.terms[i + 2]), s, splat(fit.terms[i + 3]));
    q = fused(q, s4, fused(high, s2, low));
  }
  return fused(fused(splat(-2.0f), positive, splat(1.0f)), q, positive);
}

DUPQ_ISA inline void gelu_gradient(std::size_t n, float* x, float* dy) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 v = load(x + i);
    store(dy + i, mul(load(dy + i), gelu_derivative(v)));
    store(x + i, gelu(v, formulas::gelu_full));
  }
  if (i < n) scalar_kernels::gelu_gradient(n - i, x + i, dy + i);
}

/// The 16 bits of 32 numbers of a row, as floats: those of numbers 32 * block .. + 31.
DUPQ_LANE void draw(std::uint32_t key, std::uint32_t block, float (&low)[16], float (&high)[16]) noexcept {
  for (std::uint32_t i = 0; i < 16; ++i) {
    const std::uint32_t word = random_word(key, block * 16 + i);
    low[i] = static_cast<float>(static_cast<std::int32_t>(word & 0xFFFFu));
    high[i] = static_cast<float>(static_cast<std::int32_t>(word >> 16));
  }
}

DUPQ_ISA inline void drop(std::size_t rows, std::size_t n, dropout_rule rule, const std::uint32_t* keys,
                          float* x) noexcept {
  const f32x16 limit = splat(static_cast<float>(static_cast<std::int32_t>(rule.limit))), scale = splat(rule.scale);
  for (std::size_t r = 0; r < rows; ++r, x += n) {
    float low[16], high[16];
    for (std::size_t i = 0; i < n; i += 32) {
      draw(keys[r], static_cast<std::uint32_t>(i / 32), low, high);
      if (i + 32 <= n) {
        store(x + i, zero_below(mul(load(x + i), scale), load(low), limit));
        store(x + i + 16, zero_below(mul(load(x + i + 16), scale), load(high), limit));
        continue;
      }
      for (std::size_t j = i; j < n; ++j) {
        const float bits = j - i < 16 ? low[j - i] : high[j - i - 16];
        x[j] = bits >= static_cast<float>(static_cast<std::int32_t>(rule.limit)) ? x[j] * rule.scale : 0.0f;
      }
    }
  }
}

DUPQ_ISA inline void drop_columns(std::size_t rows, std::size_t columns, std::size_t stride, dropout_rule rule,
                                  const std::uint32_t* keys, const float* x, float* y) noexcept {
  const f32x16 limit = splat(static_cast<float>(static_cast<std::int32_t>(rule.limit))), scale = splat(rule.scale);
  for (std::size_t q = 0; q < stride; q += 16) {
    std::uint32_t own[16];
    for (std::size_t i = 0; i < 16; ++i) own[i] = q + i < columns ? keys[q + i] : 0;
    const std::size_t here = columns > q ? columns - q : 0;
    for (std::size_t k = 0; k < rows; ++k) {
      const auto word = static_cast<std::uint32_t>(k / 32 * 16 + k % 16);
      const unsigned shift = k / 16 % 2 == 0 ? 0 : 16;
      float bits[16];
      for (std::size_t i = 0; i < 16; ++i)
        bits[i] = static_cast<float>(static_cast<std::int32_t>(random_word(own[i], word) >> shift & 0xFFFFu));
      const f32x16 kept = zero_below(mul(load(x + k * stride + q), scale), load(bits), limit);
      store(y + k * stride + q, here >= 16 ? kept : keep_first(kept, here));
    }
  }
}

DUPQ_ISA inline void softmax_gradient(std::size_t rows, std::size_t stride, float scale, const float* p,
                                      float* dp) noexcept {
  const f32x16 scales = splat(scale);
  for (std::size_t q = 0; q < stride; q += 16) {
    f32x16 sums[4];
    for (f32x16& s : sums) s = splat(0.0f);
    for (std::size_t k = 0; k < rows; ++k)
      sums[k % 4] = fused(load(p + k * stride + q), load(dp + k * stride + q), sums[k % 4]);
    const f32x16 sum = add(add(sums[0], sums[1]), add(sums[2], sums[3]));
    for (std::size_t k = 0; k < rows; ++k) {
      const f32x16 d = sub(load(dp + k * stride + q), sum);
      store(dp + k * stride + q, mul(mul(d, load(p + k * stride + q)), scales));
    }
  }
}

DUPQ_ISA inline void adamw(std::size_t n, const adamw_factors& f, const float* g, float* p, float* m,
                           float* v) noexcept {
  const f32x16 scale = splat(f.scale), decay = splat(f.decay), beta1 = splat(f.beta1), rest1 = splat(f.rest1);
  const f32x16 beta2 = splat(f.beta2), rest2 = splat(f.rest2), factor = splat(f.root), epsilon = splat(f.epsilon);
  const f32x16 rate = splat(-f.rate);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 gradient = g == nullptr ? splat(0.0f) : mul(load(g + i), scale);
    const f32x16 kept = mul(load(p + i), decay), part = mul(gradient, rest1), square = mul(gradient, rest2);
    f32x16 first = fused(load(m + i), beta1, part), second = fused(square, gradient, mul(load(v + i), beta2));
    first = zero_below(first, greater(first, sub(splat(0.0f), first)), splat(least_first));
    second = zero_below(second, second, splat(least_second));
    store(m + i, first);
    store(v + i, second);
    store(p + i, fused(rate, div(first, fused(root(second), factor, epsilon)), kept));
  }
  if (i < n) scalar_kernels::adamw(n - i, f, g == nullptr ? g : g + i, p + i, m + i, v + i);
}

DUPQ_ISA inline double squares(std::size_t n, const float* x) noexcept {
  double sums[16] = {};
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (std::size_t j = 0; j < 16; ++j) {
      const auto one = static_cast<double>(x[i + j]);
      sums[j] += one * one;
    }
  for (std::size_t j = 0; i < n; ++i, ++j) {
    const auto one = static_cast<double>(x[i]);
    sums[j] += one * one;
  }
  for (std::size_t half = 8; half != 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  return sums[0];
}

DUPQ_ISA inline void add_to(std::size_t n, const float* x, float* y) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(y + i, add(load(y + i), load(x + i)));
  if (i < n) scalar_kernels::add_to(n - i, x + i, y + i);
}

DUPQ_ISA inline void multiply(std::size_t n, float factor, float* x) noexcept {
  const f32x16 factors = splat(factor);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(x + i, mul(load(x + i), factors));
  if (i < n) scalar_kernels::multiply(n - i, factor, x + i);
}

inline constexpr training_kernels training_table{
    training_norm, norm_output,      norm_gradient, column_sums, training_gelu, gelu_gradient, drop,
    drop_columns,  softmax_gradient, adamw,         squares,     add_to,        multiply};

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
