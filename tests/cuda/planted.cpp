// Bugs planted in the kernels, by machines that leave something out: the emulator must catch each.
#include <dupq/device/cuda/attention.hpp>
#include <dupq/device/cuda/product.hpp>
#include <dupq/device/cuda/product_norm.hpp>

#include "host.hpp"

namespace {

namespace gpu = dupq::gpu;
using machine = emulator::machine<true>;

/// Counts the barriers that each thread comes to, and leaves one out.
template <class Base>
struct skips : Base {
  static inline std::vector<unsigned> met;
  static inline unsigned skipped = 0;
  static void begin(unsigned which) { met.assign(1024, 0), skipped = which; }
  static bool skip() { return met[Base::thread()]++ == skipped; }
};
template <class Base = machine>
struct skips_sync : skips<Base> {
  static void sync() {
    if (!skips<Base>::skip()) Base::sync();
  }
};
struct skips_sync_warp : skips<machine> {
  static void sync_warp() {
    if (!skip()) machine::sync_warp();
  }
};
/// Waits for one group of copies fewer.
struct waits_less : machine {
  template <int Left>
  static void copy_wait() {
    machine::copy_wait<Left + 1>();
  }
};
/// Reads the neighbouring chunk: another permutation than the writer's.
struct other_swizzle : machine {
  static void load_matrices(std::uint32_t (&r)[4], std::uint32_t a) { machine::load_matrices(r, a ^ 16); }
};
struct not_transposed : machine {
  static void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t a) { machine::load_matrices(r, a); }
};
/// A shuffle that has the wrong partner.
struct other_lane : machine {
  template <class T>
  static T exchange(T value, unsigned lanes) {
    return machine::exchange(value, lanes == 1 ? 2 : lanes);
  }
};

/// The kernels on one block; each returns the emulator's message, and its result in y.
// (Four stages: the last one lies where sums over rows go.)
constexpr unsigned rows = 64, inputs = 128, length = 50;
struct kernels {
  host::weights wide{96, inputs, 1, 0.1f};
  host::norm norm{96, 2};
  host::floats qkv = host::numbers(length * 3 * 128, 4, 1);
  host::halves x = host::to_halves(host::numbers(rows * inputs, 3, 1)), qkv_16 = host::to_halves(qkv), y;

  template <class Machine>
  std::string product(std::uint64_t seed) {
    y.assign(rows * 96, 0);
    host::arrays arrays;
    arrays.read(x, wide.rows_16), arrays.read(wide.bias), arrays.write(y);
    using kernel = gpu::product<96, dupq::activation::none>;
    const gpu::product_task task{x.data(), nullptr, wide.rows_16.data(), wide.bias.data(), y.data(), rows, 96, inputs};
    return emulator::gpu.launch("product", {1, kernel::threads, kernel::shared_bytes(Machine::asynchronous)}, seed,
                                [&] { kernel::run<Machine>(task); });
  }
  template <class Machine>
  std::string product_norm(std::uint64_t seed) {
    y.assign(rows * 96, 0);
    host::arrays arrays;
    arrays.read(x, wide.rows_16), arrays.read(wide.bias, norm.gain, norm.bias), arrays.write(y);
    using kernel = gpu::product_norm<96>;
    const gpu::product_norm_task task{
        x.data(), wide.rows_16.data(), wide.bias.data(), {norm.gain.data(), norm.bias.data(), 1e-12f}, y.data(), rows,
        inputs};
    return emulator::gpu.launch("product_norm", {1, kernel::threads, kernel::shared_bytes(Machine::asynchronous)}, seed,
                                [&] { kernel::run<Machine>(task); });
  }
  template <class Machine>
  std::string attention(std::uint64_t seed) {
    y.assign(length * 128, 0);
    std::vector<gpu::attention_tile> tiles(1, {0, length, 16});  // its four heads: a block
    host::arrays arrays;
    arrays.read(qkv_16), arrays.read(tiles), arrays.write(y);
    using kernel = gpu::attention<32, false>;
    const gpu::attention_task task{qkv_16.data(), tiles.data(), nullptr, y.data(), 1, 4, 512};
    return emulator::gpu.launch("attention", {1, kernel::threads, kernel::shared_bytes}, seed,
                                [&] { kernel::run<Machine>(task); });
  }
};

constexpr std::uint64_t seeds = 5;

/// Without any one of the barriers there is a race, whatever the schedule; with all of them there is none.
template <class Machine, class Run>
void every_barrier_is_needed(unsigned barriers, Run run) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (unsigned n = 0; n < barriers; ++n) {
      CAPTURE(n);
      Machine::begin(n);
      const std::string message = run(seed);
      CAPTURE(message);
      CHECK(message.find(": shared memory at ") != std::string::npos);
    }
    Machine::begin(barriers);
    CHECK(run(seed) == "");
    CHECK(Machine::met[0] == barriers);
  }
}

TEST_CASE("every barrier is needed, and its absence is caught") {
  kernels k;
  using asynchronous = skips_sync<>;
  using synchronous = skips_sync<emulator::machine<false>>;
  every_barrier_is_needed<asynchronous>(4, [&](std::uint64_t seed) { return k.product<asynchronous>(seed); });
  every_barrier_is_needed<synchronous>(4, [&](std::uint64_t seed) { return k.product<synchronous>(seed); });
  every_barrier_is_needed<asynchronous>(9, [&](std::uint64_t seed) { return k.product_norm<asynchronous>(seed); });
  every_barrier_is_needed<skips_sync_warp>(4, [&](std::uint64_t seed) { return k.attention<skips_sync_warp>(seed); });
}

TEST_CASE("a missing wait is caught") {
  kernels k;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed)
    for (const std::string& message :
         {k.product<waits_less>(seed), k.product_norm<waits_less>(seed), k.attention<waits_less>(seed)})
      CHECK(message.find("while a copy to it is in flight") != std::string::npos);
}

/// How far the planted machine's result is from the right one; infinite if a rule was broken, too.
template <class Run, class Planted>
double deviation(kernels& k, Run run, Planted planted) {
  REQUIRE(run(1) == "");
  const host::floats right = host::to_floats(k.y);
  return planted(1) == "" ? host::relative_error(host::to_floats(k.y), right) : HUGE_VAL;
}

TEST_CASE("wrong places give wrong results") {
  kernels k;
  const auto product = [&](std::uint64_t seed) { return k.product<machine>(seed); };
  const auto product_norm = [&](std::uint64_t seed) { return k.product_norm<machine>(seed); };
  const auto attention = [&](std::uint64_t seed) { return k.attention<machine>(seed); };
  CHECK(deviation(k, product, product) == 0);
  // (In a product both factors read the wrong chunk, which is no error but for the order; attention reads q elsewhere.)
  CHECK(deviation(k, attention, [&](std::uint64_t seed) { return k.attention<other_swizzle>(seed); }) > 0.1);
  CHECK(deviation(k, attention, [&](std::uint64_t seed) { return k.attention<not_transposed>(seed); }) > 0.1);
  CHECK(deviation(k, attention, [&](std::uint64_t seed) { return k.attention<other_lane>(seed); }) > 0.1);
  CHECK(deviation(k, product, [&](std::uint64_t seed) { return k.product<other_lane>(seed); }) > 0.1);
  CHECK(deviation(k, product_norm, [&](std::uint64_t seed) { return k.product_norm<other_lane>(seed); }) > 0.1);
}

}  // namespace
