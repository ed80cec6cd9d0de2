// The emulator itself: its primitives compute what PTX says, and each kind of mistake is found in every order.
#include "emulator.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace ptx = dupq::ptx;
using emulator::launch;
using words = emulator::buffer<std::uint32_t>;

namespace {

constexpr int any = 1 << 30;  // no defect

/// Runs `kernel(defect)` ten times; every run must end with a problem that holds `expected`, or well where it is empty.
template <class Kernel>
void ten_runs(emulator::launch_shape shape, const std::string& expected, Kernel&& kernel) {
  for (shape.seed = 1; shape.seed <= 10; ++shape.seed) {
    const std::string problem = launch(shape, kernel);
    INFO(problem);
    CHECK(problem.empty() == expected.empty());
    CHECK(problem.find(expected) != std::string::npos);
  }
}

/// Ten runs that must all end with some problem: which one shows first depends on the order.
template <class Kernel>
void ten_problems(const emulator::launch_shape& shape, Kernel&& kernel) {
  ten_runs(shape, " ", kernel);
}

/// Rotates 16 bytes a thread through shared memory, twice, in place; `without` leaves one step out.
void rotate(const words& in, const words& out, int threads, int without) {
  const int t = ptx::thread_index(), other = (t + 33) % threads;
  for (int round = 0; round < 2; ++round) {
    ptx::copy_async(static_cast<std::uint32_t>(t) * 16, in.data() + (round * threads + t) * 4);
    ptx::commit_copies();
    if (without != 0) ptx::wait_copies<0>();
    if (without != 1) ptx::block_barrier();
    ptx::store_global4(out.data() + (round * threads + t) * 4,
                       ptx::load_shared4(static_cast<std::uint32_t>(other) * 16));
    if (without != 2) ptx::block_barrier();
  }
}

}  // namespace

