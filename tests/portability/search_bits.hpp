// What the search's kernels give for made-up rows, whose numbers are exact: every table, compiler and CPU has the same
// bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/device/cpu/filter.hpp>
#include <dupq/search/packed_rows.hpp>
#include <utility>
#include <vector>

#include "golden/hashes.hpp"

namespace search_bits {

/// Sixteenths in [-128, 128).
class made_up_numbers {
 public:
  float operator()() noexcept {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 52) - 2048) / 16;
  }

 private:
  std::uint64_t state_ = 11;
};

inline std::vector<float> rows_of(std::size_t n, made_up_numbers& number) {
  std::vector<float> rows(n);
  for (float& x : rows) x = number();
  return rows;
}

/// Rows on both sides of a filter, as integers. Scales are powers of two: whether a product is rounded before it is
/// added, which tables may do as they like, makes no difference.
class integer_sides {
 public:
  integer_sides(const dupq::filter_kernels& table, std::size_t dim, std::size_t m, std::size_t panels,
                made_up_numbers& number, golden::hash& bits)
      : groups_((dim + 3) / 4), a_(m * groups_ * 4), bounds_(m), panels_(panels * panel_bytes()) {
    for (std::size_t r = 0; r < m; ++r) {
      note(table, dim, 127, 4, 0, reinterpret_cast<std::byte*>(a_.data() + r * groups_ * 4), number, bits);
      bounds_[r] = {0.5f, number() * static_cast<float>(dim)};
    }
    for (std::size_t p = 0; p < panels; ++p) {
      std::byte* const panel = panels_.data() + p * panel_bytes();
      dupq::panel_tail tail{};
      for (std::size_t i = 0; i < dupq::panel_width; ++i) {
        const dupq::integer_row row = note(table, dim, 64, 64, 0x80808080u, panel + 4 * i, number, bits);
        tail.scale[i] = i % 2 == 0 ? 1 : 0.25f, tail.slack[i] = number(), tail.start[i] = -128 * row.sum;
      }
      std::memcpy(panel + groups_ * 64, &tail, sizeof tail);
    }
    for (const std::uint8_t q : a_) bits.add(static_cast<float>(q));
    for (const std::byte q : panels_) bits.add(static_cast<float>(q));
  }
  dupq::filter_side side() const noexcept { return {a_.data(), bounds_.data(), panels_.data(), groups_}; }

 private:
  std::size_t panel_bytes() const noexcept { return groups_ * 64 + sizeof(dupq::panel_tail); }
  static dupq::integer_row note(const dupq::filter_kernels& table, std::size_t dim, float levels, std::size_t stride,
                                std::uint32_t flip, std::byte* q, made_up_numbers& number, golden::hash& bits) {
    const auto x = rows_of(dim, number);
    dupq::integer_row row;
    table.integers(dim, x.data(), levels, stride, flip, q, &row);
    for (const float v : {row.step, row.error, row.square, static_cast<float>(row.sum)}) bits.add(v);
    return row;
  }

  std::size_t groups_;
  std::vector<std::uint8_t> a_;
  std::vector<dupq::row_bound> bounds_;
  std::vector<std::byte> panels_;
};

/// The masks of a filter; with a `sketch` that has no groups, of all tiles.
inline std::vector<std::uint16_t> masks_of(const dupq::filter_kernels& table, const dupq::filter_side& sketch,
                                           const dupq::filter_side& whole, std::size_t m, std::size_t panels) {
  std::vector<std::uint16_t> masks(m * panels);
  dupq::filter_args all;
  all.sketch = sketch, all.whole = whole, all.m = m, all.count = panels, all.masks = masks.data(),
  all.mask_stride = panels;
  table.filter(all);
  return masks;
}

/// Whether a sketch, which may let more pairs of a tile through than it must, loses none and adds none.
inline bool sketch_is_right(const std::vector<std::uint16_t>& by_sketch, const std::vector<std::uint16_t>& by_whole,
                            const std::vector<std::uint16_t>& by_both) {
  for (std::size_t i = 0; i < by_both.size(); ++i)
    if ((by_both[i] & ~by_whole[i]) != 0 || (by_sketch[i] & by_whole[i] & ~by_both[i]) != 0) return false;
  return true;
}

/// The hash of what a table's integers, filter and all_dots give; 0 where a sketch is not obeyed.
inline std::uint64_t of(const dupq::filter_kernels& table) {
  golden::hash bits;
  made_up_numbers number;
  for (const std::size_t dim : {1u, 3u, 16u, 37u, 130u})
    for (const std::size_t m : {1u, 8u, 24u})
      for (const std::size_t panels : {1u, 2u, 3u, 7u}) {
        const integer_sides whole(table, dim, m, panels, number, bits), sketch(table, 9, m, panels, number, bits);
        const auto by_whole = masks_of(table, {}, whole.side(), m, panels),
                   by_sketch = masks_of(table, {}, sketch.side(), m, panels);
        for (const std::uint16_t mask : by_whole) bits.add(mask);
        for (const std::uint16_t mask : by_sketch) bits.add(mask);
        if (!sketch_is_right(by_sketch, by_whole, masks_of(table, sketch.side(), whole.side(), m, panels))) return 0;
      }
  for (const std::size_t dim : {1u, 5u, 16u, 33u, 384u})
    for (const std::size_t rows : {1u, 4u, 9u}) {
      const auto a = rows_of(rows * dim, number), b = rows_of((rows + 7) * dim, number);
      std::vector<float> y(rows * (rows + 10), 0.5f);
      table.all_dots(dim, rows, a.data(), rows + 7, b.data(), rows + 10, y.data());
      for (const float v : y) bits.add(v);
    }
  return bits.value();
}

/// The hash of what an index keeps of its rows, with sketches and without.
inline std::uint64_t of_packed_rows() {
  golden::hash bits;
  made_up_numbers number;
  for (const auto& [n, dim] : {std::pair<std::size_t, std::size_t>{50, 7}, {16'400, 96}}) {
    const auto centres = rows_of(20 * dim, number);
    std::vector<float> rows = rows_of(n * dim, number);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = rows[i] / 3 + centres[i % centres.size()];
    std::vector<std::byte> memory(dupq::packed_bytes(n, dim));
    if (!dupq::pack_rows(rows, dim, memory)) return 0;
    for (const std::byte b : memory) bits.add(static_cast<float>(b));
  }
  return bits.value();
}

/// What every build on every machine has.
inline constexpr std::uint64_t known = 0x1da699485fa7834fu, known_packed_rows = 0x7a4918613852b07eu;

}  // namespace search_bits
