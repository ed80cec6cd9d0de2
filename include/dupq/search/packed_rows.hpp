// Vectors with their integer form beside them, which searches read first: a quarter of the bytes, and many times the
// speed. The integers only say which rows cannot match; a score is always computed from the vectors themselves.
//
// With x = x' + e and y = y' + f, where x' and y' are what the integers stand for, Cauchy and Schwarz bound what they
// leave out: x.y <= x'.y' + |e||y'| + |x||f|. After the first part of the numbers, what is left adds at most |x2||y2|.
// All of it is in units of the similarity: for the cosine rows are taken as if they had the length 1, for a distance
// x.y >= (|x|^2 + |y|^2 - distance^2) / 2, and the sum of differences is never below the root of their squares.
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

/// Before the panels: what is known of all rows together.
struct packed_head {
  float most_length = 0;
  float most_error = 0;
  float most_rest = 0;  ///< the length of a row's second part
  std::uint32_t split = 0;
  std::uint32_t unused[12]{};
};
static_assert(sizeof(packed_head) == 64);

/// Sums of more products may not fit 32 bits. Such rows, and packed forms of them, are compared by floats alone.
inline constexpr std::size_t most_integers = std::size_t{1} << 17;

/// Numbers before the point at which a comparison asks whether to go on; a multiple of 16. Short rows are not parted.
constexpr std::size_t split_of(std::size_t dim) noexcept { return dim < 64 ? round_up(dim, 16) : dim / 2 / 16 * 16; }
constexpr std::size_t groups_of(std::size_t dim) noexcept { return (dim + 3) / 4; }
constexpr std::size_t early_groups(std::size_t dim) noexcept { return std::min(split_of(dim) / 4, groups_of(dim)); }

constexpr std::size_t panel_stride(std::size_t dim) noexcept {
  return groups_of(dim) * 4 * panel_width + sizeof(panel_tail);
}

/// How far computed sums over dim products of rows, and what is made of them, may be from the truth, in units of the
/// rows' lengths: a few times the bound of 2^-24 for each of the additions of a lane.
inline float rounding(std::size_t dim) noexcept { return (static_cast<float>(dim) / 16 + 16) * 0x1p-22f; }

/// A row as searches see it.
struct row_form {
  integer_row integers;
  float length = 0;   ///< the root of its dot product with itself
  bool plain = true;  ///< false where the bounds do not hold: not finite, or so large or small that squares are not

  row_form(const integer_row& row, float square) noexcept : integers(row), length(std::sqrt(square)) {
    plain = (square >= 1e-20f && square <= 1e20f) || (row.step == 0 && square == 0);
  }
  float error(std::size_t dim) const noexcept { return std::sqrt(integers.error) + length * rounding(dim); }
  float rest() const noexcept { return std::sqrt(integers.squares[1]) * 1.0001f; }
  float unit(similarity kind) const noexcept { return kind == similarity::cosine && length > 0 ? 1 / length : 1.0f; }
};

inline row_form read_row(const kernels& k, const filter_kernels& filters, std::span<const float> x, float levels,
                         std::size_t stride, std::uint32_t flip, std::byte* to) noexcept {
  integer_row integers;
  filters.integers(x.size(), split_of(x.size()), x.data(), levels, stride, flip, to, &integers);
  float square = 0;
  k.dots(x.size(), x.data(), 1, x.size(), x.data(), &square);
  return {integers, square};
}

inline bool is_distance(similarity kind) noexcept {
  return kind == similarity::euclidean || kind == similarity::manhattan;
}

/// Where a row that cannot be bounded stands, every comparison is made.
inline void set_column(panel_tail& tail, std::size_t i, const row_form& row, similarity kind,
                       std::size_t dim) noexcept {
  const float length = row.length;
  tail.length[i] = length > 1e-12f ? length : 1e-12f;
  tail.start[i] = -128 * row.integers.sums[0];
  tail.start_late[i] = -128 * row.integers.sums[1];
  tail.scale[i] = 0;
  tail.slack[i] = tail.slack_early[i] = std::numeric_limits<float>::infinity();
  if (!row.plain) return;
  const float unit = row.unit(kind), error = row.error(dim) * unit, rest = row.rest() * unit;
  tail.scale[i] = row.integers.step * unit;
  if (kind == similarity::cosine) {
    tail.slack[i] = error + error * error / 2;
    tail.slack_early[i] = tail.slack[i] + rest * rest / 2;
  } else if (kind == similarity::dot) {
    tail.slack[i] = tail.slack_early[i] = error;
  } else {
    tail.slack[i] = -length * length / 2;
    tail.slack_early[i] = tail.slack[i] + rest * rest / 2;
  }
}

/// A row of the other side: where its bound stands for each threshold.
struct left_row {
  float scale = 0;
  float shift = std::numeric_limits<float>::infinity();  ///< below the threshold
  float shift_early = shift;
  float times = 1;   ///< what the threshold is multiplied with
  float length = 0;  ///< at least 1e-12

