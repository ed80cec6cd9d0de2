// Finds duplicates among vectors: all pairs, those of two sets, or one against many, by cosine or another similarity.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/call_options.hpp"
#include "../core/error.hpp"
#include "../core/executor.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"
#include "all_pairs.hpp"
#include "packed_rows.hpp"
#include "search_options.hpp"
#include "similarity.hpp"

namespace dupq::inline DUPQ_ABI {

namespace search_detail {

/// Scores of at most block_rows rows with as many others, and which of them reach the threshold.
struct block_scores {
  float scores[block_rows * block_rows];
  std::uint64_t reached[block_rows];  ///< a bit for each column of a row

  void fill(const kernels& k, const filter_kernels& filters, similarity kind, std::size_t dim, const float* x,
            std::size_t rows, const float* y, std::size_t columns, float threshold) noexcept {
    const float_environment ieee;
    if (is_distance(kind)) {
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          scores[i * block_rows + j] = similarity_of(kind, {x + i * dim, dim}, {y + j * dim, dim}, &k);
    } else {
      filters.all_dots(dim, rows, x, columns, y, block_rows, scores);
    }
    if (kind == similarity::cosine) {
      float left[block_rows], right[block_rows];
      lengths(k, dim, x, rows, left);
      lengths(k, dim, y, columns, right);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < columns; ++j) {
          float& score = scores[i * block_rows + j];
          score = score / (left[i] * right[j]);
        }
    }
    for (std::size_t i = 0; i < rows; ++i) {
      std::uint64_t bits = 0;
      for (std::size_t j = 0; j < columns; ++j) bits |= std::uint64_t{scores[i * block_rows + j] >= threshold} << j;
      reached[i] = float_environment::pinned(bits);
    }
  }

 private:
  static void lengths(const kernels& k, std::size_t dim, const float* rows, std::size_t count, float* to) noexcept {
    for (std::size_t r = 0; r < count; ++r) {
      float square;
      k.dots(dim, rows + r * dim, 1, dim, rows + r * dim, &square);
      to[r] = length_of_square(square);
    }
  }
};

/// What workers found in one block. Matches are rare; a block of more than there is room for is searched again.
struct block_matches {
  static constexpr std::size_t room = 24;
  std::size_t left = 0, right = 0, count = 0;
  match matches[room];
};

/// Calls visit(left, right, found) for each of the `total` blocks that next(left, right) gives until it returns false.
/// On return from visit, which is false if found said so, all matches of that block have gone to found in order.
template <class Next, class Visit, class Found>
result<void> for_blocks(const search_options& options, std::size_t total, Next&& next, const Visit& visit,
                        Found&& found) {
  const executor& workers = options.executor;
  std::size_t left = 0, right = 0, done = 0;
  const auto go_on = [&](std::size_t blocks) {
    done += blocks;
    return !options.on_progress || options.on_progress(done, total) || done == total;
  };
  if (workers.count() == 1) {
    while (next(left, right)) {
      if (!visit(left, right, found)) return {};
      if (!go_on(1)) return error(errc::cancelled, "search");
    }
    return {};
  }
  block_matches window[64];
  for (bool more = true; more;) {
    std::size_t blocks = 0;
    while (blocks < std::size(window) && (more = next(left, right)))
      window[blocks].left = left, window[blocks].right = right, window[blocks++].count = 0;
    workers.run(blocks, [&](std::size_t i, std::size_t) {
      block_matches& b = window[i];
      visit(b.left, b.right, [&b](const match& m) {
        if (b.count < block_matches::room) b.matches[b.count] = m;
        return b.count++ < block_matches::room;
      });
    });
    for (const block_matches& b : std::span(window, blocks)) {
      if (b.count > block_matches::room) {
        if (!visit(b.left, b.right, found)) return {};
        continue;
      }
      for (const match& m : std::span(b.matches, b.count))
        if (!found(m)) return {};
    }
    if (blocks != 0 && !go_on(blocks)) return error(errc::cancelled, "search");
  }
  return {};
}

/// All pairs without memory: block by block, by the vectors alone.
template <class Found>
result<void> find_plainly(std::span<const float> vectors, std::span<const float> others, bool same, std::size_t dim,
                          const kernels& k, const search_options& options, Found&& found) {
  const filter_kernels& filters = filter_of(k);
  const std::size_t n = vectors.size() / dim, across = others.size() / dim;
  bool first = true;
  const auto next = [&](std::size_t& a, std::size_t& b) {
    if (!first) b += block_rows;
    if (b >= across && !first) a += block_rows, b = same ? a : 0;
    first = false;
    return a < n;
  };
  const auto visit = [&](std::size_t a, std::size_t b, auto&& to) {
    block_scores block;
    const std::size_t rows = std::min(block_rows, n - a), columns = std::min(block_rows, across - b);
    block.fill(k, filters, options.similarity, dim, vectors.data() + a * dim, rows, others.data() + b * dim, columns,
               options.threshold);
    for (std::size_t i = 0; i < rows; ++i) {
      std::uint64_t bits = block.reached[i];
      if (same && b <= a + i) bits &= a + i - b < block_rows - 1 ? ~std::uint64_t{0} << (a + i - b + 1) : 0;
      for (; bits != 0; bits &= bits - 1) {
        const auto j = static_cast<std::size_t>(std::countr_zero(bits));
        if (!to(match{a + i, b + j, block.scores[i * block_rows + j]})) return false;
      }
    }
    return true;
  };
  const std::size_t blocks = (n + block_rows - 1) / block_rows, columns = (across + block_rows - 1) / block_rows;
  return for_blocks(options, same ? blocks * (blocks + 1) / 2 : blocks * columns, next, visit, found);
}

template <class Found>
result<void> find_all(std::span<const float> vectors, std::span<const float> others, bool same, std::size_t dim,
                      const search_options& options, Found&& found) {
  if (const auto whole = check_rows(vectors, dim); !whole) return whole;
  if (const auto whole = check_rows(others, dim, "others"); !whole) return whole;
  if (vectors.empty() || others.empty()) return {};
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const std::size_t n = vectors.size() / dim, across = others.size() / dim;
  if (n > block_rows && dim <= most_integers) {
    const pairs_plan plan(n, across, dim, options.executor.count());
    const scratch_memory memory(options.memory, plan.bytes());
    if (memory.data() != nullptr) {
      const std::size_t packed = round_up(packed_bytes(across, dim), alignment);
      const auto rows = pack_rows(others, dim, {memory.data(), packed}, {options.similarity, &k, options.executor});
      if (!rows) return rows.error();
      return pairs_search(plan, *rows, vectors, same, memory.data() + packed, k, options, found).run();
    }
  }
  return find_plainly(vectors, others, same, dim, k, options, found);
}

}  // namespace search_detail

