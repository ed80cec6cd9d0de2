// Which pairs of rows can be alike, over lanes of sixteen, included by kernels.inl, and again for the instruction sets
// that multiply bytes otherwise.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

/// Rows x (16 * Panels) pairs, whose sums stay in registers until it is known whether one of them counts.
template <int Rows, int Panels>
struct filter_tile {
  DUPQ_ISA DUPQ_NOINLINE static void run(const filter_args& g, std::size_t row, std::size_t panel,
                                         filter_result& result) noexcept {
    const std::size_t panel_bytes = g.panel_bytes();
    const std::byte* const b = g.panels + panel * panel_bytes;
    const std::uint8_t* const a = g.a + row * 4 * g.groups;
    const row_bound* const bounds = g.bounds + row;
    const std::byte* const tails = b + g.groups * 64;
    i32x16 sums[Rows * Panels];
    DUPQ_UNROLL
    for (int p = 0; p < Panels; ++p) {
      const i32x16 start = load(tail_of(tails, panel_bytes, p).start);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) sums[r * Panels + p] = start;
    }
    ++result.tiles;
    multiply(sums, a, b, panel_bytes, g.groups, 0, g.early);
    if (g.early < g.groups && !any_early(sums, bounds, tails, panel_bytes)) return;
    ++result.late;
    DUPQ_UNROLL
    for (int p = 0; p < Panels; ++p) {
      const i32x16 start = load(tail_of(tails, panel_bytes, p).start_late);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) sums[r * Panels + p] = plus(sums[r * Panels + p], start);
    }
    multiply(sums, a, b, panel_bytes, g.groups, g.early, g.groups);
    if (set_masks(sums, bounds, tails, panel_bytes, g.masks + row * g.mask_stride + panel, g.mask_stride))
      ++result.found;
  }

 private:
  DUPQ_LANE static const panel_tail& tail_of(const std::byte* tails, std::size_t panel_bytes, int p) noexcept {
    return *reinterpret_cast<const panel_tail*>(tails + static_cast<std::size_t>(p) * panel_bytes);
  }
  DUPQ_LANE static void multiply(i32x16 (&sums)[Rows * Panels], const std::uint8_t* a, const std::byte* b,
                                 std::size_t panel_bytes, std::size_t groups, std::size_t from,
                                 std::size_t to) noexcept {
    const auto* weights = reinterpret_cast<const std::int8_t*>(b) + from * 64;
    for (std::size_t k = from; k < to; ++k, weights += 64) {
      i8x64 w[Panels];
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) w[p] = load_bytes(weights + static_cast<std::size_t>(p) * panel_bytes);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) {
        std::int32_t four;
        std::memcpy(&four, a + (static_cast<std::size_t>(r) * groups + k) * 4, 4);
        const i32x16 x = splat(four);
        DUPQ_UNROLL
        for (int p = 0; p < Panels; ++p) sums[r * Panels + p] = add_products(sums[r * Panels + p], x, w[p]);
      }
    }
  }
  DUPQ_LANE static f32x16 bound_of(i32x16 sum, f32x16 row_scale, const float* scale, const float* slack) noexcept {
    return fused(mul(to_float(sum), row_scale), load(scale), load(slack));
  }
  DUPQ_LANE static bool any_early(const i32x16 (&sums)[Rows * Panels], const row_bound* bounds, const std::byte* tails,
                                  std::size_t panel_bytes) noexcept {
    unsigned reached = 0;
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const f32x16 scale = splat(bounds[r].scale);
      f32x16 best = bound_of(sums[r * Panels], scale, tail_of(tails, panel_bytes, 0).scale,
                             tail_of(tails, panel_bytes, 0).slack_early);
      DUPQ_UNROLL
      for (int p = 1; p < Panels; ++p) {
        const panel_tail& tail = tail_of(tails, panel_bytes, p);
        best = greater(best, bound_of(sums[r * Panels + p], scale, tail.scale, tail.slack_early));
      }
      reached |= at_least(best, splat(bounds[r].least_early));
    }
    return reached != 0;
  }
  DUPQ_LANE static bool set_masks(const i32x16 (&sums)[Rows * Panels], const row_bound* bounds, const std::byte* tails,
                                  std::size_t panel_bytes, std::uint16_t* masks, std::size_t stride) noexcept {
    unsigned any = 0, bits[Rows * Panels];
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const f32x16 scale = splat(bounds[r].scale), least = splat(bounds[r].least);
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) {
        const panel_tail& tail = tail_of(tails, panel_bytes, p);
        any |= bits[r * Panels + p] = at_least(bound_of(sums[r * Panels + p], scale, tail.scale, tail.slack), least);
      }
    }
    if (any == 0) return false;
    for (int r = 0; r < Rows; ++r)
      for (int p = 0; p < Panels; ++p)
        if (bits[r * Panels + p] != 0)
          masks[static_cast<std::size_t>(r) * stride + static_cast<std::size_t>(p)] =
              static_cast<std::uint16_t>(bits[r * Panels + p]);
    return true;
  }
};

