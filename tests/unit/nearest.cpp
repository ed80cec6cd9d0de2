#include <dupq/search/nearest.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "search_rows.hpp"

using namespace search_rows;

namespace {

/// By definition: rows by falling score, equal scores by row, NaN nowhere.
std::vector<dupq::neighbour> nearest_of(std::span<const float> query, const std::vector<float>& rows, std::size_t dim,
                                        dupq::similarity kind, std::size_t k, float threshold,
                                        const std::vector<bool>& without) {
  std::vector<dupq::neighbour> out;
  for (std::size_t i = 0; i < rows.size() / dim; ++i)
    if (const float score = dupq::similarity_of(kind, query, row(rows, dim, i)); !without[i] && score >= threshold)
      out.push_back({i, score});
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.before(b); });
  out.resize(std::min(out.size(), k));
  return out;
}

std::vector<dupq::neighbour> copy(std::span<const dupq::neighbour> s) { return {s.begin(), s.end()}; }

std::vector<std::byte> packed_memory(std::size_t n, std::size_t dim) {
  return std::vector<std::byte>(dupq::packed_bytes(n, dim));
}

constexpr float everything = -std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("the best are kept in whatever order they come") {
  std::vector<dupq::neighbour> all;
  for (std::size_t i = 0; i < 40; ++i) all.push_back({i, static_cast<float>(i % 7)});
  auto expected = all;
  std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.before(b); });
  std::mt19937 random(1);
  for (const std::size_t k : {0u, 1u, 5u, 40u, 50u})
    for (int turn = 0; turn < 20; ++turn) {
      std::shuffle(all.begin(), all.end(), random);
      std::vector<dupq::neighbour> room(k);
      dupq::best_neighbours best(room);
      for (const auto& n : all) {
        best.add(n);
        best.add({100, std::nanf("")});
        if (n.row % 10 == 0) (void)best.sorted();  // and more are added afterwards
      }
      const auto some = std::span(expected).first(std::min(k, expected.size()));
      CHECK(copy(best.sorted()) == copy(some));
    }
  std::vector<dupq::neighbour> room(5);
  dupq::best_neighbours best(room, 6.0f);
  for (const auto& n : all) best.add(n);
  CHECK(best.size() == 5);
  CHECK(best.sorted()[4].score == 6.0f);
}

TEST_CASE("the nearest of queries are those of the definition") {
  for (const std::size_t dim : {5u, 40u})
    for (const std::size_t n : {1u, 17u, 200u}) {
      auto rows = around_centres(n, dim, 0.5f, 2.0f), queries = around_centres(30, dim, 0.5f, 2.0f, 9);
      add_odd_rows(rows, dim);
      add_odd_rows(queries, dim);
      std::vector<std::uint64_t> removed((n + 63) / 64);
      std::vector<bool> without(n);
      for (std::size_t i = 0; i < n; i += 4) without[i] = true, removed[i / 64] |= std::uint64_t{1} << i % 64;
      std::size_t turn = 0;
      for (const auto kind : {dupq::similarity::cosine, dupq::similarity::dot, dupq::similarity::euclidean}) {
        const float threshold = kind == dupq::similarity::cosine ? 0.2f : everything;
        std::vector<std::vector<dupq::neighbour>> expected;
        for (std::size_t i = 0; i < 30; ++i)
          expected.push_back(nearest_of(row(queries, dim, i), rows, dim, kind, n, threshold, without));
        for (const dupq::kernels* table : dupq::available_kernels()) {
          auto memory = packed_memory(n, dim);
          const auto packed = dupq::pack_rows(rows, dim, memory, {.similarity = kind, .kernels = table});
          REQUIRE(packed);
          for (const std::size_t k : {1u, 6u, 400u})
            for (const std::size_t count : {1u, 7u, 30u}) {
              dupq::thread_pool pool(++turn % 2 == 0 ? 1 : 3);
              std::vector<dupq::neighbour> room(k * count);
              std::vector<dupq::best_neighbours> best;
              for (std::size_t i = 0; i < count; ++i) best.emplace_back(std::span(room).subspan(i * k, k), threshold);
              REQUIRE(dupq::find_nearest(std::span(queries).first(count * dim), *packed,
                                         {.kernels = table, .executor = pool.executor(), .removed = removed}, best));
              INFO(std::string(table->name), " n ", n, " dim ", dim, " k ", k, " of ", count, " turn ", turn);
              for (std::size_t i = 0; i < count; ++i)
                CHECK(copy(best[i].sorted()) == copy(std::span(expected[i]).first(std::min(k, expected[i].size()))));
            }
        }
      }
    }
}

