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

DUPQ_LANE f32x16 gelu(f32x16 x) noexcept {
  const f32x16 zero = splat(0.0f);
  const f32x16 positive = greater(x, zero);
  const f32x16 a = greater(sub(smaller(x, zero), positive), splat(-formulas::gelu_end));
  const f32x16 s = fused(a, splat(-2.0f / formulas::gelu_end), splat(-1.0f));
  const f32x16 s2 = mul(s, s), s4 = mul(s2, s2);
  f32x16 q = splat(formulas::gelu_terms[0]);
  DUPQ_UNROLL
  for (int i = 1; i < 17; i += 4) {
    const f32x16 high = fused(splat(formulas::gelu_terms[i]), s, splat(formulas::gelu_terms[i + 1]));
    const f32x16 low = fused(splat(formulas::gelu_terms[i + 2]), s, splat(formulas::gelu_terms[i + 3]));
    q = fused(q, s4, fused(high, s2, low));
  }
  return fused(a, q, positive);
}

// ---- matrix product

/// 16 floats of an array that ends `width` floats after p.
DUPQ_LANE f32x16 load_within(const float* p, std::size_t width) noexcept {
  return width >= 16 ? load(p) : load_first(p, width, 0.0f);
}

template <activation Act>
DUPQ_LANE f32x16 activate(f32x16 v) noexcept {
  if constexpr (Act == activation::gelu) return gelu(v);
  if constexpr (Act == activation::tanh) {
    float lanes[16];
    store(lanes, v);
    for (float& x : lanes) x = formulas::tanh(x);
    return load(lanes);
  }
  return v;
}

/// Bias (if any), activation, residual (if any) and the store of a tile's sums, [rows][panels * 16].
template <activation Act>
DUPQ_ISA DUPQ_NOINLINE void finish(const gemm_output& g, const float* bias, const float* sums, std::size_t rows,
                                   std::size_t panels, std::size_t row, std::size_t panel) noexcept {
  const std::size_t first = panel * panel_width, width = std::min(panels * panel_width, g.n - first);
  const std::size_t whole = width / panel_width * panel_width, tail = width - whole;
  for (std::size_t r = 0; r < rows; ++r, sums += panels * panel_width) {
    float* const c = g.c + (row + r) * g.c_stride + first;
    const float* const residual = g.residual == nullptr ? nullptr : g.residual + (row + r) * g.c_stride + first;
    for (std::size_t i = 0; i < whole; i += panel_width) {
      f32x16 v = load(sums + i);
      if (bias != nullptr) v = add(v, load(bias + first + i));
      v = activate<Act>(v);
      if (residual != nullptr) v = add(v, load(residual + i));
      store(c + i, v);
    }
    if (tail != 0) {
      f32x16 v = load(sums + whole);
      if (bias != nullptr) v = add(v, load_first(bias + first + whole, tail, 0.0f));
      v = activate<Act>(v);
      if (residual != nullptr) v = add(v, load_first(residual + whole, tail, 0.0f));
      store_first(c + whole, tail, v);
    }
  }
}
DUPQ_ISA inline void finish(const gemm_output& g, const float* bias, const float* sums, std::size_t rows,
                            std::size_t panels, std::size_t row, std::size_t panel) noexcept {
  switch (g.act) {
    case activation::none: return finish<activation::none>(g, bias, sums, rows, panels, row, panel);
    case activation::gelu: return finish<activation::gelu>(g, bias, sums, rows, panels, row, panel);
    case activation::tanh: return finish<activation::tanh>(g, bias, sums, rows, panels, row, panel);
  }
}

/// Bytes of weights that a tile asks for ahead of their use, while it computes: what lies beyond the second-level cache
/// arrives at a fraction of the speed at which it is used.
struct lookahead {
  static constexpr std::size_t stretch = 16;  // steps of a product from one request to the next: bursts stall it

  const std::byte* at = nullptr;
  std::size_t lines = 0;

  DUPQ_LANE void fetch(std::size_t n) noexcept {
    for (n = std::min(n, lines), lines -= n; n != 0; --n, at += 64) __builtin_prefetch(at, 0, 2);
  }
};

/// A product in tiles of at most Height rows and as many panels as the registers allow.
/// Tile::run<Rows, Panels>(args, row, panel, ahead) computes one.
template <class Tile, int Height, int Accumulators>
struct tiled {
  static constexpr int panels_of(int rows) noexcept { return std::clamp(Accumulators / rows, 1, 8); }

