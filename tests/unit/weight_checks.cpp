#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <dupq/model/weight_checks.hpp>
#include <vector>

using dupq::row_format;

namespace {

/// What all_finite says of `n` zeros, the number at `at` being `bits`; at no aligned address.
template <class Bits>
void check_one(row_format format, std::size_t n, std::size_t at, Bits bits, bool finite) {
  std::vector<std::byte> row(dupq::stored_bytes(format, n) + 1);
  const std::size_t offset = format == row_format::q8_0 ? at / 32 * 34 : at * sizeof bits;
  std::memcpy(row.data() + 1 + offset, &bits, sizeof bits);
  if (format == row_format::q8_0) row[1 + offset + 2] = std::byte{1};
  std::size_t where = 12345;
  CAPTURE(n);
  CAPTURE(at);
  REQUIRE(dupq::all_finite(row.data() + 1, format, n, where) == finite);
  REQUIRE(where == (finite ? 12345 : at));
}

}  // namespace

TEST_CASE("a number that is not finite is found wherever it is") {
  for (std::size_t n = 1; n < 70; ++n)
    for (std::size_t at = 0; at < n; ++at) {
      for (const std::uint32_t bits : {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0xFFFFFFFFu, 0x7F800001u})
        check_one(row_format::f32, n, at, bits, false);
      for (const std::uint32_t bits : {0x7F7FFFFFu, 0xFF7FFFFFu, 0x80000000u, 0x807FFFFFu, 0x7F000000u})
        check_one(row_format::f32, n, at, bits, true);
      for (const unsigned bits : {0x7C00u, 0xFC00u, 0x7E00u, 0xFFFFu, 0x7C01u})
        check_one(row_format::f16, n, at, static_cast<std::uint16_t>(bits), false);
      for (const unsigned bits : {0x7BFFu, 0xFBFFu, 0x8000u, 0x83FFu, 0x7800u})
        check_one(row_format::f16, n, at, static_cast<std::uint16_t>(bits), true);
      for (const unsigned bits : {0x7F80u, 0xFF80u, 0x7FC0u, 0xFFFFu, 0x7F81u})
        check_one(row_format::bf16, n, at, static_cast<std::uint16_t>(bits), false);
      for (const unsigned bits : {0x7F7Fu, 0xFF7Fu, 0x8000u, 0x807Fu, 0x7F00u})
        check_one(row_format::bf16, n, at, static_cast<std::uint16_t>(bits), true);
    }
  for (std::size_t at = 0; at < 96; at += 32) {
    check_one(row_format::q8_0, 96, at, std::uint16_t{0xFC00}, false);
    check_one(row_format::q8_0, 96, at, std::uint16_t{0xFBFF}, true);
  }
}

TEST_CASE("a panel of 8-bit integers: its sums, and whether they are in range") {
  constexpr std::size_t width = 4 * dupq::panel_width;
  std::uint32_t random = 1;
  for (const std::size_t groups : {1u, 2u, 126u, 127u, 128u, 300u}) {
    for (const int most : {64, 128}) {  // random, then the extremes, whose sums must not overflow
      std::vector<std::byte> panel(groups * width + 1);
      std::int64_t expected[dupq::panel_width] = {};
      for (std::size_t i = 0; i < groups * width; ++i) {
        random = random * 1664525u + 1013904223u;
        const int byte = most == 64 ? static_cast<int>(random >> 24) % 65 * (random & 256 ? 1 : -1)
                                    : (i % width / 4 % 2 == 0 ? -128 : 127);
        panel[i + 1] = static_cast<std::byte>(byte);
        expected[i % width / 4] += byte;
      }
      std::int32_t sums[dupq::panel_width];
      CHECK(dupq::sum_panel(panel.data() + 1, groups, sums) == (most == 64));
      for (std::size_t o = 0; o < dupq::panel_width; ++o) CHECK(sums[o] == expected[o]);
    }
    for (std::size_t at = 0; at < groups * width; at += groups < 3 ? 1 : 37)
      for (const int byte : {-65, -64, 64, 65}) {
        std::vector<std::byte> panel(groups * width);
        panel[at] = static_cast<std::byte>(byte);
        std::int32_t sums[dupq::panel_width];
        REQUIRE(dupq::sum_panel(panel.data(), groups, sums) == (byte == 64 || byte == -64));
      }
  }
}
