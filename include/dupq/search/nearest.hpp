// The k nearest rows: of each of some queries among packed rows, or of every row among all others.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "../core/call_options.hpp"
#include "../core/error.hpp"
#include "../core/executor.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"
#include "best_neighbours.hpp"
#include "candidates.hpp"
#include "packed_rows.hpp"
#include "scratch_memory.hpp"
#include "search_options.hpp"
#include "strip.hpp"

namespace dupq::inline DUPQ_ABI {

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

/// So few queries that each worker has room for their bounds and masks on its stack.
inline constexpr std::size_t few_queries = filter_rows;

/// Memory in which so many queries are compared with rows.
inline std::size_t query_bytes(std::size_t queries, const packed_layout& rows, std::size_t workers) noexcept {
  const std::size_t own = queries <= few_queries ? 0 : workers * strip_memory::own_bytes(queries);
  return strip_memory::shared_bytes(queries, rows) + own;
}

inline bool is_removed(const nearest_options& options, std::size_t row) noexcept {
  return !options.removed.empty() && (options.removed[row / 64] >> row % 64 & 1) != 0;
}

/// Adds rows to what is best of some queries: all workers compare the same queries, each with some of the rows.
inline void add_nearest_together(std::span<const float> queries, const packed_rows& rows,
                                 const nearest_options& options, const kernels& k, std::span<best_neighbours> best,
                                 std::byte* memory) noexcept {
  const float_environment ieee;
  const packed_layout layout(rows.rows, rows.dim);
  const filter_kernels& filters = filter_of(k);
  const std::size_t count = best.size(), workers = options.executor.count();
  const std::size_t parts =
      workers == 1 ? 1 : std::min(4 * workers, (layout.panels() + chunk_panels - 1) / chunk_panels);
  std::byte* const own_memory = memory + strip_memory::shared_bytes(count, layout);
  strip filled(k, filters, strip_memory(memory, nullptr, count, layout));
  filled.fill(queries.data(), count, rows);
  shared_best shared(best);
  options.executor.run(parts, [&](std::size_t part, std::size_t worker) {
    const float_environment ieee_too;
    alignas(alignment) std::byte stack[strip_memory::own_bytes(few_queries)];
    strip left(filled, count <= few_queries ? stack : own_memory + worker * strip_memory::own_bytes(count));
    add_nearest(left, filters, rows, layout.panels() * part / parts, layout.panels() * (part + 1) / parts,
                options.first_row, shared, [&](std::size_t, std::size_t row) { return is_removed(options, row); });
  });
}

/// The same without integers, a query after the other.
inline void add_nearest_plainly(std::span<const float> queries, const packed_rows& rows, const nearest_options& options,
                                const kernels& k, std::span<best_neighbours> best) noexcept {
  for (std::size_t i = 0; i < best.size(); ++i)
    for (std::size_t row = 0; row < rows.rows; ++row)
      if (!is_removed(options, row))
        best[i].add({options.first_row + row,
                     similarity_of(rows.similarity, queries.subspan(i * rows.dim, rows.dim), rows.row(row), &k)});
}

}  // namespace search_detail

/// Adds the nearest of `rows` to each query's best, best[i] of row i of `queries` ([best.size()][dim]), by the
/// similarity for which the rows are packed. A few queries take no memory; of many, some hundred are compared at a time
/// if the heap has memory for them. Errors: wrong_size, cancelled.
inline result<void> find_nearest(std::span<const float> queries, const packed_rows& rows,
                                 const nearest_options& options, std::span<best_neighbours> best) noexcept {
  using namespace search_detail;
  if (rows.rows == 0 || best.empty()) return {};
  const std::size_t dim = rows.dim;
  if (queries.size() != best.size() * dim) return error(errc::wrong_size, "queries", best.size() * dim, queries.size());
  if (!options.removed.empty() && options.removed.size() < (rows.rows + 63) / 64)
    return error(errc::wrong_size, "removed", (rows.rows + 63) / 64, options.removed.size());
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  // So many at a time that there is memory for them, on the heap or here.
  alignas(alignment) std::byte here[1 << 14];
  std::optional<scratch_memory> memory;
  std::size_t height = 1;
  for (const std::size_t most : {strip_rows, few_queries, std::size_t{1}}) {
    if (dim > most_integers || (memory && memory->data() != nullptr)) break;
    height = std::min(best.size(), most);
    memory.emplace(here, query_bytes(height, packed_layout(rows.rows, dim), options.executor.count()));
  }
  for (std::size_t first = 0; first < best.size(); first += height) {
    const std::size_t count = std::min(height, best.size() - first);
    const auto some = queries.subspan(first * dim, count * dim);
    if (memory && memory->data() != nullptr)
      add_nearest_together(some, rows, options, k, best.subspan(first, count), memory->data());
    else
      add_nearest_plainly(some, rows, options, k, best.subspan(first, count));
    const std::size_t done = first + count;
    if (options.on_progress && !options.on_progress(done, best.size()) && done != best.size())
      return error(errc::cancelled, "search");
  }
  return {};
}

