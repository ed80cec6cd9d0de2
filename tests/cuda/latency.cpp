// The kernels for few texts in the emulator against the reference.
#include <doctest/doctest.h>

#include <cmath>
#include <dupq/device/cuda/latency/attention.hpp>
#include <dupq/device/cuda/latency/head.hpp>
#include <dupq/device/cuda/latency/norm.hpp>
#include <dupq/device/cuda/latency/receive.hpp>
#include <dupq/device/reference.hpp>

#include "data.hpp"
#include "defects.hpp"

using namespace cuda_test;
using dupq::activation;
namespace gpu = dupq::gpu;

namespace {

using rows_of_floats = std::vector<float>;
constexpr float epsilon = 1e-12f;

int padded_to(int n, int step) { return (n + step - 1) / step * step; }

/// Rows with another stride, 0 behind their columns.
rows_of_floats widened(const rows_of_floats& v, std::size_t columns, std::size_t stride) {
  rows_of_floats w(v.size() / columns * stride);
  for (std::size_t i = 0; i < v.size(); ++i) w[i / columns * stride + i % columns] = v[i];
  return w;
}

/// LayerNorm in double, rounded as what kernels hand on.
struct norm_case {
  norm_case(int rows_, int size_, int width_)
      : rows(static_cast<std::size_t>(rows_)),
        size(static_cast<std::size_t>(size_)),
        width(static_cast<std::size_t>(width_)),
        sums_plain(random_halves(rows * size, 2, 0.5f)),
        gain(random_halves(size, 0.2f, 1)),
        bias(random_halves(size, 0.1f)),
        packed_gain(padded(gain, width)),
        packed_bias(padded(bias, width)),
        sums(widened(sums_plain, size, width), emulator::use::write),
        x(rows * width) {
    for (std::size_t r = 0; r < rows; ++r) {
      double mean = 0, variance = 0;
      const auto at = [&](std::size_t c) { return static_cast<double>(sums_plain[r * size + c]); };
      for (std::size_t c = 0; c < size; ++c) mean += at(c) / static_cast<double>(size);
      for (std::size_t c = 0; c < size; ++c) variance += (at(c) - mean) * (at(c) - mean) / static_cast<double>(size);
      for (std::size_t c = 0; c < size; ++c)
        normed.push_back(
            static_cast<float>((at(c) - mean) / std::sqrt(variance + 1e-12) * static_cast<double>(gain[c]) +
                               static_cast<double>(bias[c])));
    }
  }
  gpu::few_linear_args args() const {
    gpu::few_linear_args a;
    a.x = x.data(), a.sums = sums.data(), a.gain = packed_gain.data(), a.bias = packed_bias.data();
    a.width = static_cast<int>(width), a.size = static_cast<int>(size), a.epsilon = epsilon;
    return a;
  }
  bool x_is_near() const {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = size; c < width; ++c)
        if (x[r * width + c] != 0) return false;
    return distance(normed, size, widen(x), width, rows, size) < 1e-3f;
  }

  std::size_t rows, size, width;
  rows_of_floats sums_plain, gain, bias;
  floats packed_gain, packed_bias, sums;
  halves x;
  rows_of_floats normed;
};

emulator::launch_shape shape_of(int blocks, std::uint32_t seed, int threads = gpu::unit_threads) {
  return {.blocks = blocks, .threads = threads, .shared_bytes = gpu::unit_shared_bytes, .seed = seed, .overlaps = true};
}

/// norm(sums), and it through a layer.
template <int Units, activation Act = activation::gelu>
struct norm_linear_case : norm_case {
  norm_linear_case(int rows_, int size_, int width_, int outputs_)
      : norm_case(rows_, size_, width_),
        outputs(static_cast<std::size_t>(outputs_)),
        stride(static_cast<std::size_t>(padded_to(outputs_, 128))),
        l(outputs_, size_, padded_to(outputs_, 128), width_, gpu::unit_input),
        y(rows * stride),
        truth(rows * outputs) {
    dupq::reference().apply(l.plain, {normed.data(), rows, size}, Act, nullptr, {truth.data(), rows, outputs});
  }
  std::string run(std::uint32_t seed) {
    gpu::few_linear_args a = args();
    a.by = l.packed, a.y = y.data(), a.y_stride = l.packed.outputs;
    return emulator::launch(shape_of(gpu::few_blocks(static_cast<int>(rows), l.packed.outputs), seed),
                            [&] { gpu::norm_linear_kernel<Units, Act>(a); });
  }
  bool near() const { return x_is_near() && distance(truth, outputs, widen(y), stride, rows, outputs) < 2e-3f; }