TEST_CASE("sets of rows that are searched in turn are one") {
  constexpr std::size_t dim = 20, n = 200, part = 70, k = 8;
  const auto rows = around_centres(n, dim, 1.0f, 1.0f);
  std::vector<dupq::neighbour> room(k);
  dupq::best_neighbours best(room);
  for (std::size_t first = 0; first < n; first += part) {
    const std::size_t count = std::min(part, n - first);
    auto memory = packed_memory(count, dim);
    const auto packed = dupq::pack_rows(std::span(rows).subspan(first * dim, count * dim), dim, memory);
    REQUIRE(packed);
    REQUIRE(dupq::find_nearest(row(rows, dim, 5), *packed, {.first_row = first}, {&best, 1}));
  }
  CHECK(copy(best.sorted()) ==
        nearest_of(row(rows, dim, 5), rows, dim, dupq::similarity::cosine, k, everything, std::vector<bool>(n)));
}

TEST_CASE("rows that a sketch is made of are found as well") {
  constexpr std::size_t dim = 96, n = 16'400, k = 5;
  auto rows = around_centres(n, dim, 0.5f, 2.0f);
  add_odd_rows(rows, dim);
  auto memory = packed_memory(n, dim);
  for (const auto kind : {dupq::similarity::cosine, dupq::similarity::euclidean}) {
    const auto packed = dupq::pack_rows(rows, dim, memory, {.similarity = kind});
    REQUIRE(packed);
    for (const dupq::kernels* table : dupq::available_kernels())
      for (const std::size_t query : {3u, 4'000u}) {
        std::vector<dupq::neighbour> room(k);
        dupq::best_neighbours best(room);
        REQUIRE(dupq::find_nearest(row(rows, dim, query), *packed, {.kernels = table}, {&best, 1}));
        CHECK(copy(best.sorted()) ==
              nearest_of(row(rows, dim, query), rows, dim, kind, k, everything, std::vector<bool>(n)));
      }
  }
}

TEST_CASE("every row's nearest others") {
  constexpr std::size_t dim = 24;
  for (const std::size_t n : {1u, 2u, 65u, 200u}) {
    auto rows = around_centres(n, dim, 1.0f, 1.0f);
    add_odd_rows(rows, dim);
    for (const std::size_t workers : {1u, 4u})
      for (const std::size_t k : {1u, 5u, 1000u}) {
        dupq::thread_pool pool(workers);
        std::size_t next = 0;
        REQUIRE(dupq::nearest_neighbours(rows, dim, k, {.threshold = 0.1f, .executor = pool.executor()},
                                         [&](std::size_t i, std::span<const dupq::neighbour> found) {
                                           REQUIRE(i == next++);
                                           std::vector<bool> without(n);
                                           without[i] = true;
                                           CHECK(copy(found) == nearest_of(row(rows, dim, i), rows, dim,
                                                                           dupq::similarity::cosine, k, 0.1f, without));
                                           return true;
                                         }));
        CHECK(next == n);
      }
  }
}

TEST_CASE("what cannot be searched is refused, and a search may be cancelled") {
  constexpr std::size_t dim = 4, n = 200;
  const auto rows = around_centres(n, dim, 1.0f, 1.0f);
  auto memory = packed_memory(n, dim);
  const auto packed = dupq::pack_rows(rows, dim, memory);
  REQUIRE(packed);
  std::vector<dupq::neighbour> room(2);
  std::vector<dupq::best_neighbours> best{dupq::best_neighbours(room)};
  CHECK(dupq::find_nearest(std::span(rows).first(3), *packed, {}, best).error().code == dupq::errc::wrong_size);
  const std::vector<std::uint64_t> few(3);
  const auto refused = dupq::find_nearest(std::span(rows).first(dim), *packed, {.removed = few}, best);
  REQUIRE(!refused);
  CHECK(refused.error().expected == 4);
  const auto none = [](std::size_t, std::span<const dupq::neighbour>) { return true; };
  CHECK(dupq::nearest_neighbours(rows, dim, 0, {}, none).error().code == dupq::errc::bad_limit);
  CHECK(dupq::nearest_neighbours(rows, 3, 1, {}, none).error().code == dupq::errc::wrong_size);
  CHECK(dupq::nearest_neighbours({}, dim, 1, {}, none));
  std::size_t calls = 0;
  const auto stop = [&](std::size_t, std::size_t) { return ++calls < 2; };
  CHECK(dupq::nearest_neighbours(rows, dim, 1, {.on_progress = stop}, none).error().code == dupq::errc::cancelled);
  calls = 0;
  REQUIRE(dupq::nearest_neighbours(rows, dim, 1, {}, [&](auto&&...) { return ++calls < 3; }));
  CHECK(calls == 3);
}