TEST_CASE("barriers and waits order accesses, and a missing one is found in every order") {
  std::vector<std::uint32_t> values(2 * 96 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint32_t>(i * i);
  const words in(values), out(values.size());
  const emulator::launch_shape shape{.threads = 96, .shared_bytes = 96 * 16};
  ten_runs(shape, "", [&] { rotate(in, out, 96, any); });
  for (std::size_t i = 0; i < values.size(); ++i)
    REQUIRE(out[i] == values[i / (96 * 4) * 96 * 4 + (i / 4 + 33) % 96 * 4 + i % 4]);
  for (const int without : {0, 1, 2}) ten_problems(shape, [&] { rotate(in, out, 96, without); });
}

TEST_CASE("a race names both places") {
  const std::string problem = launch({.threads = 64, .shared_bytes = 256}, [] {
    ptx::store_shared(static_cast<std::uint32_t>(ptx::thread_index()) * 4, 1);
    ptx::block_barrier();
    ptx::store_shared(static_cast<std::uint32_t>(ptx::thread_index()) * 4, 2);
    ptx::load_shared(static_cast<std::uint32_t>(ptx::thread_index() ^ 1) * 4);
  });
  CHECK(problem.find("store_shared by thread") != std::string::npos);
  CHECK(problem.find("load_shared by thread") != std::string::npos);
  CHECK(problem.find("emulator.cpp:") != std::string::npos);
}

TEST_CASE("lanes of a warp need a barrier between them too; shuffles are none") {
  const auto kernel = [](bool barrier) {
    const auto lane = static_cast<std::uint32_t>(ptx::thread_index());
    ptx::store_shared(lane * 4, lane);
    if (barrier)
      ptx::warp_barrier();
    else
      ptx::shuffle_xor(1, 1);
    if (ptx::load_shared((31 - lane) * 4) != 31 - lane) emulator::m().fail("wrong value");
  };
  ten_runs({.shared_bytes = 128}, "", [&] { kernel(true); });
  ten_runs({.shared_bytes = 128}, "no order between", [&] { kernel(false); });
}

TEST_CASE("reads of nothing, accesses beyond, parted lanes, deadlocks and meetings in global memory are found") {
  const words one(32), constant(std::vector<std::uint32_t>(32));
  ten_runs({.shared_bytes = 128}, "reads what nothing wrote", [] { ptx::load_shared(8); });
  ten_runs({.shared_bytes = 128}, "beyond the block's memory", [] { ptx::store_shared(128, 0); });
  ten_runs({}, "beyond a global array", [&] { ptx::load_global(one.data() + 32); });
  ten_runs({}, "misaligned", [&] { ptx::load_global4(one.data() + 1); });
  ten_runs({}, "constant array", [&] { ptx::store_global(constant.data() + ptx::thread_index(), 1); });
  ten_runs({}, "are apart", [] { ptx::thread_index() == 7 ? ptx::warp_barrier() : (void)ptx::uniform(1); });
  ten_runs({.threads = 64}, "deadlock: 32 threads wait in block_barrier", [] {
    if (ptx::thread_index() < 32) ptx::block_barrier();
  });
  ten_runs({.blocks = 2}, "two blocks", [&] { ptx::store_global(one.data() + ptx::thread_index(), 1); });
  ten_runs({.blocks = 2}, "", [&] { ptx::load_global(one.data() + ptx::thread_index()); });
}

TEST_CASE("a kernel that starts early touches what others write only after it has waited for them") {
  const words data(32), weights(std::vector<std::uint32_t>(32));
  const auto address = [&] { return data.data() + ptx::thread_index(); };
  const emulator::launch_shape early{.overlaps = true};
  const auto kernel = [&](bool wait, bool write) {
    ptx::load_constant(weights.data() + ptx::thread_index());
    if (wait) ptx::wait_for_previous_kernel();
    write ? ptx::store_global(address(), 1) : (void)ptx::load_global(address());
  };
  ten_runs(early, "", [&] { kernel(false, false); });  // nothing wrote it so far
  ten_runs(early, "a write before it waits", [&] { kernel(false, true); });
  ten_runs(early, "", [&] { kernel(true, true); });
  ten_runs(early, "before it waits for it", [&] { kernel(false, false); });
  ten_runs(early, "", [&] { kernel(true, false); });
  ten_runs({}, "", [&] { kernel(false, false); });
}

namespace {

/// Producer: thread 0 of warp 4. Consumers: a warpgroup that adds up A_i B_i^T, two stages of 128-byte rows.
void pipeline(const std::uint16_t* in, float* out, int stages, int without) {
  const int t = ptx::thread_index(), warp = t / 32;
  constexpr std::uint32_t stage = 16384, full = 2 * stage, empty = full + 16;
  if (t == 0) {
    for (std::uint32_t i = 0; i < 2; ++i) ptx::init_barrier(full + 8 * i, 1), ptx::init_barrier(empty + 8 * i, 4);
    ptx::fence_barriers();
  }
  if (without != 0) ptx::block_barrier();
  if (warp == 4) {
    for (int i = 0; i < stages && t == 128; ++i) {
      const auto s = static_cast<std::uint32_t>(i % 2);
      if (i >= 2 && without != 1) ptx::wait_barrier(empty + 8 * s, static_cast<std::uint32_t>(i / 2 - 1) % 2);
      ptx::arrive_expect(full + 8 * s, stage);
      ptx::bulk_load(s * stage, in + i * 8192, stage, full + 8 * s);
    }
    return;
  }
  float d[32];
  for (int i = 0; i < stages; ++i) {
    const auto s = static_cast<std::uint32_t>(i % 2);
    if (without != 2) ptx::wait_barrier(full + 8 * s, static_cast<std::uint32_t>(i / 2) % 2);
    ptx::warpgroup_fence();
    for (std::uint32_t k = 0; k < 4; ++k)
      ptx::warpgroup_multiply(d, ptx::descriptor128(s * stage) + 2 * k, ptx::descriptor128(s * stage + 8192) + 2 * k,
                              i + static_cast<int>(k) != 0);
    ptx::warpgroup_commit();
    if (without != 3) ptx::warpgroup_wait<0>();
    if (t % 32 == 0) ptx::arrive(empty + 8 * s);
  }
  ptx::warpgroup_wait<0>();
  for (int i = 0; i < 32; ++i)
    ptx::store_global(out + (16 * warp + t % 32 / 4 + i % 4 / 2 * 8) * 64 + i / 4 * 8 + t % 4 * 2 + i % 2,
                      ptx::as_bits(d[i]));
}

}  // namespace

TEST_CASE("a pipeline of bulk loads and warpgroup products, and what happens without each of its waits") {
  std::mt19937 random(1);
  std::vector<std::uint16_t> in(3 * 8192);
  std::vector<double> truth(64 * 64);
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<float> m(8192);
    for (std::size_t r = 0; r < 128; ++r)
      for (std::size_t k = 0; k < 64; ++k) {
        const float v = m[r * 64 + k] = static_cast<float>(static_cast<int>(random() % 31) - 15) / 8;
        in[i * 8192 + r * 64 + ((k / 8) ^ (r % 8)) * 8 + k % 8] = dupq::narrow_f16(v);
      }
    for (std::size_t r = 0; r < 64; ++r)
      for (std::size_t n = 0; n < 64; ++n)
        for (std::size_t k = 0; k < 64; ++k)
          truth[r * 64 + n] += static_cast<double>(m[r * 64 + k]) * static_cast<double>(m[(64 + n) * 64 + k]);
  }
  const emulator::buffer<std::uint16_t> source(in);
  const emulator::buffer<float> out(64 * 64);
  const emulator::launch_shape shape{.threads = 160, .shared_bytes = 2 * 16384 + 32};
  ten_runs(shape, "", [&] { pipeline(source.data(), out.data(), 3, any); });
  for (std::size_t i = 0; i < truth.size(); ++i) REQUIRE(static_cast<double>(out[i]) == truth[i]);
  ten_problems(shape, [&] { pipeline(source.data(), out.data(), 3, 1); });
  ten_problems(shape, [&] { pipeline(source.data(), out.data(), 3, 2); });
  ten_problems(shape, [&] { pipeline(source.data(), out.data(), 3, 3); });
  ten_problems(shape, [&] { pipeline(source.data(), out.data(), 3, 0); });
}

