// Vectors with their integer form beside them, which searches read first: a quarter of the bytes, and many times the
// speed. The integers only say which rows cannot match; a score is always computed from the vectors themselves.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/executor.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"
#include "../device/cpu/filter.hpp"
#include "row_bounds.hpp"
#include "sketch.hpp"

namespace dupq::inline DUPQ_ABI {

/// A view of vectors and of their integer form, one block of bytes that can be stored and mapped.
struct packed_rows {
  const float* vectors = nullptr;     ///< [rows][dim]
  const std::byte* packed = nullptr;  ///< packed_bytes(rows, dim)
  std::size_t rows = 0;
  std::size_t dim = 0;
  dupq::similarity similarity = dupq::similarity::cosine;  ///< for which they are packed

  std::span<const float> row(std::size_t r) const noexcept { return {vectors + r * dim, dim}; }
};

struct pack_options {
  dupq::similarity similarity = dupq::similarity::cosine;  ///< what searches will compare by: a model's
  const dupq::kernels* kernels = nullptr;                  ///< null: the fastest of this CPU
  dupq::executor executor{};
};

namespace search_detail {

/// Before everything else: what is known of all rows together.
struct packed_head {
  row_maxima most;
  float spread = 0;          ///< how far the basis of the sketches is from orthonormal, and products with it from exact
  std::uint32_t sketch = 0;  ///< numbers of a sketch, packed_layout::sketch
  std::uint32_t unused[11]{};
};
static_assert(sizeof(packed_head) == 64);

/// Sums of more products may not fit 32 bits. Such rows are compared by floats alone.
inline constexpr std::size_t most_integers = std::size_t{1} << 17;

constexpr std::size_t groups_of(std::size_t dim) noexcept { return (dim + 3) / 4; }
constexpr std::size_t panel_stride(std::size_t dim) noexcept {
  return groups_of(dim) * 4 * panel_width + sizeof(panel_tail);
}

/// Where the parts of a packed form lie: the head, the basis of the sketches, their panels, and the rows' panels.
struct packed_layout {
  std::size_t rows, dim, sketch;

