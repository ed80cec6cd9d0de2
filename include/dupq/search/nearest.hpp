// The k nearest rows: of each of some queries among packed rows, or of every row among all others.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "../core/call_options.hpp"
#include "../core/error.hpp"
#include "../core/executor.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"
#include "all_pairs.hpp"
#include "candidates.hpp"
#include "packed_rows.hpp"
#include "search_options.hpp"
#include "strip.hpp"

namespace dupq::inline DUPQ_ABI {

struct neighbour {
  std::size_t row = 0;
  float score = 0;

  /// It comes before another one: a higher score, of equal scores the earlier row.
  constexpr bool before(const neighbour& other) const noexcept {
    return score != other.score ? score > other.score : row < other.row;
  }
};

/// The best rows of one query so far, at most as many as there is room for. Which ones does not depend on the order in
/// which they are added.
class best_neighbours {
 public:
  best_neighbours() = default;
  /// Rows below the threshold are not kept. `room` is the caller's and outlives this.
  explicit best_neighbours(std::span<neighbour> room,
                           float threshold = -std::numeric_limits<float>::infinity()) noexcept
      : room_(room), threshold_(threshold) {}

  /// What a score has to reach to change anything.
  float least() const noexcept {
    if (room_.empty()) return std::numeric_limits<float>::infinity();
    return count_ < room_.size() ? threshold_ : room_[in_order_ ? count_ - 1 : 0].score;
  }
  void add(const neighbour& n) noexcept {
    if (room_.empty() || !(n.score >= least())) return;
    const auto kept = room_.first(count_);
    if (in_order_) std::make_heap(kept.begin(), kept.end(), order);
    in_order_ = false;
    if (count_ == room_.size()) {
      if (!n.before(room_[0])) return;
      std::pop_heap(kept.begin(), kept.end(), order);
      --count_;
    }
    room_[count_++] = n;
    std::push_heap(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(count_), order);
  }
  std::size_t size() const noexcept { return count_; }
  /// The best first. More may be added afterwards.
  std::span<const neighbour> sorted() noexcept {
    const auto kept = room_.first(count_);
    if (!in_order_) std::sort(kept.begin(), kept.end(), order);
    in_order_ = true;
    return kept;
  }

 private:
  static bool order(const neighbour& a, const neighbour& b) noexcept { return a.before(b); }

  std::span<neighbour> room_{};  ///< in order, or a heap with the last of them in front
  std::size_t count_ = 0;
  float threshold_ = -std::numeric_limits<float>::infinity();
  bool in_order_ = false;
};

struct nearest_options {
  const dupq::kernels* kernels = nullptr;  ///< null: the fastest of this CPU; every table gives the same scores
  dupq::executor executor{};
  std::size_t first_row = 0;  ///< the number of the first row: for several sets of rows in turn
  /// A bit for each row, the first row's the lowest of the first: rows that are never found. Empty: there are none.
  std::span<const std::uint64_t> removed{};
  /// Called on the calling thread, after some of the queries. Returning false ends the search with errc::cancelled.
  callback<bool(std::size_t done, std::size_t total)> on_progress{};
};

namespace search_detail {

/// What several workers add to.
class shared_best {
 public:
  explicit shared_best(std::span<best_neighbours> best) noexcept : best_(best) {}

  template <class F>
  void locked(F&& f) noexcept {
    while (busy_.test_and_set(std::memory_order_acquire)) continue;
    f(best_);
    busy_.clear(std::memory_order_release);
  }

