#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <dupq/device/widen.hpp>
#include <vector>

TEST_CASE("every half-precision number widens exactly") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float wide = dupq::widen_f16(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
    REQUIRE(std::signbit(wide) == (bits >= 32768));
    if (exponent == 31) {
      REQUIRE(std::isnan(wide) == (fraction != 0));
      REQUIRE(std::isinf(wide) == (fraction == 0));
      continue;
    }
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    REQUIRE(static_cast<double>(std::fabs(wide)) == magnitude);
  }
}

TEST_CASE("rows of every format widen from any address") {
  constexpr std::size_t n = 64;
  for (const std::size_t shift : {0u, 1u, 2u, 3u}) {
    std::vector<std::byte> row(shift);
    const auto add = [&](auto v) {
      const auto* const p = reinterpret_cast<const std::byte*>(&v);
      row.insert(row.end(), p, p + sizeof v);
    };
    std::vector<float> expected, out(n);

    for (std::size_t i = 0; i < n; ++i) expected.push_back(static_cast<float>(i) - 20.25f), add(expected.back());
    CHECK(row.size() - shift == dupq::stored_bytes(dupq::row_format::f32, n));
    dupq::widen(row.data() + shift, dupq::row_format::f32, n, out.data());
    CHECK(out == expected);

    row.resize(shift), expected.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const auto half = static_cast<std::uint16_t>(0x3C00 + 16 * i);  // from 1 in steps of 1/64
      expected.push_back(1.0f + static_cast<float>(i) / 64.0f), add(half);
    }
    CHECK(row.size() - shift == dupq::stored_bytes(dupq::row_format::f16, n));
    dupq::widen(row.data() + shift, dupq::row_format::f16, n, out.data());
    CHECK(out == expected);

    row.resize(shift), expected.clear();
    for (std::size_t i = 0; i < n; ++i) {
      const auto upper = static_cast<std::uint16_t>(0x3F80 + i);  // from 1 in steps of 1/128
      expected.push_back(1.0f + static_cast<float>(i) / 128.0f), add(upper);
    }
    CHECK(row.size() - shift == dupq::stored_bytes(dupq::row_format::bf16, n));
    dupq::widen(row.data() + shift, dupq::row_format::bf16, n, out.data());
    CHECK(out == expected);

    row.resize(shift), expected.clear();
    for (const float scale : {0.5f, -2.0f}) {
      add(scale > 0 ? std::uint16_t{0x3800} : std::uint16_t{0xC000});
      for (int i = 0; i < 32; ++i) {
        const auto q = static_cast<std::int8_t>(8 * i - 128);
        expected.push_back(scale * static_cast<float>(q)), add(q);
      }
    }
    CHECK(row.size() - shift == dupq::stored_bytes(dupq::row_format::q8_0, n));
    dupq::widen(row.data() + shift, dupq::row_format::q8_0, n, out.data());
    CHECK(out == expected);
  }
}