  /// Groups of panels outside, so that a group stays in the cache while the rows pass; as few tiles as can be, each of
  /// about the same number of rows, none less than half of Height.
  template <class Args>
  DUPQ_ISA static void product(const Args& g) noexcept {
    if (g.m <= Height) return few_rows<Height>(g);
    all_panels<Height / 2, Height, panels_of(Height)>(g);
  }

 private:
  template <int Rows, class Args>
  DUPQ_ISA static void few_rows(const Args& g) noexcept {
    if constexpr (Rows > 0) {
      if (g.m != Rows) return few_rows<Rows - 1>(g);
      all_panels<Rows, Rows, panels_of(Rows)>(g);
    }
  }
  template <int Least, int Most, int Panels, class Args>
  DUPQ_ISA static void all_panels(const Args& g) noexcept {
    const std::size_t panels = (g.n + panel_width - 1) / panel_width;
    std::size_t p = 0;
    for (; p + Panels <= panels && !(Panels > 2 && panels - p == Panels + 1); p += Panels)
      all_rows<Least, Most, Panels>(g, p, panels);
    if constexpr (Panels > 2)
      for (; p + 2 <= panels; p += 2) all_rows<Least, Most, 2>(g, p, panels);
    for (; p < panels; ++p) all_rows<Least, Most, 1>(g, p, panels);
  }
  /// The tiles of a group of panels share the work of fetching the next group.
  template <int Least, int Most, int Panels, class Args>
  DUPQ_ISA static void all_rows(const Args& g, std::size_t panel, std::size_t panels) noexcept {
    const std::size_t next = panel + Panels, count = std::min<std::size_t>(Panels, panels - next);
    const std::size_t tiles = (g.m + Most - 1) / Most, lines = count * g.panel_bytes() / 64;
    lookahead ahead{reinterpret_cast<const std::byte*>(g.b) + next * g.panel_bytes(), 0};
    for (std::size_t t = 0, row = 0; t < tiles; ++t) {
      const std::size_t rows = g.m / tiles + (t < g.m % tiles ? 1 : 0);
      ahead.lines = (lines + tiles - 1) / tiles;
      one_tile<Least, Most, Panels>(g, rows, row, panel, ahead);
      row += rows;
    }
  }
  template <int Least, int Rows, int Panels, class Args>
  DUPQ_ISA static void one_tile(const Args& g, std::size_t rows, std::size_t row, std::size_t panel,
                                lookahead& ahead) noexcept {
    if constexpr (Rows > Least)
      if (rows != Rows) return one_tile<Least, Rows - 1, Panels>(g, rows, row, panel, ahead);
    Tile::template run<Rows, Panels>(g, row, panel, ahead);
  }
};
struct float_tiles {
  template <int Rows, int Panels>
  DUPQ_ISA DUPQ_NOINLINE static void run(const gemm_args& g, std::size_t row, std::size_t panel,
                                         lookahead& ahead) noexcept {
    const std::size_t fetched_each = ahead.lines * lookahead::stretch / g.k + 1;
    const float* a = g.a + row * g.a_stride;
    const float* b = g.b + panel * g.panel_stride;
    const std::size_t a_stride = g.a_stride, a_step = g.a_step, panel_stride = g.panel_stride, b_stride = g.b_stride;
    float lanes[Rows * Panels * 16];
    for (std::size_t k = 0; k < g.k;) {
      f32x16 sums[Rows * Panels];
      DUPQ_UNROLL
      for (int i = 0; i < Rows * Panels; ++i) sums[i] = splat(0.0f);
      const bool first = k == 0;
      for (const std::size_t end = std::min(k + chain, g.k); k < end;) {
        ahead.fetch(fetched_each);
        const std::size_t terms = std::min(lookahead::stretch, end - k);
        k += terms;
        DUPQ_UNROLL_BY_4
        for (const float* const stop = b + terms * b_stride; b != stop; a += a_step, b += b_stride) {
          f32x16 weights[Panels];
          DUPQ_UNROLL
          for (int p = 0; p < Panels; ++p) weights[p] = load(b + static_cast<std::size_t>(p) * panel_stride);
          DUPQ_UNROLL
          for (int r = 0; r < Rows; ++r) {
            const f32x16 x = splat(a[static_cast<std::size_t>(r) * a_stride]);
            DUPQ_UNROLL
            for (int p = 0; p < Panels; ++p) sums[r * Panels + p] = fused(x, weights[p], sums[r * Panels + p]);
          }
        }
      }
      DUPQ_UNROLL
      for (int i = 0; i < Rows * Panels; ++i)
        store(lanes + 16 * i, first ? sums[i] : add(load(lanes + 16 * i), sums[i]));
    }
    finish(g, g.bias, lanes, Rows, Panels, row, panel);
  }
};
DUPQ_ISA inline void gemm(const gemm_args& g) noexcept { tiled<float_tiles, tile_rows, tile_accumulators>::product(g); }

