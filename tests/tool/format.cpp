#include "format.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>

#include "npy.hpp"
#include "progress.hpp"

using namespace dupq_tool;

TEST_CASE("floats print as the shortest decimal that reads back") {
  CHECK(shortest(0.1f) == "0.1");
  CHECK(shortest(1.0f) == "1");
  CHECK(shortest(-0.0f) == "-0");
  CHECK(shortest(1e-10f) == "1e-10");
  CHECK(shortest(0.1) == "0.1");
  CHECK(as_shortest(0.1f) == 0.1);
  std::mt19937 bits(1);
  for (int i = 0; i < 20000; ++i) {
    const float f = std::bit_cast<float>(static_cast<std::uint32_t>(bits()));
    if (f != f) continue;
    REQUIRE(std::strtof(shortest(f).c_str(), nullptr) == f);
  }
}

TEST_CASE("counts are grouped") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(std::numeric_limits<std::uint64_t>::max()) == "18,446,744,073,709,551,615");
  CHECK(counted(1, "row") == "1 row");
  CHECK(counted(0, "row") == "0 rows");
  CHECK(fixed(0.73122, 4) == "0.7312");
}

TEST_CASE("a user's words are quoted, on one line, and cut") {
  CHECK(printable("a\nb\x7f\xc3\xa9") == "'a?b?\xc3\xa9'");
  CHECK(printable(std::string(100, 'x')) == '\'' + std::string(40, 'x') + "...'");
}

TEST_CASE("a NumPy header has one size and names the shape") {
  for (std::size_t n : {std::size_t{0}, std::size_t{17}, std::numeric_limits<std::size_t>::max()}) {
    const std::string header = npy_header(n, 384);
    REQUIRE(header.size() == npy_header_bytes);
    CHECK(header.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    CHECK(header.back() == '\n');
    CHECK(header.find("{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(n) + ", 384), }") == 10);
  }
}

TEST_CASE("progress tells rate, total and time left") {
  CHECK(progress("questions", 40000).text(1200, 0, 2) == "1,200/40,000 questions, 600/s, 65 s left");
  CHECK(progress("texts").text(500, 0.25, 1) == "500 texts, 25%, 500/s, 3 s left");
  CHECK(progress("texts").text(500, 0, 10) == "500 texts, 50/s");
  CHECK(progress("texts", 10).text(0, 0, 0) == "0/10 texts");
  CHECK(progress("rows", 1000).text(1, 0, 1) == "1/1,000 rows, 1/s, 17 min left");
}
