// Linear layers with what follows them: against `reference`, in several schedules, for rows in any batch.
#include <dupq/device/cuda/product.hpp>
#include <dupq/device/cuda/product_norm.hpp>

#include <cstring>

#include "host.hpp"

namespace {

namespace gpu = dupq::gpu;
using dupq::activation;
constexpr std::uint64_t schedules = 4;

// Bytes of shared memory: 101,376 are there from capability 8.0, 65,536 on 7.5.
static_assert(gpu::product_norm<384>::shared_bytes(true) == 86016);
static_assert(gpu::product_norm<384>::shared_bytes(false) == 57344);
static_assert(gpu::product_norm<768>::shared_bytes(true) == 79872);
static_assert(gpu::product_norm<768>::shared_bytes(false) == 53248);

template <class Machine, unsigned Columns, activation Activation>
host::halves product(const host::floats& x, const host::weights& w, const std::vector<std::uint32_t>* gather,
                     std::uint64_t seed) {
  const auto inputs = static_cast<unsigned>(w.view.inputs), outputs = static_cast<unsigned>(w.view.outputs);
  const auto rows = static_cast<unsigned>(gather == nullptr ? x.size() / inputs : gather->size());
  const host::halves x_16 = host::to_halves(x);
  host::halves y(rows * outputs, 0xFFFF);
  host::arrays arrays;
  arrays.read(x_16, w.rows_16), arrays.read(w.bias), arrays.write(y);
  if (gather != nullptr) arrays.read(*gather);
  const gpu::product_task task{x_16.data(),      gather == nullptr ? nullptr : gather->data(),
                               w.rows_16.data(), w.bias.data(),
                               y.data(),         rows,
                               outputs,          inputs};
  using kernel = gpu::product<Columns, Activation>;
  emulator::gpu.bank_conflicts = 0;
  CHECK(emulator::gpu.launch(
            "product", {kernel::blocks(rows, outputs), kernel::threads, kernel::shared_bytes(Machine::asynchronous)},
            seed, [&] { kernel::template run<Machine>(task); }) == "");
  CHECK(emulator::gpu.bank_conflicts == 0);
  return y;
}

template <unsigned Columns, activation Activation>
void check_product(unsigned rows, unsigned outputs, unsigned inputs, std::uint64_t seeds, double tolerance) {
  CAPTURE(rows);
  CAPTURE(Columns);
  const host::floats x = host::numbers(rows * inputs, rows, 1);
  const host::weights w(outputs, inputs, 3, 0.05f);
  const host::halves y = product<emulator::machine<true>, Columns, Activation>(x, w, nullptr, 1);
  for (std::uint64_t seed = 2; seed <= seeds; ++seed)
    CHECK(product<emulator::machine<true>, Columns, Activation>(x, w, nullptr, seed) == y);
  CHECK(product<emulator::machine<false>, Columns, Activation>(x, w, nullptr, 1) == y);
  host::floats expected(rows * outputs);
  dupq::reference{}.apply(w.view, {x.data(), rows, inputs}, Activation, nullptr, {expected.data(), rows, outputs});
  CHECK(host::relative_error(host::to_floats(y), expected) < tolerance);

  // One row alone: the same bits.
  const unsigned row = rows / 2;
  const host::halves alone = product<emulator::machine<true>, Columns, Activation>(
      {x.begin() + row * inputs, x.begin() + (row + 1) * inputs}, w, nullptr, 1);
  CHECK(std::memcmp(alone.data(), y.data() + row * outputs, outputs * 2) == 0);
}

TEST_CASE("products are those of the reference, in any schedule and batch") {
  for (const unsigned rows : {1u, 2u, 7u, 16u, 33u, 63u, 64u, 65u, 130u})
    check_product<96, activation::none>(rows, 288, 96, schedules, 3e-4);
  check_product<96, activation::none>(5, 96, 32, schedules, 3e-4);  // fewer stages than there are places for
  check_product<96, activation::none>(5, 96, 64, schedules, 3e-4);
  check_product<96, activation::gelu>(65, 384, 96, schedules, 1e-3);
  check_product<96, activation::tanh>(9, 96, 96, schedules, 3e-4);
  check_product<384, activation::none>(66, 1152, 384, 2, 3e-4);
  check_product<384, activation::gelu>(33, 1536, 384, 2, 1e-3);
  check_product<768, activation::gelu>(17, 1536, 768, 2, 1e-3);
}

TEST_CASE("rows are gathered") {
  const host::floats x = host::numbers(40 * 96, 1, 1);
  const host::weights w(96, 96, 3, 0.1f);
  const std::vector<std::uint32_t> gather{39, 0, 14, 14, 7};
  using m = emulator::machine<true>;
  const host::halves all = product<m, 96, activation::tanh>(x, w, nullptr, 1);
  const host::halves some = product<m, 96, activation::tanh>(x, w, &gather, 1);
  for (std::size_t i = 0; i < gather.size(); ++i) CHECK(std::memcmp(&some[i * 96], &all[gather[i] * 96], 96 * 2) == 0);
}

template <class Machine, unsigned Hidden>
host::halves product_norm(const host::floats& x, const host::floats& before, const host::weights& w,
                          const host::norm& norm, std::uint64_t seed) {
  const auto inputs = static_cast<unsigned>(w.view.inputs), rows = static_cast<unsigned>(x.size() / inputs);
  const host::halves x_16 = host::to_halves(x);
  host::halves y = host::to_halves(before);
  host::arrays arrays;
  arrays.read(x_16, w.rows_16), arrays.read(w.bias, norm.gain, norm.bias), arrays.write(y);
  const gpu::product_norm_task task{x_16.data(),   w.rows_16.data(),
                                    w.bias.data(), {norm.gain.data(), norm.bias.data(), norm.view.epsilon},
                                    y.data(),      rows,
                                    inputs};
  using kernel = gpu::product_norm<Hidden>;
  emulator::gpu.bank_conflicts = 0;
  CHECK(emulator::gpu.launch("product_norm",
                             {kernel::blocks(rows), kernel::threads, kernel::shared_bytes(Machine::asynchronous)}, seed,
                             [&] { kernel::template run<Machine>(task); }) == "");
  CHECK(emulator::gpu.bank_conflicts == 0);
  return y;
}

template <unsigned Hidden>
void check_product_norm(unsigned rows, unsigned inputs, std::uint64_t seeds) {
  CAPTURE(rows);
  CAPTURE(Hidden);
  const host::floats x = host::numbers(rows * inputs, rows, 1),
                     before = host::numbers(rows * Hidden, rows + 1, 2, 0.5f);
  const host::weights w(Hidden, inputs, 3, 0.05f);
  const host::norm norm(Hidden, 5);
  const host::halves y = product_norm<emulator::machine<true>, Hidden>(x, before, w, norm, 1);
  for (std::uint64_t seed = 2; seed <= seeds; ++seed)
    CHECK(product_norm<emulator::machine<true>, Hidden>(x, before, w, norm, seed) == y);
  CHECK(product_norm<emulator::machine<false>, Hidden>(x, before, w, norm, 1) == y);
  host::floats expected = before;
  dupq::reference{}.apply_residual_norm(w.view, {x.data(), rows, inputs}, norm.view, nullptr,
                                        {expected.data(), rows, Hidden});
  CHECK(host::relative_error(host::to_floats(y), expected) < 4e-4);

  const unsigned row = rows / 2;
  const host::halves alone = product_norm<emulator::machine<true>, Hidden>(
      {x.begin() + row * inputs, x.begin() + (row + 1) * inputs},
      {before.begin() + row * Hidden, before.begin() + (row + 1) * Hidden}, w, norm, 1);
  CHECK(std::memcmp(alone.data(), y.data() + row * Hidden, Hidden * 2) == 0);
}

TEST_CASE("products with residual and norm are those of the reference, in any schedule and batch") {
  for (const unsigned rows : {1u, 2u, 7u, 16u, 33u, 63u, 64u, 65u, 130u}) check_product_norm<96>(rows, 96, schedules);
  check_product_norm<96>(10, 384, schedules);
  check_product_norm<384>(66, 384, 2);
  check_product_norm<384>(9, 1536, 2);
  check_product_norm<768>(33, 768, 2);
}

}  // namespace