// ---- rows

DUPQ_ISA inline void add_rows(std::size_t n, const float* a, const float* b, const float* c, float* y) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const f32x16 x = b == nullptr ? load(a + i) : add(load(a + i), load(b + i));
    store(y + i, add(x, load(c + i)));
  }
  if (i < n) scalar_kernels::add_rows(n - i, a + i, b == nullptr ? b : b + i, c + i, y + i);
}

DUPQ_ISA inline void norm(std::size_t rows, std::size_t n, std::size_t stride, const float* gain, const float* bias,
                          float epsilon, float* x) noexcept {
  const std::size_t whole = n / 16 * 16, tail = n - whole;
  for (std::size_t r = 0; r < rows; ++r, x += stride) {
    f32x16 sum = splat(0.0f), squares = splat(0.0f);
    for (std::size_t i = 0; i < whole; i += 16) sum = add(sum, load(x + i));
    if (tail != 0) sum = add(sum, load_first(x + whole, tail, 0.0f));
    const float mean = sum_lanes(sum) / static_cast<float>(n);
    const f32x16 means = splat(mean);
    for (std::size_t i = 0; i < whole; i += 16) {
      const f32x16 d = sub(load(x + i), means);
      squares = fused(d, d, squares);
    }
    if (tail != 0) {
      const f32x16 d = keep_first(sub(load_first(x + whole, tail, 0.0f), means), tail);
      squares = fused(d, d, squares);
    }
    const float inverse = 1.0f / std::sqrt(sum_lanes(squares) / static_cast<float>(n) + epsilon);
    const f32x16 inverses = splat(inverse);
    for (std::size_t i = 0; i < whole; i += 16)
      store(x + i, fused(mul(sub(load(x + i), means), inverses), load(gain + i), load(bias + i)));
    for (std::size_t i = whole; i < n; ++i) x[i] = formulas::fused((x[i] - mean) * inverse, gain[i], bias[i]);
  }
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
    for (std::size_t half = 8; half != 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i) store(sums[i], add(load(sums[i]), load(sums[i + half])));
    const f32x16 inverse = div(splat(1.0f), load(sums[0]));
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

/// Rows rows at a time, so that their chains of additions overlap.
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

DUPQ_ISA inline row_scale quantize(std::size_t n, const float* x, std::uint8_t* q) noexcept {
  // Two of each, so that the chains overlap; the order does not change an extreme.
  f32x16 low = splat(0.0f), high = low, other_low = low, other_high = low;
  const std::size_t whole = n / 16 * 16;
  std::size_t at = 0;
  for (; at + 32 <= n; at += 32) {
    low = smaller(load(x + at), low);
    high = greater(load(x + at), high);
    other_low = smaller(load(x + at + 16), other_low);
    other_high = greater(load(x + at + 16), other_high);
  }
  for (; at < n; at += 16) {
    const f32x16 v = at < whole ? load(x + at) : load_first(x + at, n - at, 0.0f);
    low = smaller(v, low);
    high = greater(v, high);
  }
  low = smaller(other_low, low);
  high = greater(other_high, high);
  float inverse;
  const float least = -max_lanes(sub(splat(0.0f), low));
  const row_scale s = scalar_kernels::scale_of(least, max_lanes(high), inverse);
  for (std::size_t i = 0; i < whole; i += 16)
    store_bytes(q + i, fused(load(x + i), splat(inverse), splat(formulas::round_magic)), s.zero);
  if (whole < n) {
    std::uint8_t last[16];
    store_bytes(last, fused(load_first(x + whole, n - whole, 0.0f), splat(inverse), splat(formulas::round_magic)),
                s.zero);
    for (std::size_t i = whole; i < n; ++i) q[i] = last[i - whole];
    for (std::size_t i = n; i % 4 != 0; ++i) q[i] = 0;
  }
  return s;
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
