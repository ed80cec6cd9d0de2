// The matrix product over lanes of sixteen floats, included by kernels.inl: how a product is cut
// into tiles, and the tile of floats. gemm8.inl has the one of 8-bit integers.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

template <activation Act, bool Short>
DUPQ_LANE f32x16 activate(f32x16 v) noexcept {
  if constexpr (Act == activation::gelu && Short) return gelu(v, formulas::gelu_short);
  if constexpr (Act == activation::gelu) return gelu(v, formulas::gelu_full);
  if constexpr (Act == activation::tanh) {
    float lanes[16];
    store(lanes, v);
    for (float& x : lanes) x = formulas::tanh(x);
    return load(lanes);
  }
  return v;
}

/// Bias (if any), activation, residual (if any) and the store of a tile's sums, [rows][panels * 16].
template <activation Act, bool Short = false>
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
      v = activate<Act, Short>(v);
      if (residual != nullptr) v = add(v, load(residual + i));
      store(c + i, v);
    }
    if (tail != 0) {
      f32x16 v = load(sums + whole);
      if (bias != nullptr) v = add(v, load_first(bias + first + whole, tail, 0.0f));
      v = activate<Act, Short>(v);
      if (residual != nullptr) v = add(v, load_first(residual + whole, tail, 0.0f));
      store_first(c + whole, tail, v);
    }
  }
}
/// `Short`: GELU's less exact polynomial suffices, since the result becomes an 8-bit integer.
template <bool Short>
DUPQ_ISA void finish(const gemm_output& g, const float* bias, const float* sums, std::size_t rows, std::size_t panels,
                     std::size_t row, std::size_t panel) noexcept {
  switch (g.act) {
    case activation::none: return finish<activation::none>(g, bias, sums, rows, panels, row, panel);
    case activation::gelu: return finish<activation::gelu, Short>(g, bias, sums, rows, panels, row, panel);
    case activation::tanh: return finish<activation::tanh>(g, bias, sums, rows, panels, row, panel);
  }
}

/// Prefetches weights while a tile computes: from beyond the second-level cache they come more slowly than they are
/// used.
struct lookahead {
  static constexpr std::size_t distance = 1u << 16;  // bytes, at least: products are small
  static constexpr std::size_t stretch = 16;         // steps of a product from one request to the next: bursts stall it

  std::uintptr_t at = 0;  // not a pointer: it may lie beyond what is mapped, where a request does nothing
  std::size_t lines = 0;

  DUPQ_LANE void fetch(std::size_t n) noexcept {
    for (n = std::min(n, lines), lines -= n; n != 0; --n, at += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(at), 0, 2);
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
  /// A product of Height + 1 to Most rows, by whole pairs of panels, in one Tall tile each.
  template <class Tall, int Most, class Args>
  DUPQ_ISA static void tall_product(const Args& g) noexcept {
    const std::size_t pairs = g.n / (2 * panel_width) * 2;
    for (std::size_t panel = 0; panel < pairs; panel += 2) {
      lookahead none;
      one_tile<Tall, Height + 1, Most, 2>(g, g.m, 0, panel, none);
    }
    if (pairs * panel_width < g.n) product(g.panels(pairs, (g.n + panel_width - 1) / panel_width));
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
      all_rows<Least, Most, Panels>(g, p);
    if constexpr (Panels > 2)
      for (; p + 2 <= panels; p += 2) all_rows<Least, Most, 2>(g, p);
    for (; p < panels; ++p) all_rows<Least, Most, 1>(g, p);
  }
  /// The tiles of a group of panels share the prefetching of what comes a group or more later, also beyond the end of
  /// this matrix, where the weights of the next product lie.
  template <int Least, int Most, int Panels, class Args>
  DUPQ_ISA static void all_rows(const Args& g, std::size_t panel) noexcept {
    const std::size_t bytes = Panels * g.panel_bytes();
    const std::size_t tiles = (g.m + Most - 1) / Most, rows = g.m / tiles, longer = g.m % tiles;
    const std::size_t lines = (bytes / 64 + tiles - 1) / tiles;
    lookahead ahead{reinterpret_cast<std::uintptr_t>(g.b) + panel * g.panel_bytes() +
                    std::max(bytes, lookahead::distance)};
    for (std::size_t t = 0, row = 0; t < tiles; ++t) {
      const std::size_t height = rows + (t < longer ? 1 : 0);
      ahead.lines = lines;
      one_tile<Tile, Least, Most, Panels>(g, height, row, panel, ahead);
      row += height;
    }
  }
  template <class T, int Least, int Rows, int Panels, class Args>
  DUPQ_ISA static void one_tile(const Args& g, std::size_t rows, std::size_t row, std::size_t panel,
                                lookahead& ahead) noexcept {
    if constexpr (Rows > Least)
      if (rows != Rows) return one_tile<T, Least, Rows - 1, Panels>(g, rows, row, panel, ahead);
    T::template run<Rows, Panels>(g, row, panel, ahead);
  }
};

/// Rows x (16 * Panels) outputs, held in registers for all of a chain. Where one tile has all rows (Alone), each
/// weight is read once: it is prefetched into the first-level cache shortly before, not far ahead.
template <bool Alone>
struct float_tiles {
  static constexpr std::size_t steps_ahead = 192;

