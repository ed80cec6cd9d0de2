// The comparisons of `dedup`: distinct texts as vectors, and what matches among them, with progress.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/search/duplicates.hpp>
#include <dupq/search/nearest.hpp>
#include <dupq/search/similarity.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "best_in_turn.hpp"
#include "other_texts.hpp"
#include "progress.hpp"
#include "scoring.hpp"
#include "session.hpp"

namespace dupq_tool {

class text_search {
 public:
  /// Vectors of distinct texts, one behind the other.
  text_search(session& s, std::vector<float> vectors) : session_(s), vectors_(std::move(vectors)) {}
  text_search(session& s, std::span<const std::string_view> texts) : text_search(s, encode_all(s, texts)) {}

  std::span<const float> vector(std::size_t text) const noexcept {
    return std::span(vectors_).subspan(text * session_.dim(), session_.dim());
  }
  std::size_t size() const noexcept { return vectors_.size() / session_.dim(); }

  float score(std::size_t a, std::size_t b) const noexcept {
    const dupq::model& m = session_.model();
    return dupq::similarity_of(m.config().similarity, vector(a), vector(b), &m.kernel_table());
  }
  /// What a text scores with one that is equal: 1 up to rounding, where scores are cosines.
  float own_score(std::size_t text) const noexcept { return score(text, text); }

  /// Calls f(match) for each pair of these texts that scores `threshold` or more.
  template <class F>
  void for_each_match(float threshold, F&& f) const {
    const double all = static_cast<double>(size()) * static_cast<double>(size() - 1) / 2;
    watched(all, threshold, [&](const dupq::search_options& options) {
      return dupq::find_duplicates(vectors_, session_.dim(), options, [&](const dupq::match& m) { return f(m), true; });
    });
  }
  /// The same for each pair of one of these and one of the others.
  template <class F>
  void for_each_match(float threshold, const other_texts& others, F&& f) const {
    for (const other_texts::part& p : others.parts()) {
      const std::span vectors(p.rows.vectors, p.rows.rows * p.rows.dim);
      const double all = static_cast<double>(size()) * static_cast<double>(p.rows.rows);
      watched(all, threshold, [&](const dupq::search_options& options) {
        return dupq::find_matches(vectors_, vectors, session_.dim(), options, [&](const dupq::match& m) {
          if (!p.passes(m.second)) f(dupq::match{m.first, p.first + m.second, m.score});
          return true;
        });
      });
    }
  }
  /// Calls f(text, neighbours) for each of these texts with the `k` nearest others, best first, of those that score
  /// `threshold` or more.
  template <class F>
  void for_each_nearest(std::size_t k, float threshold, F&& f) const {
    const double all = static_cast<double>(size()) * static_cast<double>(size());
    watched(all, threshold, [&](const dupq::search_options& options) {
      return dupq::nearest_neighbours(
          vectors_, session_.dim(), k, options,
          [&](std::size_t text, std::span<const dupq::neighbour> found) { return f(text, found), true; });
    });
  }

  /// The same with the `k` nearest of the others.
  template <class F>
  void for_each_nearest(std::size_t k, float threshold, const other_texts& others, F&& f) const {
    const std::size_t dim = session_.dim();
    progress shown("texts", size());
    best_in_turn(
        size(), std::min(k, others.size()), threshold,
        [&](std::size_t first, std::span<dupq::best_neighbours> best) {
          for (const other_texts::part& p : others.parts())
            check(dupq::find_nearest(std::span(vectors_).subspan(first * dim, best.size() * dim), p.rows,
                                     {.kernels = &session_.model().kernel_table(),
                                      .executor = session_.executor(),
                                      .first_row = p.first,
                                      .removed = p.passed},
                                     best));
          shown.update(first + best.size());
        },
        f);
  }

 private:
  template <class Search>
  void watched(double comparisons, float threshold, Search&& search) const {
    progress shown("comparisons");
    const auto tell = [&](std::size_t done, std::size_t total) {
      const double fraction = static_cast<double>(done) / static_cast<double>(total);
      shown.update(static_cast<std::uint64_t>(comparisons * fraction), fraction);
      return true;
    };
    check(search(dupq::search_options{.threshold = threshold,
                                      .similarity = session_.model().config().similarity,
                                      .kernels = &session_.model().kernel_table(),
                                      .executor = session_.executor(),
                                      .on_progress = tell}));
  }

  session& session_;
  std::vector<float> vectors_;
};

/// The vectors of `texts`. A text that is also among `others` (twins[i] is its number there) gets that one's vector,
/// instead of being encoded again.
inline text_search encode_new(session& s, std::span<const std::string_view> texts, std::span<const std::uint32_t> twins,
                              const other_texts& others) {
  std::vector<std::string_view> wanted;
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (twins[i] == other_texts::none) wanted.push_back(texts[i]);
  std::vector<float> vectors = encode_all(s, wanted);
  const std::size_t dim = s.dim();
  vectors.resize(texts.size() * dim);
  // The vectors that were encoded lie at the front without gaps. Each moves to its text's place, which is never further
  // in front, so that beginning with the last one none is overwritten.
  for (std::size_t i = texts.size(), left = wanted.size(); i-- != 0;) {
    const auto to = vectors.begin() + static_cast<std::ptrdiff_t>(i * dim);
    if (twins[i] != other_texts::none)
      std::ranges::copy(others.vector(twins[i]), to);
    else if (--left != i)
      std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(left * dim), dim, to);
  }
  return {s, std::move(vectors)};
}

}  // namespace dupq_tool
