// Finds duplicates among vectors: all pairs, or one against many, by their cosine or another similarity.
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
#include "similarity.hpp"

namespace dupq::inline DUPQ_ABI {

/// Two vectors whose similarity reaches the threshold; `first` < `second` are their rows.
struct match {
  std::size_t first = 0;
  std::size_t second = 0;
  float score = 0;
};

struct search_options {
  float threshold = 0.75f;
  /// What a score is: a model's config().similarity, for which the threshold must be meant.
  dupq::similarity similarity = dupq::similarity::cosine;
  const dupq::kernels* kernels = nullptr;  ///< null: the fastest of this CPU; every table gives the same scores
  /// Compares blocks side by side. `found` is called on the calling thread, in the same order for any executor.
  dupq::executor executor{};
  /// Called on the calling thread now and then; comparisons are counted in blocks of rows. Returning false ends the
  /// search with errc::cancelled.
  callback<bool(std::size_t done, std::size_t total)> on_progress{};
};

namespace search_detail {

/// Rows of a block: they stay in the cache while they are compared, and a 64-bit word has a bit for each.
inline constexpr std::size_t block_rows = 64;

/// The scores of at most `block_rows` rows ([rows][dim]) with one vector; returns a bit for each that reaches the
/// threshold.
inline std::uint64_t scores(const kernels& k, similarity kind, std::size_t dim, const float* one, float one_squared,
                            const float* rows_begin, const float* squares, std::size_t rows, float threshold,
                            float* to) noexcept {
  const float_environment ieee;
  if (kind == similarity::cosine || kind == similarity::dot) k.dots(dim, one, rows, dim, rows_begin, to);
  std::uint64_t reached = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    if (kind == similarity::cosine)
      to[r] = cosine_of(to[r], one_squared, squares[r]);
    else if (kind != similarity::dot)
      to[r] = similarity_of(kind, {one, dim}, {rows_begin + r * dim, dim}, &k);
    reached |= std::uint64_t{to[r] >= threshold} << r;
  }
  return ieee.pinned(reached);
}

inline void squares(const kernels& k, std::size_t dim, const float* rows_begin, std::size_t rows, float* to) noexcept {
  const float_environment ieee;
  for (std::size_t r = 0; r < rows; ++r) k.dots(dim, rows_begin + r * dim, 1, dim, rows_begin + r * dim, to + r);
}

/// `vectors` are whole rows of `dim` numbers.
inline result<void> check_rows(std::span<const float> vectors, std::size_t dim) noexcept {
  const std::size_t whole = dim == 0 ? 0 : vectors.size() / dim * dim;
  if (vectors.size() != whole) return error(errc::wrong_size, "vectors", whole, vectors.size());
  return {};
}

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

}  // namespace search_detail

/// Calls found(match) for each pair of rows of `vectors` ([n][dim]) whose similarity is at least the threshold, block
/// by block, until it returns false. Nothing is allocated; time grows with n^2. Errors: wrong_size where `vectors` are
/// no whole rows, cancelled.
template <class Found>
result<void> find_duplicates(std::span<const float> vectors, std::size_t dim, const search_options& options,
                             Found&& found) {
  using namespace search_detail;
  if (const auto whole = check_rows(vectors, dim); !whole || vectors.empty()) return whole;
  const kernels& k = options.kernels == nullptr ? *find_kernels() : *options.kernels;
  const std::size_t n = vectors.size() / dim;
  const auto row = [&](std::size_t r) { return vectors.data() + r * dim; };
  bool first = true;
  const auto next = [&](std::size_t& a, std::size_t& b) {
    if (!first) b += block_rows;
    if (b >= n && !first) b = a += block_rows;
    first = false;
    return a < n;
  };
  const auto visit = [&](std::size_t a, std::size_t b, auto&& to) {
    float left[block_rows], right[block_rows], row_scores[block_rows];
    const std::size_t a_end = std::min(n, a + block_rows), b_end = std::min(n, b + block_rows);
    squares(k, dim, row(a), a_end - a, left);
    squares(k, dim, row(b), b_end - b, right);
    for (std::size_t i = a; i < a_end; ++i) {
      const std::size_t from = std::max(b, i + 1);
      if (from >= b_end) continue;
      auto reached = scores(k, options.similarity, dim, row(i), left[i - a], row(from), right + (from - b),
                            b_end - from, options.threshold, row_scores);
      for (; reached != 0; reached &= reached - 1) {
        const auto r = static_cast<std::size_t>(std::countr_zero(reached));
        if (!to(match{i, from + r, row_scores[r]})) return false;
      }
    }
    return true;
  };
  const std::size_t blocks = (n + block_rows - 1) / block_rows;
  return for_blocks(options, blocks * (blocks + 1) / 2, next, visit, found);
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
  const std::size_t n = vectors.size() / dim;
  // A worker takes many blocks at a time: one is done in less time than a thread needs to wake up.
  constexpr std::size_t strip = 16 * block_rows;
  float square;
  squares(k, dim, query.data(), 1, &square);
  bool first = true;
  const auto next = [&](std::size_t&, std::size_t& at) {
    if (!first) at += strip;
    first = false;
    return at < n;
  };
  const auto visit = [&](std::size_t, std::size_t at, auto&& to) {
    float lengths[block_rows], row_scores[block_rows];
    for (const std::size_t end = std::min(n, at + strip); at < end; at += block_rows) {
      const std::size_t rows = std::min(block_rows, end - at);
      const float* const b = vectors.data() + at * dim;
      squares(k, dim, b, rows, lengths);
      auto reached =
          scores(k, options.similarity, dim, query.data(), square, b, lengths, rows, options.threshold, row_scores);
      for (; reached != 0; reached &= reached - 1) {
        const auto r = static_cast<std::size_t>(std::countr_zero(reached));
        if (!to(match{0, at + r, row_scores[r]})) return false;
      }
    }
    return true;
  };
  return for_blocks(options, (n + strip - 1) / strip, next, visit,
                    [&](const match& m) { return found(m.second, m.score); });
}

}  // namespace dupq::inline DUPQ_ABI
