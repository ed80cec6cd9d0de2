// The emulator itself: it runs what is right, and names the rule that is broken.
#include <doctest/doctest.h>

#include <numeric>

#include "machine.hpp"

namespace {

using m = emulator::machine<true>;

std::string run(unsigned threads, std::uint64_t seed, const std::function<void()>& body) {
  return emulator::gpu.launch("kernel", {2, threads, 1024}, seed, body);
}
bool says(const std::string& error, const char* part) {
  INFO(error);
  return error.find("kernel: ") == 0 && error.find(part) != std::string::npos;
}

TEST_CASE("threads talk through shared memory and barriers, in any order") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<float> out(128);
    emulator::gpu.may_write(std::span(out));
    CHECK(run(64, seed, [&] {
            const unsigned t = m::thread();
            m::store_shared(4 * t, static_cast<float>(t));
            m::sync();
            m::store(&out[m::block() * 64 + t], m::load_shared(4 * (63 - t)));
          }) == "");
    emulator::gpu.forget_arrays();
    for (unsigned t = 0; t < 128; ++t) CHECK(out[t] == static_cast<float>(63 - t % 64));
  }
}

TEST_CASE("a read or write without a barrier is a race, whatever the schedule") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto read_after_write = [&](auto&& between) {
      return run(64, seed, [&] {
        m::store_shared(4 * m::thread(), 1);
        between();
        m::load_shared(4 * (m::thread() ^ 1));
      });
    };
    // Whoever comes first: it reads what is not there yet, or what is not ordered.
    CHECK(read_after_write([] {}) != "");
    CHECK(read_after_write([] { m::sync_warp(); }) == "");
    CHECK(read_after_write([] { m::exchange(1.0f, 1); }) != "");  // no barrier, though lanes meet
    const auto write_after_read = [&](unsigned other, auto&& between) {
      return run(64, seed, [&] {
        m::store_shared(4 * m::thread(), 1);
        m::sync();
        m::load_shared(4 * (m::thread() ^ other));
        between();
        m::store_shared(4 * m::thread(), 2);
      });
    };
    CHECK(says(write_after_read(1, [] {}), "without a barrier after another thread's"));
    CHECK(write_after_read(1, [] { m::sync_warp(); }) == "");
    CHECK(says(write_after_read(32, [] { m::sync_warp(); }), "without a barrier after another thread's"));
    CHECK(write_after_read(32, [] { m::sync(); }) == "");
  }
}

TEST_CASE("copies land when they are waited for") {
  alignas(16) static const float four[4] = {1, 2, 3, 4};
  emulator::gpu.may_read(std::span<const float>(four));
  const auto copied = [&](bool commit, bool wait, bool sync, unsigned lag) {
    return run(32, 1, [&] {
      m::copy_16(16 * m::thread(), four, m::thread() != 5);
      if (commit) m::copy_commit();
      if (wait) m::copy_wait<0>();
      if (sync) m::sync_warp();
      const float v = m::load_shared(16 * ((m::thread() + lag) % 32) + 4);
      if (v != ((m::thread() + lag) % 32 == 5 ? 0.0f : 2.0f)) m::load(four + 4);  // fails
      m::copy_wait<0>();
    });
  };
  CHECK(copied(true, true, true, 7) == "");
  CHECK(copied(true, true, false, 0) == "");
  CHECK(says(copied(true, true, false, 7), "shared memory"));
  CHECK(says(copied(true, false, true, 0), "read while a copy to it is in flight"));
  CHECK(says(copied(false, true, true, 0), "read while a copy to it is in flight"));
  CHECK(says(run(32, 1, [] { m::copy_16(16 * m::thread(), four, true), m::copy_commit(); }), "in flight at the end"));
  CHECK(says(run(32, 1, [] { m::copy_16(0, four + 1, true); }), "misaligned access to global memory"));
  emulator::gpu.forget_arrays();
}

