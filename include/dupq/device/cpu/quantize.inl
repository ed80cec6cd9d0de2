// Rows of floats as 8-bit integers over lanes of sixteen, included by kernels.inl.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

/// Sixteen numbers of a row, times their factors where there are some
template <bool Scaled>
DUPQ_LANE f32x16 scaled(const float* x, const float* factors, std::size_t at) noexcept {
  if constexpr (Scaled)
    return mul(load(x + at), load(factors + at));
  else
    return load(x + at);
}
template <bool Scaled>
DUPQ_LANE f32x16 scaled_first(const float* x, const float* factors, std::size_t at, std::size_t n) noexcept {
  if constexpr (Scaled)
    return mul(load_first(x + at, n, 0.0f), load_first(factors + at, n, 0.0f));
  else
    return load_first(x + at, n, 0.0f);
}

/// What numbers lie between, by lanes; `spoiled` is 0 as long as all are finite.
struct row_range {
  f32x16 low, high, spoiled;

  DUPQ_LANE void take(f32x16 v) noexcept {
    low = smaller(v, low);
    high = greater(v, high);
    spoiled = fused(v, splat(0.0f), spoiled);
  }
  DUPQ_LANE void join(const row_range& other) noexcept {
    low = smaller(other.low, low);
    high = greater(other.high, high);
    spoiled = add(other.spoiled, spoiled);
  }
};

/// Rows rows at a time: what takes long, from sixteen lanes to a row's scale, then overlaps.
template <bool Scaled, std::size_t Rows>
DUPQ_ISA void quantize_rows(std::size_t n, std::size_t stride, const float* x, const float* factors, std::uint8_t* q,
                            row_scale* scales) noexcept {
  // Several chains in each row, too; the order does not change an extreme, nor a sum of zeros.
  constexpr std::size_t chains = quantized_rows / Rows;
  row_range ranges[Rows][chains];
  DUPQ_UNROLL
  for (std::size_t i = 0; i < Rows * chains; ++i)
    ranges[i / chains][i % chains] = {splat(0.0f), splat(0.0f), splat(0.0f)};
  const std::size_t whole = n / 16 * 16, bytes = (n + 3) / 4 * 4;
  std::size_t at = 0;
  for (; at + chains * 16 <= n; at += chains * 16) {
    DUPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      DUPQ_UNROLL
      for (std::size_t c = 0; c < chains; ++c) ranges[r][c].take(scaled<Scaled>(x + r * stride, factors, at + c * 16));
    }
  }
  for (; at < n; at += 16) {
    DUPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const float* const row = x + r * stride;
      ranges[r][0].take(at < whole ? scaled<Scaled>(row, factors, at) : scaled_first<Scaled>(row, factors, at, n - at));
    }
  }
  float inverse[Rows];
  DUPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    DUPQ_UNROLL
    for (std::size_t c = 1; c < chains; ++c) ranges[r][0].join(ranges[r][c]);
    const row_range& range = ranges[r][0];
    scales[r] = scalar_kernels::scale_of(-max_lanes(sub(splat(0.0f), range.low)),
                                         max_lanes(range.high) + sum_lanes(range.spoiled), inverse[r]);
  }
  const f32x16 magic = splat(formulas::round_magic);
  for (std::size_t r = 0; r < Rows; ++r, x += stride, q += bytes) {
    const f32x16 inverses = splat(inverse[r]);
    const std::int32_t zero = scales[r].zero;
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) {
      const f32x16 four[] = {fused(scaled<Scaled>(x, factors, i), inverses, magic),
                             fused(scaled<Scaled>(x, factors, i + 16), inverses, magic),
                             fused(scaled<Scaled>(x, factors, i + 32), inverses, magic),
                             fused(scaled<Scaled>(x, factors, i + 48), inverses, magic)};
      store_bytes(q + i, four, zero);
    }
    for (; i < whole; i += 16) store_bytes(q + i, fused(scaled<Scaled>(x, factors, i), inverses, magic), zero);
    if (whole < n) {
      std::uint8_t last[16];
      store_bytes(last, fused(scaled_first<Scaled>(x, factors, whole, n - whole), inverses, magic), zero);
      for (; i < n; ++i) q[i] = last[i - whole];
      for (; i < bytes; ++i) q[i] = 0;
    }
  }
}

template <bool Scaled>
DUPQ_ISA void quantize_as(std::size_t rows, std::size_t n, std::size_t stride, const float* x, const float* factors,
                          std::uint8_t* q, row_scale* scales) noexcept {
  const std::size_t bytes = (n + 3) / 4 * 4;
  std::size_t r = 0;
  for (; r + quantized_rows <= rows; r += quantized_rows)
    quantize_rows<Scaled, quantized_rows>(n, stride, x + r * stride, factors, q + r * bytes, scales + r);
  if (r + 2 <= rows && quantized_rows > 2) {
    quantize_rows<Scaled, 2>(n, stride, x + r * stride, factors, q + r * bytes, scales + r);
    r += 2;
  }
  for (; r < rows; ++r) quantize_rows<Scaled, 1>(n, stride, x + r * stride, factors, q + r * bytes, scales + r);
}

DUPQ_ISA inline void quantize(std::size_t rows, std::size_t n, std::size_t stride, const float* x, const float* factors,
                              std::uint8_t* q, row_scale* scales) noexcept {
  if (factors == nullptr) return quantize_as<false>(rows, n, stride, x, factors, q, scales);
  quantize_as<true>(rows, n, stride, x, factors, q, scales);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