  left_row() = default;
  left_row(const row_form& row, similarity kind, std::size_t dim, const packed_head& others) noexcept
      : length(row.length > 1e-12f ? row.length : 1e-12f) {
    if (!row.plain) return;
    const float slack = rounding(dim), most = others.most_length;
    if (kind == similarity::cosine) {
      const float unit = row.unit(kind), error = row.error(dim) * unit, rest = row.rest() * unit;
      scale = row.integers.step * unit;
      shift = error + error * error / 2 + slack;
      shift_early = shift + rest * rest / 2;
    } else if (kind == similarity::dot) {
      times = row.length > 0 ? 1 / row.length : 1.0f;
      scale = row.integers.step * times;
      shift = row.error(dim) * times * (most + others.most_error) + slack * most;
      shift_early = shift + row.rest() * times * others.most_rest;
    } else {
      const float square = row.length * row.length;
      scale = row.integers.step;
      shift = row.error(dim) * (most + others.most_error) + row.length * others.most_error - square / 2 +
              slack * (square + most * most);
      shift_early = shift + row.rest() * row.rest() / 2;
    }
  }

  row_bound bound(similarity kind, float threshold, std::size_t dim) const noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    if (!(shift < infinity)) return {0, -infinity, -infinity};
    float t = threshold * times;
    // No distance is below 0. A sum of differences has more roundings, one behind the other, than one of products.
    if (is_distance(kind)) t = threshold > 0 ? infinity : -threshold * threshold / 2 * (1 + 16 * rounding(dim));
    return {scale, t - shift, t - shift_early};
  }
};

inline const packed_head& head_of(const packed_rows& rows) noexcept {
  return *reinterpret_cast<const packed_head*>(rows.packed);
}
inline const std::byte* panels_of(const packed_rows& rows) noexcept { return rows.packed + sizeof(packed_head); }
inline const panel_tail& tail_of(const packed_rows& rows, std::size_t panel) noexcept {
  return *reinterpret_cast<const panel_tail*>(panels_of(rows) + panel * panel_stride(rows.dim) +
                                              groups_of(rows.dim) * 4 * panel_width);
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

/// One panel: rows first..first+15, as many of them as there are.
inline void pack_panel(const kernels& k, const filter_kernels& filters, std::span<const float> vectors, std::size_t dim,
                       similarity kind, std::size_t first, std::byte* to, shared_maximum (&most)[3]) noexcept {
  const std::size_t rows = std::min(panel_width, vectors.size() / dim - first), integers = groups_of(dim) * 64;
  if (rows < panel_width) std::memset(to, 0, integers);
  panel_tail tail{};
  float maxima[3] = {};
  for (std::size_t i = 0; i < rows; ++i) {
    const row_form row =
        read_row(k, filters, vectors.subspan((first + i) * dim, dim), 64, 4 * panel_width, 0x80808080u, to + i * 4);
    set_column(tail, i, row, kind, dim);
    if (!row.plain) continue;
    maxima[0] = std::max(maxima[0], row.length);
    maxima[1] = std::max(maxima[1], row.error(dim));
    maxima[2] = std::max(maxima[2], row.rest());
  }
  for (std::size_t i = rows; i < panel_width; ++i)
    tail.slack[i] = tail.slack_early[i] = -std::numeric_limits<float>::infinity();
  std::memcpy(to + integers, &tail, sizeof tail);
  for (std::size_t i = 0; i < 3; ++i) most[i].take(maxima[i]);
}

}  // namespace search_detail

/// Bytes of the integer form of `rows` rows of `dim` numbers: a quarter of theirs, and 24 a row.
constexpr std::size_t packed_bytes(std::size_t rows, std::size_t dim) noexcept {
  return sizeof(search_detail::packed_head) + (rows + panel_width - 1) / panel_width * search_detail::panel_stride(dim);
}

/// Writes the integer form of `vectors`, [n][dim], to `memory`: packed_bytes(n, dim) bytes, aligned to 4 and best to
/// 64. The view refers to both. Errors: wrong_size, too_small, not_aligned.
inline result<packed_rows> pack_rows(std::span<const float> vectors, std::size_t dim, std::span<std::byte> memory,
                                     const pack_options& options = {}) noexcept {
  using namespace search_detail;
  if (dim == 0 ? !vectors.empty() : vectors.size() % dim != 0)
    return error(errc::wrong_size, "vectors", dim == 0 ? 0 : vectors.size() / dim * dim, vectors.size());
  const std::size_t n = dim == 0 ? 0 : vectors.size() / dim, needed = packed_bytes(n, dim);
  if (memory.size() < needed) return error(errc::too_small, "memory", needed, memory.size());
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(panel_tail) != 0)
    return error(errc::not_aligned, "memory", alignof(panel_tail));
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const filter_kernels& filters = filter_of(k);
  const std::size_t panels = (n + panel_width - 1) / panel_width;
  constexpr std::size_t at_a_time = 16;  // panels
  std::byte* const first = memory.data() + sizeof(packed_head);
  shared_maximum most[3];
  options.executor.run((panels + at_a_time - 1) / at_a_time, [&](std::size_t task, std::size_t) {
    const float_environment ieee;
    const std::size_t end = std::min(panels, (task + 1) * at_a_time);
    for (std::size_t p = task * at_a_time; p < end; ++p)
      pack_panel(k, filters, vectors, dim, options.similarity, p * panel_width, first + p * panel_stride(dim), most);
  });
  const packed_head head{most[0].value(), most[1].value(), most[2].value(), static_cast<std::uint32_t>(split_of(dim))};
  std::memcpy(memory.data(), &head, sizeof head);
  return packed_rows{vectors.data(), memory.data(), n, dim, options.similarity};
}

}  // namespace dupq::inline DUPQ_ABI
