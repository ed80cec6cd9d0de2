// Every kernel of every table: the bytes of `scalar`, which is near the reference, over lengths 0..2N+1 (N = 16 lanes)
// and pointers that are aligned to nothing but a float.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <dupq/device/cpu/cpu.hpp>
#include <limits>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t longest = 2 * 16 + 1;

/// Floats at an address that is 4 mod 64, with a guard behind them that must not change.
class floats {
 public:
  floats(std::size_t n, std::uint32_t seed, float scale = 4.0f) : storage_(n + 2 + 64), size_(n) {
    const auto misaligned = 16 - reinterpret_cast<std::uintptr_t>(storage_.data()) / 4 % 16 + 1;
    begin_ = misaligned;
    for (std::size_t i = 0; i <= n; ++i) {  // the same values wherever the heap has put them
      seed = seed * 1664525u + 1013904223u;
      data()[i] = (static_cast<float>(seed >> 8) / 8388608.0f - 1.0f) * scale;
    }
    guard_ = data()[size_];
  }
  floats(const floats& other) : floats(other.size_, 0) { std::copy_n(other.data(), size_, data()); }
  floats& operator=(const floats&) = delete;

  float* data() { return storage_.data() + begin_; }
  const float* data() const { return storage_.data() + begin_; }
  std::size_t size() const { return size_; }
  bool guarded() const { return data()[size_] == guard_; }
  friend bool operator==(const floats& a, const floats& b) {
    return a.size_ == b.size_ && std::memcmp(a.data(), b.data(), a.size_ * sizeof(float)) == 0 && a.guarded() &&
           b.guarded();
  }

 private:
  std::vector<float> storage_;
  std::size_t size_;
  std::size_t begin_;
  float guard_;
};

/// Runs call(table, output) with scalar and with each other table; all outputs must be the same bytes.
template <class Call>
floats same(const floats& initial, Call&& call) {
  floats expected(initial);
  call(dupq::scalar_kernels::table, expected);
  for (const dupq::kernels* table : dupq::available_kernels()) {
    CAPTURE(table->name);
    floats out(initial);
    call(*table, out);
    CHECK(out == expected);
  }
  return expected;
}

void near(float value, double truth, double tolerance) {
  CHECK(std::fabs(static_cast<double>(value) - truth) <= tolerance * std::max(1.0, std::fabs(truth)));
}

}  // namespace

TEST_CASE("gemm") {
  using dupq::activation, dupq::panel_width;
  for (const std::size_t m : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 13u, 14u, 17u})
    for (std::size_t n = 1; n <= 161; n += n < longest ? 1 : 32)
      for (const std::size_t k : {1u, 7u, 16u, 95u, 96u, 97u, 200u}) {
        if (n > longest && k > 16) continue;
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        const std::size_t panels = (n + panel_width - 1) / panel_width;
        const floats a(m * (k + 3), 1, 1.0f), b(panels * k * panel_width, 2, 1.0f), bias(n, 3), start(m * n, 4);
        const auto act = static_cast<activation>((m + n + k) % 3);
        const bool residual = (m + n) % 2 == 0;
        const floats c = same(start, [&](const dupq::kernels& table, floats& out) {
          dupq::gemm_args g;
          g.a = a.data(), g.a_stride = k + 3;
          g.b = b.data(), g.panel_stride = k * panel_width;
          g.c = out.data(), g.c_stride = n;
          g.m = m, g.n = n, g.k = k;
          g.bias = bias.data(), g.act = act;
          if (residual) g.residual = out.data();
          table.gemm(g);
        });
        for (std::size_t i = 0; i < m; ++i)
          for (std::size_t j = 0; j < n; ++j) {
            double truth = static_cast<double>(bias.data()[j]);
            for (std::size_t p = 0; p < k; ++p)
              truth +=
                  static_cast<double>(a.data()[i * (k + 3) + p]) *
                  static_cast<double>(b.data()[j / panel_width * k * panel_width + p * panel_width + j % panel_width]);
            if (act == activation::gelu) truth = truth / 2 * std::erfc(-truth / std::sqrt(2.0));
            if (act == activation::tanh) truth = std::tanh(truth);
            if (residual) truth += static_cast<double>(start.data()[i * n + j]);
            near(c.data()[i * n + j], truth, 4e-6);
          }
      }
}

