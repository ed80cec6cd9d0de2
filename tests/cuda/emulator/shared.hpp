// What the primitives do to shared memory and to clocks.
#pragma once

#include <cstring>
#include <dupq/device/cuda/primitives.hpp>
#include <dupq/device/narrow.hpp>
#include <dupq/device/widen.hpp>

#include "machine.hpp"
#include "report.hpp"

namespace emulator {

inline machine& m() { return machine::self(); }
inline std::uint32_t own_actor() { return static_cast<std::uint32_t>(m().running); }

/// In clusters an address says whose memory it is: 0 its own, or rank + 1 in the upper bits.
inline constexpr std::uint32_t rank_shift = 24;
inline block& block_of(std::uint32_t address) {
  const std::uint32_t rank = address >> rank_shift;
  return rank == 0 ? m().own_block() : m().blocks[rank - 1];
}
inline std::byte* bytes_at(block& b, std::uint32_t address, std::uint32_t bytes, std::uint32_t align,
                           const char* what) {
  address &= (1u << rank_shift) - 1;
  if (address % align != 0) m().fail(std::string(what) + ": misaligned shared address " + std::to_string(address));
  if (address + bytes > b.shared.size())
    m().fail(std::string(what) + ": shared address " + std::to_string(address) + " beyond the block's memory");
  return b.shared.data() + address;
}
/// Ends the launch where an access to a block's shared memory has no order to one before it. `asynchronous`: it is not
/// by a thread's ordinary instructions.
inline void check_order(bool write, block& b, std::uint32_t address, std::uint32_t bytes, const access& a,
                        const clock& c, bool asynchronous) {
  if (m().shape.trusted) return;
  race r;
  if (!(write ? b.shadow.write(address, bytes, a, c, asynchronous, r)
              : b.shadow.read(address, bytes, a, c, asynchronous, r)))
    m().fail(describe(r));
}

/// An ordinary read or write by this thread.
inline std::byte* touch(bool write, std::uint32_t address, std::uint32_t bytes, void* place, const char* what) {
  m().pause();
  block& b = block_of(address);
  std::byte* const at = bytes_at(b, address, bytes, bytes < 16 ? 4 : 16, what);
  const clock& c = m().current().c;
  const access a{own_actor(), c.known[own_actor()], place, what};
  if (&b != &m().own_block()) m().reach(b, a);
  check_order(write, b, address & ((1u << rank_shift) - 1), bytes, a, c, false);
  return at;
}

inline void check_global(const void* at, std::size_t bytes, way how, const char* what) {
  if (m().shape.trusted) return;
  const int block = m().first_block + m().current().block;
  const char* const wrong = global_memory::all().check(at, bytes, how, m().launch_number,
                                                       static_cast<std::uint64_t>(block), !m().current().waited);
  if (wrong != nullptr) m().fail(std::string(what) + ": " + wrong);
}

/// The lanes of a warp meet; the last one calls work(arguments of all 32) for them.
template <class T, class Work>
void together(const char* what, T& mine, Work&& work) {
  warp& w = m().own_warp();
  const int index = m().current().warp;
  if (w.arrived == 0) w.what = what;
  if (w.what != what && std::strcmp(w.what, what) != 0)
    m().fail("the lanes of warp " + std::to_string(index) + " are apart: in " + w.what + " and in " + what);
  w.arguments[m().current().lane] = &mine;
  if (++w.arrived != 32) return m().sleep(what);
  w.arrived = 0;
  T* all[32];
  for (int l = 0; l < 32; ++l) all[l] = static_cast<T*>(w.arguments[l]);
  work(all);
  for (int l = 0; l < 32; ++l)
    if (index * 32 + l != m().running) m().wake(index * 32 + l);
}

/// Arrives at a barrier of `threads` threads, and waits for the others there.
inline void meet(meeting& b, int threads, bool wait, const char* what) {
  if (b.arrived == 0) b.expected = threads;
  if (b.expected != threads) m().fail(std::string(what) + ": a barrier of two sizes");
  b.c.join(m().current().c);
  m().release();
  ++b.arrived;
  if (wait) b.waiting.push_back(m().running);
  if (b.arrived == b.expected) {
    for (const int t : b.waiting) m().threads[static_cast<std::size_t>(t)].c.join(b.c);
    std::vector<int> all = std::move(b.waiting);
    b = {};
    std::erase(all, m().running);
    m().wake(all);
  } else if (wait) {
    m().sleep(what);
  }
}
inline void meet(int id, int threads, bool wait, const char* what) {
  if (id < 0 || id > 15) m().fail(std::string(what) + ": number " + std::to_string(id));
  if (threads % 32 != 0) m().fail(std::string(what) + ": for a part of a warp");
  meet(m().own_block().barriers[id], threads, wait, what);
}

inline phase_barrier& barrier_at(std::uint32_t address, void* place, const char* what) {
  if (address % 8 != 0) m().fail(std::string(what) + ": misaligned barrier " + std::to_string(address));
  touch(false, address, 8, place, what);  // after its initialisation
  auto& all = m().own_block().phase_barriers;
  const auto found = all.find(address);
  if (found == all.end()) m().fail(std::string(what) + ": no barrier at " + std::to_string(address));
  return found->second;
}

inline const std::vector<float> values_of_halves = [] {
  std::vector<float> v(65536);
  for (std::uint32_t i = 0; i < 65536; ++i) v[i] = dupq::widen_f16(static_cast<std::uint16_t>(i));
  return v;
}();
inline float half(std::uint32_t bits, int which) { return values_of_halves[which != 0 ? bits >> 16 : bits & 0xFFFFu]; }

}  // namespace emulator
