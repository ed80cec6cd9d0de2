#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/search/clusters.hpp>
#include <dupq/search/duplicates.hpp>
#include <forward_list>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace {

using dupq::linkage;
using dupq::match;
using list = std::vector<std::size_t>;

constexpr linkage kinds[] = {linkage::star, linkage::first, linkage::components};

/// Few scores, so that many are equal.
std::vector<match> random_matches(std::size_t rows, double share, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> chance;
  std::vector<match> out;
  for (std::size_t a = 0; a < rows; ++a)
    for (std::size_t b = a + 1; b < rows; ++b)
      if (chance(random) < share) out.push_back({a, b, 0.75f + static_cast<float>(random() % 4) / 16});
  return out;
}

/// The definition, read slowly: a table of all pairs, and questions to it.
struct judge {
  std::size_t rows;
  std::map<std::pair<std::size_t, std::size_t>, float> scores;
  std::vector<std::uint32_t> weights;

  judge(std::size_t n, const std::vector<match>& matches, std::vector<std::uint32_t> w = {})
      : rows(n), weights(std::move(w)) {
    for (const match& m : matches) scores[{m.first, m.second}] = scores[{m.second, m.first}] = m.score;
    if (weights.empty()) weights.assign(n, 1);
  }
  bool matched(std::size_t a, std::size_t b) const { return scores.contains({a, b}); }
  std::size_t degree(std::size_t row) const {
    std::size_t sum = weights[row] - 1;
    for (std::size_t other = 0; other < rows; ++other)
      if (other != row && matched(row, other)) sum += weights[other];
    return sum;
  }

  list stars(bool by_degree) const {
    std::vector<bool> stands(rows), asked(rows);
    for (std::size_t turn = 0; turn < rows; ++turn) {
      std::size_t next = rows;
      for (std::size_t row = 0; row < rows; ++row)
        if (!asked[row] && (next == rows || (by_degree && degree(row) > degree(next)))) next = row;
      asked[next] = stands[next] = true;
      for (std::size_t other = 0; other < rows; ++other)
        if (other != next && stands[other] && matched(next, other)) stands[next] = false;
    }
    list out(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      out[row] = row;
      for (std::size_t other = 0; !stands[row] && other < rows; ++other)
        if (stands[other] && matched(row, other) && (by_degree || other < row) &&
            (out[row] == row || scores.at({row, other}) > scores.at({row, out[row]})))
          out[row] = other;
    }
    return out;
  }
  list components() const {
    list out(rows);
    for (std::size_t row = 0; row < rows; ++row) out[row] = row;
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [pair, score] : scores)
        if (out[pair.first] > out[pair.second]) out[pair.first] = out[pair.second], changed = true;
    }
    return out;
  }
  list clusters(linkage kind) const {
    return kind == linkage::components ? components() : stars(kind == linkage::star);
  }
};

list clusters(std::size_t rows, const std::vector<match>& matches, const dupq::cluster_options& options = {}) {
  auto found = dupq::find_clusters(rows, matches, options);
  REQUIRE(found);
  return *found;
}

}  // namespace

TEST_CASE("clusters are those of the definition, in whatever order the matches come") {
  std::mt19937 random(7);
  for (const std::size_t rows : {0u, 1u, 2u, 5u, 40u, 90u})
    for (const double share : {0.0, 0.01, 0.05, 0.2, 1.0}) {
      auto matches = random_matches(rows, share, static_cast<unsigned>(rows));
      const judge j(rows, matches);
      for (int shuffle = 0; shuffle < 4; ++shuffle) {
        for (const linkage kind : kinds) {
          INFO(rows, " ", share, " ", static_cast<int>(kind));
          CHECK(clusters(rows, matches, {.linkage = kind}) == j.clusters(kind));
        }
        std::ranges::shuffle(matches, random);
        for (match& m : matches)
          if (random() % 2 != 0) std::swap(m.first, m.second);
      }
    }
}

TEST_CASE("no two representatives match, and each member of a star matches its own") {
  const auto matches = random_matches(200, 0.03, 3);
  const judge j(200, matches);
  for (const linkage kind : {linkage::star, linkage::first}) {
    const list found = clusters(200, matches, {.linkage = kind});
    std::size_t members = 0, wrong = 0;
    for (std::size_t row = 0; row < 200; ++row) {
      members += found[row] != row;
      wrong += found[row] != row && !j.matched(row, found[row]);
      wrong += kind == linkage::first && found[row] > row;
      for (std::size_t other = 0; other < row; ++other)
        wrong += found[row] == row && found[other] == other && j.matched(row, other);
    }
    CHECK(wrong == 0);
    CHECK(members > 50);
  }
}