  constexpr packed_layout(std::size_t rows_, std::size_t dim_) noexcept
      : rows(rows_), dim(dim_), sketch(sketch_size(rows_, dim_)) {}
  constexpr std::size_t panels() const noexcept { return (rows + panel_width - 1) / panel_width; }
  constexpr std::size_t basis() const noexcept { return sizeof(packed_head); }
  constexpr std::size_t sketches() const noexcept { return basis() + sketch * dim * sizeof(float); }
  constexpr std::size_t whole() const noexcept {
    return sketches() + (sketch == 0 ? 0 : panels() * panel_stride(sketch));
  }
  constexpr std::size_t bytes() const noexcept { return whole() + panels() * panel_stride(dim); }
};

inline const packed_head& head_of(const packed_rows& rows) noexcept {
  return *reinterpret_cast<const packed_head*>(rows.packed);
}
inline const float* basis_of(const packed_rows& rows) noexcept {
  return reinterpret_cast<const float*>(rows.packed + packed_layout(rows.rows, rows.dim).basis());
}
inline float length_of(const packed_rows& rows, std::size_t row) noexcept {
  const std::byte* const panel =
      rows.packed + packed_layout(rows.rows, rows.dim).whole() + row / panel_width * panel_stride(rows.dim);
  return reinterpret_cast<const panel_tail*>(panel + groups_of(rows.dim) * 64)->length[row % panel_width];
}

/// The largest of floats that are not negative, which workers find together.
class shared_maximum {
 public:
  void take(float x) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(x);  // in the order of the numbers
    for (std::uint32_t seen = most_.load(std::memory_order_relaxed);
         seen < bits && !most_.compare_exchange_weak(seen, bits, std::memory_order_relaxed);)
      continue;
  }
  float value() const noexcept { return std::bit_cast<float>(most_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<std::uint32_t> most_{0};
};

/// Packs the rows of a set, a panel at a time: in one block, or wherever a panel and its sketch are wanted.
class packer {
 public:
  packer(const packed_layout& layout, similarity kind, const kernels& k) noexcept
      : layout_(layout), kind_(kind), k_(k), filters_(filter_of(k)) {}

  /// Finds the basis of the sketches, if there are any: row(i) is row i of the set, `scratch` has room for
  /// sketch_basis::scratch_floats(dim) floats, and `basis`, [layout.sketch][dim], outlives this.
  template <class Row>
  void find_basis(Row&& row, const executor& workers, float* scratch, float* basis) noexcept {
    if (layout_.sketch == 0) return;
    basis_ = basis;
    const float off = sketch_basis::find(row, layout_.rows, layout_.dim, layout_.sketch, k_, workers, scratch, basis);
    spread_ = off + float_environment::pinned(rounding(layout_.dim) * std::sqrt(static_cast<float>(layout_.sketch)));
  }

  /// Writes the panel of `rows` rows, at most sixteen, and that of their sketches.
  void pack(const float* x, std::size_t rows, std::byte* whole, std::byte* sketch) noexcept {
    float sketches[panel_width * most_sketched / 3];
    if (layout_.sketch != 0) filters_.all_dots(layout_.dim, rows, x, layout_.sketch, basis_, layout_.sketch, sketches);
    panel_tail tail = empty_tail(), sketch_tail = empty_tail();
    if (rows < panel_width) {
      std::memset(whole, 0, groups_of(layout_.dim) * 64);
      if (layout_.sketch != 0) std::memset(sketch, 0, groups_of(layout_.sketch) * 64);
    }
    row_maxima most;
    for (std::size_t i = 0; i < rows; ++i) {
      const float* const row = x + i * layout_.dim;
      integer_row integers;
      float square = 0;
      k_.dots(layout_.dim, row, 1, layout_.dim, row, &square);
      filters_.integers(layout_.dim, row, 64, 64, 0x80808080u, whole + i * 4, &integers);
      const row_form form(integers, square, layout_.dim);
      set_column(tail, i, form, integers.sum, kind_);
      form.add_to(most);
      if (layout_.sketch == 0) continue;
      filters_.integers(layout_.sketch, sketches + i * layout_.sketch, 64, 64, 0x80808080u, sketch + i * 4, &integers);
      const row_form short_form(integers, form, spread_);
      set_column(sketch_tail, i, short_form, integers.sum, kind_);
      short_form.add_to(most);
    }
    std::memcpy(whole + groups_of(layout_.dim) * 64, &tail, sizeof tail);
    if (layout_.sketch != 0) std::memcpy(sketch + groups_of(layout_.sketch) * 64, &sketch_tail, sizeof tail);
    most_[0].take(most.length), most_[1].take(most.error), most_[2].take(most.rest);
  }
  /// What stands before the panels, when all have been packed.
  packed_head head() const noexcept {
    return {
        {most_[0].value(), most_[1].value(), most_[2].value()}, spread_, static_cast<std::uint32_t>(layout_.sketch)};
  }

 private:
  static panel_tail empty_tail() noexcept {
    panel_tail tail{};
    for (float& slack : tail.slack) slack = -std::numeric_limits<float>::infinity();
    return tail;
  }

  packed_layout layout_;
  similarity kind_;
  const kernels& k_;
  const filter_kernels& filters_;
  const float* basis_ = nullptr;
  float spread_ = 0;
  shared_maximum most_[3];
};

}  // namespace search_detail

/// Bytes of the integer form of `rows` rows of `dim` numbers: about a third of theirs.
constexpr std::size_t packed_bytes(std::size_t rows, std::size_t dim) noexcept {
  return search_detail::packed_layout(rows, dim).bytes();
}

/// Writes the integer form of `vectors`, [n][dim], to `memory`: packed_bytes(n, dim) bytes, aligned to 4 and best to
/// 64. The view refers to both. The bytes are the same for every table and executor. Errors: wrong_size, too_small,
/// not_aligned.
inline result<packed_rows> pack_rows(std::span<const float> vectors, std::size_t dim, std::span<std::byte> memory,
                                     const pack_options& options = {}) noexcept {
  using namespace search_detail;
  if (dim == 0 ? !vectors.empty() : vectors.size() % dim != 0)
    return error(errc::wrong_size, "vectors", dim == 0 ? 0 : vectors.size() / dim * dim, vectors.size());
  const std::size_t n = dim == 0 ? 0 : vectors.size() / dim, needed = packed_bytes(n, dim);
  if (memory.size() < needed) return error(errc::too_small, "memory", needed, memory.size());
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(panel_tail) != 0)
    return error(errc::not_aligned, "memory", alignof(panel_tail));
  packed_rows rows{vectors.data(), memory.data(), n, dim, options.similarity};
  if (n == 0) return rows;
  const float_environment ieee;
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const packed_layout layout(n, dim);
  packer to(layout, options.similarity, k);
  // The panels' room is scratch memory until they are written.
  to.find_basis([&](std::size_t i) { return vectors.data() + i * dim; }, options.executor,
                reinterpret_cast<float*>(memory.data() + layout.sketches()),
                reinterpret_cast<float*>(memory.data() + layout.basis()));
  constexpr std::size_t at_a_time = 16;  // panels
  options.executor.run((layout.panels() + at_a_time - 1) / at_a_time, [&](std::size_t task, std::size_t) {
    const float_environment ieee_too;
    const std::size_t end = std::min(layout.panels(), (task + 1) * at_a_time);
    for (std::size_t p = task * at_a_time; p < end; ++p)
      to.pack(vectors.data() + p * panel_width * dim, std::min(panel_width, n - p * panel_width),
              memory.data() + layout.whole() + p * panel_stride(dim),
              memory.data() + layout.sketches() + p * panel_stride(layout.sketch));
  });
  const packed_head head = to.head();
  std::memcpy(memory.data(), &head, sizeof head);
  return rows;
}

}  // namespace dupq::inline DUPQ_ABI