  template <int Rows, int Panels>
  DUPQ_ISA DUPQ_NOINLINE static void run(const gemm_args& g, std::size_t row, std::size_t panel,
                                         lookahead& ahead) noexcept {
    const std::size_t fetched_each = ahead.lines * lookahead::stretch / g.k + 1;
    const float* a = g.a + row * g.a_stride;
    const float* b = g.b + panel * g.panel_stride;
    const std::size_t soon = std::min(g.k, steps_ahead), turn = g.k - soon;
    std::uintptr_t next = reinterpret_cast<std::uintptr_t>(b) + soon * panel_width * sizeof(float);
    const std::size_t a_stride = g.a_stride, a_step = g.a_step, panel_stride = g.panel_stride, b_stride = g.b_stride;
    // One chain of a plain product, such as attention's, goes straight to where it belongs.
    const bool direct = g.k <= chain && g.bias == nullptr && g.residual == nullptr && g.act == activation::none &&
                        (panel + Panels) * panel_width <= g.n;
    float lanes[Rows * Panels * 16];
    float* const to = direct ? g.c + row * g.c_stride + panel * panel_width : lanes;
    const std::size_t stride = direct ? g.c_stride : Panels * 16;
    for (std::size_t k = 0; k < g.k;) {
      f32x16 sums[Rows * Panels];
      DUPQ_UNROLL
      for (int i = 0; i < Rows * Panels; ++i) sums[i] = splat(0.0f);
      const bool first = k == 0;
      for (const std::size_t end = std::min(k + chain, g.k); k < end;) {
        if constexpr (!Alone) ahead.fetch(fetched_each);
        std::size_t terms = std::min(lookahead::stretch, end - k);
        if constexpr (Alone) {
          if (k < turn) terms = std::min(terms, turn - k);
          if (k == turn) next += (Panels - 1) * panel_stride * sizeof(float);  // from these panels to the next ones
        }
        k += terms;
        DUPQ_UNROLL_BY_4
        for (const float* const stop = b + terms * b_stride; b != stop; a += a_step, b += b_stride) {
          if constexpr (Alone) {
            DUPQ_UNROLL
            for (std::size_t p = 0; p < Panels; ++p)
              __builtin_prefetch(reinterpret_cast<const void*>(next + p * panel_stride * sizeof(float)), 0, 3);
            next += panel_width * sizeof(float);
          }
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
      float* c = to;
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r, c += stride) {
        DUPQ_UNROLL
        for (int p = 0; p < Panels; ++p)
          store(c + 16 * p, first ? sums[r * Panels + p] : add(load(c + 16 * p), sums[r * Panels + p]));
      }
    }
    if (!direct) finish<false>(g, g.bias, lanes, Rows, Panels, row, panel);
  }
};
DUPQ_ISA inline void gemm(const gemm_args& g) noexcept {
  using tiles = tiled<float_tiles<false>, tile_rows, tile_accumulators>;
  if constexpr (tile_tallest > tile_rows)
    if (g.panel_bytes() != 0 && g.m > tile_rows && g.m <= tile_tallest)
      return tiles::tall_product<float_tiles<true>, tile_tallest>(g);
  tiles::product(g);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
