// The primitives of sm_75 to sm_120, emulated; what each does stands in include/dupq/device/cuda/primitives.hpp.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include "shared.hpp"

#define EMULATED [[gnu::noinline]] inline
#define PLACE __builtin_return_address(0)

namespace dupq::inline DUPQ_ABI::ptx {

using emulator::m;

inline int thread_index() noexcept { return m().running % m().shape.threads; }
inline int block_index() noexcept { return m().first_block + m().current().block; }
inline int block_count() noexcept { return m().shape.blocks; }

namespace emulated {
/// Replaces each lane's value by one of them all.
template <class T, class Choose>
T exchange(const char* what, T value, Choose&& choose) {
  struct lane {
    T in, out;
  } mine{value, value};
  emulator::together(what, mine, [&](lane*(&all)[32]) {
    for (int l = 0; l < 32; ++l) all[l]->out = choose(all, l);
  });
  return mine.out;
}
}  // namespace emulated

inline int uniform(int value) noexcept {
  return emulated::exchange("uniform", value, [](auto& all, int l) {
    if (all[l]->in != all[0]->in) m().fail("uniform: lanes have different values");
    return all[0]->in;
  });
}
inline float shuffle_xor(float value, int mask) noexcept {
  return emulated::exchange("shuffle_xor", value, [mask](auto& all, int l) { return all[l ^ mask]->in; });
}
inline int shuffle_xor(int value, int mask) noexcept {
  return emulated::exchange("shuffle_xor", value, [mask](auto& all, int l) { return all[l ^ mask]->in; });
}

EMULATED void block_barrier() noexcept {
  if (!m().defect(PLACE, "block_barrier")) emulator::meet(0, m().shape.threads, true, "block_barrier");
}
EMULATED void named_barrier(int id, int threads) noexcept {
  if (!m().defect(PLACE, "named_barrier")) emulator::meet(id, threads, true, "named_barrier");
}
EMULATED void named_arrive(int id, int threads) noexcept {
  if (!m().defect(PLACE, "named_arrive")) emulator::meet(id, threads, false, "named_arrive");
}
EMULATED void warp_barrier() noexcept {
  if (m().defect(PLACE, "warp_barrier")) return;
  auto& mine = m().current();
  emulator::together("warp_barrier", mine, [](emulator::thread*(&all)[32]) {
    emulator::clock c;
    for (const auto* t : all) c.join(t->c);
    const int first = m().current().warp * 32;
    for (int l = 0; l < 32; ++l) {
      all[l]->c.join(c);
      ++all[l]->c.known[static_cast<std::size_t>(first + l)];
    }
  });
}

// ---- global memory ----
namespace emulated {
template <class T>
T load(const void* from, const char* what, emulator::way how = emulator::way::read) {
  emulator::check_global(from, sizeof(T), how, what);
  T v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class T>
void store(void* to, const T& v, const char* what) {
  emulator::check_global(to, sizeof(T), emulator::way::write, what);
  std::memcpy(to, &v, sizeof v);
}
}  // namespace emulated
inline std::uint32_t load_global(const void* from) noexcept {
  return emulated::load<std::uint32_t>(from, "load_global");
}
inline words4 load_global4(const void* from) noexcept { return emulated::load<words4>(from, "load_global4"); }
inline std::uint32_t load_constant(const void* from) noexcept {
  return emulated::load<std::uint32_t>(from, "load_constant", emulator::way::constant);
}
inline words4 load_constant4(const void* from) noexcept {
  return emulated::load<words4>(from, "load_constant4", emulator::way::constant);
}
inline words4 load_ahead4(const void* from) noexcept { return emulated::load<words4>(from, "load_ahead4"); }
inline void store_global(void* to, std::uint32_t value) noexcept { emulated::store(to, value, "store_global"); }
inline void store_global4(void* to, const words4& value) noexcept { emulated::store(to, value, "store_global4"); }

// ---- shared memory ----
inline std::uint32_t shared_base() noexcept { return 0; }
EMULATED std::uint32_t load_shared(std::uint32_t from) noexcept {
  std::uint32_t v;
  std::memcpy(&v, emulator::touch(false, from, 4, PLACE, "load_shared"), 4);
  return v;
}
EMULATED words4 load_shared4(std::uint32_t from) noexcept {
  words4 v;
  std::memcpy(&v, emulator::touch(false, from, 16, PLACE, "load_shared4"), 16);
  return v;
}
EMULATED void store_shared(std::uint32_t to, std::uint32_t value) noexcept {
  std::memcpy(emulator::touch(true, to, 4, PLACE, "store_shared"), &value, 4);
}
EMULATED void store_shared4(std::uint32_t to, const words4& value) noexcept {
  std::memcpy(emulator::touch(true, to, 16, PLACE, "store_shared4"), &value, 16);
}
inline std::uint32_t add_shared(std::uint32_t at, std::uint32_t value) noexcept {
  m().pause();
  auto& b = m().own_block();
  std::byte* const to = emulator::bytes_at(b, at, 4, 4, "add_shared");
  emulator::clock& c = b.counters[at];
  c.join(m().current().c);
  m().current().c.join(c);
  m().release();
  std::uint32_t old;
  std::memcpy(&old, to, 4);
  const std::uint32_t sum = old + value;
  std::memcpy(to, &sum, 4);
  return old;
}

// ---- matrices ----
namespace emulated {
inline void load_four(std::uint32_t (&r)[4], std::uint32_t row, bool transposed, void* place, const char* what) {
  if (m().defect(place, what) && (row >> 7) % 2 != 0) row ^= 16;  // another swizzle
  const std::byte* const bytes = emulator::touch(false, row, 16, place, what);
  struct lane {
    const std::byte* row;
    std::uint32_t* r;
  } mine{bytes, r};
  emulator::together(what, mine, [transposed](lane*(&all)[32]) {
    for (int l = 0; l < 32; ++l)
      for (int i = 0; i < 4; ++i) {
        std::uint16_t pair[2];
        for (int e = 0; e < 2; ++e) {
          const int y = transposed ? l % 4 * 2 + e : l / 4, x = transposed ? l / 4 : l % 4 * 2 + e;
          std::memcpy(&pair[e], all[8 * i + y]->row + 2 * x, 2);
        }
        all[l]->r[i] = pair[0] | std::uint32_t{pair[1]} << 16;
      }
  });
}
}  // namespace emulated
EMULATED void load_matrices(std::uint32_t (&r)[4], std::uint32_t row) noexcept {
  emulated::load_four(r, row, false, PLACE, "load_matrices");
}
EMULATED void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t row) noexcept {
  emulated::load_four(r, row, true, PLACE, "load_matrices_transposed");
}
inline std::uint32_t transpose_matrix(std::uint32_t fragment) noexcept {
  return emulated::exchange("transpose_matrix", fragment, [](auto& all, int l) {
    std::uint32_t v = 0;
    for (int e = 0; e < 2; ++e) {
      const std::uint32_t from = all[(l % 4 * 2 + e) * 4 + l / 8]->in;
      v |= (l / 4 % 2 != 0 ? from >> 16 : from & 0xFFFFu) << 16 * e;
    }
    return v;
  });
}
inline void multiply(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) noexcept {
  struct lane {
    float* d;
    const std::uint32_t* a;
    std::uint32_t b[2];
  } mine{d, a, {b0, b1}};
  emulator::together("multiply", mine, [](lane*(&all)[32]) {
    float a_rows[16][16], b_rows[16][8], sums[16][8];
    for (int l = 0; l < 32; ++l)
      for (int e = 0; e < 2; ++e) {
        const int row = l / 4, column = l % 4 * 2 + e;
        for (int i = 0; i < 4; ++i) a_rows[row + i % 2 * 8][column + i / 2 * 8] = emulator::half(all[l]->a[i], e);
        for (int i = 0; i < 2; ++i) b_rows[column + i * 8][row] = emulator::half(all[l]->b[i], e);
        for (int i = 0; i < 2; ++i) sums[row + i * 8][column] = all[l]->d[2 * i + e];
      }
    for (int r = 0; r < 16; ++r)
      for (int k = 0; k < 16; ++k)
        for (int n = 0; n < 8; ++n) sums[r][n] += a_rows[r][k] * b_rows[k][n];
    for (int l = 0; l < 32; ++l)
      for (int i = 0; i < 4; ++i) all[l]->d[i] = sums[l / 4 + i / 2 * 8][l % 4 * 2 + i % 2];
  });
}

// ---- asynchronous copies ----
EMULATED void copy_async(std::uint32_t to, const void* from) noexcept {
  m().pause();
  emulator::check_global(from, 16, emulator::way::read, "copy_async");
  auto& t = m().current();
  auto& b = m().own_block();
  std::byte* const at = emulator::bytes_at(b, to, 16, 16, "copy_async");
  const auto actor = static_cast<std::uint32_t>(m().copies_of(m().running));
  const emulator::access a{actor, ++t.copies, PLACE, "copy_async"};
  emulator::check_order(true, b, to, 16, a, t.c, false);
  std::memset(at, 0xFF, 16);  // neither the old bytes nor the new ones before it is waited for
  t.pending.push_back({at, static_cast<const std::byte*>(from), 16, m().running, t.copies, ~0u, t.block});
}
EMULATED void commit_copies() noexcept {
  if (!m().defect(PLACE, "commit_copies")) m().current().groups.push_back(m().current().copies);
}
namespace emulated {
EMULATED void wait_copies(std::ptrdiff_t pending) noexcept {
  if (m().defect(PLACE, "wait_copies")) return;
  auto& t = m().current();
  if (std::ssize(t.groups) <= pending) return;
  const auto over = t.groups.end() - pending - 1;
  m().land_copies(t, *over);
  t.c.known[m().copies_of(m().running)] = *over;
  t.groups.erase(t.groups.begin(), over + 1);
}
}  // namespace emulated
template <int Pending>
inline void wait_copies() noexcept {
  emulated::wait_copies(Pending);
}

EMULATED void wait_for_previous_kernel() noexcept {
  if (!m().defect(PLACE, "wait_for_previous_kernel")) m().current().waited = true;
}
inline void launch_next_kernel() noexcept {}
inline bool waits_for_kernels() noexcept { return m().code_waits; }

// ---- numbers ----
inline std::uint32_t pack_halves(float low, float high) noexcept {
  return narrow_f16(low) | std::uint32_t{narrow_f16(high)} << 16;
}
inline void unpack_halves(std::uint32_t halves, float& low, float& high) noexcept {
  low = emulator::half(halves, 0), high = emulator::half(halves, 1);
}
inline float as_float(std::uint32_t bits) noexcept { return std::bit_cast<float>(bits); }
inline std::uint32_t as_bits(float value) noexcept { return std::bit_cast<std::uint32_t>(value); }
inline float fast_exp2(float x) noexcept { return std::exp2(x); }
inline float fast_reciprocal(float x) noexcept { return 1.0f / x; }
inline float fast_rsqrt(float x) noexcept { return 1.0f / std::sqrt(x); }
inline float fast_tanh(float x) noexcept { return std::tanh(x); }

}  // namespace dupq::inline DUPQ_ABI::ptx