/// Bytes of search_options::memory for find_duplicates among n rows, or find_matches of n rows with `others`.
inline std::size_t search_bytes(std::size_t n, std::size_t others, std::size_t dim, const executor& workers) noexcept {
  return search_detail::pairs_plan(n, others, dim, workers.count()).bytes();
}
inline std::size_t search_bytes(std::size_t n, std::size_t dim, const executor& workers) noexcept {
  return search_bytes(n, n, dim, workers);
}

/// Calls found(match) for each pair of rows of `vectors` ([n][dim]) whose similarity is at least the threshold, until
/// it returns false; first < second. Pairs come by blocks of 64 rows: those of the first 64 with each 64 in turn, by
/// first and second. Time grows with n^2; see search_options for memory. Errors: wrong_size where `vectors` are no
/// whole rows, cancelled.
template <class Found>
result<void> find_duplicates(std::span<const float> vectors, std::size_t dim, const search_options& options,
                             Found&& found) {
  return search_detail::find_all(vectors, vectors, true, dim, options, found);
}

/// The same for pairs of a row of `vectors` and one of `others`, match::first and match::second.
template <class Found>
result<void> find_matches(std::span<const float> vectors, std::span<const float> others, std::size_t dim,
                          const search_options& options, Found&& found) {
  return search_detail::find_all(vectors, others, false, dim, options, found);
}

/// Calls found(row, score) for each row of `vectors` whose similarity with `query` is at least the threshold, in order,
/// until it returns false. Nothing is allocated. Errors: as above.
template <class Found>
result<void> find_similar(std::span<const float> query, std::span<const float> vectors, const search_options& options,
                          Found&& found) {
  using namespace search_detail;
  const std::size_t dim = query.size();
  if (const auto whole = check_rows(vectors, dim); !whole || vectors.empty()) return whole;
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const filter_kernels& filters = filter_of(k);
  const std::size_t n = vectors.size() / dim;
  // A worker takes many blocks at a time: one is done in less time than a thread needs to wake up.
  constexpr std::size_t strip = 16 * block_rows;
  bool first = true;
  const auto next = [&](std::size_t&, std::size_t& at) {
    if (!first) at += strip;
    first = false;
    return at < n;
  };
  const auto visit = [&](std::size_t, std::size_t at, auto&& to) {
    block_scores block;
    for (const std::size_t end = std::min(n, at + strip); at < end; at += block_rows) {
      const std::size_t rows = std::min(block_rows, end - at);
      block.fill(k, filters, options.similarity, dim, query.data(), 1, vectors.data() + at * dim, rows,
                 options.threshold);
      for (std::uint64_t bits = block.reached[0]; bits != 0; bits &= bits - 1) {
        const auto r = static_cast<std::size_t>(std::countr_zero(bits));
        if (!to(match{0, at + r, block.scores[r]})) return false;
      }
    }
    return true;
  };
  return for_blocks(options, (n + strip - 1) / strip, next, visit,
                    [&](const match& m) { return found(m.second, m.score); });
}

}  // namespace dupq::inline DUPQ_ABI
