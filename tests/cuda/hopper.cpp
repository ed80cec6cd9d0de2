// The two kernels of a layer on Hopper, in the emulator against the reference.
#include <doctest/doctest.h>

#include <dupq/device/cuda/hopper/mlp.hpp>
#include <dupq/device/cuda/hopper/qkv.hpp>
#include <dupq/device/reference.hpp>

#include "data.hpp"
#include "defects.hpp"

using namespace cuda_test;
namespace gpu = dupq::gpu;

namespace {

constexpr int hidden = 384;
constexpr std::size_t width = hidden;
constexpr float tolerance = 2e-3f;  ///< queries, keys, values and what comes of them are rounded to halves

/// A linear layer with random weights.
struct plain_layer {
  plain_layer(std::size_t outputs, std::size_t inputs)
      : panels(random_halves(outputs * inputs, 1.0f / std::sqrt(static_cast<float>(inputs)))),
        bias(random_halves(outputs, 0.1f)) {
    linear.panels = panels.data(), linear.bias = bias.data();
    linear.outputs = outputs, linear.inputs = inputs;
  }
  std::vector<float> panels, bias;
  dupq::linear<dupq::host_memory> linear;
};

/// Rows of bins as the kernels see them, as if one had written them, from and to rows of floats.
void put_bins(const std::vector<float>& rows, const halves& bins) {
  emulator::global_memory::all().written(bins.data());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::uint32_t>(i / width), column = static_cast<std::uint32_t>(i % width);
    bins[row / gpu::bin_rows * gpu::bin_bytes(hidden) / 2 + gpu::bin_offset(row % gpu::bin_rows, column / 8) / 2 +
         column % 8] = dupq::narrow_f16(rows[i]);
  }
}
std::vector<float> get_bins(const halves& bins) {
  std::vector<float> rows(bins.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::uint32_t>(i / width), column = static_cast<std::uint32_t>(i % width);
    rows[i] = dupq::widen_f16(bins[row / gpu::bin_rows * gpu::bin_bytes(hidden) / 2 +
                                   gpu::bin_offset(row % gpu::bin_rows, column / 8) / 2 + column % 8]);
  }
  return rows;
}

/// Texts in bins, and attention over them: the reference's result and the kernel's.
struct qkv_case {
  explicit qkv_case(const std::vector<std::uint32_t>& lengths_)
      : lengths(lengths_),
        places(lengths.size()),
        layer(3 * width, width),
        tape(gpu::qkv_tape<hidden>::halves, emulator::use::read),
        bias(layer.bias) {
    std::vector<std::uint32_t> order(lengths.size()), next(lengths.size());
    bins = gpu::pack_bins(lengths, places, order, next);
    bins += bins % 2;
    x = random_halves(bins * gpu::bin_rows * width, 1);
    using index = gpu::qkv_tape<hidden>;
    REQUIRE(gpu::pack_tape(layer.linear, index::index, tape.data()));
    compute_truth();
  }
  void compute_truth() {
    const texts t(lengths);
    std::vector<float> rows(t.batch.tokens * width), qkv(3 * rows.size()), scratch(64);
    for (std::size_t i = 0; i < lengths.size(); ++i)
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(first_row(i) * width), lengths[i] * width,
                  rows.begin() + static_cast<std::ptrdiff_t>(t.offsets[i] * width));
    truth.resize(rows.size());
    const dupq::reference judge;
    judge.apply(layer.linear, {rows.data(), t.batch.tokens, width}, dupq::activation::none, nullptr,
                {qkv.data(), t.batch.tokens, 3 * width});
    judge.attention(t.batch, {12, 32, nullptr, 64}, {qkv.data(), t.batch.tokens, 3 * width}, scratch.data(),
                    {truth.data(), t.batch.tokens, width});
  }
  std::size_t first_row(std::size_t text) const { return places[text].bin * gpu::bin_rows + places[text].row; }

  /// The kernel's result for the texts, in their order; `problem` says what went wrong.
  std::vector<float> run(std::uint32_t seed, int blocks, std::string& problem) {
    std::vector<std::vector<std::uint32_t>> of_bin(bins);
    for (std::size_t i = 0; i < lengths.size(); ++i)
      for (std::uint32_t first = 0; first < lengths[i]; first += gpu::bin_tile_queries)
        of_bin[places[i].bin].push_back(
            gpu::bin_tile{places[i].row, places[i].row + lengths[i], places[i].row + first}.packed());
    std::vector<std::uint32_t> tiles, first_tile{0};
    for (const auto& list : of_bin) {
      tiles.insert(tiles.end(), list.begin(), list.end());
      first_tile.push_back(static_cast<std::uint32_t>(tiles.size()));
    }
    const emulator::buffer<std::uint32_t> tile_list(tiles), firsts(first_tile);
    const halves rows(bins * gpu::bin_bytes(hidden) / 2), context(rows.size());
    put_bins(x, rows);
    gpu::qkv_args args;
    args.x = rows.data(), args.context = context.data();
    args.tape = tape.data(), args.bias = bias.data();
    args.tiles = tile_list.data(), args.first_tile = firsts.data();
    args.pairs = static_cast<int>(bins / 2);
    args.scale = 1.44269504f / std::sqrt(32.0f);
    using shape = gpu::qkv_shape<hidden>;
    problem = emulator::launch({.blocks = blocks,
                                .threads = shape::threads,
                                .shared_bytes = shape::shared_bytes,
                                .seed = seed,
                                .overlaps = true},
                               [&] { gpu::qkv_kernel<hidden>(args); });
    const auto all = get_bins(context);
    std::vector<float> found;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first_row(i) * width);
      found.insert(found.end(), begin, begin + static_cast<std::ptrdiff_t>(lengths[i] * width));
    }
    return found;
  }
  float apart(const std::vector<float>& found) const {
    return distance(truth, width, found, width, truth.size() / width, width);
  }

  std::vector<std::uint32_t> lengths;
  std::vector<gpu::bin_place> places;
  std::size_t bins = 0;
  plain_layer layer;
  halves tape;
  floats bias;
  std::vector<float> x, truth;
};

}  // namespace

