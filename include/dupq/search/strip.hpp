// Some rows in integer form, as the left side of a comparison with packed rows, and the pairs of them that are left
// when the integers have been asked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include "../core/platform.hpp"
#include "packed_rows.hpp"
#include "similarity.hpp"

namespace dupq::inline DUPQ_ABI::search_detail {

/// Rows of a block, in whose order pairs are found.
inline constexpr std::size_t block_rows = 64;
/// Rows of a strip: in integers they stay in the second-level cache while the panels pass.
inline constexpr std::size_t strip_rows = 7 * block_rows;
/// Panels at a time, whole blocks of them.
inline constexpr std::size_t chunk_panels = 48;
inline constexpr std::size_t block_panels = block_rows / panel_width;

/// Memory of a strip of up to `rows` rows, filled up to a multiple of filter_rows unless it is one. What is
/// `shared` may be read by several workers, each of which has bounds and masks of its own.
struct strip_memory {
  struct left {
    left_row whole, sketch;
    float length = 0;  ///< at least 1e-12
  };
  std::uint8_t *integers = nullptr, *sketches = nullptr;
  left* lefts = nullptr;
  float* projected = nullptr;  ///< the sketches' numbers
  row_bound *bounds = nullptr, *sketch_bounds = nullptr;
  std::uint16_t* masks = nullptr;

  static constexpr std::size_t padded(std::size_t rows) noexcept { return rows == 1 ? 1 : round_up(rows, filter_rows); }
  static constexpr std::size_t shared_bytes(std::size_t rows, const packed_layout& others) noexcept {
    return shared_part(rows, others.dim, 1) + shared_part(rows, others.sketch, 1) +
           shared_part(rows, others.sketch, sizeof(float)) + round_up(padded(rows) * sizeof(left), alignment);
  }
  static constexpr std::size_t own_bytes(std::size_t rows) noexcept {
    return 2 * round_up(padded(rows) * sizeof(row_bound), alignment) +
           round_up(padded(rows) * chunk_panels * sizeof(std::uint16_t), alignment);
  }
  static constexpr std::size_t bytes(std::size_t rows, const packed_layout& others) noexcept {
    return shared_bytes(rows, others) + own_bytes(rows);
  }
  strip_memory() = default;
  /// Without `own` only the shared part is there.
  strip_memory(std::byte* shared, std::byte* own, std::size_t rows, const packed_layout& others) noexcept {
    const auto take = [](std::byte*& from, auto*& to, std::size_t bytes) {
      to = reinterpret_cast<std::remove_reference_t<decltype(to)>>(from);
      if (from != nullptr) from += round_up(bytes, alignment);
    };
    const std::size_t m = padded(rows);
    take(shared, integers, shared_part(rows, others.dim, 1));
    take(shared, sketches, shared_part(rows, others.sketch, 1));
    take(shared, projected, shared_part(rows, others.sketch, sizeof(float)));
    take(shared, lefts, m * sizeof(left));
    take(own, bounds, m * sizeof(row_bound));
    take(own, sketch_bounds, m * sizeof(row_bound));
    take(own, masks, m * chunk_panels * sizeof(std::uint16_t));
  }
  strip_memory(std::byte* all, std::size_t rows, const packed_layout& others) noexcept
      : strip_memory(all, all + shared_bytes(rows, others), rows, others) {}

 private:
  static constexpr std::size_t shared_part(std::size_t rows, std::size_t dim, std::size_t bytes) noexcept {
    return round_up(padded(rows) * groups_of(dim) * 4 * bytes, alignment);
  }
};

class strip {
 public:
  strip(const kernels& k, const filter_kernels& filters, const strip_memory& memory) noexcept
      : k_(k), filters_(filters), m_(memory) {}
  /// The same rows for another worker, whose bounds and masks are `own`.
  strip(const strip& filled, std::byte* own) noexcept : strip(filled) {
    const strip_memory mine(reinterpret_cast<std::byte*>(m_.integers), own, rows_, packed_layout(0, 0));
    m_.bounds = mine.bounds, m_.sketch_bounds = mine.sketch_bounds, m_.masks = mine.masks;
  }

  std::size_t rows() const noexcept { return rows_; }
  const float* row(std::size_t r) const noexcept { return vectors_ + r * dim_; }

