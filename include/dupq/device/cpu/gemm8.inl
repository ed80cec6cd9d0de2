// The product of 8-bit integers over lanes of sixteen, included by kernels.inl, and again for the instruction sets that
// multiply bytes otherwise. DUPQ_KERNELS defines i32x16, i8x64 and their operations as well.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

/// What turns the exact sums of one panel's columns into floats.
struct column_scales {
  i32x16 sums;
  f32x16 scales, bias;

  DUPQ_LANE f32x16 apply(i32x16 exact, const row_scale& s) const noexcept {
    const f32x16 whole = to_float(subtract_product(exact, splat(s.zero), sums));
    return fused(whole, mul(splat(s.scale), scales), bias);
  }
};
/// The same for the last panel, where the arrays may end in the middle of the sixteen. Out of line, because every tile
/// needs it: inlined into all of them, clang takes half as long again to compile.
struct last_columns {
  std::int32_t sums[16];
  float scales[16], bias[16];

  DUPQ_NOINLINE void copy(const gemm8_args& g, std::size_t column) noexcept {
    *this = {};
    std::copy_n(g.sums + column, g.n - column, sums);
    std::copy_n(g.scales + column, g.n - column, scales);
    std::copy_n(g.bias + column, g.n - column, bias);
  }
};
DUPQ_LANE column_scales scales_of(const gemm8_args& g, std::size_t panel) noexcept {
  const std::size_t column = panel * panel_width;
  const std::int32_t* sums = g.sums + column;
  const float *scales = g.scales + column, *bias = g.bias + column;
  last_columns last;
  if (g.n - column < 16) [[unlikely]] {
    last.copy(g, column);
    sums = last.sums, scales = last.scales, bias = last.bias;
  }
  return {load(sums), load(scales), load(bias)};
}

/// The sums of a tile, [rows][panels * 16], as floats.
DUPQ_ISA DUPQ_NOINLINE inline void scale_sums(const gemm8_args& g, const std::int32_t* sums, std::size_t rows,
                                              std::size_t panels, std::size_t row, std::size_t panel,
                                              float* lanes) noexcept {
  for (std::size_t p = 0; p < panels; ++p) {
    const column_scales columns = scales_of(g, panel + p);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t at = (r * panels + p) * 16;
      store(lanes + at, columns.apply(load(sums + at), g.a_scales[row + r]));
    }
  }
}

/// Rows x (16 * Panels) outputs, held in registers for all of k: four inputs a step. Where one tile has all rows
/// (Alone), each weight is read once: it is prefetched into the first-level cache shortly before, not far ahead.
template <bool Alone>
struct byte_tiles {
  static constexpr std::size_t steps_ahead = 64;

  template <int Rows, int Panels>
  DUPQ_ISA DUPQ_NOINLINE static void run(const gemm8_args& g, std::size_t row, std::size_t panel,
                                         lookahead& ahead) noexcept {
    const std::size_t groups = g.groups;
    const std::uint8_t* const a = g.a + row * 4 * groups;
    const std::int8_t* b = g.b + panel * groups * 64;
    i32x16 sums[Rows * Panels];
    DUPQ_UNROLL
    for (int i = 0; i < Rows * Panels; ++i) sums[i] = splat(std::int32_t{0});
    const std::size_t panel_bytes = groups * 64, fetched_each = ahead.lines * lookahead::stretch / groups + 1;
    const std::size_t soon = std::min(groups, steps_ahead), turn = groups - soon;
    std::uintptr_t next = reinterpret_cast<std::uintptr_t>(b) + soon * 64;
    for (std::size_t k = 0; k < groups; ++k, b += 64) {
      if constexpr (Alone) {
        if (k == turn) next += (Panels - 1) * panel_bytes;  // from the end of these panels to the next ones
        DUPQ_UNROLL
        for (std::size_t p = 0; p < Panels; ++p)
          __builtin_prefetch(reinterpret_cast<const void*>(next + p * panel_bytes), 0, 3);
        next += 64;
      } else if (k % lookahead::stretch == 0) {
        ahead.fetch(fetched_each);
      }
      i8x64 weights[Panels];
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) weights[p] = load_bytes(b + static_cast<std::size_t>(p) * panel_bytes);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) {
        std::int32_t four;
        std::memcpy(&four, a + (static_cast<std::size_t>(r) * groups + k) * 4, 4);
        const i32x16 x = splat(four);
        DUPQ_UNROLL
        for (int p = 0; p < Panels; ++p) sums[r * Panels + p] = add_products(sums[r * Panels + p], x, weights[p]);
      }
    }
    float lanes[Rows * Panels * 16];
    if constexpr (tile8_scaled_in_registers) {
      // Outputs without an activation go straight to where they belong.
      const bool direct = g.act == activation::none && (panel + Panels) * panel_width <= g.n;
      float* const to = direct ? g.c + row * g.c_stride + panel * panel_width : lanes;
      const std::size_t stride = direct ? g.c_stride : Panels * 16;
      const float* const residual =
          direct && g.residual != nullptr ? g.residual + row * g.c_stride + panel * panel_width : nullptr;
      scale_and_store<Rows, Panels>(g, sums, row, panel, residual, to, stride);
      if (direct) return;
    } else {  // the compiler would spill sums in the loop to make room for what follows it
      std::int32_t exact[Rows * Panels * 16];
      DUPQ_UNROLL
      for (int i = 0; i < Rows * Panels; ++i) store(exact + 16 * i, sums[i]);
      scale_sums(g, exact, Rows, Panels, row, panel, lanes);
    }
    finish<true>(g, nullptr, lanes, Rows, Panels, row, panel);
  }

 private:
  /// A tile's sums as floats, with the residual if there is one, in rows `stride` apart.
  template <int Rows, int Panels>
  DUPQ_LANE static void scale_and_store(const gemm8_args& g, const i32x16 (&sums)[Rows * Panels], std::size_t row,
                                        std::size_t panel, const float* residual, float* to,
                                        std::size_t stride) noexcept {
    column_scales columns[Panels];
    DUPQ_UNROLL
    for (int p = 0; p < Panels; ++p) columns[p] = scales_of(g, panel + static_cast<std::size_t>(p));
    const row_scale* const scales = g.a_scales + row;
    DUPQ_UNROLL
    for (int r = 0; r < Rows; ++r, to += stride) {
      f32x16 v[Panels];
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) v[p] = columns[p].apply(sums[r * Panels + p], scales[r]);
      if (residual != nullptr) {
        DUPQ_UNROLL
        for (int p = 0; p < Panels; ++p) v[p] = add(v[p], load(residual + 16 * p));
        residual += stride;
      }
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) store(to + 16 * p, v[p]);
    }
  }
};
DUPQ_ISA inline void gemm8(const gemm8_args& g) noexcept {
  using tiles = tiled<byte_tiles<false>, tile8_rows, tile8_accumulators>;
  if constexpr (tile8_tallest > tile8_rows)
    if (g.m > tile8_rows && g.m <= tile8_tallest) return tiles::tall_product<byte_tiles<true>, tile8_tallest>(g);
  tiles::product(g);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