 private:
  std::span<best_neighbours> best_;
  std::atomic_flag busy_{};
};

/// Adds rows of panels first..last-1 to what is best. skip(r, row) says which pairs do not count.
template <class Skip>
void add_nearest(strip& left, const filter_kernels& filters, const packed_rows& rows, std::size_t first,
                 std::size_t last, std::size_t first_row, shared_best& shared, Skip&& skip) noexcept {
  bool changed = false;
  const auto set_thresholds = [&] {
    shared.locked(
        [&](std::span<best_neighbours> best) { left.set_thresholds([&](std::size_t r) { return best[r].least(); }); });
  };
  set_thresholds();
  left.compare(
      rows, first, last, block_panels,
      [&](std::size_t r, std::size_t c, const std::uint16_t* masks) {
        return for_candidates(
            left, filters, rows, r, c, masks, [](std::size_t) { return std::size_t{0}; },
            [&](std::size_t query, std::size_t row, float score) {
              if (skip(query, row)) return true;
              shared.locked([&](std::span<best_neighbours> best) { best[query].add({first_row + row, score}); });
              return changed = true;
            });
      },
      [&] {
        if (changed) set_thresholds();
        changed = false;
      });
}

inline void add_nearest_plainly(std::span<const float> query, const packed_rows& rows, const nearest_options& options,
                                const kernels& k, best_neighbours& best) noexcept {
  for (std::size_t row = 0; row < rows.rows; ++row) {
    if (!options.removed.empty() && (options.removed[row / 64] >> row % 64 & 1) != 0) continue;
    best.add({options.first_row + row, similarity_of(rows.similarity, query, rows.row(row), &k)});
  }
}

}  // namespace search_detail

/// Adds the nearest of `rows` to each query's best, best[i] of row i of `queries` ([best.size()][dim]), by the
/// similarity for which the rows are packed. One query takes no memory; of many, some hundred are compared at a time if
/// the heap has memory for them. Errors: wrong_size, cancelled.
inline result<void> find_nearest(std::span<const float> queries, const packed_rows& rows,
                                 const nearest_options& options, std::span<best_neighbours> best) noexcept {
  using namespace search_detail;
  if (rows.rows == 0 || best.empty()) return {};
  if (queries.size() != best.size() * rows.dim)
    return error(errc::wrong_size, "queries", best.size() * rows.dim, queries.size());
  if (!options.removed.empty() && options.removed.size() < (rows.rows + 63) / 64)
    return error(errc::wrong_size, "removed", (rows.rows + 63) / 64, options.removed.size());
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const filter_kernels& filters = filter_of(k);
  const std::size_t dim = rows.dim, workers = options.executor.count();
  const packed_layout layout(rows.rows, dim);
  const auto go_on = [&](std::size_t done) {
    return !options.on_progress || options.on_progress(done, best.size()) || done == best.size();
  };
  constexpr std::size_t few = filter_rows;
  alignas(alignment) std::byte local[1 << 14];
  // Queries at a time, and memory for them: of this function, where they are few.
  std::size_t height = best.size() < 2 ? 1 : std::min(best.size(), strip_rows);
  const auto needed = [&] {
    return strip_memory::shared_bytes(height, layout) + workers * strip_memory::own_bytes(height);
  };
  scratch_memory memory({}, height > few || strip_memory::shared_bytes(height, layout) > sizeof local ? needed() : 0);
  std::byte* shared_memory = memory.data();
  if (height <= few || shared_memory == nullptr) {
    height = std::min(height, few);
    if (strip_memory::shared_bytes(height, layout) > sizeof local && shared_memory == nullptr) height = 1;
    if (shared_memory == nullptr) shared_memory = local;
  }
  const bool plainly =
      dim > most_integers || (shared_memory == local && strip_memory::shared_bytes(height, layout) > sizeof local);
  const std::size_t panels = (rows.rows + panel_width - 1) / panel_width;
  const std::size_t parts = workers == 1 ? 1 : std::min(4 * workers, (panels + chunk_panels - 1) / chunk_panels);
  const auto removed = [&](std::size_t, std::size_t row) {
    return !options.removed.empty() && (options.removed[row / 64] >> row % 64 & 1) != 0;
  };
  for (std::size_t first = 0; first < best.size(); first += height) {
    const std::size_t count = std::min(height, best.size() - first);
    const float_environment ieee;
    if (plainly) {
      for (std::size_t i = first; i < first + count; ++i)
        add_nearest_plainly(queries.subspan(i * dim, dim), rows, options, k, best[i]);
    } else {
      shared_best shared(best.subspan(first, count));
      std::byte* const own_memory = shared_memory + strip_memory::shared_bytes(height, layout);
      strip filled(k, filters, strip_memory(shared_memory, nullptr, height, layout));
      filled.fill(queries.data() + first * dim, count, rows);
      options.executor.run(parts, [&](std::size_t part, std::size_t worker) {
        const float_environment ieee_too;
        alignas(alignment) std::byte own[strip_memory::own_bytes(few)];
        strip left(filled, height <= few ? own : own_memory + worker * strip_memory::own_bytes(height));
        add_nearest(left, filters, rows, panels * part / parts, panels * (part + 1) / parts, options.first_row, shared,
                    removed);
      });
    }
    if (!go_on(first + count)) return error(errc::cancelled, "search");
  }
  return {};
}

/// Calls found(row, neighbours) for each row of `vectors` ([n][dim]) in order, until it returns false: the k nearest of
/// the others that reach the threshold, as std::span<const neighbour>, the best first. Takes memory from the heap.
/// Errors: wrong_size, bad_limit where k is 0, out_of_memory, cancelled.
template <class Found>
result<void> nearest_neighbours(std::span<const float> vectors, std::size_t dim, std::size_t k_nearest,
                                const search_options& options, Found&& found) {
  using namespace search_detail;
  if (const auto whole = check_rows(vectors, dim); !whole) return whole;
  if (k_nearest == 0) return error(errc::bad_limit, "k", 1, 0);
  if (vectors.empty()) return {};
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const filter_kernels& filters = filter_of(k);
  const std::size_t n = vectors.size() / dim, most = std::min(k_nearest, n), workers = options.executor.count();
  // Strips at a time: their best rows take a fifth of what the vectors take, or what each worker needs.
  const std::size_t height = std::clamp<std::size_t>(n / block_rows / (16 * workers), 1, 7) * block_rows;
  const std::size_t best_bytes = height * (sizeof(best_neighbours) + most * sizeof(neighbour));
  const std::size_t strips =
      std::min((n + height - 1) / height, std::clamp(n * dim * sizeof(float) / 5 / best_bytes, workers, 32 * workers));
  const std::size_t packed = round_up(packed_bytes(n, dim), alignment),
                    each = strip_memory::bytes(height, packed_layout(n, dim));
  const scratch_memory memory(options.memory, packed + workers * each + strips * best_bytes);
  if (memory.data() == nullptr)
    return error(errc::out_of_memory, "search", packed + workers * each + strips * best_bytes);
  const auto rows = pack_rows(vectors, dim, {memory.data(), packed}, {options.similarity, &k, options.executor});
  if (!rows) return rows.error();
  auto* const best = reinterpret_cast<best_neighbours*>(memory.data() + packed + workers * each);
  auto* const room = reinterpret_cast<neighbour*>(best + strips * height);
  const std::size_t panels = (n + panel_width - 1) / panel_width;
  for (std::size_t begin = 0; begin < n;) {
    const std::size_t tasks = std::min(strips, (n - begin + height - 1) / height);
    options.executor.run(tasks, [&](std::size_t task, std::size_t worker) {
      const float_environment ieee;
      const std::size_t first = begin + task * height, count = std::min(height, n - first);
      const std::span<best_neighbours> mine(best + task * height, count);
      for (std::size_t r = 0; r < count; ++r)
        new (&mine[r]) best_neighbours({room + (task * height + r) * most, most}, options.threshold);
      shared_best shared(mine);
      if (dim > most_integers) {
        for (std::size_t r = 0; r < count; ++r)
          for (std::size_t row = 0; row < n; ++row)
            if (row != first + r)
              mine[r].add({row, similarity_of(options.similarity, rows->row(first + r), rows->row(row), &k)});
        return;
      }
      strip left(k, filters, strip_memory(memory.data() + packed + worker * each, height, packed_layout(n, dim)));
      left.fill(vectors.data() + first * dim, count, *rows);
      add_nearest(left, filters, *rows, 0, panels, 0, shared,
                  [&](std::size_t r, std::size_t row) { return row == first + r; });
    });
    for (std::size_t i = 0; i < tasks; ++i, begin = std::min(n, begin + height))
      for (std::size_t r = 0; r < std::min(height, n - begin); ++r)
        if (!found(begin + r, best[i * height + r].sorted())) return {};
    if (options.on_progress && !options.on_progress(begin, n) && begin != n) return error(errc::cancelled, "search");
  }
  return {};
}

}  // namespace dupq::inline DUPQ_ABI
