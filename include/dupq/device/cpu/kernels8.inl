// The product of 8-bit integers over lanes of sixteen, included after kernels.inl in the same manner; DUPQ_KERNELS
// defines i32x16, i8x64 and their operations as well.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

/// Rows x (16 * Panels) outputs, held in registers for all of k: four inputs a step.
struct byte_tiles {
  template <int Rows, int Panels>
  DUPQ_ISA DUPQ_NOINLINE static void run(const gemm8_args& g, std::size_t row, std::size_t panel,
                                         lookahead& ahead) noexcept {
    const std::size_t groups = g.groups;
    const std::uint8_t* const a = g.a + row * 4 * groups;
    const std::int8_t* b = g.b + panel * groups * 64;
    i32x16 sums[Rows * Panels];
    DUPQ_UNROLL
    for (int i = 0; i < Rows * Panels; ++i) sums[i] = splat(std::int32_t{0});
    const std::size_t fetched_each = ahead.lines * lookahead::stretch / groups + 1;
    for (std::size_t k = 0; k < groups; ++k, b += 64) {
      if (k % lookahead::stretch == 0) ahead.fetch(fetched_each);
      i8x64 weights[Panels];
      DUPQ_UNROLL
      for (int p = 0; p < Panels; ++p) weights[p] = load_bytes(b + static_cast<std::size_t>(p) * groups * 64);
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
    DUPQ_UNROLL
    for (int p = 0; p < Panels; ++p) {
      const std::size_t column = (panel + static_cast<std::size_t>(p)) * panel_width, width = g.n - column;
      // The arrays of sums, scales and biases end with the last output.
      std::int32_t last[16] = {};
      if (width < 16) std::copy_n(g.sums + column, width, last);
      const i32x16 columns = load(width < 16 ? last : g.sums + column);
      const f32x16 scales = load_within(g.scales + column, width), bias = load_within(g.bias + column, width);
      DUPQ_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const row_scale& s = g.a_scales[row + static_cast<std::size_t>(r)];
        const i32x16 exact = subtract_product(sums[r * Panels + p], splat(s.zero), columns);
        store(lanes + 16 * (r * Panels + p), fused(to_float(exact), mul(splat(s.scale), scales), bias));
      }
    }
    finish(g, nullptr, lanes, Rows, Panels, row, panel);
  }
};
DUPQ_ISA inline void gemm8(const gemm8_args& g) noexcept {
  tiled<byte_tiles, tile8_rows, tile8_accumulators>::product(g);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
