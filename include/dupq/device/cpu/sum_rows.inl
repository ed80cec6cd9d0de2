// Sums of a table's rows over lanes of sixteen floats, included once for each instruction set (sum_rows.hpp), which
// defines DUPQ_KERNELS, DUPQ_ISA and DUPQ_LANE as kernels.inl wants them, `tile_sums` (how many sixteens of sums stay
// in registers), and how sixteen stored numbers become floats.

namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS {

/// Adds sixteen numbers of a row to two sums.
template <row_format Format, bool Weighted>
DUPQ_LANE void add_stored(const std::byte* row, float weight, f32x16* sums) noexcept {
  constexpr std::size_t count = Format == row_format::q8_0 ? 2 : 1;  // a block of q8_0 is two sixteens
  f32x16 values[count];
  if constexpr (Format == row_format::f32) {
    values[0] = load(reinterpret_cast<const float*>(row));
  } else if constexpr (Format == row_format::f16) {
    values[0] = load_halves(row);
  } else if constexpr (Format == row_format::bf16) {
    values[0] = load_upper_halves(row);
  } else {
    const f32x16 scale = splat_half(row);
    for (std::size_t i = 0; i < count; ++i) values[i] = mul(scale, load_bytes_as_floats(row + 2 + 16 * i));  // exact
  }
  for (std::size_t i = 0; i < count; ++i)
    sums[i] = Weighted ? add_weighted(sums[i], values[i], weight) : add(sums[i], values[i]);
}

/// y = sums of `Count` sixteens of the rows from `column` on.
template <std::size_t Count, row_format Format, bool Weighted>
DUPQ_ISA void sum_columns(const token_rows& t, const std::int32_t* tokens, std::size_t n, std::size_t column,
                          float* y) noexcept {
  constexpr std::size_t step = Format == row_format::q8_0 ? 2 : 1;
  f32x16 sums[Count];
  DUPQ_UNROLL
  for (std::size_t i = 0; i < Count; ++i) sums[i] = splat(0.0f);
  for (std::size_t k = 0; k < n; ++k) {
    const std::byte* const row = t.row(tokens[k]) + stored_bytes(Format, column);
    const float weight = Weighted ? t.weight(tokens[k]) : 1.0f;
    DUPQ_UNROLL
    for (std::size_t i = 0; i < Count; i += step)
      add_stored<Format, Weighted>(row + stored_bytes(Format, 16 * i), weight, sums + i);
  }
  DUPQ_UNROLL
  for (std::size_t i = 0; i < Count; ++i) store(y + 16 * i, sums[i]);
}

template <row_format Format, bool Weighted>
DUPQ_ISA void sum_rows_of_format(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  std::size_t i = 0;
  for (; i + 16 * tile_sums <= t.dim; i += 16 * tile_sums)
    sum_columns<tile_sums, Format, Weighted>(t, tokens, n, i, y + i);
  for (; i + 32 <= t.dim; i += 32) sum_columns<2, Format, Weighted>(t, tokens, n, i, y + i);
  if (i < t.dim) sum_rows_detail::sum_columns<Format, Weighted>(t, tokens, n, i, y);
}

template <bool Weighted>
DUPQ_ISA void sum_rows_weighted(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  switch (t.rows.format) {
    case row_format::f32: return sum_rows_of_format<row_format::f32, Weighted>(t, tokens, n, y);
    case row_format::f16: return sum_rows_of_format<row_format::f16, Weighted>(t, tokens, n, y);
    case row_format::bf16: return sum_rows_of_format<row_format::bf16, Weighted>(t, tokens, n, y);
    case row_format::q8_0: return sum_rows_of_format<row_format::q8_0, Weighted>(t, tokens, n, y);
  }
}

DUPQ_ISA inline void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  t.weight_of == nullptr ? sum_rows_weighted<false>(t, tokens, n, y) : sum_rows_weighted<true>(t, tokens, n, y);
}

}  // namespace dupq::inline DUPQ_ABI::DUPQ_KERNELS