TEST_CASE("a star does not chain, components do") {
  const std::vector<match> chain{{0, 1, 0.9f}, {1, 2, 0.8f}, {2, 3, 0.85f}, {3, 4, 0.95f}};
  CHECK(clusters(6, chain) == list{1, 1, 3, 3, 3, 5});
  CHECK(clusters(6, chain, {.linkage = linkage::first}) == list{0, 0, 2, 2, 4, 5});
  CHECK(clusters(6, chain, {.linkage = linkage::components}) == list{0, 0, 0, 0, 0, 5});
  // Of two representatives the one with the higher score, of equals the earlier one.
  const dupq::cluster_options first{.linkage = linkage::first};
  CHECK(clusters(3, {{0, 2, 0.8f}, {1, 2, 0.9f}}, first) == list{0, 1, 1});
  CHECK(clusters(3, {{1, 2, 0.8f}, {0, 2, 0.8f}}, first) == list{0, 1, 0});
  CHECK(clusters(3, {{0, 1, 0.8f}, {1, 2, 0.9f}}, first) == list{0, 0, 2});  // not with one that comes later
}

TEST_CASE("a row that stands for many equal ones has as many neighbours as these would have") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    constexpr std::size_t rows = 25;
    const auto matches = random_matches(rows, 0.15, seed);
    std::mt19937 random(seed);
    std::vector<std::uint32_t> weights(rows);
    for (auto& w : weights) w = 1 + random() % 4;
    // Unfolded: copy c of row r is a row of its own, copies match each other with the highest score.
    std::vector<std::size_t> first(rows), row_of;
    for (std::size_t r = 0; r < rows; ++r) {
      first[r] = row_of.size();
      row_of.insert(row_of.end(), weights[r], r);
    }
    std::vector<match> unfolded;
    const judge folded(rows, matches);
    for (std::size_t a = 0; a < row_of.size(); ++a)
      for (std::size_t b = a + 1; b < row_of.size(); ++b)
        if (row_of[a] == row_of[b])
          unfolded.push_back({a, b, 1});
        else if (folded.matched(row_of[a], row_of[b]))
          unfolded.push_back({a, b, folded.scores.at({row_of[a], row_of[b]})});
    for (const linkage kind : kinds) {
      const list few = clusters(rows, matches, {.linkage = kind, .weights = weights});
      CHECK(few == judge(rows, matches, weights).clusters(kind));
      const list many = clusters(row_of.size(), unfolded, {.linkage = kind});
      for (std::size_t r = 0; r < rows; ++r) CHECK(many[first[r]] == first[few[r]]);
    }
  }
}

TEST_CASE("matches may be any list that can be read again, and odd ones do no harm") {
  struct compact {
    std::uint32_t first, second;
    float score;
    operator match() const { return {first, second, score}; }
  };
  const std::forward_list<compact> small{{0, 2, 0.9f}, {2, 1, 0.8f}};
  const auto found = dupq::find_clusters(3, small);
  REQUIRE(found);
  CHECK(*found == list{2, 2, 2});
  CHECK(clusters(3, {{1, 1, 1.0f}, {0, 2, 0.9f}}) == list{0, 1, 0});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& matches : {std::vector<match>{{0, 2, nan}, {2, 1, 0.1f}}, {{2, 1, 0.1f}, {0, 2, nan}}})
    CHECK(clusters(3, matches, {.linkage = linkage::first}) == list{0, 1, 1});
}

TEST_CASE("the caller's memory suffices to the byte, and what is wrong is said") {
  const auto matches = random_matches(50, 0.1, 1);
  for (const linkage kind : kinds) {
    const std::size_t bytes = dupq::cluster_bytes(50, matches.size(), kind);
    std::vector<std::byte> room(bytes + 2 * dupq::alignment);
    const auto address = reinterpret_cast<std::uintptr_t>(room.data());
    const std::span memory(room.data() + (dupq::alignment - address % dupq::alignment), bytes);
    list found(50);
    const dupq::cluster_options options{.linkage = kind};
    REQUIRE(dupq::find_clusters(matches, options, found, memory));
    CHECK(found == clusters(50, matches, options));
    CHECK(dupq::find_clusters(matches, options, found, memory.first(bytes - 1)).error().code == dupq::errc::too_small);
    CHECK(dupq::find_clusters(matches, options, found, {memory.data() + 1, bytes}).error().code ==
          dupq::errc::not_aligned);
    const auto beyond = dupq::find_clusters(49, std::vector<match>{{3, 49, 1.0f}}, options);
    REQUIRE(!beyond);
    CHECK(beyond.error().code == dupq::errc::out_of_range);
    CHECK(beyond.error().found == 49);
    const std::vector<std::uint32_t> weights(49, 1);
    CHECK(dupq::find_clusters(50, matches, {.linkage = kind, .weights = weights}).error().code ==
          dupq::errc::wrong_size);
    if constexpr (sizeof(std::size_t) > 4)
      CHECK(dupq::find_clusters(std::size_t{1} << 32, matches, options).error().code == dupq::errc::bad_limit);
  }
}

TEST_CASE("millions of matches take seconds, chains and one row that all match included") {
  constexpr std::size_t rows = 1'000'000;
  std::mt19937 random(5);
  std::vector<match> matches;
  for (std::size_t row = 1; row < rows; ++row) matches.push_back({row - 1, row, 0.9f});
  for (std::size_t row = 2; row < rows; ++row) matches.push_back({0, row, 0.8f});
  std::ranges::shuffle(matches, random);
  for (const linkage kind : kinds) {
    const list found = clusters(rows, matches, {.linkage = kind});
    CHECK(std::ranges::all_of(found, [](std::size_t r) { return r == 0; }));
  }
}