template <int Rows, int Panels>
DUPQ_ISA void filter_by(const filter_args& g, filter_result& result) noexcept {
  std::size_t p = 0;
  for (; p + Panels <= g.count; p += Panels)
    for (std::size_t r = 0; r < g.m; r += Rows) filter_tile<Rows, Panels>::run(g, r, p, result);
  for (; p < g.count; ++p)
    for (std::size_t r = 0; r < g.m; r += Rows) filter_tile<Rows, 1>::run(g, r, p, result);
}
DUPQ_ISA inline filter_result filter(const filter_args& g) noexcept {
  filter_result result;
  if (g.m == 1)
    filter_by<1, 2>(g, result);
  else
    filter_by<filter_tile_rows, filter_tile_panels>(g, result);
  return result;
}

DUPQ_ISA inline void integers(std::size_t n, std::size_t split, const float* x, float levels, std::size_t stride,
                              std::uint32_t flip, std::byte* q, integer_row* out) noexcept {
  f32x16 most = splat(0.0f);
  std::size_t i = 0;
  const std::size_t whole = n / 16 * 16;
  for (; i < whole; i += 16) {
    const f32x16 v = load(x + i);
    most = greater(greater(v, sub(splat(0.0f), v)), most);
  }
  if (i < n) {
    const f32x16 v = load_first(x + i, n - i, 0.0f);
    most = greater(greater(v, sub(splat(0.0f), v)), most);
  }
  const float top = max_lanes(most), step = top / levels;
  const f32x16 inverse = splat(top >= scalar_kernels::least_range ? levels / top : 0.0f), minus_step = splat(-step);
  const f32x16 magic = splat(formulas::round_magic);
  f32x16 error = splat(0.0f);
  out->step = step;
  i = 0;
  for (std::size_t part = 0; part < 2; ++part) {
    f32x16 squares = splat(0.0f), sums = splat(0.0f);
    for (const std::size_t end = part == 0 ? std::min(split, n) : n; i < end; i += 16) {
      const f32x16 v = i < whole ? load(x + i) : load_first(x + i, n - i, 0.0f);
      const f32x16 t = fused(v, inverse, magic), rounded = sub(t, magic), d = fused(minus_step, rounded, v);
      error = fused(d, d, error);
      squares = fused(v, v, squares);
      sums = add(sums, rounded);
      std::uint8_t bytes[16];
      store_bytes(bytes, t, 128);
      for (std::size_t g = 0; g < 4 && i + g * 4 < n; ++g) {
        std::uint32_t four;
        std::memcpy(&four, bytes + g * 4, 4);
        four ^= flip;
        std::memcpy(q + (i / 4 + g) * stride, &four, 4);
      }
    }
    out->squares[part] = sum_lanes(squares);
    out->sums[part] = static_cast<std::int32_t>(sum_lanes(sums));
  }
  out->error = sum_lanes(error);
}

/// A x B dot products, so that their chains overlap and each number is read for several of them.
template <std::size_t A, std::size_t B>
DUPQ_ISA void dots_tile(std::size_t n, const float* a, const float* b, std::size_t stride, float* y) noexcept {
  f32x16 sums[A * B];
  DUPQ_UNROLL
  for (std::size_t t = 0; t < A * B; ++t) sums[t] = splat(0.0f);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    f32x16 x[A];
    DUPQ_UNROLL
    for (std::size_t r = 0; r < A; ++r) x[r] = load(a + r * n + i);
    DUPQ_UNROLL
    for (std::size_t c = 0; c < B; ++c) {
      const f32x16 v = load(b + c * n + i);
      DUPQ_UNROLL
      for (std::size_t r = 0; r < A; ++r) sums[r * B + c] = fused(x[r], v, sums[r * B + c]);
    }
  }
  for (std::size_t r = 0; r < A; ++r)
    for (std::size_t c = 0; c < B; ++c) {
      f32x16& sum = sums[r * B + c];
      if (i < n) sum = fused(load_first(a + r * n + i, n - i, 0.0f), load_first(b + c * n + i, n - i, 0.0f), sum);
      y[r * stride + c] = sum_lanes(sum);
    }
}
DUPQ_ISA inline void all_dots(std::size_t n, std::size_t a_rows, const float* a, std::size_t b_rows, const float* b,
                              std::size_t stride, float* y) noexcept {
  constexpr std::size_t side = dots_tile_side;
  std::size_t i = 0;
  for (; i + side <= a_rows; i += side) {
    std::size_t j = 0;
    for (; j + side <= b_rows; j += side) dots_tile<side, side>(n, a + i * n, b + j * n, stride, y + i * stride + j);
    for (; j < b_rows; ++j) dots_tile<side, 1>(n, a + i * n, b + j * n, stride, y + i * stride + j);
  }
  for (; i < a_rows; ++i) dots(n, a + i * n, b_rows, n, b, y + i * stride);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
