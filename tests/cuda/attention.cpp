// Attention in the emulator against the reference.
#include <doctest/doctest.h>

#include <dupq/device/cuda/latency/attention.hpp>
#include <dupq/device/reference.hpp>
#include <optional>

#include "data.hpp"
#include "defects.hpp"

using namespace cuda_test;
namespace gpu = dupq::gpu;

namespace {

/// Attention over texts of these lengths: the reference's result, and the kernel's.
template <int Dims>
struct attention_case {
  static constexpr std::size_t dims = Dims;

  attention_case(const std::vector<std::uint32_t>& lengths, int heads_, int head_dim_, bool relative)
      : t(lengths),
        heads(static_cast<std::size_t>(heads_)),
        head_dim(static_cast<std::size_t>(head_dim_)),
        span(*std::max_element(lengths.begin(), lengths.end())),
        values(random_halves(t.batch.tokens * 3 * heads * head_dim, 1)),
        bias(random_halves(heads * (2 * span - 1), relative ? 1.0f : 0.0f)),
        qkv(t.batch.tokens * 3 * heads * dims),
        y(t.batch.tokens * heads * dims),
        truth(t.batch.tokens * heads * head_dim) {
    const gpu::head_columns columns{heads_, head_dim_};
    for (std::size_t i = 0; i < qkv.size(); ++i) qkv[i] = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      qkv[i / (3 * heads * head_dim) * 3 * heads * dims +
          static_cast<std::size_t>(columns.column(static_cast<int>(i % (3 * heads * head_dim))))] =
          dupq::narrow_f16(values[i]);
    if (relative) {
      std::vector<float> scaled(bias);
      for (float& b : scaled) b *= 1.44269504f;
      packed_bias.emplace(scaled);
    }
    for (std::size_t text = 0; text < t.batch.texts; ++text)
      for (std::uint32_t first = t.offsets[text]; first < t.offsets[text + 1]; first += gpu::tile_queries)
        tiles.push_back({t.offsets[text], t.offsets[text + 1], first, 0});
    const dupq::attention_shape shape{heads, head_dim, relative ? bias.data() : nullptr, span};
    std::vector<float> scratch(span);
    dupq::reference().attention(t.batch, shape, {values.data(), t.batch.tokens, 3 * heads * head_dim}, scratch.data(),
                                {truth.data(), t.batch.tokens, heads * head_dim});
  }
  std::string run(std::uint32_t seed) {
    const emulator::buffer<gpu::query_tile> list(tiles);
    const gpu::attention_args args = arguments(list);
    return emulator::launch({.blocks = gpu::attention_blocks(args.tile_count, args.heads),
                             .threads = 32 * gpu::attention_warps,
                             .seed = seed,
                             .overlaps = true},
                            [&] { gpu::attention_kernel<Dims>(args); });
  }
  /// Attention with the output projection `l` and the residual x behind it.
  std::string run_few(const layer& l, const halves& x, const floats& sums, std::uint32_t seed) {
    std::vector<gpu::query_tile> with_none(tiles);
    with_none.push_back({});  // which has no queries
    const emulator::buffer<gpu::query_tile> list(with_none);
    gpu::few_attention_args args;
    args.of = arguments(list);
    args.by = l.packed, args.x = x.data(), args.sums = sums.data(), args.width = l.packed.outputs;
    return emulator::launch({.blocks = args.of.tile_count * (l.packed.outputs / gpu::unit_columns),
                             .threads = 32 * gpu::head_warps<Dims>,
                             .shared_bytes = gpu::unit_shared_bytes,
                             .seed = seed,
                             .overlaps = true},
                            [&] { gpu::few_attention_kernel<Dims>(args); });
  }
  gpu::attention_args arguments(const emulator::buffer<gpu::query_tile>& list) const {
    gpu::attention_args args;
    args.qkv = qkv.data(), args.y = y.data(), args.tiles = list.data();
    args.tile_count = static_cast<int>(list.size()), args.heads = static_cast<int>(heads);
    args.stride = static_cast<int>(3 * heads * dims), args.y_stride = static_cast<int>(heads * dims);
    args.scale = 1.44269504f / std::sqrt(static_cast<float>(head_dim));
    if (packed_bias) args.relative = packed_bias->data(), args.span = static_cast<int>(span);
    return args;
  }
  float apart() const {
    const std::vector<float> found = widen(y);
    float most = 0;
    for (std::size_t h = 0; h < heads; ++h) {
      const auto part = [&](const std::vector<float>& v, std::size_t from) {
        return std::vector<float>(v.begin() + static_cast<std::ptrdiff_t>(from), v.end());
      };
      const float d = distance(part(truth, h * head_dim), heads * head_dim, part(found, h * dims), heads * dims,
                               t.batch.tokens, head_dim);
      most = d <= most ? most : d;
      if (std::isnan(d)) return d;
    }
    return most;
  }

