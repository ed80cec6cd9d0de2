// Layouts, checked by the compiler: swizzles, bank conflicts, fragments, the order of weights; and packing into bins.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <dupq/device/cuda/bins.hpp>
#include <dupq/device/cuda/hopper/heads.hpp>
#include <dupq/device/cuda/hopper/wide.hpp>
#include <dupq/device/cuda/layouts.hpp>
#include <dupq/device/cuda/packing.hpp>
#include <dupq/device/narrow.hpp>
#include <dupq/device/widen.hpp>
#include <numeric>
#include <random>
#include <vector>

namespace gpu = dupq::gpu;

namespace {

constexpr int chunk_bits = 16;

/// Every chunk of `rows` rows gets an address of its own within them.
template <class Swizzle>
constexpr bool bijective(Swizzle swizzle, std::uint32_t rows, std::uint32_t chunks) {
  std::array<bool, 1024> used{};
  for (std::uint32_t r = 0; r < rows; ++r)
    for (std::uint32_t c = 0; c < chunks; ++c) {
      const std::uint32_t at = swizzle(r, c);
      if (at % chunk_bits != 0 || at >= rows * chunks * 16 || used[at / 16]) return false;
      used[at / 16] = true;
    }
  return true;
}
static_assert(bijective(gpu::swizzled128, 64, 8));
static_assert(bijective(gpu::swizzled64, 64, 4));

/// How often eight 16-byte accesses, which one pass serves, use the most used group of four banks.
template <class Address>
constexpr int conflicts(Address address) {
  int banks[8] = {}, most = 0;
  for (std::uint32_t i = 0; i < 8; ++i) most = std::max(most, ++banks[address(i) / 16 % 8]);
  return most;
}
constexpr bool free_of_conflicts() {
  for (std::uint32_t base = 0; base < 64; base += 8)
    for (std::uint32_t c = 0; c < 8; ++c) {
      if (conflicts([&](std::uint32_t i) { return gpu::swizzled128(base + i, c); }) != 1) return false;  // ldmatrix
      if (conflicts([&](std::uint32_t i) { return gpu::swizzled128(base + c, i); }) != 1) return false;  // copies
      if (c < 4 && conflicts([&](std::uint32_t i) { return gpu::swizzled64(base + i, c); }) != 1) return false;
    }
  return true;
}
static_assert(free_of_conflicts());
static_assert(conflicts([](std::uint32_t i) { return i * 128; }) == 8);  // what the swizzle is for

// The columns of a group's four products are its 32 outputs, and a lane's eight are neighbours.
constexpr bool columns_are_a_permutation() {
  std::array<bool, 32> used{};
  for (int p = 0; p < 4; ++p)
    for (int n = 0; n < 8; ++n) {
      const int to = gpu::group_column(p, n);
      if (to != n / 2 * 8 + 2 * p + n % 2 || used[static_cast<std::size_t>(to)]) return false;
      used[static_cast<std::size_t>(to)] = true;
    }
  return true;
}
static_assert(columns_are_a_permutation());

// A weight lies where the lane that needs it reads it: PTX's B fragment of m16n8k16 (column lane / 4, depths
// 2 (lane % 4) + 8 word and the next).
constexpr bool weights_match_fragments(int outputs, int inputs) {
  for (int group = 0; group < outputs / 32; ++group)
    for (int step = 0; step < inputs / 16; ++step)
      for (int product = 0; product < 4; ++product)
        for (int lane = 0; lane < 32; ++lane)
          for (int word = 0; word < 2; ++word)
            for (int e = 0; e < 2; ++e) {
              const int output = group * 32 + gpu::group_column(product, lane / 4);
              const int input = step * 16 + 2 * (lane % 4) + 8 * word + e;
              const int read = (((group * (inputs / 16) + step) * 2 + product / 2) * 256) + lane * 8 +
                               (product % 2 * 2 + word) * 2 + e;
              if (gpu::weight_index(output, input, inputs) != static_cast<std::size_t>(read)) return false;
            }
  return true;
}
static_assert(weights_match_fragments(64, 48));

// Tapes: what a warpgroup multiplies by stage `s`, row n and depth k of it, is the weight that it takes there; no two
// weights share a place. A lane's results of four neighbouring products are eight neighbours.
using qkv = gpu::qkv_tape<384>;
using mlp = gpu::mlp_tape<384>;
constexpr int output_at(int n) { return n / 32 * 32 + gpu::group_column(n % 32 / 8, n % 8); }
constexpr std::size_t place128(int stage, int panel, int n, int k) {
  return static_cast<std::size_t>(stage) * 12288 + static_cast<std::size_t>(panel) * 4096 +
         gpu::swizzled128(static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(k / 8)) / 2 +
         static_cast<std::size_t>(k % 8);
}
constexpr bool tapes_are_in_order() {
  for (int n = 0; n < 192; n += 5)
    for (int k = 0; k < 32; ++k) {
      // pair of heads 4: 64 outputs each of queries, keys, values; inputs 7 * 32 + k
      const int output = n / 64 * 384 + 4 * 64 + output_at(n % 64);
      if (qkv::index(output, 7 * 32 + k) !=
          (4 * 12 + 7) * 6144u + gpu::swizzled64(static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(k / 8)) / 2 +
              static_cast<std::size_t>(k % 8))
        return false;
    }
  for (int n = 0; n < 192; n += 5)
    for (int k = 0; k < 64; ++k) {
      if (mlp::projection(192 + output_at(n), 5 * 64 + k) != place128(11, 0, n, k)) return false;
      // columns 3 * 64 of the perceptron: their weights in stages 24 and 25, those that they have in 26 and 27
      if (mlp::up(3 * 64 + output_at(n % 64), 256 + k) != place128(12 + 13, 1, n % 64, k)) return false;
      if (mlp::down(192 + output_at(n), 3 * 64 + output_at(k)) != place128(12 + 15, 0, n, k)) return false;
    }
  return true;
}
static_assert(tapes_are_in_order());
constexpr bool wide_tape_is_in_order() {
  for (int n = 0; n < 384; n += 5)
    for (int k = 0; k < 64; ++k)
      if (gpu::wide_tape::index(384 + output_at(n), 5 * 64 + k, 768) !=
          (12 + 5) * 24576u + gpu::swizzled128(static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(k / 8)) / 2 +
              static_cast<std::size_t>(k % 8))
        return false;
  return true;
}
static_assert(wide_tape_is_in_order());
static_assert(qkv::halves == 3 * 384 * 384 && mlp::halves(1536) == 384 * 384 + 2 * 384 * 1536);

// Rows of heads: what ldmatrix reads from any row on, and what quads of lanes store to two rows at a time.
constexpr bool heads_are_free_of_conflicts() {
  for (std::uint32_t row = 0; row < 56; ++row)
    for (std::uint32_t c = 0; c < 8; ++c)
      if (conflicts([&](std::uint32_t i) { return gpu::head_offset(row + i, c); }) != 1) return false;
  for (std::uint32_t row = 0; row < 64; row += 2)
    for (std::uint32_t c = 0; c < 8; c += 4)
      if (conflicts([&](std::uint32_t i) { return gpu::head_offset(row + i / 4, c + i % 4); }) != 1) return false;
  return true;
}
static_assert(heads_are_free_of_conflicts());

constexpr gpu::head_columns mini{12, 32}, odd{3, 24}, wide{2, 80};
static_assert(mini.dims() == 32 && mini.width() == 384 && mini.column(383) == 383);
static_assert(odd.dims() == 32 && odd.column(23) == 23 && odd.column(24) == 32 && odd.column(72) == 96);
static_assert(wide.dims() == 128 && wide.column(159) == 207);

std::size_t packed(const std::vector<std::uint32_t>& lengths) {
  std::vector<gpu::bin_place> places(lengths.size());
  std::vector<std::uint32_t> order(lengths.size()), next(lengths.size());
  const std::size_t bins = gpu::pack_bins(lengths, places, order, next);
  std::vector<bool> used(bins * gpu::bin_rows);
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    REQUIRE(places[t].bin < bins);
    REQUIRE(places[t].row + lengths[t] <= gpu::bin_rows);
    for (std::uint32_t i = 0; i < lengths[t]; ++i) {
      const std::size_t row = places[t].bin * gpu::bin_rows + places[t].row + i;
      REQUIRE(!used[row]);
      used[row] = true;
    }
  }
  return bins;
}

}  // namespace

