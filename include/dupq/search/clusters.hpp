// Matches to clusters: which rows belong together, and which of them stands for the others.
//
// The result depends on which pairs matched, with which scores, and on nothing else: not on the order of the matches
// or of the two rows in one, nor on threads. Time grows with the matches, and with n log n of the rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "../core/arena.hpp"
#include "../core/error.hpp"
#include "../core/platform.hpp"
#include "search_options.hpp"

namespace dupq::inline DUPQ_ABI {

/// What makes rows a cluster.
enum class linkage : std::uint8_t {
  /// Every member matches the cluster's representative, so nothing chains. In the order of how many rows they match,
  /// and of their numbers among equals, rows that match no representative yet become one; each other row joins the
  /// representative that it matches with the highest score, the earlier one of equals.
  star,
  /// The same in the order of the rows' numbers alone: a row is a representative unless it matches an earlier one, and
  /// joins none that comes later. So rows that are added at the end change nothing before them.
  first,
  /// All rows that a chain of matches joins, whose ends may have little in common; the first row represents them.
  components,
};

struct cluster_options {
  dupq::linkage linkage = linkage::star;
  /// How many equal rows each row stands for, at least 1, where equal ones are folded; empty: one each. Star counts
  /// them as rows that match each other and all that this row matches.
  std::span<const std::uint32_t> weights{};
};

/// Matches that can be read more than once: a vector or a span of them, or a view that makes them. A pair of rows is
/// there at most once; a row's match with itself says nothing.
template <class Matches>
concept match_list = std::ranges::forward_range<const Matches> &&
    std::convertible_to<std::ranges::range_reference_t<const Matches>, match>;

namespace cluster_detail {

inline constexpr std::size_t most_rows = std::numeric_limits<std::uint32_t>::max();

/// What all kinds of clusters keep while they are made.
struct scratch {
  std::uint64_t* degree;  ///< rows that a row matches
  std::uint32_t* order;   ///< the rows as they are asked whether they become representatives
  std::uint32_t* rank;    ///< where each row stands in that order; for components, the row that it hangs from
  std::size_t* end;       ///< of a row's part of `before`
  std::uint32_t* before;  ///< the rows before it in that order that each row matches
  float* best;            ///< each row's highest score with a representative
  bool* represents;

