#include "pair_sorter.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <tuple>
#include <vector>

#include "unit/forked_process.hpp"
#include "unit/temporary_folder.hpp"

using namespace dupq_tool;

namespace {

using row = std::tuple<float, std::uint32_t, std::uint32_t>;  // -score first: in the order that is wanted

std::vector<scored_pair> random_pairs(std::size_t n, unsigned scores) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::vector<scored_pair> out;
  for (std::uint32_t i = 0; i < n; ++i) out.push_back({i % 7, i, static_cast<float>(random() % scores) / 8 - 1});
  std::ranges::shuffle(out, random);
  return out;
}

std::vector<row> in_order(const std::vector<scored_pair>& pairs, std::size_t most) {
  std::vector<row> out;
  for (const scored_pair& p : pairs) out.emplace_back(-p.score, p.first, p.second);
  std::ranges::sort(out);
  if (most != 0 && out.size() > most) out.resize(most);
  return out;
}

std::vector<row> sorted(pair_sorter& sorter, const std::vector<scored_pair>& pairs) {
  for (const scored_pair& p : pairs) sorter.add(p);
  std::vector<row> out;
  sorter.for_each([&](const scored_pair& p) { out.emplace_back(-p.score, p.first, p.second); });
  return out;
}

bool is_empty(const temporary_folder& f) { return std::filesystem::is_empty(f.path()); }

}  // namespace

TEST_CASE("pairs come in order, with room for all of them or for a few") {
  const temporary_folder folder;
  for (const std::size_t n : {0u, 1u, 2u, 63u, 64u, 65u, 1000u})
    for (const unsigned scores : {1u, 5u, 100000u}) {
      const auto pairs = random_pairs(n, scores);
      for (const std::size_t room : {0u, 2u, 3u, 64u, 999u, 5000u})
        for (const std::size_t most : {0u, 1u, 2u, 50u, 999u, 1000u, 2000u}) {
          pair_sorter sorter(most, folder.file("."), room);
          INFO(n, " ", scores, " ", room, " ", most);
          CHECK(sorted(sorter, pairs) == in_order(pairs, most));
          if (most == 0 || most > std::max<std::size_t>(room, 2) / 2)
            CHECK((sorter.parts() != 0) == (n > std::max<std::size_t>(room, 2)));
          CHECK(is_empty(folder));
        }
    }
}

TEST_CASE("of many pairs a few need little memory and no file") {
  pair_sorter sorter(10, "/nowhere");
  const auto pairs = random_pairs(500'000, 1'000'000);
  CHECK(sorted(sorter, pairs) == in_order(pairs, 10));
  CHECK(sorter.parts() == 0);
}

TEST_CASE("a folder where no file can be made is named") {
  pair_sorter sorter(0, "/nowhere/at/all", 2);
  CHECK_THROWS_WITH_AS(sorted(sorter, random_pairs(10, 5)),
                       "/nowhere/at/all: a temporary file cannot be created: No such file or directory", failure);
}

#if defined(DUPQ_POSIX)
TEST_CASE("a disk that fills up ends the work with a failure, and leaves nothing") {
  const temporary_folder folder;
  CHECK(dupq_test::in_forked_process([&] {
          ::signal(SIGXFSZ, SIG_IGN);
          const rlimit few{100, 100};  // no file may be larger
          ::setrlimit(RLIMIT_FSIZE, &few);
          pair_sorter sorter(0, folder.file("."), 4);
          try {
            sorted(sorter, random_pairs(50, 5));
          } catch (const failure& e) {
            return std::string(e.what()).find("a temporary file cannot be written: File too large") == std::string::npos
                       ? 1
                       : 0;
          }
          return 2;
        }) == 0);
  CHECK(is_empty(folder));
}
#endif
