// Searches that ask integers first find what the definition says, to the bit, whatever rows they are given.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <dupq/search/duplicates.hpp>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "search_rows.hpp"

using namespace search_rows;

namespace {

constexpr dupq::similarity kinds[] = {dupq::similarity::cosine, dupq::similarity::dot, dupq::similarity::euclidean,
                                      dupq::similarity::manhattan};

/// Thresholds that are scores of pairs: those pairs have to be found, and nothing just below them.
std::vector<float> thresholds_among(std::vector<float> scores) {
  std::erase_if(scores, [](float x) { return std::isnan(x); });
  std::sort(scores.begin(), scores.end());
  std::vector<float> out{-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity(), 0.0f,
                         std::numeric_limits<float>::quiet_NaN()};
  for (const double share : {0.9, 1.0}) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(scores.size() - 1));
    out.push_back(scores[at]);
    out.push_back(std::nextafter(scores[at], std::numeric_limits<float>::infinity()));
  }
  return out;
}

std::vector<found_match> search(const std::vector<float>& a, const std::vector<float>* b, std::size_t dim,
                                const dupq::search_options& options) {
  std::vector<found_match> out;
  const auto add = [&](const dupq::match& m) { return out.emplace_back(m.first, m.second, m.score), true; };
  REQUIRE((b == nullptr ? dupq::find_duplicates(a, dim, options, add) : dupq::find_matches(a, *b, dim, options, add)));
  return out;
}

}  // namespace

TEST_CASE("every table finds what the definition says, at thresholds that are scores") {
  for (const std::size_t dim : {1u, 33u, 100u})
    for (const bool odd : {false, true}) {
      auto a = around_centres(150, dim, odd ? 0.1f : 1.0f, odd ? 20.0f : 1.0f);
      const auto b = around_centres(90, dim, 1.0f, 1.0f);
      if (odd) add_odd_rows(a, dim);
      for (const dupq::similarity kind : kinds) {
        const auto same = all_scores(a, a, dim, kind), across = all_scores(a, b, dim, kind);
        for (const float threshold : thresholds_among(same))
          for (const dupq::kernels* table : dupq::available_kernels()) {
            INFO(std::string(table->name), " dim ", dim, " odd ", odd, " kind ", static_cast<int>(kind), " threshold ",
                 threshold);
            const dupq::search_options options{.threshold = threshold, .similarity = kind, .kernels = table};
            CHECK(search(a, nullptr, dim, options) == matches(same, 150, 150, true, threshold));
            CHECK(search(a, &b, dim, options) == matches(across, 150, 90, false, threshold));
          }
      }
    }
}

TEST_CASE("any number of workers, and any memory, finds the same in the same order") {
  constexpr std::size_t dim = 24, n = 900;
  const auto rows = around_centres(n, dim, 1.0f, 1.0f);
  const auto scores = all_scores(rows, rows, dim, dupq::similarity::cosine);
  // From a few matches to more than the lists of a strip have room for.
  for (const float threshold : {0.95f, 0.5f, 0.2f, -1.0f}) {
    const auto expected = matches(scores, n, n, true, threshold);
    for (const std::size_t workers : {1u, 2u, 5u}) {
      dupq::thread_pool pool(workers);
      dupq::search_options options{.threshold = threshold, .executor = pool.executor()};
      CHECK(search(rows, nullptr, dim, options) == expected);
      std::vector<std::byte> memory(dupq::search_bytes(n, dim, pool.executor()) + 64);
      void* p = memory.data();
      std::size_t room = memory.size();
      REQUIRE(std::align(64, 1, p, room) != nullptr);
      options.memory = {static_cast<std::byte*>(p), room};
      CHECK(search(rows, nullptr, dim, options) == expected);
      options.memory = options.memory.subspan(1);  // not aligned: it is not used
      CHECK(search(rows, nullptr, dim, options) == expected);
    }
    std::vector<found_match> plain;
    REQUIRE(dupq::search_detail::find_plainly(
        rows, rows, true, dim, *dupq::find_kernels(), {.threshold = threshold},
        [&](const dupq::match& m) { return plain.emplace_back(m.first, m.second, m.score), true; }));
    CHECK(plain == expected);
  }
}