  texts t;
  std::size_t heads, head_dim, span;
  std::vector<float> values, bias;
  std::optional<floats> packed_bias;
  halves qkv, y;
  std::vector<float> truth;
  std::vector<gpu::query_tile> tiles;
};

template <int Dims>
void check_attention(const std::vector<std::uint32_t>& lengths, int heads, int head_dim, bool relative) {
  attention_case<Dims> one(lengths, heads, head_dim, relative);
  check_schedules([&](std::uint32_t seed) {
    CHECK(one.run(seed) == "");
    CHECK(one.apart() < 1e-3f);
    return one.y.copy();
  });
}

}  // namespace

TEST_CASE("attention over texts of 1 to 130 tokens is near the reference") {
  check_attention<32>(lengths_to(130), 1, 32, false);
  check_attention<64>(lengths_to(130), 1, 64, true);
  check_tenths(130, [](const std::vector<std::uint32_t>& lengths, std::uint32_t seed) {
    attention_case<128> some(lengths, 1, 128, seed % 2 == 0);
    CHECK(some.run(seed) == "");
    CHECK(some.apart() < 1e-3f);
  });
}

TEST_CASE("attention is the same for every order, with odd numbers of heads and texts") {
  const std::vector<std::uint32_t> lengths{7, 1, 33, 16, 17, 15, 48, 2, 31};
  check_attention<32>(lengths, 3, 32, false);
  check_attention<64>(lengths, 3, 64, true);
  check_attention<32>(lengths, 5, 8, true);
  check_attention<64>(lengths, 1, 40, false);
  check_attention<128>(lengths, 3, 96, true);
}

TEST_CASE("a text's attention does not depend on the texts beside it") {
  attention_case<32> one({5, 19, 40, 3}, 2, 32, false), other({40, 3, 5, 19}, 2, 32, false);
  const std::size_t row = 2 * 32, from[] = {0, 5, 24, 64}, to[] = {43, 48, 0, 40}, length[] = {5, 19, 40, 3};
  for (std::size_t t = 0; t < 4; ++t)
    std::copy_n(one.qkv.data() + from[t] * 3 * row, length[t] * 3 * row, other.qkv.data() + to[t] * 3 * row);
  CHECK(one.run(1) == "");
  CHECK(other.run(2) == "");
  for (std::size_t t = 0; t < 4; ++t)
    CHECK(std::equal(one.y.data() + from[t] * row, one.y.data() + (from[t] + length[t]) * row,
                     other.y.data() + to[t] * row));
}

namespace {

/// Attention, the layer behind it and the residual connection in one kernel, against the reference.
template <int Dims>
struct projected_case {
  projected_case(const std::vector<std::uint32_t>& lengths, int heads, int head_dim, bool relative)
      : one(lengths, heads, head_dim, relative),
        columns{heads, head_dim},
        l(100, heads * head_dim, 128, (heads * Dims + 63) / 64 * 64,
          [this](int i) { return gpu::unit_input(columns.column(i)); }),
        x(one.t.batch.tokens * 128),
        sums(one.t.batch.tokens * 128),
        residual(random_halves(one.t.batch.tokens * 100, 1)),
        truth(one.t.batch.tokens * 100) {
    put_rows(residual, 100, 128, x);
    const std::size_t tokens = one.t.batch.tokens;
    dupq::reference().apply(l.plain, {one.truth.data(), tokens, l.plain.inputs}, dupq::activation::none, nullptr,
                            {truth.data(), tokens, 100});
    for (std::size_t i = 0; i < truth.size(); ++i) truth[i] += residual[i];
  }
  std::string run(std::uint32_t seed) { return one.run_few(l, x, sums, seed); }
  bool near() const { return distance(truth, 100, sums.copy(), 128, one.t.batch.tokens, 100) < 1e-3f; }

  attention_case<Dims> one;
  gpu::head_columns columns;
  layer l;
  halves x;
  floats sums;
  std::vector<float> residual, truth;
};

}  // namespace

TEST_CASE("attention with the layer behind it is near the reference, the same for every order") {
  const auto check = [](auto&& c) {
    check_schedules([&](std::uint32_t seed) {
      CHECK(c.run(seed) == "");
      CHECK(c.near());
      return c.sums.copy();
    });
  };
  check_tenths(130, [](const std::vector<std::uint32_t>& lengths, std::uint32_t seed) {
    projected_case<32> some(lengths, 1, 24, seed % 2 == 0);
    CHECK(some.run(seed) == "");
    CHECK(some.near());
  });
  check(projected_case<32>({7, 33, 16}, 12, 32, false));
  check(projected_case<32>({5, 17}, 16, 32, false));  // more heads than warps
  check(projected_case<64>({130, 1}, 2, 64, true));
  check(projected_case<64>({17}, 12, 64, true));
  check(projected_case<128>({19, 40}, 3, 96, true));
  check(projected_case<128>({3}, 9, 128, false));
}

TEST_CASE("the wait and the barrier of attention with a layer are needed, and their defects are found") {
  projected_case<32> c({7, 20}, 2, 32, true);
  check_defects(2, [&] {
    const std::string problem = c.run(1);
    return judged(problem, problem.empty() && c.near());
  });
}