namespace search_detail {

/// How the search for each row's nearest is cut: strips of rows, some of which are compared with all rows at a time.
struct nearest_plan {
  std::size_t rows, dim, room, workers;
  std::size_t height;  ///< rows of a strip
  std::size_t strips;  ///< at a time

  nearest_plan(std::size_t rows_, std::size_t dim_, std::size_t k_nearest, std::size_t workers_) noexcept
      : rows(rows_), dim(dim_), room(std::min(k_nearest, rows_)), workers(workers_) {
    height = std::clamp<std::size_t>(rows / block_rows / (16 * workers), 1, strip_rows / block_rows) * block_rows;
    // What is best of their rows takes a fifth of what the vectors take, or what each worker needs.
    const std::size_t fifth = rows * dim * sizeof(float) / 5 / best_bytes();
    strips = std::min((rows + height - 1) / height, std::clamp(fifth, workers, 32 * workers));
  }
  std::size_t best_bytes() const noexcept { return height * (sizeof(best_neighbours) + room * sizeof(neighbour)); }
  std::size_t packed() const noexcept { return round_up(packed_bytes(rows, dim), alignment); }
  std::size_t worker_bytes() const noexcept { return strip_memory::bytes(height, packed_layout(rows, dim)); }
  std::size_t bytes() const noexcept { return packed() + workers * worker_bytes() + strips * best_bytes(); }
};

}  // namespace search_detail

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
  const std::size_t n = vectors.size() / dim;
  const nearest_plan plan(n, dim, k_nearest, options.executor.count());
  const std::size_t height = plan.height;
  const scratch_memory memory(options.memory, plan.bytes());
  if (memory.data() == nullptr) return error(errc::out_of_memory, "search", plan.bytes());
  const auto rows = pack_rows(vectors, dim, {memory.data(), plan.packed()}, {options.similarity, &k, options.executor});
  if (!rows) return rows.error();
  std::byte* const of_workers = memory.data() + plan.packed();
  auto* const best = reinterpret_cast<best_neighbours*>(of_workers + plan.workers * plan.worker_bytes());
  auto* const room = reinterpret_cast<neighbour*>(best + plan.strips * height);
  for (std::size_t begin = 0; begin < n;) {
    const std::size_t tasks = std::min(plan.strips, (n - begin + height - 1) / height);
    options.executor.run(tasks, [&](std::size_t task, std::size_t worker) {
      const float_environment ieee;
      const std::size_t first = begin + task * height, count = std::min(height, n - first);
      const std::span<best_neighbours> mine(best + task * height, count);
      for (std::size_t r = 0; r < count; ++r)
        new (&mine[r]) best_neighbours({room + (task * height + r) * plan.room, plan.room}, options.threshold);
      if (dim > most_integers) {
        for (std::size_t r = 0; r < count; ++r)
          for (std::size_t row = 0; row < n; ++row)
            if (row != first + r)
              mine[r].add({row, similarity_of(options.similarity, rows->row(first + r), rows->row(row), &k)});
        return;
      }
      const packed_layout layout(n, dim);
      const filter_kernels& filters = filter_of(k);
      strip left(k, filters, strip_memory(of_workers + worker * plan.worker_bytes(), height, layout));
      left.fill(vectors.data() + first * dim, count, *rows);
      shared_best shared(mine);
      add_nearest(left, filters, *rows, 0, layout.panels(), 0, shared,
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