  /// Takes rows, [rows][dim] of the dim and for the similarity of `others`.
  void fill(const float* vectors, std::size_t rows, const packed_rows& others) noexcept {
    vectors_ = vectors, rows_ = rows, dim_ = others.dim, kind_ = others.similarity;
    sketch_ = packed_layout(others.rows, others.dim).sketch;
    const packed_head& head = head_of(others);
    const std::size_t bytes = groups_of(dim_) * 4, padded = strip_memory::padded(rows);
    if (sketch_ != 0) filters_.all_dots(dim_, rows, vectors, sketch_, basis_of(others), sketch_, m_.projected);
    for (std::size_t r = 0; r < rows; ++r) {
      integer_row integers;
      filters_.integers(dim_, row(r), 127, 4, 0, reinterpret_cast<std::byte*>(m_.integers + r * bytes), &integers);
      float square = 0;
      k_.dots(dim_, row(r), 1, dim_, row(r), &square);
      const row_form form(integers, square, dim_);
      m_.lefts[r].length = length_of_square(square);
      m_.lefts[r].whole = left_row(form, kind_, dim_, head.most, 0);
      if (sketch_ == 0) continue;
      filters_.integers(sketch_, m_.projected + r * sketch_, 127, 4, 0,
                        reinterpret_cast<std::byte*>(m_.sketches + r * sketch_), &integers);
      m_.lefts[r].sketch = left_row(row_form(integers, form, head.spread), kind_, dim_, head.most, head.spread);
    }
    if (padded == rows) return;
    std::memset(m_.integers + rows * bytes, 0, (padded - rows) * bytes);
    if (sketch_ != 0) std::memset(m_.sketches + rows * sketch_, 0, (padded - rows) * sketch_);
  }
  /// threshold(r) is that of row r.
  template <class Threshold>
  void set_thresholds(Threshold&& threshold) noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (std::size_t r = 0; r < rows_; ++r) {
      const float t = threshold(r);
      m_.bounds[r] = m_.lefts[r].whole.bound(kind_, t, dim_);
      if (sketch_ != 0) m_.sketch_bounds[r] = m_.lefts[r].sketch.bound(kind_, t, dim_);
    }
    for (std::size_t r = rows_; r < strip_memory::padded(rows_); ++r)
      m_.bounds[r] = m_.sketch_bounds[r] = {0, infinity};
  }

  /// The score of row r and row c of `others`.
  float score(std::size_t r, const packed_rows& others, std::size_t c) const noexcept {
    if (is_distance(kind_)) return similarity_of(kind_, {row(r), dim_}, others.row(c), &k_);
    float dot;
    k_.dots(dim_, row(r), 1, dim_, others.row(c).data(), &dot);
    return score_of(dot, r, others, c);
  }
  /// The same for a similarity that is made of the rows' dot product.
  float score_of(float dot, std::size_t r, const packed_rows& others, std::size_t c) const noexcept {
    return kind_ == similarity::dot ? dot : dot / (m_.lefts[r].length * length_of(others, c));
  }

  /// Calls block(r, c, masks) for each block of rows (from r on) and of columns (from c on) that has a candidate, those
  /// of the same columns one after the other, until it returns false. masks[row][chunk_panels] have bits for rows that
  /// are there, and columns of which the last panel's may be beyond the end. After each chunk of panels first..last-1
  /// chunk() is called; the first has `chunk_size` panels, the next one twice as many, up to chunk_panels. False if
  /// block said so.
  template <class Block, class Chunk>
  bool compare(const packed_rows& others, std::size_t first, std::size_t last, std::size_t chunk_size, Block&& block,
               Chunk&& chunk) noexcept {
    const packed_layout layout(others.rows, others.dim);
    filter_args g;
    g.m = strip_memory::padded(rows_), g.masks = m_.masks, g.mask_stride = chunk_panels;
    g.whole.a = m_.integers, g.whole.bounds = m_.bounds, g.whole.groups = groups_of(dim_);
    g.sketch.a = m_.sketches, g.sketch.bounds = m_.sketch_bounds;
    for (std::size_t panel = first; panel < last; panel += g.count) {
      g.count = std::min(chunk_size, last - panel);
      g.sketch.groups = sketch_first_ ? groups_of(sketch_) : 0;
      g.sketch.panels = others.packed + layout.sketches() + panel * panel_stride(layout.sketch);
      g.whole.panels = others.packed + layout.whole() + panel * panel_stride(layout.dim);
      std::memset(m_.masks, 0, g.m * chunk_panels * sizeof(std::uint16_t));
      const filter_result result = filters_.filter(g);
      adapt(result);
      if (result.found != 0) {
        for (std::size_t p = 0; p < g.count; p += block_panels)
          for (std::size_t r = 0; r < rows_; r += block_rows)
            if (any(r, p) && !block(r, (panel + p) * panel_width, m_.masks + r * chunk_panels + p)) return false;
      }
      chunk();
      chunk_size = std::min(chunk_size * 2, chunk_panels);
    }
    return true;
  }

 private:
  /// A sketch costs two fifths of a tile; where it settles too few of them it is left out for a while.
  void adapt(const filter_result& result) noexcept {
    if (sketch_first_) {
      sketch_first_ = result.late * 2 <= result.tiles;
      pause_ = 32;
    } else if (pause_-- == 0) {
      sketch_first_ = true;
    }
  }
  bool any(std::size_t row, std::size_t panel) const noexcept {
    const std::size_t end = std::min(rows_, row + block_rows);
    std::uint64_t bits = 0;
    for (std::size_t r = row; r < end; ++r) {
      std::uint64_t four;
      std::memcpy(&four, m_.masks + r * chunk_panels + panel, sizeof four);
      bits |= four;
    }
    return bits != 0;
  }

  const kernels& k_;
  const filter_kernels& filters_;
  strip_memory m_;
  const float* vectors_ = nullptr;
  std::size_t rows_ = 0, dim_ = 0, sketch_ = 0;
  similarity kind_{};
  bool sketch_first_ = true;
  unsigned pause_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