  static constexpr scratch layout(arena& memory, std::size_t rows, std::size_t matches, linkage kind) noexcept {
    scratch s{};
    s.rank = memory.take<std::uint32_t>(rows);
    if (kind == linkage::components) return s;
    s.degree = memory.take<std::uint64_t>(kind == linkage::star ? rows : 0);
    s.order = memory.take<std::uint32_t>(kind == linkage::star ? rows : 0);
    s.end = memory.take<std::size_t>(rows);
    s.before = memory.take<std::uint32_t>(matches);
    s.best = memory.take<float>(rows);
    s.represents = memory.take<bool>(rows);
    return s;
  }
};

/// The row at the top of what `row` hangs from; on the way there rows are hung higher.
inline std::uint32_t top_of(std::uint32_t* above, std::uint32_t row) noexcept {
  while (above[row] != row) row = above[row] = above[above[row]];
  return row;
}

template <class Matches>
void components(const scratch& s, const Matches& matches, std::span<std::size_t> representatives) noexcept {
  const auto rows = static_cast<std::uint32_t>(representatives.size());
  std::iota(s.rank, s.rank + rows, std::uint32_t{0});
  for (const match m : matches) {
    const std::uint32_t a = top_of(s.rank, static_cast<std::uint32_t>(m.first));
    const std::uint32_t b = top_of(s.rank, static_cast<std::uint32_t>(m.second));
    s.rank[std::max(a, b)] = std::min(a, b);
  }
  for (std::uint32_t row = 0; row < rows; ++row) representatives[row] = top_of(s.rank, row);
}

/// The order in which stars ask rows: by the rows that they match.
template <class Matches>
void sort_by_degree(const scratch& s, const Matches& matches, std::size_t rows,
                    std::span<const std::uint32_t> weights) noexcept {
  const auto weight = [&](std::size_t row) { return weights.empty() ? std::uint64_t{1} : weights[row]; };
  for (std::size_t row = 0; row < rows; ++row) s.degree[row] = weight(row) - 1;
  for (const match m : matches) {
    if (m.first == m.second) continue;
    s.degree[m.first] += weight(m.second);
    s.degree[m.second] += weight(m.first);
  }
  std::iota(s.order, s.order + rows, std::uint32_t{0});
  std::sort(s.order, s.order + rows, [&](std::uint32_t a, std::uint32_t b) {
    return s.degree[a] != s.degree[b] ? s.degree[a] > s.degree[b] : a < b;
  });
  for (std::size_t at = 0; at < rows; ++at) s.rank[s.order[at]] = static_cast<std::uint32_t>(at);
}

/// The rows that no representative before them, in the order of their ranks, matches.
template <class Matches>
void choose_representatives(const scratch& s, const Matches& matches, std::size_t rows, bool in_order) noexcept {
  const auto later = [&](const match& m) {
    const bool second = s.rank[m.first] < s.rank[m.second];
    return second ? std::pair(m.second, m.first) : std::pair(m.first, m.second);
  };
  std::fill_n(s.end, rows, std::size_t{0});
  for (const match m : matches)
    if (m.first != m.second) ++s.end[later(m).first];
  std::exclusive_scan(s.end, s.end + rows, s.end, std::size_t{0});
  for (const match m : matches) {
    if (m.first == m.second) continue;
    const auto [row, other] = later(m);
    s.before[s.end[row]++] = static_cast<std::uint32_t>(other);
  }
  for (std::size_t at = 0; at < rows; ++at) {
    const std::size_t row = in_order ? at : s.order[at];
    const std::uint32_t* const begin = s.before + (row == 0 ? 0 : s.end[row - 1]);
    s.represents[row] = std::none_of(begin, static_cast<const std::uint32_t*>(s.before + s.end[row]),
                                     [&](std::uint32_t other) { return s.represents[other]; });
  }
}

template <class Matches>
void stars(const scratch& s, const Matches& matches, const cluster_options& options,
           std::span<std::size_t> representatives) noexcept {
  const std::size_t rows = representatives.size();
  const bool in_order = options.linkage == linkage::first;
  if (in_order)
    std::iota(s.rank, s.rank + rows, std::uint32_t{0});
  else
    sort_by_degree(s, matches, rows, options.weights);
  choose_representatives(s, matches, rows, in_order);
  std::iota(representatives.begin(), representatives.end(), std::size_t{0});
  const auto join = [&](std::size_t row, std::size_t to, float score) {
    if (s.represents[row] || !s.represents[to] || (in_order && to > row)) return;
    if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();
    std::size_t& mine = representatives[row];
    if (mine != row && (score < s.best[row] || (score == s.best[row] && to > mine))) return;
    mine = to;
    s.best[row] = score;
  };
  for (const match m : matches) {
    join(m.first, m.second, m.score);
    join(m.second, m.first, m.score);
  }
}

template <class Matches>
result<void> check(std::size_t rows, const Matches& matches, const cluster_options& options) noexcept {
  if (rows > most_rows) return error(errc::bad_limit, "rows", most_rows, rows);
  if (!options.weights.empty() && options.weights.size() != rows)
    return error(errc::wrong_size, "weights", rows, options.weights.size());
  for (const match m : matches)
    if (const std::size_t last = std::max(m.first, m.second); last >= rows)
      return error(errc::out_of_range, "a match's row", std::max<std::size_t>(rows, 1) - 1, last);
  return {};
}

}  // namespace cluster_detail

/// Bytes of memory in which find_clusters works.
constexpr std::size_t cluster_bytes(std::size_t rows, std::size_t matches, linkage kind) noexcept {
  arena counting;
  (void)cluster_detail::scratch::layout(counting, rows, matches, kind);
  return counting.used();
}

/// Writes to representatives[r], of as many rows as that has, the row that represents r's cluster: r itself where it
/// does, or is alone. Works in `memory`, cluster_bytes() bytes that are aligned to `alignment`. Errors: out_of_range
/// where a match names a row that is not there, wrong_size, bad_limit (2^32 rows), not_aligned, too_small.
template <match_list Matches>
result<void> find_clusters(const Matches& matches, const cluster_options& options,
                           std::span<std::size_t> representatives, std::span<std::byte> memory) noexcept {
  using namespace cluster_detail;
  const std::size_t rows = representatives.size();
  if (const auto right = check(rows, matches, options); !right) return right;
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0)
    return error(errc::not_aligned, "memory", alignment, reinterpret_cast<std::uintptr_t>(memory.data()) % alignment);
  const auto count = static_cast<std::size_t>(std::distance(std::begin(matches), std::end(matches)));
  const std::size_t needed = cluster_bytes(rows, count, options.linkage);
  if (memory.size() < needed) return error(errc::too_small, "memory", needed, memory.size());
  if (rows == 0) return {};
  arena room(memory);
  const scratch s = scratch::layout(room, rows, count, options.linkage);
  if (options.linkage == linkage::components)
    components(s, matches, representatives);
  else
    stars(s, matches, options, representatives);
  return {};
}

/// The same for `rows` rows, in memory of its own. It and the result are on the heap: std::bad_alloc where it is full.
template <match_list Matches>
result<std::vector<std::size_t>> find_clusters(std::size_t rows, const Matches& matches,
                                               const cluster_options& options = {}) {
  if (rows > cluster_detail::most_rows) return error(errc::bad_limit, "rows", cluster_detail::most_rows, rows);
  struct alignas(alignment) line {
    std::byte bytes[alignment];
  };
  const auto count = static_cast<std::size_t>(std::distance(std::begin(matches), std::end(matches)));
  std::vector<line> memory(cluster_bytes(rows, count, options.linkage) / alignment);
  std::vector<std::size_t> representatives(rows);
  if (const auto done = find_clusters(matches, options, representatives, std::as_writable_bytes(std::span(memory)));
      !done)
    return done.error();
  return result<std::vector<std::size_t>>(std::move(representatives));
}

}  // namespace dupq::inline DUPQ_ABI
