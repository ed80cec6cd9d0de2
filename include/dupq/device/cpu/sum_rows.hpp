// Sums of a table's rows, which is nearly all that a static model computes: one function for each instruction set, all
// of the same bits. A table of its own, so that programs without static models do not carry it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "../device.hpp"
#include "../widen.hpp"
#include "cpu.hpp"

namespace dupq::inline DUPQ_ABI {

/// The rows that tokens have, and what each counts for.
struct token_rows {
  table<host_memory> rows;
  std::size_t dim = 0;                   ///< numbers of a row
  const std::byte* row_of = nullptr;     ///< u32 for each token, at any address; null: token t has row t
  const std::byte* weight_of = nullptr;  ///< f32 for each token, at any address; null: 1

  const std::byte* row(std::int32_t token) const noexcept {
    auto r = static_cast<std::uint32_t>(token);
    if (row_of != nullptr) std::memcpy(&r, row_of + 4 * std::size_t{r}, 4);
    return rows.rows + r * rows.row_bytes;
  }
  float weight(std::int32_t token) const noexcept {
    float w;
    std::memcpy(&w, weight_of + 4 * static_cast<std::size_t>(token), 4);
    return w;
  }
};

/// y = the sum of the tokens' rows, each times its weight: started at +0, in order, each sum rounded to float (one with
/// a weight to double first).
using sum_rows_function = void (*)(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept;

/// The function that goes with a table of kernels.
DUPQ_TABLES sum_rows_function sum_rows_of(const kernels& table) noexcept;

#if DUPQ_KERNELS_HERE
namespace sum_rows_detail {

/// Adds `Count` numbers of a row. Loops of a fixed number of steps over arrays become vector code.
template <std::size_t Count, row_format Format, bool Weighted>
DUPQ_ALWAYS_INLINE void add_block(const std::byte* row, float weight, float* y) noexcept {
  float values[Count], sums[Count];
  widen_inlined(row, Format, Count, values);
  std::memcpy(sums, y, sizeof sums);
  for (std::size_t i = 0; i < Count; ++i)
    if constexpr (Weighted)  // the product is exact in double, so a fused multiply-add gives the same
      sums[i] = static_cast<float>(double{values[i]} * double{weight} + double{sums[i]});
    else
      sums[i] = sums[i] + values[i];
  std::memcpy(y, sums, sizeof sums);
}

template <row_format Format, bool Weighted>
DUPQ_ALWAYS_INLINE void add_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  constexpr std::size_t block = Format == row_format::q8_0 ? 32 : 16;
  for (std::size_t k = 0; k < n; ++k) {
    const std::byte* const row = t.row(tokens[k]);
    const float weight = Weighted ? t.weight(tokens[k]) : 1.0f;
    std::size_t i = 0;
    for (; i + block <= t.dim; i += block)
      add_block<block, Format, Weighted>(row + stored_bytes(Format, i), weight, y + i);
    if constexpr (Format != row_format::q8_0)
      for (; i < t.dim; ++i) add_block<1, Format, Weighted>(row + stored_bytes(Format, i), weight, y + i);
  }
}

template <bool Weighted>
DUPQ_ALWAYS_INLINE void add_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  switch (t.rows.format) {
    case row_format::f32: return add_rows<row_format::f32, Weighted>(t, tokens, n, y);
    case row_format::f16: return add_rows<row_format::f16, Weighted>(t, tokens, n, y);
    case row_format::bf16: return add_rows<row_format::bf16, Weighted>(t, tokens, n, y);
    case row_format::q8_0: return add_rows<row_format::q8_0, Weighted>(t, tokens, n, y);
  }
}

DUPQ_ALWAYS_INLINE void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  // A large table is in no cache: all rows are asked for before the first is needed.
  constexpr std::size_t line = 64, most = 512;
  for (std::size_t k = 0; k < n; ++k) {
    const std::byte* const row = t.row(tokens[k]);
    for (std::size_t at = 0; at < t.rows.row_bytes && at < most; at += line) __builtin_prefetch(row + at, 0, 3);
  }
  for (std::size_t i = 0; i < t.dim; ++i) y[i] = 0.0f;
  t.weight_of == nullptr ? add_rows<false>(t, tokens, n, y) : add_rows<true>(t, tokens, n, y);
}

}  // namespace sum_rows_detail

namespace scalar_kernels {
inline void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  sum_rows_detail::sum_rows(t, tokens, n, y);
}
}  // namespace scalar_kernels

#if defined(DUPQ_X86)
namespace avx2_kernels {
DUPQ_TARGET("avx2,fma")
inline void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  sum_rows_detail::sum_rows(t, tokens, n, y);
}
}  // namespace avx2_kernels
namespace avx512_kernels {
DUPQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
inline void sum_rows(const token_rows& t, const std::int32_t* tokens, std::size_t n, float* y) noexcept {
  sum_rows_detail::sum_rows(t, tokens, n, y);
}
}  // namespace avx512_kernels
#endif

DUPQ_TABLES sum_rows_function sum_rows_of(const kernels& table) noexcept {
#if defined(DUPQ_X86)
  const std::string_view name = table.name;
  if (name.substr(0, 6) == "avx512") return avx512_kernels::sum_rows;
  if (name != "scalar") return avx2_kernels::sum_rows;
#else
  (void)table;
#endif
  return scalar_kernels::sum_rows;
}
#endif

}  // namespace dupq::inline DUPQ_ABI
