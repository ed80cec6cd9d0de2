// Products by warpgroups for models 768 wide, in the emulator against the reference.
#include <doctest/doctest.h>

#include <dupq/device/cuda/hopper/wide.hpp>
#include <dupq/device/reference.hpp>

#include "data.hpp"
#include "defects.hpp"

using namespace cuda_test;
namespace gpu = dupq::gpu;

namespace {

constexpr float tolerance = 2e-3f;

/// Rows of floats to bins with so many columns, as if a kernel had written them; rows behind them are not numbers.
void put_rows_in_bins(const std::vector<float>& rows, std::size_t columns, const halves& bins) {
  emulator::global_memory::all().written(bins.data());
  for (std::size_t i = 0; i < bins.size(); ++i) bins[i] = 0xFFFF;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::uint32_t>(i / columns), column = static_cast<std::uint32_t>(i % columns);
    bins[row / gpu::bin_rows * gpu::bin_bytes(static_cast<int>(columns)) / 2 +
         gpu::bin_offset(row % gpu::bin_rows, column / 8) / 2 + column % 8] = dupq::narrow_f16(rows[i]);
  }
}
std::vector<float> get_rows_of_bins(const halves& bins, std::size_t columns, std::size_t count) {
  std::vector<float> rows(count * columns);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::uint32_t>(i / columns), column = static_cast<std::uint32_t>(i % columns);
    rows[i] = dupq::widen_f16(bins[row / gpu::bin_rows * gpu::bin_bytes(static_cast<int>(columns)) / 2 +
                                   gpu::bin_offset(row % gpu::bin_rows, column / 8) / 2 + column % 8]);
  }
  return rows;
}

struct wide_case {
  wide_case(std::size_t rows_, std::size_t outputs_, std::size_t inputs_)
      : rows(rows_),
        room((rows + 127) / 128 * 128),
        outputs(outputs_),
        inputs(inputs_),
        panels(random_halves(outputs * inputs, 1.0f / std::sqrt(static_cast<float>(inputs)))),
        bias(random_halves(outputs, 0.1f)),
        gain(random_halves(outputs, 0.2f, 1)),
        norm_bias(random_halves(outputs, 0.1f)),
        x(random_halves(rows * inputs, 1)),
        residual(random_halves(rows * outputs, 1)),
        tape(outputs * inputs, emulator::use::read),
        packed_bias(bias),
        packed_gain(gain),
        packed_norm_bias(norm_bias),
        bins(room * inputs),
        y(room * outputs) {
    linear.panels = panels.data(), linear.bias = bias.data();
    linear.outputs = outputs, linear.inputs = inputs;
    const auto in = static_cast<int>(inputs);
    REQUIRE(gpu::pack_tape(
        linear, [in](int o, int i) { return gpu::wide_tape::index(o, i, in); }, tape.data()));
    put_rows_in_bins(x, inputs, bins);
  }

  template <gpu::wide_end End>
  std::vector<float> run(std::uint32_t seed, int blocks, bool to_bins, std::string& problem) {
    gpu::wide_norm_args args;
    args.x = bins.data(), args.weights = tape.data(), args.bias = packed_bias.data(), args.y = y.data();
    args.inputs = static_cast<int>(inputs), args.outputs = static_cast<int>(outputs);
    args.rows = static_cast<int>(rows), args.y_stride = to_bins ? 0 : args.outputs;
    args.residual = y.data(), args.gain = packed_gain.data(), args.norm_bias = packed_norm_bias.data();
    args.epsilon = 1e-12f;
    using shape = gpu::wide_shape;
    emulator::launch_shape launch{.blocks = blocks, .threads = shape::threads, .seed = seed, .overlaps = true};
    truth.assign(rows * outputs, 0);
    const dupq::reference judge;
    const halves in_rows(room * outputs);
    if constexpr (End == gpu::wide_end::norm) {
      launch.cluster = 2, launch.shared_bytes = shape::norm_shared_bytes;
      put_rows_in_bins(residual, outputs, y);
      if (!to_bins) args.y = in_rows.data();
      truth = residual;
      judge.apply_residual_norm(linear, {x.data(), rows, inputs}, {gain.data(), norm_bias.data(), outputs, 1e-12f},
                                nullptr, {truth.data(), rows, outputs});
      problem = emulator::launch(launch, [&] { gpu::wide_norm_kernel<End>(args); });
    } else {
      launch.shared_bytes = shape::shared_bytes(args.outputs);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = 0xFFFF;
      if (!to_bins) args.y = in_rows.data();
      judge.apply(linear, {x.data(), rows, inputs},
                  End == gpu::wide_end::gelu ? dupq::activation::gelu : dupq::activation::none, nullptr,
                  {truth.data(), rows, outputs});
      problem = emulator::launch(launch, [&] { gpu::wide_kernel<End>(args); });
    }
    if (to_bins) return get_rows_of_bins(y, outputs, rows);
    std::vector<float> found = widen(in_rows);
    for (std::size_t i = rows * outputs; i < found.size(); ++i)
      if (problem.empty() && !std::isnan(found[i])) problem = "a row behind the last one";
    found.resize(rows * outputs);
    return found;
  }
  float apart(const std::vector<float>& found) const { return distance(truth, outputs, found, outputs, rows, outputs); }

  template <gpu::wide_end End>
  void check(int blocks, bool to_bins) {
    check_schedules([&](std::uint32_t seed) {
      std::string problem;
      const auto found = run<End>(seed, blocks, to_bins, problem);
      CHECK(problem == "");
      CHECK(apart(found) < tolerance);
      return found;
    });
  }

  std::size_t rows, room, outputs, inputs;
  std::vector<float> panels, bias, gain, norm_bias, x, residual, truth;
  dupq::linear<dupq::host_memory> linear;
  halves tape;
  floats packed_bias, packed_gain, packed_norm_bias;
  halves bins, y;
};

}  // namespace

TEST_CASE("wide products are near the reference, and the same for every order") {
  wide_case(300, 768, 128).check<gpu::wide_end::plain>(2, false);
  wide_case(150, 768, 256).check<gpu::wide_end::gelu>(3, true);
  for (const std::size_t rows : {1u, 63u, 65u, 130u}) wide_case(rows, 384, 64).check<gpu::wide_end::plain>(1, false);
  wide_case(129, 768, 768).check<gpu::wide_end::gelu>(6, true);
}

TEST_CASE("wide products with residual and norm are near the reference, and the same for every order") {
  wide_case(300, 768, 128).check<gpu::wide_end::norm>(2, true);
  wide_case(300, 768, 64).check<gpu::wide_end::norm>(4, false);
  wide_case(1, 768, 192).check<gpu::wide_end::norm>(2, false);
  wide_case(65, 768, 768).check<gpu::wide_end::norm>(2, false);
}

TEST_CASE("every barrier and wait of wide products is needed, and its defect is found") {
  wide_case one(300, 768, 128);
  check_defects(one, 6, tolerance,
                [&](std::string& problem) { return one.run<gpu::wide_end::plain>(1, 1, false, problem); });
  check_defects(one, 7, tolerance,
                [&](std::string& problem) { return one.run<gpu::wide_end::norm>(1, 2, true, problem); });
}