TEST_CASE("ordinary stores reach asynchronous reads only through a fence") {
  const emulator::buffer<float> out(1024);
  const auto kernel = [&](bool fence) {
    const auto t = static_cast<std::uint32_t>(ptx::thread_index());
    ptx::store_shared4(t * 16, {{t, t, t, t}});
    if (fence) ptx::fence_async();
    ptx::block_barrier();
    if (t == 0) {
      ptx::bulk_store(out.data(), 0, 1024);
      ptx::commit_bulk_stores();
      ptx::wait_bulk_stores<0>();
    }
  };
  ten_runs({.threads = 64, .shared_bytes = 1024}, "", [&] { kernel(true); });
  ten_runs({.threads = 64, .shared_bytes = 1024}, "no order between", [&] { kernel(false); });
}

TEST_CASE("named barriers, counters and clusters order accesses") {
  const auto hand_over = [](bool arrive) {  // warp 1 to warp 0
    if (ptx::thread_index() >= 32) {
      ptx::store_shared(0, 5);
      if (arrive) ptx::named_arrive(3, 64);
    } else {
      if (arrive) ptx::named_barrier(3, 64);
      ptx::load_shared(0);
    }
  };
  const auto one_writer = [&](bool arrive) {
    if (ptx::thread_index() == 33 || ptx::thread_index() < 32) return hand_over(arrive);
    if (arrive) ptx::named_arrive(3, 64);
  };
  ten_runs({.threads = 64, .shared_bytes = 16}, "", [&] { one_writer(true); });
  ten_problems({.threads = 64, .shared_bytes = 16}, [&] { one_writer(false); });

  const auto cluster = [](bool barrier) {
    const auto t = static_cast<std::uint32_t>(ptx::thread_index());
    ptx::cluster_barrier();
    ptx::store_cluster(ptx::cluster_address(t * 4, 1 - ptx::cluster_rank()), t);
    if (barrier) ptx::cluster_barrier();
    if (ptx::load_shared(t * 4) != t) emulator::m().fail("wrong value");
  };
  ten_runs({.blocks = 4, .shared_bytes = 128, .cluster = 2}, "", [&] { cluster(true); });
  ten_problems({.blocks = 4, .shared_bytes = 128, .cluster = 2}, [&] { cluster(false); });
}