TEST_CASE("queries, keys, values and attention of bins are near the reference for texts of 1 to 64 tokens") {
  check_tenths(gpu::bin_rows, [](const std::vector<std::uint32_t>& lengths, std::uint32_t seed) {
    qkv_case some(lengths);
    std::string problem;
    const auto found = some.run(seed, 1 + static_cast<int>(seed % 2), problem);
    CHECK(problem == "");
    CHECK(some.apart(found) < tolerance);
  });
}

TEST_CASE("attention of bins is the same for every order") {
  qkv_case one({14, 9, 22, 3, 16, 64, 7, 7, 13, 30, 1, 2, 33, 31, 17});
  check_schedules([&](std::uint32_t seed) {
    std::string problem;
    const auto found = one.run(seed, 1 + static_cast<int>(seed % 2), problem);
    CHECK(problem == "");
    CHECK(one.apart(found) < tolerance);
    return found;
  });
}

TEST_CASE("a text's attention does not depend on its place in a bin") {
  qkv_case one({14, 9, 22, 3, 16, 64, 7}), other({33, 22, 14, 9});
  other.layer = one.layer, other.layer.linear = one.layer.linear;
  std::copy_n(one.tape.data(), one.tape.size(), other.tape.data());
  std::copy_n(one.bias.data(), one.bias.size(), other.bias.data());
  const std::size_t same[] = {0, 2, 0, 1};  // texts of `one` that are texts 1 to 3 of `other`
  for (std::size_t i = 1; i < 4; ++i)
    std::copy_n(one.x.begin() + static_cast<std::ptrdiff_t>(one.first_row(same[i]) * width), other.lengths[i] * width,
                other.x.begin() + static_cast<std::ptrdiff_t>(other.first_row(i) * width));
  std::string problem;
  const auto a = one.run(1, 1, problem), b = other.run(2, 1, problem);
  CHECK(problem == "");
  const texts from(one.lengths), to(other.lengths);
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(one.places[same[i]].row % 16 != other.places[i].row % 16);
    CHECK(std::equal(b.begin() + static_cast<std::ptrdiff_t>(to.offsets[i] * width),
                     b.begin() + static_cast<std::ptrdiff_t>(to.offsets[i + 1] * width),
                     a.begin() + static_cast<std::ptrdiff_t>(from.offsets[same[i]] * width)));
  }
}