TEST_CASE("halves are rounded to the nearest, ties to even") {
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const float f = dupq::widen_f16(static_cast<std::uint16_t>(h));
    if (f != f) continue;
    REQUIRE(dupq::narrow_f16(f) == h);
  }
  CHECK(dupq::narrow_f16(1.0f + 0x1p-11f) == 0x3C00);
  CHECK(dupq::narrow_f16(1.0f + 3 * 0x1p-11f) == 0x3C02);
  CHECK(dupq::narrow_f16(65519.0f) == 0x7BFF);
  CHECK(dupq::narrow_f16(65520.0f) == 0x7C00);
  CHECK(dupq::narrow_f16(0x1p-25f) == 0);
}

TEST_CASE("weights that halves cannot hold are refused") {
  std::vector<float> panels(16 * 16, 1.0f);
  dupq::linear<dupq::host_memory> l;
  l.panels = panels.data(), l.outputs = 16, l.inputs = 16;
  std::vector<gpu::half> weights(128 * 64);
  std::vector<float> bias(128);
  const auto same = [](int i) { return i; };
  CHECK(gpu::pack_linear(l, 128, 64, same, same, weights.data(), bias.data()));
  panels[5] = 7e4f;
  CHECK(!gpu::pack_linear(l, 128, 64, same, same, weights.data(), bias.data()));
}

TEST_CASE("bins hold every text once, and are full") {
  CHECK(packed({}) == 0);
  CHECK(packed({64}) == 1);
  CHECK(packed({1}) == 1);
  CHECK(packed({40, 24, 64, 40}) == 3);
  std::mt19937 random(1);
  std::vector<std::uint32_t> any(999);
  for (auto& n : any) n = 1 + static_cast<std::uint32_t>(random() % 64);
  packed(any);
  // Lengths like those of Quora's questions: 14 tokens on average, most 9 to 16, with a long tail.
  std::lognormal_distribution<double> words(2.35, 0.45);
  for (const std::size_t count : {std::size_t{1024}, std::size_t{8192}}) {
    std::vector<std::uint32_t> lengths(count);
    for (auto& n : lengths) n = static_cast<std::uint32_t>(std::clamp(words(random) + 2.5, 4.0, 64.0));
    const double tokens = std::accumulate(lengths.begin(), lengths.end(), 0.0);
    CHECK(tokens / static_cast<double>(packed(lengths) * gpu::bin_rows) >= 0.97);
  }
}