TEST_CASE("large sets, whose sketches are asked before the rows, lose nothing") {
  constexpr std::size_t dim = 100, n = 16'500;
  auto rows = around_centres(n, dim, 0.5f, 2.0f);
  static_assert(dupq::search_detail::sketch_size(n, dim) == 32);
  add_odd_rows(rows, dim);
  const dupq::kernels& fastest = *dupq::find_kernels();
  for (const dupq::similarity kind : {dupq::similarity::cosine, dupq::similarity::dot}) {
    const float threshold = kind == dupq::similarity::cosine ? 0.9f : 2.5f;
    const dupq::search_options options{.threshold = threshold, .similarity = kind};
    std::vector<found_match> expected;
    // The definition itself would take a minute here; this one is compared with it above.
    REQUIRE(dupq::search_detail::find_plainly(rows, rows, true, dim, fastest, options, [&](const dupq::match& m) {
      return expected.emplace_back(m.first, m.second, m.score), true;
    }));
    REQUIRE(expected.size() > 100);
    dupq::thread_pool pool(2);
    for (const dupq::kernels* table : dupq::available_kernels()) {
      if (table->name == std::string_view("scalar") && table != &fastest) continue;  // minutes
      INFO(std::string(table->name), " kind ", static_cast<int>(kind), " threshold ", threshold);
      CHECK(search(rows, nullptr, dim,
                   {.threshold = threshold, .similarity = kind, .kernels = table, .executor = pool.executor()}) ==
            expected);
    }
  }
}

TEST_CASE("every table and executor packs the same bytes") {
  for (const std::size_t n : {50u, 130u, 16'400u}) {
    const std::size_t dim = n == 50 ? 7 : n == 130 ? 64 : 96;
    auto rows = around_centres(n, dim, 0.5f, 2.0f);
    std::vector<std::byte> first;
    dupq::thread_pool pool(3);
    for (const dupq::kernels* table : dupq::available_kernels()) {
      std::vector<std::byte> memory(dupq::packed_bytes(n, dim), std::byte{77});
      REQUIRE(dupq::pack_rows(rows, dim, memory, {.kernels = table, .executor = pool.executor()}));
      if (first.empty()) first = memory;
      INFO(std::string(table->name), " ", n, " ", dim);
      CHECK(memory == first);
    }
  }
}

TEST_CASE("while a sketch's basis is sought, the panels' room is enough") {
  using dupq::search_detail::packed_layout, dupq::search_detail::sketch_basis;
  std::size_t sketched = 0;
  for (std::size_t dim = 1; dim < 2'100; ++dim)
    for (const std::size_t rows : {16'383u, 16'384u, 100'000u}) {
      const packed_layout layout(rows, dim);
      if (layout.sketch == 0) continue;
      ++sketched;
      CHECK(layout.bytes() - layout.sketches() >= sketch_basis::scratch_floats(dim) * sizeof(float));
      CHECK(layout.sketch % 16 == 0);  // what works on sixteen rows at a time has room for them in a third
      CHECK(16 * (dim + layout.sketch) <= layout.sketch * dim);
    }
  CHECK(sketched == 2 * (2'048 - 95));
}

TEST_CASE("what cannot be packed is refused") {
  std::vector<float> rows(24);
  std::vector<std::byte> memory(dupq::packed_bytes(3, 8) + 4);
  CHECK(dupq::pack_rows(rows, 7, memory).error().code == dupq::errc::wrong_size);
  CHECK(dupq::pack_rows(rows, 0, memory).error().code == dupq::errc::wrong_size);
  CHECK(dupq::pack_rows(rows, 8, std::span(memory).first(100)).error().code == dupq::errc::too_small);
  CHECK(dupq::pack_rows(rows, 8, std::span(memory).subspan(1)).error().code == dupq::errc::not_aligned);
  CHECK(dupq::pack_rows({}, 0, memory)->rows == 0);
  CHECK(dupq::pack_rows(rows, 8, memory)->rows == 3);
}

TEST_CASE("the memory of a search is a share of what the vectors take") {
  const dupq::executor one;
  constexpr std::size_t n = 96'843, dim = 384;
  CHECK(dupq::search_bytes(n, dim, one) < n * dim * sizeof(float) * 6 / 10);
  dupq::thread_pool pool(2);
  CHECK(dupq::search_bytes(n, dim, pool.executor()) < n * dim * sizeof(float) * 6 / 10);
}
