// Some rows in integer form, as the left side of a comparison with packed rows, and the pairs of them that are left
// when the integers have been asked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

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
  std::uint8_t* integers = nullptr;
  left_row* lefts = nullptr;
  row_bound* bounds = nullptr;
  std::uint16_t* masks = nullptr;

  static constexpr std::size_t padded(std::size_t rows) noexcept { return rows == 1 ? 1 : round_up(rows, filter_rows); }
  static constexpr std::size_t shared_bytes(std::size_t rows, std::size_t dim) noexcept {
    return round_up(padded(rows) * groups_of(dim) * 4, alignment) +
           round_up(padded(rows) * sizeof(left_row), alignment);
  }
  static constexpr std::size_t own_bytes(std::size_t rows) noexcept {
    return round_up(padded(rows) * sizeof(row_bound), alignment) +
           round_up(padded(rows) * chunk_panels * sizeof(std::uint16_t), alignment);
  }
  static constexpr std::size_t bytes(std::size_t rows, std::size_t dim) noexcept {
    return shared_bytes(rows, dim) + own_bytes(rows);
  }
  strip_memory() = default;
  strip_memory(std::byte* shared, std::byte* own, std::size_t rows, std::size_t dim) noexcept
      : integers(reinterpret_cast<std::uint8_t*>(shared)),
        lefts(reinterpret_cast<left_row*>(shared + round_up(padded(rows) * groups_of(dim) * 4, alignment))),
        bounds(reinterpret_cast<row_bound*>(own)),
        masks(reinterpret_cast<std::uint16_t*>(own + round_up(padded(rows) * sizeof(row_bound), alignment))) {}
  strip_memory(std::byte* all, std::size_t rows, std::size_t dim) noexcept
      : strip_memory(all, all + shared_bytes(rows, dim), rows, dim) {}
};

class strip {
 public:
  strip(const kernels& k, const filter_kernels& filters, const strip_memory& memory) noexcept
      : k_(k), filters_(filters), m_(memory) {}
  /// The same rows for another worker, whose bounds and masks are `own`.
  strip(const strip& filled, std::byte* own) noexcept : strip(filled) {
    const strip_memory mine(nullptr, own, rows_, dim_);
    m_.bounds = mine.bounds, m_.masks = mine.masks;
  }

  std::size_t rows() const noexcept { return rows_; }
  const float* row(std::size_t r) const noexcept { return vectors_ + r * dim_; }

  /// Takes rows, [rows][dim] of the dim and for the similarity of `others`.
  void fill(const float* vectors, std::size_t rows, const packed_rows& others) noexcept {
    vectors_ = vectors, rows_ = rows, dim_ = others.dim, kind_ = others.similarity;
    const std::size_t bytes = groups_of(dim_) * 4, padded = strip_memory::padded(rows);
    for (std::size_t r = 0; r < padded; ++r) {
      std::uint8_t* const to = m_.integers + r * bytes;
      if (r < rows) {
        m_.lefts[r] = left_row(read_row(k_, filters_, {row(r), dim_}, 127, 4, 0, reinterpret_cast<std::byte*>(to)),
                               kind_, dim_, head_of(others));
      } else {
        std::memset(to, 0, bytes);
      }
    }
  }
  void set_threshold(std::size_t r, float threshold) noexcept {
    m_.bounds[r] = m_.lefts[r].bound(kind_, threshold, dim_);
  }
  /// threshold(r) is that of row r.
  template <class Threshold>
  void set_thresholds(Threshold&& threshold) noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (std::size_t r = 0; r < rows_; ++r) set_threshold(r, threshold(r));
    for (std::size_t r = rows_; r < strip_memory::padded(rows_); ++r) m_.bounds[r] = {0, infinity, infinity};
  }

  /// The score of row r and row c of `others`, which is row i of its panel.
  float score(std::size_t r, const packed_rows& others, std::size_t c) const noexcept {
    if (is_distance(kind_)) return similarity_of(kind_, {row(r), dim_}, others.row(c), &k_);
    float dot;
    k_.dots(dim_, row(r), 1, dim_, others.row(c).data(), &dot);
    return score_of(dot, r, others, c);
  }
  /// The same for a similarity that is made of the rows' dot product.
  float score_of(float dot, std::size_t r, const packed_rows& others, std::size_t c) const noexcept {
    if (kind_ == similarity::dot) return dot;
    return dot / (m_.lefts[r].length * tail_of(others, c / panel_width).length[c % panel_width]);
  }

  /// Calls block(r, c, masks) for each block of rows (from r on) and of columns (from c on) that has a candidate, those
  /// of the same columns one after the other, until it returns false. masks[row][block_panels] have bits for rows that
  /// are there, and columns of which the last panel's may be beyond the end. After each chunk of panels first..last-1
  /// chunk() is called; the first has `chunk_size` panels, the next one twice as many, up to chunk_panels. False if
  /// block said so.
  template <class Block, class Chunk>
  bool compare(const packed_rows& others, std::size_t first, std::size_t last, std::size_t chunk_size, Block&& block,
               Chunk&& chunk) noexcept {
    filter_args g;
    g.a = m_.integers, g.bounds = m_.bounds, g.m = strip_memory::padded(rows_);
    g.groups = groups_of(dim_), g.masks = m_.masks, g.mask_stride = chunk_panels;
    for (std::size_t panel = first; panel < last; panel += g.count) {
      g.early = ask_early_ ? early_groups(dim_) : g.groups;
      g.count = std::min(chunk_size, last - panel);
      g.panels = panels_of(others) + panel * g.panel_bytes();
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
  /// Asking costs a twelfth of a tile, and saves half of each that ends there.
  void adapt(const filter_result& result) noexcept {
    if (early_groups(dim_) == groups_of(dim_)) return;
    if (ask_early_) {
      ask_early_ = result.late * 6 <= result.tiles * 5;
      pause_ = 32;
    } else if (pause_-- == 0) {
      ask_early_ = true;
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
  std::size_t rows_ = 0, dim_ = 0;
  similarity kind_{};
  bool ask_early_ = true;
  unsigned pause_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