TEST_CASE("gemm over strided operands, as attention reads scores and values") {
  const std::size_t k = 13, head = 24, stride = 72;
  for (const std::size_t m : {3u, 7u, 16u}) {
    const floats a(m * k, 1, 1.0f), rows(k * stride + 16, 2), start(m * head, 3);
    const floats c = same(start, [&](const dupq::kernels& table, floats& out) {
      dupq::gemm_args g;
      g.a = a.data(), g.a_stride = 1, g.a_step = m;  // transposed
      g.b = rows.data() + 24, g.panel_stride = dupq::panel_width, g.b_stride = stride;
      g.c = out.data(), g.c_stride = head;
      g.m = m, g.n = head, g.k = k;
      table.gemm(g);
    });
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < head; ++j) {
        double truth = 0;
        for (std::size_t p = 0; p < k; ++p)
          truth += static_cast<double>(a.data()[p * m + i]) * static_cast<double>(rows.data()[p * stride + 24 + j]);
        near(c.data()[i * head + j], truth, 4e-6);
      }
  }
}

/// What a table's `quantize` writes: the bytes of all rows, then those of their scales, which end in `scales` too.
std::vector<std::uint8_t> quantized(const dupq::kernels& table, const floats& x, std::size_t n, std::size_t stride,
                                    const float* factors, std::vector<dupq::row_scale>& scales) {
  std::vector<std::uint8_t> all(scales.size() * dupq::round_up(n, 4), 77);
  table.quantize(scales.size(), n, stride, x.data(), factors, all.data(), scales.data());
  for (const dupq::row_scale& one : scales) {
    const auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof one>>(one);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

/// Rows of x as integers, and their product with made-up weights.
void check_bytes(std::size_t m, std::size_t n, std::size_t k) {
  using dupq::activation, dupq::panel_width;
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  const std::size_t groups = (k + 3) / 4, panels = (n + panel_width - 1) / panel_width;
  const auto act = (m + n + k) % 2 == 0 ? activation::gelu : activation::none;
  const bool scaled = (m + n) % 3 != 0;
  const floats x(m * k, 1), drawn(panels * groups * 64, 2, 64.9f), scales(n, 3, 0.01f), bias(n, 4), start(m * n, 5),
      factors(k, 6);
  std::vector<std::int8_t> weights(drawn.size());
  std::vector<std::int32_t> sums(n);
  const auto weight = [&](std::size_t o, std::size_t i) -> std::int8_t& {
    return weights[((o / panel_width * groups + i / 4) * panel_width + o % panel_width) * 4 + i % 4];
  };
  for (std::size_t o = 0; o < n; ++o)
    for (std::size_t i = 0; i < k; ++i) {
      weight(o, i) = static_cast<std::int8_t>(drawn.data()[o * k + i < drawn.size() ? o * k + i : 0]);
      sums[o] += weight(o, i);
    }
  std::vector<dupq::row_scale> rows(m);
  const auto quantize = [&](const dupq::kernels& table) {
    return quantized(table, x, k, k, scaled ? factors.data() : nullptr, rows);
  };
  const auto expected = quantize(dupq::scalar_kernels::table);
  for (const dupq::kernels* table : dupq::available_kernels()) CHECK(quantize(*table) == expected);
  for (std::size_t r = 0; r < m; ++r)
    for (std::size_t i = 0; i < k; ++i) {  // half a step of rounding, and half of the zero point's
      const float value = x.data()[r * k + i] * (scaled ? factors.data()[i] : 1.0f);
      CHECK(std::fabs(static_cast<float>(expected[r * groups * 4 + i] - rows[r].zero) * rows[r].scale - value) <=
            rows[r].scale * 1.01f);
    }
  const floats c = same(start, [&](const dupq::kernels& table, floats& out) {
    dupq::gemm8_args g;
    g.a = expected.data(), g.a_scales = rows.data();
    g.b = weights.data(), g.scales = scales.data(), g.sums = sums.data(), g.groups = groups;
    g.c = out.data(), g.c_stride = n, g.m = m, g.n = n, g.bias = bias.data(), g.residual = out.data();
    g.act = act;
    table.gemm8(g);
  });
  for (std::size_t r = 0; r < m; ++r)
    for (std::size_t o = 0; o < n; ++o) {
      double sum = 0;
      for (std::size_t i = 0; i < k; ++i) sum += (expected[r * groups * 4 + i] - rows[r].zero) * weight(o, i);
      double truth = sum * static_cast<double>(rows[r].scale) * static_cast<double>(scales.data()[o]) +
                     static_cast<double>(bias.data()[o]);
      if (act == activation::gelu) truth = truth / 2 * std::erfc(-truth / std::sqrt(2.0));
      near(c.data()[r * n + o], truth + static_cast<double>(start.data()[r * n + o]),
           act == activation::gelu ? 1.2e-4 : 4e-6);
    }
}

TEST_CASE("8-bit integers: quantize and gemm8") {
  for (const std::size_t m : {1u, 2u, 5u, 6u, 7u, 8u, 9u, 12u, 14u, 15u, 17u})
    for (std::size_t n = 1; n <= 161; n += n < longest ? 1 : 32)
      for (const std::size_t k : {1u, 4u, 15u, 16u, 17u, 130u})
        if (n <= longest || k <= 16) check_bytes(m, n, k);
}

TEST_CASE("8-bit integers: gemm8 of whole tile registers, and of parts of them") {
  for (const std::size_t m : {1u, 2u, 15u, 16u, 17u, 31u, 32u, 33u, 48u, 50u, 65u})
    for (const std::size_t n : {1u, 15u, 16u, 17u, 32u, 33u, 47u, 48u, 63u})
      for (const std::size_t k : {61u, 64u, 65u, 192u}) check_bytes(m, n, k);
}

TEST_CASE("8-bit integers: quantize of long rows") {
  const std::size_t n = 1055, stride = n + 3;
  const floats x(7 * stride, 1), factors(n, 2);
  std::vector<dupq::row_scale> rows(7);
  for (const float* const f : {factors.data(), static_cast<const float*>(nullptr)}) {
    const auto expected = quantized(dupq::scalar_kernels::table, x, n, stride, f, rows);
    for (const dupq::kernels* table : dupq::available_kernels())
      CHECK(quantized(*table, x, n, stride, f, rows) == expected);
  }
}

TEST_CASE("8-bit integers: the extremes do not saturate, and an empty row is zero") {
  const std::size_t k = 256, n = 16;
  const std::vector<std::uint8_t> a(k, 255);
  const std::vector<float> scales(n, 1.0f), bias(n, 0.0f);
  const dupq::row_scale row{1.0f, 0};
  for (const int weight : {64, -64}) {
    const std::vector<std::int8_t> b(k * n, static_cast<std::int8_t>(weight));
    const std::vector<std::int32_t> sums(n, 256 * weight);
    for (const dupq::kernels* table : dupq::available_kernels()) {
      std::vector<float> c(n);
      dupq::gemm8_args g;
      g.a = a.data(), g.a_scales = &row, g.b = b.data(), g.scales = scales.data(), g.sums = sums.data();
      g.groups = k / 4, g.c = c.data(), g.c_stride = n, g.m = 1, g.n = n, g.bias = bias.data();
      table->gemm8(g);
      for (const float x : c) CHECK(x == static_cast<float>(255 * 256 * weight));
    }
  }
  for (const dupq::kernels* table : dupq::available_kernels()) {
    const std::vector<float> zeros(20);
    std::vector<std::uint8_t> q(20, 9);
    dupq::row_scale s{1.0f, 1};
    table->quantize(1, 20, 20, zeros.data(), nullptr, q.data(), &s);
    CHECK(s.scale == 0.0f);
    for (const std::uint8_t v : q) CHECK(v == s.zero);
    // What left the range of floats: no integers can stand for it, none overflows, and the results are no numbers.
    constexpr float most = std::numeric_limits<float>::max(), none = std::numeric_limits<float>::infinity();
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    for (const std::size_t width : {20u, 70u})
      for (const auto& [low, high] :
           {std::pair(-none, 1.0f), {-1.0f, none}, {-none, none}, {-most, most}, {nan, 1.0f}, {-1.0f, -nan}}) {
        constexpr std::size_t count = 6, spoiled = 2;  // rows, and the one of them
        std::vector<float> wide(count * width, 0.5f);
        wide[spoiled * width + 3] = low, wide[(spoiled + 1) * width - 3] = high;
        std::vector<std::uint8_t> bytes(count * dupq::round_up(width, 4));
        dupq::row_scale rows[count];
        table->quantize(count, width, width, wide.data(), nullptr, bytes.data(), rows);
        for (std::size_t r = 0; r < count; ++r) {
          CHECK(std::isfinite(rows[r].scale) == (r != spoiled));
          CHECK(std::isnan(rows[r].scale) == (r == spoiled && low != -most));
          CHECK(rows[r].zero == 0);
        }
      }
  }
}

TEST_CASE("norm") {
  for (std::size_t n = 1; n <= longest; ++n)
    for (const float epsilon : {1e-12f, 1e-5f}) {
      CAPTURE(n);
      const std::size_t rows = 15, stride = n + 2;  // eight, four, two and one at a time
      const floats x(rows * stride, 1), gain(n, 2), bias(n, 3);
      const floats y = same(x, [&](const dupq::kernels& table, floats& out) {
        table.norm(rows, n, stride, gain.data(), bias.data(), epsilon, out.data());
      });
      for (std::size_t r = 0; r < rows && n > 1; ++r) {
        double mean = 0, variance = 0;
        for (std::size_t i = 0; i < n; ++i)
          mean += static_cast<double>(x.data()[r * stride + i]) / static_cast<double>(n);
        for (std::size_t i = 0; i < n; ++i)
          variance += std::pow(static_cast<double>(x.data()[r * stride + i]) - mean, 2) / static_cast<double>(n);
        for (std::size_t i = 0; i < n; ++i)
          near(y.data()[r * stride + i],
               (static_cast<double>(x.data()[r * stride + i]) - mean) /
                       std::sqrt(variance + static_cast<double>(epsilon)) * static_cast<double>(gain.data()[i]) +
                   static_cast<double>(bias.data()[i]),
               1e-5);
      }
    }
}

TEST_CASE("softmax of columns") {
  for (std::size_t keys = 1; keys <= longest; ++keys)
    for (const float spread : {1.0f, 30.0f, 300.0f})  // at 300 some terms are exactly 0
      for (const bool biased : {false, true}) {
        const std::size_t queries = keys % 20 + 1, padded = dupq::round_up(queries, 16), stride = padded + 1;
        CAPTURE(keys);
        CAPTURE(spread);
        const floats x(keys * stride, 1, spread), biases(keys + padded, 2);
        const float* const bias = biases.data() + keys - 1;  // of key k and query q at bias[q - k]
        const floats y = same(x, [&](const dupq::kernels& table, floats& out) {
          table.softmax(keys, queries, stride, 0.25f, biased ? bias : nullptr, out.data());
        });
        for (std::size_t q = 0; q < queries; ++q) {
          std::vector<double> e(keys);
          double highest = -HUGE_VAL, sum = 0;
          for (std::size_t k = 0; k < keys; ++k) {
            e[k] = static_cast<double>(x.data()[k * stride + q]) * 0.25;
            if (biased) e[k] += static_cast<double>(*(bias + q - k));
            highest = std::max(highest, e[k]);
          }
          for (double& v : e) sum += v = std::exp(v - highest);
          for (std::size_t k = 0; k < keys; ++k) near(y.data()[k * stride + q], e[k] / sum, 1e-5);
        }
      }
}

TEST_CASE("rows: sum, transpose, mean, maximum, products, quotient") {
  for (std::size_t n = 0; n <= longest; ++n) {
    CAPTURE(n);
    const std::size_t stride = n + 1;
    for (std::size_t rows = 1; rows <= 18; ++rows) {
      const floats x(rows * stride + 1, 1), other(n, 2), third(n, 3), one_row(n, 4), column(rows, 5);
      const floats sum = same(one_row, [&](const dupq::kernels& table, floats& out) {
        table.add_rows(n, x.data(), rows % 2 == 0 ? nullptr : other.data(), third.data(), out.data());
      });
      const floats mean = same(
          one_row, [&](const dupq::kernels& table, floats& out) { table.mean(rows, n, stride, x.data(), out.data()); });
      const floats max = same(
          one_row, [&](const dupq::kernels& table, floats& out) { table.max(rows, n, stride, x.data(), out.data()); });
      for (std::size_t i = 0; i < n; ++i) {
        double total = 0, most = -HUGE_VAL;
        for (std::size_t r = 0; r < rows; ++r) {
          total += static_cast<double>(x.data()[r * stride + i]);
          most = std::max(most, static_cast<double>(x.data()[r * stride + i]));
        }
        near(mean.data()[i], total / static_cast<double>(rows), 1e-6);
        CHECK(static_cast<double>(max.data()[i]) == most);
        CHECK(sum.data()[i] == (rows % 2 == 0 ? x.data()[i] : x.data()[i] + other.data()[i]) + third.data()[i]);
      }
      const floats dots = same(column, [&](const dupq::kernels& table, floats& out) {
        table.dots(n, other.data(), rows, stride, x.data(), out.data());
      });
      for (std::size_t r = 0; r < rows; ++r) {
        double truth = 0;
        for (std::size_t i = 0; i < n; ++i)
          truth += static_cast<double>(other.data()[i]) * static_cast<double>(x.data()[r * stride + i]);
        near(dots.data()[r], truth, 1e-5);
      }
      const std::size_t padded = dupq::round_up(rows, 16);
      const floats panels = same(floats(padded * n, 6), [&](const dupq::kernels& table, floats& out) {
        table.transpose(rows, n, stride, x.data(), out.data());
      });
      for (std::size_t r = 0; r < padded; ++r)
        for (std::size_t i = 0; i < n; ++i)
          CHECK(panels.data()[r / 16 * n * 16 + i * 16 + r % 16] == (r < rows ? x.data()[r * stride + i] : 0.0f));
    }
    same(floats(n, 7), [&](const dupq::kernels& table, floats& out) { table.divide(n, 3.0f, out.data()); });
  }
}

TEST_CASE("tables are found by name, scalar among them and last") {
  const auto list = dupq::available_kernels();
  REQUIRE(list.count >= 1);
  CHECK(list.tables[list.count - 1] == &dupq::scalar_kernels::table);
  CHECK(dupq::find_kernels() == list.tables[0]);
  for (const dupq::kernels* table : list) CHECK(dupq::find_kernels(table->name) == table);
  CHECK(dupq::find_kernels("sse9") == nullptr);
}
