// The best rows of many queries: some thousand queries at a time, so that what is kept of them stays small.
#pragma once

#include <algorithm>
#include <cstddef>
#include <dupq/search/best_neighbours.hpp>
#include <span>
#include <vector>

namespace dupq_tool {

/// Finds the best rows of many queries, a chunk of queries at a time. search(first, best) must add the rows of query
/// first + i to best[i], which keeps the best `most` of those that score `threshold` or more; after it f(query, rows,
/// best first) is called for each query of the chunk.
template <class Search, class F>
void best_in_turn(std::size_t queries, std::size_t most, float threshold, Search&& search, F&& f) {
  if (most == 0) return;
  const std::size_t chunk = std::clamp<std::size_t>((std::size_t{1} << 22) / most, 1, 4096);
  std::vector<dupq::neighbour> room(std::min(chunk, queries) * most);
  std::vector<dupq::best_neighbours> best;
  for (std::size_t first = 0; first < queries; first += best.size()) {
    best.clear();
    for (std::size_t i = 0; i < std::min(chunk, queries - first); ++i)
      best.emplace_back(std::span(room).subspan(i * most, most), threshold);
    search(first, std::span(best));
    for (std::size_t i = 0; i < best.size(); ++i) f(first + i, best[i].sorted());
  }
}

}  // namespace dupq_tool
