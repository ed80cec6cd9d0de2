// From candidates to matches: the pairs of a block that the integers could not rule out, compared by their vectors.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/platform.hpp"
#include "packed_rows.hpp"
#include "strip.hpp"

namespace dupq::inline DUPQ_ABI::search_detail {

/// A bit for each candidate of a row of a block.
inline std::uint64_t candidates_of(const std::uint16_t* masks, std::size_t columns) noexcept {
  std::uint64_t bits = 0;
  for (std::size_t p = 0; p < block_panels; ++p) bits |= std::uint64_t{masks[p]} << p * panel_width;
  return columns < block_rows ? bits & ((std::uint64_t{1} << columns) - 1) : bits;
}

/// Calls found(r, column, score) for each candidate of a block, rows r in order and columns in order, until it returns
/// false. Only columns from first_column(r) on are asked for. Scores are exact, and of any size.
template <class FirstColumn, class Found>
bool for_candidates(const strip& left, const filter_kernels& filters, const packed_rows& others, std::size_t row,
                    std::size_t column, const std::uint16_t* masks, FirstColumn&& first_column, Found&& found) {
  const std::size_t rows = std::min(block_rows, left.rows() - row),
                    columns = std::min(block_rows, others.rows - column);
  std::uint64_t bits[block_rows];
  std::size_t count = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    bits[r] = candidates_of(masks + r * chunk_panels, columns);
    const std::size_t first = first_column(row + r);
    if (first > column) bits[r] &= first - column < block_rows ? ~std::uint64_t{0} << (first - column) : 0;
    count += static_cast<std::size_t>(std::popcount(bits[r]));
  }
  // Where many are left it is cheaper to multiply all of them.
  float dots[block_rows * block_rows];
  const bool by_dots = others.similarity == similarity::cosine || others.similarity == similarity::dot;
  const bool all = by_dots && count * 6 > rows * columns;
  if (all) filters.all_dots(others.dim, rows, left.row(row), columns, others.row(column).data(), block_rows, dots);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::uint64_t b = bits[r]; b != 0; b &= b - 1) {
      const auto c = static_cast<std::size_t>(std::countr_zero(b));
      const float score = all ? left.score_of(dots[r * block_rows + c], row + r, others, column + c)
                              : left.score(row + r, others, column + c);
      if (!found(row + r, column + c, score)) return false;
    }
  return true;
}

}  // namespace dupq::inline DUPQ_ABI::search_detail