namespace {

/// What follows attention, for bins of random rows.
struct mlp_case {
  mlp_case(std::size_t bins_, std::size_t inner_)
      : bins(bins_),
        inner(inner_),
        output(width, width),
        up(inner, width),
        down(width, inner),
        tape(gpu::mlp_tape<hidden>::halves(static_cast<int>(inner)), emulator::use::read),
        up_bias(up.bias),
        x(random_halves(bins * gpu::bin_rows * width, 1)),
        context(random_halves(x.size(), 1)),
        truth(x) {
    using index = gpu::mlp_tape<hidden>;
    REQUIRE(gpu::pack_tape(output.linear, index::projection, tape.data()));
    REQUIRE(gpu::pack_tape(up.linear, index::up, tape.data()));
    REQUIRE(gpu::pack_tape(down.linear, index::down, tape.data()));
    const auto gain = random_halves(width, 0.2f, 1), gain2 = random_halves(width, 0.2f, 1);
    const auto bias = random_halves(width, 0.1f), bias2 = random_halves(width, 0.1f);
    for (const std::vector<float>* v :
         {&std::as_const(output.bias), &gain, &bias, &std::as_const(down.bias), &gain2, &bias2})
      vectors.insert(vectors.end(), v->begin(), v->end());
    const std::size_t rows = bins * gpu::bin_rows;
    std::vector<float> middle(rows * inner);
    const dupq::reference judge;
    judge.apply_residual_norm(output.linear, {context.data(), rows, width}, {gain.data(), bias.data(), width, 1e-12f},
                              nullptr, {truth.data(), rows, width});
    judge.apply(up.linear, {truth.data(), rows, width}, dupq::activation::gelu, nullptr, {middle.data(), rows, inner});
    judge.apply_residual_norm(down.linear, {middle.data(), rows, inner}, {gain2.data(), bias2.data(), width, 1e-12f},
                              nullptr, {truth.data(), rows, width});
  }
  /// The result of all rows; where `gather` says so, rows go to y in reverse order, and every third to none.
  std::vector<float> run(std::uint32_t seed, int blocks, bool gather, std::string& problem) {
    const halves bins_of_x(x.size()), bins_of_context(x.size()), y(x.size());
    put_bins(x, bins_of_x);
    put_bins(context, bins_of_context);
    const floats constants(vectors);
    const std::size_t count = bins * gpu::bin_rows;
    std::vector<std::uint32_t> rows(count);
    for (std::size_t i = 0; i < count; ++i) rows[i] = i % 3 == 0 ? ~0u : static_cast<std::uint32_t>(count - 1 - i);
    const emulator::buffer<std::uint32_t> row_list(rows);
    gpu::mlp_args args;
    args.context = bins_of_context.data(), args.x = bins_of_x.data();
    args.tape = tape.data(), args.vectors = constants.data(), args.up_bias = up_bias.data();
    args.pairs = static_cast<int>(bins / 2), args.inner = static_cast<int>(inner), args.epsilon = 1e-12f;
    if (gather) args.rows = row_list.data(), args.y = y.data();
    using shape = gpu::mlp_shape<hidden>;
    problem = emulator::launch({.blocks = blocks,
                                .threads = shape::threads,
                                .shared_bytes = shape::shared_bytes,
                                .seed = seed,
                                .overlaps = true},
                               [&] { gpu::mlp_kernel<hidden>(args); });
    if (!gather) return get_bins(bins_of_x);
    std::vector<float> found(truth);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t c = 0; c < width; ++c) {
        const float v = dupq::widen_f16(y[(count - 1 - i) * width + c]);
        if (i % 3 != 0)
          found[i * width + c] = v;
        else if (problem.empty() && !std::isnan(v))
          problem = "a row that is not wanted";
      }
    return found;
  }
  float apart(const std::vector<float>& found) const {
    return distance(truth, width, found, width, truth.size() / width, width);
  }

  std::size_t bins, inner;
  plain_layer output, up, down;
  halves tape;
  floats up_bias;
  std::vector<float> x, context, truth, vectors;
};

}  // namespace

TEST_CASE("what follows attention is near the reference, and the same for every order") {
  mlp_case one(4, 128);
  check_schedules([&](std::uint32_t seed) {
    std::string problem;
    const auto found = one.run(seed, 1 + static_cast<int>(seed % 2), false, problem);
    CHECK(problem == "");
    CHECK(one.apart(found) < tolerance);
    return found;
  });
}

TEST_CASE("the last layer's rows go where the texts are") {
  mlp_case one(6, 64);
  check_schedules([&](std::uint32_t seed) {
    std::string problem;
    const auto found = one.run(seed, 1 + static_cast<int>(seed % 3), true, problem);
    CHECK(problem == "");
    CHECK(one.apart(found) < tolerance);
    return found;
  });
}

TEST_CASE("a layer's whole width") {
  mlp_case one(2, 1536);
  std::string problem;
  const auto found = one.run(1, 1, false, problem);
  CHECK(problem == "");
  CHECK(one.apart(found) < tolerance);
}

TEST_CASE("every barrier, wait and fence of the first kernel is needed, and its defect is found") {
  qkv_case one({40, 24, 64, 61, 33, 20});  // four bins, for one block
  check_defects(one, 21, tolerance, [&](std::string& problem) { return one.run(1, 1, problem); });
}

TEST_CASE("every barrier, wait and fence of the second kernel is needed, and its defect is found") {
  mlp_case one(4, 128);
  check_defects(one, 16, tolerance, [&](std::string& problem) { return one.run(1, 1, false, problem); });
}
