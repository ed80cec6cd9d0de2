// Linear layers, with what follows them, in the emulator against the reference.
#include <doctest/doctest.h>

#include <dupq/device/cuda/rows.hpp>
#include <dupq/device/reference.hpp>

#include "data.hpp"
#include "defects.hpp"

using namespace cuda_test;
using dupq::activation;
namespace gpu = dupq::gpu;

namespace {

/// x through a layer: what the kernel computed, or what went wrong.
template <class Shape, activation Act>
std::string linear(const layer& l, const halves& x, int rows, const halves& y, std::uint32_t seed) {
  const gpu::linear_args args{l.packed, x.data(), y.data(), rows, l.packed.inputs, l.packed.outputs};
  return emulator::launch({.blocks = gpu::linear_blocks<Shape>(rows, l.packed.outputs),
                           .threads = Shape::threads,
                           .shared_bytes = Shape::ring_bytes,
                           .seed = seed},
                          [&] { gpu::linear_kernel<Shape, Act>(args); });
}

template <class Shape, activation Act>
void check_linear(int rows, int outputs, int inputs) {
  const int padded_outputs = (outputs + 127) / 128 * 128, padded_inputs = (inputs + 63) / 64 * 64;
  const layer l(outputs, inputs, padded_outputs, padded_inputs);
  const auto n = static_cast<std::size_t>(rows), in = static_cast<std::size_t>(inputs);
  const auto out = static_cast<std::size_t>(outputs), stride = static_cast<std::size_t>(padded_outputs);
  const auto values = random_halves(n * in, 1);
  const halves x(n * static_cast<std::size_t>(padded_inputs)), y(n * stride);
  put_rows(values, in, static_cast<std::size_t>(padded_inputs), x);
  std::vector<float> truth(n * out);
  dupq::reference().apply(l.plain, {values.data(), n, in}, Act, nullptr, {truth.data(), n, out});
  check_schedules([&](std::uint32_t seed) {
    CHECK(linear<Shape, Act>(l, x, rows, y, seed) == "");
    CHECK(distance(truth, out, widen(y), stride, n, out) < 1e-3f);
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t c = out; c < stride; ++c) REQUIRE(y[r * stride + c] == 0);
    return y.copy();
  });
}

}  // namespace

TEST_CASE("linear layers are near the reference, and the same for every order") {
  check_linear<gpu::large_tile, activation::gelu>(130, 128, 128);
  check_linear<gpu::small_tile, activation::gelu>(33, 128, 192);
  for (const int rows : {1, 15, 16, 17, 63, 65, 127, 128, 129}) {
    check_linear<gpu::large_tile, activation::none>(rows, 150, 72);
    check_linear<gpu::small_tile, activation::none>(rows, 150, 72);
  }
  check_linear<gpu::large_tile, activation::gelu>(3, 384, 768);
}

TEST_CASE("a row has the same bits in every tile, wherever it stands") {
  constexpr int rows = 131;
  const layer l(128, 192, 128, 192);
  const auto values = random_halves(rows * 192, 1);
  const halves x(rows * 192), moved(rows * 192), y(rows * 128), small(rows * 128), again(rows * 128);
  put_rows(values, 192, 192, x);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < 192; ++c) moved[(rows - 1 - r) * 192 + c] = x[r * 192 + c];
  CHECK(linear<gpu::large_tile, activation::gelu>(l, x, rows, y, 1) == "");
  CHECK(linear<gpu::small_tile, activation::gelu>(l, x, rows, small, 2) == "");
  CHECK(linear<gpu::large_tile, activation::gelu>(l, moved, rows, again, 3) == "");
  CHECK(y.copy() == small.copy());
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < 128; ++c) REQUIRE(again[(rows - 1 - r) * 128 + c] == y[r * 128 + c]);
}

namespace {

template <int Width>
struct norm_case {
  static constexpr std::size_t width = Width;
  using shape = gpu::row_tile<Width>;

  norm_case(int rows_, int size_, int inputs)
      : rows(static_cast<std::size_t>(rows_)),
        size(static_cast<std::size_t>(size_)),
        l(size_, inputs, Width, (inputs + 63) / 64 * 64),
        gain(random_halves(size, 0.2f, 1)),
        bias(random_halves(size, 0.1f)),
        packed_gain(padded(gain, width)),
        packed_bias(padded(bias, width)),
        x(rows * static_cast<std::size_t>(l.packed.inputs)),
        y(rows * width) {
    const auto values = random_halves(rows * l.plain.inputs, 1);
    residual = random_halves(rows * size, 1);
    put_rows(values, l.plain.inputs, static_cast<std::size_t>(l.packed.inputs), x);
    truth = residual;
    const dupq::layer_norm<dupq::host_memory> norm{gain.data(), bias.data(), size, 1e-12f};
    dupq::reference().apply_residual_norm(l.plain, {values.data(), rows, l.plain.inputs}, norm, nullptr,
                                          {truth.data(), rows, size});
  }
  std::string run(std::uint32_t seed) {
    put_rows(residual, size, width, y);
    const int n = static_cast<int>(rows);
    const gpu::linear_norm_args args{{l.packed, x.data(), y.data(), n, l.packed.inputs, Width},
                                     packed_gain.data(),
                                     packed_bias.data(),
                                     static_cast<int>(size),
                                     1e-12f};
    return emulator::launch({.blocks = (n + shape::rows - 1) / shape::rows,
                             .threads = shape::threads,
                             .shared_bytes = gpu::row_shared_bytes<Width>(),
                             .seed = seed,
                             .overlaps = true},
                            [&] { gpu::linear_norm_kernel<Width>(args); });
  }
  bool near() const {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = size; c < width; ++c)
        if (y[r * width + c] != 0) return false;
    return distance(truth, size, widen(y), width, rows, size) < 2e-3f;
  }