  std::size_t outputs, stride;
  layer l;
  halves y;
  rows_of_floats truth;
};

/// A layer with a residual connection, or without.
struct linear_case {
  linear_case(int rows_, int inputs, int outputs_)
      : rows(static_cast<std::size_t>(rows_)),
        outputs(static_cast<std::size_t>(outputs_)),
        stride(static_cast<std::size_t>(padded_to(outputs_, 128))),
        l(outputs_, inputs, padded_to(outputs_, 128), padded_to(inputs, 64), gpu::unit_input),
        from(rows * static_cast<std::size_t>(l.packed.inputs)),
        x(rows * stride),
        y(rows * stride),
        sums(rows * stride),
        truth(rows * outputs) {
    const auto values = random_halves(rows * l.plain.inputs, 1);
    residual = random_halves(rows * outputs, 1);
    put_rows(values, l.plain.inputs, static_cast<std::size_t>(l.packed.inputs), from);
    put_rows(residual, outputs, stride, x);
    dupq::reference().apply(l.plain, {values.data(), rows, l.plain.inputs}, activation::none, nullptr,
                            {truth.data(), rows, outputs});
  }
  template <bool Residual>
  std::string run(std::uint32_t seed) {
    gpu::few_linear_args a;
    a.by = l.packed, a.from = from.data(), a.from_stride = l.packed.inputs;
    a.x = x.data(), a.sums = sums.data(), a.width = static_cast<int>(stride);
    a.y = y.data(), a.y_stride = static_cast<int>(stride);
    return emulator::launch(shape_of(gpu::few_blocks(static_cast<int>(rows), l.packed.outputs), seed),
                            [&] { gpu::few_linear_kernel<Residual>(a); });
  }
  bool near() const { return distance(truth, outputs, widen(y), stride, rows, outputs) < 1e-3f; }
  bool sums_are_near() const {
    rows_of_floats with(truth);
    for (std::size_t i = 0; i < with.size(); ++i) with[i] += residual[i];
    return distance(with, outputs, sums.copy(), stride, rows, outputs) < 1e-4f;
  }

  std::size_t rows, outputs, stride;
  layer l;
  halves from, x, y;
  floats sums;
  rows_of_floats residual, truth;
};

}  // namespace

TEST_CASE("norms with linear layers behind them are near the reference, the same for every order") {
  const auto check = [](auto&& one) {
    check_schedules([&](std::uint32_t seed) {
      CHECK(one.run(seed) == "");
      CHECK(one.near());
      return one.y.copy();
    });
  };
  check(norm_linear_case<1>(32, 384, 384, 150));
  check(norm_linear_case<1, activation::none>(144, 40, 128, 40));
  check(norm_linear_case<2, activation::none>(16, 768, 768, 32));
  check(norm_linear_case<3, activation::none>(16, 1024, 1024, 32));
  check(norm_linear_case<1, activation::tanh>(16, 384, 384, 100));
  check(norm_linear_case<2, activation::tanh>(16, 768, 768, 32));
  check(norm_linear_case<3, activation::tanh>(16, 1024, 1024, 32));
  check(norm_linear_case<2>(16, 512, 512, 32));
  check(norm_linear_case<2>(16, 768, 768, 128));
  check(norm_linear_case<3>(48, 1000, 1024, 64));
}

TEST_CASE("linear layers of few rows are near the reference, the same for every order") {
  const auto check = [](linear_case&& one) {
    check_schedules([&](std::uint32_t seed) {
      CHECK(one.run<false>(seed) == "");
      CHECK(one.near());
      return one.y.copy();
    });
    check_schedules([&](std::uint32_t seed) {
      CHECK(one.run<true>(seed) == "");
      CHECK(one.sums_are_near());
      return one.sums.copy();
    });
  };
  check(linear_case(32, 1536, 150));
  check(linear_case(144, 40, 128));
  for (const int inputs : {384, 1000, 3072, 4096}) check(linear_case(16, inputs, 100));
}

