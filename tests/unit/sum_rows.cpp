// Sums of a table's rows: every table's are the bytes of `scalar`'s, whatever the rows are stored as, at any width and
// address, with weights and shared rows; and those are near the sums in double.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/device/cpu/sum_rows.hpp>
#include <string_view>
#include <vector>

namespace {

class numbers {
 public:
  std::uint32_t next() { return state_ = state_ * 1664525u + 1013904223u; }
  float real() { return static_cast<float>(next() >> 8) / 8388608.0f - 1.0f; }

 private:
  std::uint32_t state_ = 5;
};

/// Rows of a format at an odd address, with small, large and subnormal numbers among them.
struct stored_rows {
  static constexpr std::size_t count = 37;
  std::vector<std::byte> bytes, row_of, weights;
  dupq::token_rows t;

  stored_rows(dupq::row_format format, std::size_t dim, bool shared, bool weighted) {
    numbers random;
    t.dim = dim;
    t.rows.format = format, t.rows.count = count, t.rows.row_bytes = dupq::stored_bytes(format, dim);
    bytes.resize(count * t.rows.row_bytes + 1);
    const auto put = [&](std::size_t at, auto value) { std::memcpy(bytes.data() + 1 + at, &value, sizeof value); };
    for (std::size_t at = 0; at < bytes.size() - 1;) {
      if (format == dupq::row_format::f32) {
        put(at, random.next() % 50 == 0 ? 1e-41f : random.real() * (random.next() % 9 == 0 ? 1e4f : 1.0f)), at += 4;
      } else if (format == dupq::row_format::q8_0) {
        put(at, static_cast<std::uint16_t>(random.next() >> 16 & 0x43FFu)), at += 2;
        for (int i = 0; i < 32; ++i) put(at++, static_cast<std::int8_t>(random.next() >> 24));
      } else {
        const bool wide = format == dupq::row_format::bf16;
        const std::uint32_t bits = random.next() >> 16;
        put(at, static_cast<std::uint16_t>(wide ? (bits & 0x81FFu) + 0x3E80u : bits & 0xBFFFu)), at += 2;
      }
    }
    t.rows.rows = bytes.data() + 1;
    row_of.resize(4 * count + 1), weights.resize(4 * count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint32_t>(i * 7 % 11);
      const float weight = random.real() * 3;
      std::memcpy(row_of.data() + 1 + 4 * i, &row, 4);
      std::memcpy(weights.data() + 1 + 4 * i, &weight, 4);
    }
    if (shared) t.row_of = row_of.data() + 1;
    if (weighted) t.weight_of = weights.data() + 1;
  }
};

}  // namespace

TEST_CASE("sum_rows: the same bytes in every table, near the sums in double") {
  using dupq::row_format;
  const std::vector<std::int32_t> tokens{3, 36, 0, 3, 17, 21, 8, 8, 30, 2, 5};
  for (const row_format format : {row_format::f32, row_format::f16, row_format::bf16, row_format::q8_0})
    for (const std::size_t dim : {1u, 15u, 16u, 27u, 32u, 33u, 63u, 64u, 96u, 160u, 255u, 256u, 300u, 384u, 544u}) {
      if (format == row_format::q8_0 && dim % 32 != 0) continue;
      for (const int kind : {0, 1, 2, 3}) {
        const stored_rows stored(format, dim, kind % 2 != 0, kind / 2 != 0);
        const dupq::token_rows& t = stored.t;
        CAPTURE(static_cast<int>(format));
        CAPTURE(dim);
        CAPTURE(kind);
        for (const std::size_t n : {std::size_t{0}, std::size_t{1}, tokens.size()}) {
          std::vector<float> expected(dim + 1, 7.0f);
          dupq::sum_rows_of (*dupq::find_kernels("scalar"))(t, tokens.data(), n, expected.data());
          for (const dupq::kernels* table : dupq::available_kernels()) {
            const std::string_view name = table->name;
            CAPTURE(name);
            std::vector<float> got(dim + 1, 7.0f);
            dupq::sum_rows_of (*table)(t, tokens.data(), n, got.data());
            CHECK(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)) == 0);
          }
          std::vector<double> sums(dim), sizes(dim);
          for (std::size_t k = 0; k < n; ++k) {
            std::vector<float> row(dim);
            dupq::widen(t.row(tokens[k]), format, dim, row.data());
            for (std::size_t i = 0; i < dim; ++i) {
              const double weight = t.weight_of == nullptr ? 1.0 : static_cast<double>(t.weight(tokens[k]));
              sums[i] += static_cast<double>(row[i]) * weight;
              sizes[i] += std::fabs(static_cast<double>(row[i]) * weight);
            }
          }
          for (std::size_t i = 0; i < dim; ++i)
            if (!(std::fabs(static_cast<double>(expected[i]) - sums[i]) <= 1e-6 * sizes[i] + 1e-44))
              FAIL_CHECK("number " << i << ": " << expected[i] << ", not " << sums[i]);
          CHECK(expected[dim] == 7.0f);
        }
      }
    }
}