TEST_CASE("other broken rules are named") {
  CHECK(says(run(32, 1, [] { m::load_shared(0); }), "read before it was written"));
  CHECK(says(run(32, 1, [] { m::load_shared(1024); }), "shared memory ends before"));
  CHECK(says(run(32, 1, [] { m::store_shared(2, 1); }), "misaligned"));
  CHECK(says(run(64, 1, [] { m::thread() < 40 ? m::sync() : void(); }), "40 at sync"));
  CHECK(says(run(32, 1, [] { m::thread() < 16 ? m::sync_warp() : void(m::exchange(1.0f, 1)); }), "others of the warp"));
  float outside = 0;
  CHECK(says(run(32, 1, [&] { m::store(&outside, 1.0f); }), "a write outside the arrays"));
  emulator::gpu.may_read(std::span<const float>(&outside, 1));
  CHECK(says(run(32, 1, [&] { m::store(&outside, 1.0f); }), "a write outside the arrays"));
  CHECK(run(32, 1, [&] { m::load(&outside); }) == "");
  emulator::gpu.forget_arrays();
}

TEST_CASE("products of fragments are products of matrices") {
  using dupq::gpu::fragment;
  float a[16][16], b[16][8], got[16][8];
  for (int i = 0; i < 256; ++i) a[i / 16][i % 16] = static_cast<float>(i * 37 % 19 - 9);
  for (int i = 0; i < 128; ++i) b[i / 8][i % 8] = static_cast<float>(i * 23 % 17 - 8);
  CHECK(run(32, 1, [&] {
          const unsigned lane = m::thread();
          std::uint32_t a_of[4], b_of[2];
          float sums[4] = {1, 1, 1, 1};
          for (unsigned r = 0; r < 4; ++r) {
            const fragment f = fragment::a(lane, r);
            a_of[r] = m::pack(a[f.row][f.column], a[f.row][f.column + 1]);
          }
          for (unsigned r = 0; r < 2; ++r) {
            const fragment f = fragment::b(lane, r);
            b_of[r] = m::pack(b[f.row][f.column], b[f.row + 1][f.column]);
          }
          m::multiply_add(sums, a_of, b_of[0], b_of[1]);
          for (unsigned i = 0; i < 4; ++i) got[fragment::sums(lane, i).row][fragment::sums(lane, i).column] = sums[i];
        }) == "");
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      float sum = 1;
      for (int k = 0; k < 16; ++k) sum += a[i][k] * b[k][j];
      CHECK(got[i][j] == sum);
    }
}

TEST_CASE("matrices are loaded by rows or by columns, and bank conflicts are counted") {
  const auto load = [](unsigned row_bytes) {
    emulator::gpu.bank_conflicts = 0;
    return emulator::gpu.launch("kernel", {1, 32, 8192}, 3, [&] {
      const unsigned lane = m::thread();
      for (unsigned c = 0; c < 4; ++c)  // row `lane` holds 8 lane + 0 .. 7
        m::store_shared(lane * row_bytes + 4 * c,
                        std::bit_cast<float>((8 * lane + 2 * c) | (8 * lane + 2 * c + 1) << 16));
      m::sync_warp();
      std::uint32_t r[4], t[4];
      m::load_matrices(r, lane * row_bytes);
      m::load_matrices_transposed(t, lane * row_bytes);
      for (unsigned n = 0; n < 4; ++n) {
        const unsigned first = 64 * n + lane / 4 * 8 + lane % 4 * 2, across = 64 * n + lane % 4 * 16 + lane / 4;
        if (r[n] != (first | (first + 1) << 16) || t[n] != (across | (across + 8) << 16))
          m::load_shared(8192);  // fails
      }
    });
  };
  CHECK(load(16) == "");
  CHECK(emulator::gpu.bank_conflicts == 0);
  CHECK(load(128) == "");
  CHECK(emulator::gpu.bank_conflicts == 8);
}

}  // namespace
