// Indexes of made-up vectors, and what a search of them must find.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/index.hpp>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace made_up {

inline constexpr std::size_t dim = 24;
inline const std::string digest(64, 'd');

inline dupq::index_model model(dupq::similarity like = dupq::similarity::cosine) {
  return {"/models/made-up.gguf", digest, dim, like};
}

/// A text with its id and vector.
struct entry {
  std::string id, text;
  std::vector<float> vector;
};

inline std::vector<float> vector(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> v(dim);
  for (float& x : v) x = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return v;
}

/// Entries first, first + 1, ... whose ids are "id<number>".
inline std::vector<entry> entries(std::size_t first, std::size_t count) {
  std::vector<entry> all;
  for (std::size_t i = first; i < first + count; ++i)
    all.push_back({"id" + std::to_string(i), std::string(i % 7, 'x') + " text " + std::to_string(i) + " \xC3\xA9",
                   vector(static_cast<std::uint32_t>(i))});
  return all;
}

inline dupq::result<void> add(dupq::index_writer& w, const std::vector<entry>& list, bool with_ids = true) {
  std::vector<std::string> texts, ids;
  std::vector<float> vectors;
  for (const entry& e : list) {
    texts.push_back(e.text);
    ids.push_back(e.id);
    vectors.insert(vectors.end(), e.vector.begin(), e.vector.end());
  }
  return with_ids ? w.add(texts, vectors, ids) : w.add(texts, vectors);
}

struct hit {
  std::string id, text;
  float score = 0;
  bool operator==(const hit&) const = default;
};

/// The k best entries by the definition: best first, equal scores in their order.
inline std::vector<hit> expected(const std::vector<entry>& all, const std::vector<float>& query, std::size_t k,
                                 float threshold, dupq::similarity like) {
  std::vector<std::pair<float, std::size_t>> scored;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const float s = dupq::similarity_of(like, query, all[i].vector); s >= threshold) scored.emplace_back(-s, i);
  std::sort(scored.begin(), scored.end());
  std::vector<hit> best;
  for (const auto& [score, i] : scored)
    if (best.size() < k) best.push_back({all[i].id, all[i].text, -score});
  return best;
}

inline std::vector<hit> found(const dupq::index_reader& index, const std::vector<float>& query, std::size_t k,
                              float threshold) {
  std::vector<dupq::neighbour> room(k);
  std::vector<hit> hits;
  const auto best = index.search(query, room, threshold);
  if (!best) return {{"failed", best.error().message(), 0}};
  for (const dupq::neighbour& n : *best) {
    const auto id = index.id(n.row), text = index.text(n.row);
    hits.push_back(
        {id ? std::string(*id) : id.error().message(), text ? std::string(*text) : text.error().message(), n.score});
  }
  return hits;
}

/// What the index holds, in order; damaged strings are the line that says so.
inline std::vector<entry> contents(const dupq::index_reader& index) {
  std::vector<entry> all;
  for (std::size_t row = 0; row < index.rows(); ++row) {
    if (index.removed(row)) continue;
    const auto id = index.id(row), text = index.text(row);
    const auto v = index.vector(row);
    all.push_back({id ? std::string(*id) : id.error().message(),
                   text ? std::string(*text) : text.error().message(),
                   {v.begin(), v.end()}});
  }
  return all;
}

inline bool same(const std::vector<entry>& a, const std::vector<entry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const entry& x, const entry& y) {
    return std::tie(x.id, x.text, x.vector) == std::tie(y.id, y.text, y.vector);
  });
}

}  // namespace made_up