  std::size_t rows, size;
  layer l;
  std::vector<float> gain, bias, residual, truth;
  floats packed_gain, packed_bias;
  halves x, y;
};

template <int Width>
void check_norm(int rows, int size, int inputs) {
  norm_case<Width> one(rows, size, inputs);
  check_schedules([&](std::uint32_t seed) {
    CHECK(one.run(seed) == "");
    CHECK(one.near());
    return one.y.copy();
  });
}

}  // namespace

TEST_CASE("linear layers with residual and norm are near the reference, and the same for every order") {
  check_norm<128>(33, 128, 320);
  check_norm<384>(65, 384, 128);
  for (const int rows : {1, 15, 17, 63, 64, 130}) check_norm<128>(rows, 40, 72);
  check_norm<256>(7, 200, 64);
  check_norm<512>(5, 512, 64);
  check_norm<768>(33, 768, 64);
  check_norm<1024>(17, 1000, 64);
}

namespace {

/// Heads of texts of 1 to `count` tokens, of a model that is `size` wide.
template <int Width>
void check_heads(std::uint32_t count, int size) {
  const layer dense(size, size, Width, Width);
  const texts t(lengths_to(count));
  const auto tokens = t.batch.tokens, in = static_cast<std::size_t>(size);
  const auto values = random_halves(tokens * in, 1), weights = random_halves(16 * in, 0.2f);
  const std::vector<float> bias{0.3f};
  dupq::linear<dupq::host_memory> classifier;
  classifier.panels = weights.data(), classifier.bias = bias.data();
  classifier.outputs = 1, classifier.inputs = in;
  std::vector<float> row(Width), first(count * in), pooled(count * in), truth(count);
  for (std::size_t i = 0; i < in; ++i) row[i] = weights[i * 16];
  const dupq::reference judge;
  judge.pool(t.batch, {.cls = true}, {values.data(), tokens, in}, {first.data(), count, in});
  judge.apply(dense.plain, {first.data(), count, in}, activation::tanh, nullptr, {pooled.data(), count, in});
  judge.apply(classifier, {pooled.data(), count, in}, activation::none, nullptr, {truth.data(), count, 1});

  const halves x(tokens * Width);
  put_rows(values, in, Width, x);
  const floats packed(row), packed_bias(bias), logits(count);
  const emulator::buffer<std::uint32_t> offsets(t.offsets), places(backwards(count));
  const int all = static_cast<int>(count), rows = gpu::row_tile<Width>::rows;
  const gpu::head_args args{dense.packed,   packed.data(), packed_bias.data(), x.data(),
                            offsets.data(), places.data(), logits.data(),      all,
                            Width};
  check_schedules([&](std::uint32_t seed) {
    CHECK(emulator::launch({.blocks = (all + rows - 1) / rows,
                            .threads = gpu::row_tile<Width>::threads,
                            .shared_bytes = gpu::row_shared_bytes<Width>(),
                            .seed = seed,
                            .overlaps = true},
                           [&] { gpu::head_kernel<Width>(args); }) == "");
    std::vector<float> found = logits.copy();
    std::reverse(found.begin(), found.end());
    CHECK(distance(truth, 1, found, 1, count, 1) < 1e-3f);
    return found;
  });
}

}  // namespace

TEST_CASE("heads are near the reference, and the same for every order") {
  check_heads<128>(67, 100);
  check_heads<256>(3, 256);
  check_heads<384>(65, 384);
  check_heads<512>(3, 400);
  check_heads<768>(5, 768);
  check_heads<1024>(1, 1000);
}

TEST_CASE("every barrier, wait and swizzle of these kernels is needed, and its defect is found") {
  norm_case<128> one(20, 128, 384);
  // The wait for the kernel before; two commits, a wait for copies, the barriers of a stage and of row sums, a load of
  // matrices.
  check_defects(7, [&] {
    const std::string problem = one.run(1);
    return judged(problem, problem.empty() && one.near());
  });
}
