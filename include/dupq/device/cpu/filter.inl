// Which pairs of rows can be alike, over lanes of sixteen, included by kernels.inl, and again for the instruction sets
// that multiply bytes otherwise.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

/// Rows x (16 * Panels) pairs, whose sums stay in registers until it is known whether one of them counts.
template <int Rows, int Panels>
struct filter_tile {
  DUPQ_ISA DUPQ_NOINLINE static void run(const filter_args& g, std::size_t row, std::size_t panel,
                                         filter_result& result) noexcept {
    ++result.tiles;
    if (g.sketch.groups != 0) {
      const tile_side side(g.sketch, row, panel);
      i32x16 sums[Rows * Panels];
      multiply(side, sums);
      if (!any(side, sums)) return;
    }
    ++result.late;
    const tile_side side(g.whole, row, panel);
    i32x16 sums[Rows * Panels];
    multiply(side, sums);
    if (set_masks(side, sums, g.masks + row * g.mask_stride + panel, g.mask_stride)) ++result.found;
  }

 private:
  struct tile_side {
    const std::uint8_t* a;
    const row_bound* bounds;
    const std::byte* panels;
    std::size_t panel_bytes, groups;

    DUPQ_LANE tile_side(const filter_side& side, std::size_t row, std::size_t panel) noexcept
        : a(side.a + row * 4 * side.groups),
          bounds(side.bounds + row),
          panels(side.panels + panel * side.panel_bytes()),
          panel_bytes(side.panel_bytes()),
          groups(side.groups) {}
    DUPQ_LANE const panel_tail& tail(int p) const noexcept {
      return *reinterpret_cast<const panel_tail*>(panels + static_cast<std::size_t>(p) * panel_bytes + groups * 64);
    }
    DUPQ_LANE f32x16 bound(i32x16 sum, f32x16 row_scale, int p) const noexcept {
      return fused(mul(to_float(sum), row_scale), load(tail(p).scale), load(tail(p).slack));
    }
  };

  DUPQ_LANE static void multiply(const tile_side& side, i32x16 (&sums)[Rows * Panels]) noexcept {
    DUPQ_UNROLL
    for (int p = 0; p < Panels; ++p) {
      const i32x16 start = load(side.tail(p).start);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) sums[r * Panels + p] = start;
    }
    const auto* b = reinterpret_cast<const std::int8_t*>(side.panels);
    for (std::size_t k = 0; k < side.groups; ++k, b += 64) {
      i8x64 w[Panels];
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) w[p] = load_bytes(b + static_cast<std::size_t>(p) * side.panel_bytes);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) {
        std::int32_t four;
        std::memcpy(&four, side.a + (static_cast<std::size_t>(r) * side.groups + k) * 4, 4);
        const i32x16 x = splat(four);
        DUPQ_UNROLL
        for (int p = 0; p < Panels; ++p) sums[r * Panels + p] = add_products(sums[r * Panels + p], x, w[p]);
      }
    }
  }
  DUPQ_LANE static bool any(const tile_side& side, const i32x16 (&sums)[Rows * Panels]) noexcept {
    unsigned reached = 0;
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const f32x16 scale = splat(side.bounds[r].scale);
      f32x16 best = side.bound(sums[r * Panels], scale, 0);
      DUPQ_UNROLL
      for (int p = 1; p < Panels; ++p) best = greater(best, side.bound(sums[r * Panels + p], scale, p));
      reached |= at_least(best, splat(side.bounds[r].least));
    }
    return reached != 0;
  }
  DUPQ_LANE static bool set_masks(const tile_side& side, const i32x16 (&sums)[Rows * Panels], std::uint16_t* masks,
                                  std::size_t stride) noexcept {
    unsigned any_bit = 0, bits[Rows * Panels];
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const f32x16 scale = splat(side.bounds[r].scale), least = splat(side.bounds[r].least);
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p)
        any_bit |= bits[r * Panels + p] = at_least(side.bound(sums[r * Panels + p], scale, p), least);
    }
    if (any_bit == 0) return false;
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

DUPQ_ISA inline void integers(std::size_t n, const float* x, float levels, std::size_t stride, std::uint32_t flip,
                              std::byte* q, integer_row* out) noexcept {
  f32x16 most = splat(0.0f);
  const std::size_t whole = n / 16 * 16;
  for (std::size_t i = 0; i < n; i += 16) {
    const f32x16 v = i < whole ? load(x + i) : load_first(x + i, n - i, 0.0f);
    most = greater(greater(v, sub(splat(0.0f), v)), most);
  }
  const float top = max_lanes(most), step = top / levels;
  const f32x16 inverse = splat(top >= scalar_kernels::least_range ? levels / top : 0.0f), minus_step = splat(-step);
  const f32x16 magic = splat(formulas::round_magic);
  f32x16 error = splat(0.0f), squares = splat(0.0f), sums = splat(0.0f);
  for (std::size_t i = 0; i < n; i += 16) {
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
  *out = {step, sum_lanes(error), sum_lanes(squares), whole_number(sum_lanes(sums))};
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
  if (i < n) {
    f32x16 x[A];
    for (std::size_t r = 0; r < A; ++r) x[r] = load_first(a + r * n + i, n - i, 0.0f);
    for (std::size_t c = 0; c < B; ++c) {
      const f32x16 v = load_first(b + c * n + i, n - i, 0.0f);
      DUPQ_UNROLL
      for (std::size_t r = 0; r < A; ++r) sums[r * B + c] = fused(x[r], v, sums[r * B + c]);
    }
  }
  DUPQ_UNROLL
  for (std::size_t t = 0; t < A * B; ++t) y[t / B * stride + t % B] = sum_lanes(sums[t]);
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