TEST_CASE("the last norm is near the reference") {
  const auto check = [](auto kernel, int rows, int size, int width) {
    norm_case one(rows, size, width);
    check_schedules([&](std::uint32_t seed) {
      CHECK(emulator::launch(shape_of(rows / gpu::norm_warps, seed, 32 * gpu::norm_warps),
                             [&] { kernel(one.args()); }) == "");
      CHECK(one.x_is_near());
      return one.x.copy();
    });
  };
  check(gpu::norm_kernel<1>, 144, 40, 128);
  check(gpu::norm_kernel<2>, 32, 384, 384);
  check(gpu::norm_kernel<3>, 16, 768, 768);
  check(gpu::norm_kernel<4>, 16, 1000, 1024);
}

TEST_CASE("heads of few texts are near the reference, the same for every order") {
  for (const std::size_t size : {40u, 384u, 1000u}) {
    const std::size_t width = size <= 128 ? 128 : size <= 384 ? 384 : 1024, stride = 3 * width, count = 3;
    const texts t({5, 1, 130});
    const auto values = random_halves(t.batch.tokens * size, 0.5f), weights = random_halves(size, 0.2f);
    const halves pooled(t.batch.tokens * stride);
    put_rows(values, size, stride, pooled);
    const floats classifier = padded(weights, width), bias(std::vector<float>{0.3f}), logits(count);
    const emulator::buffer<std::uint32_t> offsets(t.offsets);
    const gpu::few_head_args args{pooled.data(),          classifier.data(), bias.data(),
                                  offsets.data(),         logits.data(),     static_cast<int>(stride),
                                  static_cast<int>(width)};
    rows_of_floats truth(count);
    for (std::size_t i = 0; i < count; ++i) {
      double sum = double{0.3f};
      for (std::size_t c = 0; c < size; ++c) sum += double{values[t.offsets[i] * size + c]} * double{weights[c]};
      truth[i] = static_cast<float>(sum);
    }
    check_schedules([&](std::uint32_t seed) {
      CHECK(emulator::launch({.blocks = static_cast<int>(count), .threads = 32, .seed = seed, .overlaps = true},
                             [&] { gpu::few_head_kernel<32>(args); }) == "");
      CHECK(distance(truth, 1, logits.copy(), 1, count, 1) < 1e-5f);
      return logits.copy();
    });
  }
}

TEST_CASE("what the host has written is received as it is, in every order") {
  constexpr std::size_t counts[] = {1, 300, 7};  // chunks of 16 bytes
  gpu::receive_args args;
  std::vector<emulator::buffer<std::uint32_t>> from, to;
  std::uint32_t value = 0;
  for (const std::size_t n : counts) {
    std::vector<std::uint32_t> words(4 * n);
    for (std::uint32_t& w : words) w = ++value;
    from.emplace_back(words), to.emplace_back(words.size() + 4);
    const std::size_t i = to.size() - 1;
    args.from[i] = from[i].data(), args.to[i] = to[i].data(), args.chunks[i] = static_cast<int>(n);
  }
  const int blocks = (args.all() + gpu::receive_threads - 1) / gpu::receive_threads;
  check_schedules([&](std::uint32_t seed) {
    CHECK(emulator::launch({.blocks = blocks, .threads = gpu::receive_threads, .seed = seed, .overlaps = true},
                           [&] { gpu::receive_kernel<gpu::receive_threads>(args); }) == "");
    std::vector<std::uint32_t> all;
    for (std::size_t i = 0; i < to.size(); ++i) {
      std::vector<std::uint32_t> words = to[i].copy(), sent = from[i].copy();
      sent.resize(sent.size() + 4, ~0u);  // nothing behind them
      CHECK(words == sent);
      all.insert(all.end(), words.begin(), words.end());
    }
    return all;
  });
}

TEST_CASE("every wait and barrier of these kernels is needed, and its defect is found") {
  norm_linear_case<1> normed(16, 384, 384, 128);
  check_defects(3, [&] {  // the wait; sums of rows; parts of products
    const std::string problem = normed.run(1);
    return judged(problem, problem.empty() && normed.near());
  });
  linear_case plain(16, 384, 128);
  check_defects(2, [&] {
    const std::string problem = plain.run<true>(1);
    return judged(problem, problem.empty() && plain.sums_are_near());
  });
}
