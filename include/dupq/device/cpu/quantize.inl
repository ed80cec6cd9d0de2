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

/// The range of numbers in each lane: `high` is the largest one or 0, `low` the least one below 0, if any. They are
/// compared as integers of the same bits, in whose order NaN and infinity come last and so are never lost.
struct row_range {
  f32x16 low, high;

  DUPQ_LANE void take(f32x16 v) noexcept { join({v, v}); }
  DUPQ_LANE void join(const row_range& other) noexcept {
    low = greater_unsigned(other.low, low);
    high = greater_signed(other.high, high);
  }
  /// Zero in each lane, or NaN where a number of it was not finite
  DUPQ_LANE f32x16 spoiled() const noexcept { return fused(low, splat(0.0f), mul(high, splat(0.0f))); }
};

/// `Rows` rows at a time: the slow step from sixteen lanes to one scale a row then overlaps with that of other rows.
template <bool Scaled, std::size_t Rows>
DUPQ_ISA void quantize_rows(std::size_t n, std::size_t stride, const float* x, const float* factors, std::uint8_t* q,
                            row_scale* scales) noexcept {
  // Several chains in each row, too: the order in which numbers are compared does not change the largest one.
  constexpr std::size_t chains = quantized_rows / Rows;
  row_range ranges[Rows][chains];
  DUPQ_UNROLL
  for (std::size_t i = 0; i < Rows * chains; ++i) ranges[i / chains][i % chains] = {splat(0.0f), splat(0.0f)};
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
  DUPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    DUPQ_UNROLL
    for (std::size_t c = 1; c < chains; ++c) ranges[r][0].join(ranges[r][c]);
  }
  float lows[4] = {}, highs[4] = {}, inverse[16], shifted[16], steps[16];
  f32x16 spoiled = ranges[0][0].spoiled();
  DUPQ_UNROLL
  for (std::size_t r = 1; r < Rows; ++r) spoiled = add(spoiled, ranges[r][0].spoiled());
  const bool all_finite = sum_lanes(spoiled) == 0.0f;
  DUPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const row_range& range = ranges[r][0];
    lows[r] = -max_lanes(sub(splat(0.0f), smaller(range.low, splat(0.0f))));
    highs[r] = max_lanes(range.high);
    if (!all_finite) highs[r] += sum_lanes(range.spoiled());
  }
  const f32x16 low = first_four(lows), range = sub(first_four(highs), low);
  // scalar_kernels::scale_of for all rows in one vector: one after another, without an instruction for fused
  // multiply-adds, would take long.
  const f32x16 inverses = zero_below(div(splat(255.0f), range), range, splat(scalar_kernels::least_range));
  store(inverse, inverses);
  store(shifted, fused(sub(splat(0.0f), low), inverses, splat(formulas::round_magic)));
  store(steps, div(range, splat(255.0f)));
  for (std::size_t r = 0; r < Rows; ++r)
    scales[r] = {steps[r], inverse[r] == 0.0f ? 0 : scalar_kernels::rounded(shifted[r])};
  const f32x16 magic = splat(formulas::round_magic);
  for (std::size_t r = 0; r < Rows; ++r, x += stride, q += bytes) {
    const f32x16 times = splat(inverse[r]);
    const std::int32_t zero = scales[r].zero;
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) {
      DUPQ_UNROLL
      for (std::size_t c = 0; c < 64; c += 16) request(x + i + c, Rows * stride);
      const f32x16 four[] = {fused(scaled<Scaled>(x, factors, i), times, magic),
                             fused(scaled<Scaled>(x, factors, i + 16), times, magic),
                             fused(scaled<Scaled>(x, factors, i + 32), times, magic),
                             fused(scaled<Scaled>(x, factors, i + 48), times, magic)};
      store_bytes(q + i, four, zero);
    }
    for (; i < whole; i += 16) store_bytes(q + i, fused(scaled<Scaled>(x, factors, i), times, magic), zero);
    if (whole < n) {
      std::uint8_t last[16];
      store_bytes(last, fused(scaled_first<Scaled>(x, factors, whole, n - whole), times, magic), zero);
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
  if (n <= 1024)  // these rows and the next ones fit into the first-level cache: the next ones are prefetched
    for (; r + quantized_rows <= rows; r += quantized_rows)
      quantize_rows<Scaled, quantized_rows>(n, stride, x + r * stride, factors, q + r * bytes, scales + r);
  for (; r + 2 <= rows; r += 2) quantize_rows<Scaled, 2>(n, stride, x + r * stride, factors, q + r * bytes, scales + r);
  for (; r < rows; ++r) quantize_rows<Scaled, 1>(n, stride, x + r * stride, factors, q + r * bytes, scales + r);
}

DUPQ_ISA inline void quantize(std::size_t rows, std::size_t n, std::size_t stride, const float* x, const float* factors,
                              std::uint8_t* q, row_scale* scales) noexcept {
  if (factors == nullptr) return quantize_as<false>(rows, n, stride, x, factors, q, scales);
  quantize_as<true>(rows, n, stride, x, factors, q, scales);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
