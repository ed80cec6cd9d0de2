// Rules of the hardware that a kernel may break without a wrong result in any order: the emulator knows them.
#include <doctest/doctest.h>

#include <array>
#include <dupq/device/cuda/layouts.hpp>
#include <string>

#include "emulator.hpp"

namespace ptx = dupq::ptx;
using emulator::launch;

namespace {

std::uint32_t thread() { return static_cast<std::uint32_t>(ptx::thread_index()); }
bool says(const std::string& problem, const char* part) {
  INFO(problem);
  return problem.find(part) != std::string::npos;
}

/// A warpgroup's product of what it stores itself; `without` leaves one rule out.
void product(int without) {
  for (std::uint32_t chunk = thread(); chunk < 1024; chunk += 128) ptx::store_shared4(chunk * 16, {});
  ptx::fence_async();
  ptx::block_barrier();
  const std::uint32_t at = without == 1 && thread() >= 32 ? 8192 : without == 2 ? 128 : 0;
  float d[32];
  if (without != 0) ptx::warpgroup_fence();
  ptx::warpgroup_multiply(d, ptx::descriptor128(at), ptx::descriptor128(8192), false);
  ptx::warpgroup_multiply(d, ptx::descriptor128(at) + 2, ptx::descriptor128(8192) + 2, true);
  ptx::warpgroup_commit();
  ptx::warpgroup_wait<0>();
}

/// Blocks of a cluster store to each other; `without` leaves out one of the barriers around that.
void exchange(int without) {
  if (without != 0) ptx::cluster_barrier();
  ptx::store_cluster(ptx::cluster_address(thread() * 4, 1 - ptx::cluster_rank()), 1);
  if (without != 1) ptx::cluster_barrier();
}

}  // namespace

TEST_CASE("products want a fence before them, the same matrices in all warps, and matrices that begin a pattern") {
  const emulator::launch_shape shape{.threads = 128, .shared_bytes = 16384};
  CHECK(launch(shape, [] { product(-1); }) == "");
  CHECK(says(launch(shape, [] { product(0); }), "no warpgroup_fence"));
  CHECK(says(launch(shape, [] { product(1); }), "different matrices"));
  CHECK(says(launch(shape, [] { product(2); }), "begins within a pattern"));
}

TEST_CASE("a block's memory is there for others of its cluster from their first barrier to their last") {
  const emulator::launch_shape shape{.blocks = 2, .shared_bytes = 128, .cluster = 2};
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    auto one = shape;
    one.seed = seed;
    CHECK(launch(one, [] { exchange(-1); }) == "");
    CHECK(says(launch(one, [] { exchange(0); }), "may not have begun"));
    CHECK(says(launch(one, [] { exchange(1); }), "may have ended"));
  }
}

TEST_CASE("what a kernel wrote comes neither through the read-only cache nor, in the same launch, by a bulk copy") {
  const emulator::buffer<std::uint32_t> data(32);
  CHECK(launch({}, [&] { ptx::store_global(data.data() + thread(), 1); }) == "");
  CHECK(launch({}, [&] { ptx::load_global(data.data() + thread()); }) == "");
  CHECK(says(launch({}, [&] { ptx::load_constant(data.data() + thread()); }), "read-only cache"));
  const auto copy = [&](bool write, bool fence = true) {
    if (write) ptx::store_global(data.data() + thread(), 1);
    ptx::warp_barrier();
    if (thread() == 0) {
      ptx::init_barrier(128, 1);
      if (fence) ptx::fence_barriers();
      ptx::arrive_expect(128, 128);
      ptx::bulk_load(0, data.data(), 128, 128);
      ptx::wait_barrier(128, 0);
    }
  };
  const emulator::launch_shape shape{.shared_bytes = 136};
  CHECK(launch(shape, [&] { copy(false); }) == "");
  CHECK(says(launch(shape, [&] { copy(true); }), "the same launch wrote"));
  CHECK(says(launch(shape, [&] { copy(false, false); }), "without a fence"));
}

TEST_CASE("barriers are aligned and count a million bytes; registers that are moved are those that there are") {
  CHECK(says(launch({.shared_bytes = 16}, [] { ptx::init_barrier(4, 1); }), "misaligned barrier"));
  CHECK(says(launch({.shared_bytes = 16},
                    [] {
                      if (thread() != 0) return;
                      ptx::init_barrier(0, 1);
                      ptx::arrive_expect(0, 1 << 20);
                    }),
             "more bytes than a barrier counts"));
  const emulator::launch_shape shape{.threads = 512};  // 128 registers a thread
  const auto registers = [](auto more) {
    return
        [] { ptx::thread_index() < 256 ? ptx::more_registers<decltype(more)::value>() : ptx::fewer_registers<112>(); };
  };
  CHECK(launch(shape, registers(std::integral_constant<int, 144>())) == "");
  CHECK(says(launch(shape, registers(std::integral_constant<int, 152>())), "more registers than there are"));
  CHECK(says(launch(shape, [] { ptx::more_registers<112>(); }), "fewer than before"));
}

TEST_CASE("launches that a chip refuses") {
  const auto nothing = [] {};
  CHECK(says(launch({.blocks = 0}, nothing), "0 blocks"));
  CHECK(says(launch({.threads = 1056}, nothing), "1056 threads"));
  CHECK(says(launch({.blocks = 3, .cluster = 2}, nothing), "part of a cluster"));
  CHECK(says(launch({.shared_bytes = 227 * 1024 + 1}, nothing), "bytes of shared memory"));
  CHECK(launch({.shared_bytes = 227 * 1024}, nothing) == "");
}
