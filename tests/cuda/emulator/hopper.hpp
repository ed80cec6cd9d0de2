// The primitives of sm_90 and sm_90a, emulated: barriers in shared memory, bulk copies, clusters, warpgroups.
#pragma once

#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::ptx {

// ---- barriers in shared memory ----
EMULATED void init_barrier(std::uint32_t barrier, int arrivals) noexcept {
  if (barrier % 8 != 0) m().fail("init_barrier: misaligned barrier " + std::to_string(barrier));
  emulator::touch(true, barrier, 8, PLACE, "init_barrier");
  auto& b = m().own_block().phase_barriers[barrier];
  b = {};
  b.arrivals = b.pending = arrivals;
  b.actor = m().new_barrier_actor();
  b.made_by = m().running;
  b.gathering.known.assign(m().current().c.known.size(), 0);
}
EMULATED void fence_barriers() noexcept {
  if (m().defect(PLACE, "fence_barriers")) return;
  for (auto& [at, b] : m().own_block().phase_barriers) b.fenced = b.fenced || b.made_by == m().running;
}
namespace emulated {
inline void arrive(std::uint32_t barrier, std::uint32_t bytes, void* place, const char* what) {
  auto& b = emulator::barrier_at(barrier, place, what);
  b.gathering.join(m().current().c);
  m().release();
  b.bytes += bytes;
  if (b.bytes > 0xFFFFF) m().fail(std::string(what) + ": more bytes than a barrier counts");
  --b.pending;
  m().advance(barrier, b);
}
}  // namespace emulated
EMULATED void arrive(std::uint32_t barrier) noexcept {
  if (!m().defect(PLACE, "arrive")) emulated::arrive(barrier, 0, PLACE, "arrive");
}
EMULATED void arrive_expect(std::uint32_t barrier, std::uint32_t bytes) noexcept {
  emulated::arrive(barrier, bytes, PLACE, "arrive_expect");
}
EMULATED void wait_barrier(std::uint32_t barrier, std::uint32_t parity) noexcept {
  if (m().defect(PLACE, "wait_barrier")) return;
  auto& b = emulator::barrier_at(barrier, PLACE, "wait_barrier");
  while (b.phase % 2 == parity) {
    b.waiting.push_back(m().running);
    m().sleep("wait_barrier");
  }
  m().current().c.join(b.passed);
}

// ---- bulk copies ----
EMULATED void bulk_load(std::uint32_t to, const void* from, std::uint32_t bytes, std::uint32_t barrier) noexcept {
  m().pause();
  auto& mine = m().own_block();
  if (bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0) m().fail("bulk_load: not 16-byte aligned");
  emulator::check_global(from, bytes, emulator::way::bulk, "bulk_load");
  std::byte* const at = emulator::bytes_at(mine, to, bytes, 16, "bulk_load");
  auto& b = emulator::barrier_at(barrier, PLACE, "bulk_load");
  if (!b.fenced) m().fail("bulk_load: its barrier was made without a fence");
  const emulator::access a{static_cast<std::uint32_t>(b.actor), b.phase + 1, PLACE, "bulk_load"};
  emulator::check_order(true, mine, to, bytes, a, m().current().c, true);
  std::memset(at, 0xFF, bytes);
  m().bulk.push_back(
      {at, static_cast<const std::byte*>(from), bytes, m().running, b.phase + 1, barrier, m().current().block});
}
EMULATED void bulk_store(void* to, std::uint32_t from, std::uint32_t bytes) noexcept {
  m().pause();
  auto& mine = m().own_block();
  if (bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(to) % 16 != 0) m().fail("bulk_store: not 16-byte aligned");
  emulator::check_global(to, bytes, emulator::way::write, "bulk_store");
  const std::byte* const at = emulator::bytes_at(mine, from, bytes, 16, "bulk_store");
  auto& w = m().own_warp();
  const auto actor = static_cast<std::uint32_t>(m().stores_of(m().current().warp));
  const emulator::access a{actor, ++w.stores_issued, PLACE, "bulk_store"};
  emulator::check_order(false, mine, from, bytes, a, m().current().c, true);
  std::memcpy(to, at, bytes);
}
inline void commit_bulk_stores() noexcept { m().own_warp().stores.push_back(m().own_warp().stores_issued); }
namespace emulated {
EMULATED void wait_bulk_stores(std::ptrdiff_t pending) noexcept {
  if (m().defect(PLACE, "wait_bulk_stores")) return;
  auto& groups = m().own_warp().stores;
  if (std::ssize(groups) <= pending) return;
  const auto over = groups.end() - pending - 1;
  m().current().c.known[m().stores_of(m().current().warp)] = *over;
  groups.erase(groups.begin(), over + 1);
}
}  // namespace emulated
template <int Pending>
inline void wait_bulk_stores() noexcept {
  emulated::wait_bulk_stores(Pending);
}
EMULATED void fence_async() noexcept {
  if (m().defect(PLACE, "fence_async")) return;
  m().current().c.fence(m().threads.size());
  m().current().c.fenced[static_cast<std::size_t>(m().running)] =
      m().current().c.known[static_cast<std::size_t>(m().running)];
  m().release();
}

// ---- clusters ----
inline int cluster_rank() noexcept { return m().current().block; }
EMULATED void cluster_barrier() noexcept {
  if (m().defect(PLACE, "cluster_barrier")) return;
  emulator::meet(m().cluster_barrier, m().shape.threads * m().shape.cluster, true, "cluster_barrier");
}
inline std::uint32_t cluster_address(std::uint32_t at, int rank) noexcept {
  if (rank < 0 || rank >= m().shape.cluster) m().fail("cluster_address: no block " + std::to_string(rank));
  return at | static_cast<std::uint32_t>(rank + 1) << emulator::rank_shift;
}
EMULATED void store_cluster(std::uint32_t to, std::uint32_t value) noexcept {
  std::memcpy(emulator::touch(true, to, 4, PLACE, "store_cluster"), &value, 4);
}

// ---- products by warpgroups ----
inline std::uint64_t descriptor128(std::uint32_t at) noexcept {
  return std::uint64_t{(at & 0x3FFFFu) >> 4} | std::uint64_t{1} << 16 | std::uint64_t{1024 >> 4} << 32 |
         std::uint64_t{1} << 62;
}
inline std::uint64_t descriptor64(std::uint32_t at) noexcept {
  return std::uint64_t{(at & 0x3FFFFu) >> 4} | std::uint64_t{1} << 16 | std::uint64_t{512 >> 4} << 32 |
         std::uint64_t{2} << 62;
}

namespace emulated {
/// Shared address of 16 bytes (half 0 or 1 of a row's 32) of a described matrix.
inline std::uint32_t described(std::uint64_t d, int row, int half) {
  const auto start = static_cast<std::uint32_t>(d & 0x3FFFu) << 4;
  const auto group = static_cast<std::uint32_t>(d >> 32 & 0x3FFFu) << 4;
  const bool wide = d >> 62 == 1;
  const auto r = static_cast<std::uint32_t>(row);
  std::uint32_t at = start + r / 8 * group + r % 8 * (wide ? 128 : 64) + static_cast<std::uint32_t>(half) * 16;
  at ^= (at >> 7 & (wide ? 7u : 3u)) << 4;
  return at;
}
/// Where a matrix may begin: at a row of its swizzle's pattern whose number is 0, since a base offset is never given.
inline void check_start(std::uint64_t d) {
  const auto start = static_cast<std::uint32_t>(d & 0x3FFFu) << 4;
  const std::uint64_t swizzle = d >> 62;
  if (swizzle != 1 && swizzle != 2) m().fail("warpgroup_multiply: swizzle " + std::to_string(swizzle));
  if ((start & (swizzle == 1 ? 0x380u : 0x180u)) != 0)
    m().fail("warpgroup_multiply: a matrix begins within a pattern, at " + std::to_string(start));
}
inline void read_row(std::uint64_t d, int row, float* to) {
  for (int half = 0; half < 2; ++half) {
    std::uint32_t words[4];
    std::memcpy(words, m().own_block().shared.data() + described(d, row, half), 16);
    for (int i = 0; i < 8; ++i) to[8 * half + i] = emulator::half(words[i / 2], i % 2);
  }
}
inline void run(const emulator::product& p, int warp_in_group) {
  const int columns = p.registers * 2;
  static float a[16][16], row[16], b[16][256], sums[16][256];
  for (int r = 0; r < 16; ++r) {
    if (!p.a_in_registers) {
      read_row(p.a, 16 * warp_in_group + r, a[r]);
    } else {
      for (int k = 0; k < 16; ++k)
        a[r][k] = emulator::half(p.fragments[r % 8 * 4 + k % 8 / 2][r / 8 + k / 8 * 2], k % 2);
    }
  }
  for (int n = 0; n < columns; ++n) {
    read_row(p.b, n, row);
    for (int k = 0; k < 16; ++k) b[k][n] = row[k];
  }
  for (int r = 0; r < 16; ++r) {
    float* const to = sums[r];
    std::fill_n(to, columns, 0.0f);
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < columns; ++n) to[n] += a[r][k] * b[k][n];
  }
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < p.registers; ++i) {
      const float sum = sums[l / 4 + i % 4 / 2 * 8][i / 4 * 8 + l % 4 * 2 + i % 2];
      p.d[l][i] = p.add ? p.d[l][i] + sum : sum;
    }
}
inline void issue(emulator::product& p, float* d, const std::uint32_t* fragments, void* place) {
  struct lane {
    float* d;
    std::uint32_t a[4];
  } mine{d, {}};
  if (fragments != nullptr) std::copy_n(fragments, 4, mine.a);
  emulator::together("warpgroup_multiply", mine, [&](lane*(&all)[32]) {
    for (int l = 0; l < 32; ++l) {
      p.d[l] = all[l]->d;
      std::copy_n(all[l]->a, 4, p.fragments[l]);
    }
    auto& w = m().own_warp();
    const int warp = m().current().warp;
    if (!w.fenced) m().fail("warpgroup_multiply: no warpgroup_fence since the products before were committed");
    if (!m().warps[static_cast<std::size_t>(warp / 4 * 4)].same_product(w.products_issued, p))
      m().fail("warpgroup_multiply: the warps of a warpgroup multiply different matrices");
    if (!p.a_in_registers) check_start(p.a);
    check_start(p.b);
    const emulator::access a{static_cast<std::uint32_t>(m().products_of(warp)), ++w.products_issued, place,
                             "warpgroup_multiply"};
    w.products.push_back(p);
    if (m().shape.trusted) return;
    emulator::clock c = m().threads[static_cast<std::size_t>(warp) * 32].c;  // what any of the lanes did comes before
    for (int l = 1; l < 32; ++l) c.join(m().threads[static_cast<std::size_t>(warp * 32 + l)].c);
    const auto read = [&](std::uint64_t matrix, int row) {
      for (int half = 0; half < 2; ++half) {
        const std::uint32_t at = described(matrix, row, half);
        emulator::bytes_at(m().own_block(), at, 16, 16, "warpgroup_multiply");
        emulator::check_order(false, m().own_block(), at, 16, a, c, true);
      }
    };
    if (!p.a_in_registers)  // the warpgroup reads all of it, whichever warp reads which rows
      for (int row = 0; row < 64; ++row) read(p.a, row);
    for (int n = 0; n < p.registers * 2; ++n) read(p.b, n);
  });
}
}  // namespace emulated

/// Wanted before each group of products: stricter than the hardware, which wants it where registers were touched.
EMULATED void warpgroup_fence() noexcept {
  if (m().defect(PLACE, "warpgroup_fence")) return;
  int none = 0;
  emulator::together("warpgroup_fence", none, [](int*(&)[32]) { m().own_warp().fenced = true; });
}
inline void warpgroup_commit() noexcept {
  int none = 0;
  emulator::together("warpgroup_commit", none, [](int*(&)[32]) {
    m().own_warp().fenced = false;
    m().own_warp().product_groups.push_back(std::move(m().own_warp().products));
    m().own_warp().products.clear();
  });
}
namespace emulated {
EMULATED void warpgroup_wait(std::ptrdiff_t pending) noexcept {
  if (m().defect(PLACE, "warpgroup_wait")) return;
  int none = 0;
  emulator::together("warpgroup_wait", none, [pending](int*(&)[32]) {
    auto& w = m().own_warp();
    const int warp = m().current().warp;
    while (std::ssize(w.product_groups) > pending) {
      for (const auto& p : w.product_groups.front()) emulated::run(p, warp % 4);
      w.products_done += static_cast<emulator::epoch>(w.product_groups.front().size());
      w.product_groups.erase(w.product_groups.begin());
    }
    for (int l = 0; l < 32; ++l)
      m().threads[static_cast<std::size_t>(warp * 32 + l)].c.known[m().products_of(warp)] = w.products_done;
  });
}
}  // namespace emulated
template <int Pending>
inline void warpgroup_wait() noexcept {
  emulated::warpgroup_wait(Pending);
}
template <int Registers>
EMULATED void warpgroup_multiply(float (&d)[Registers], std::uint64_t a, std::uint64_t b, bool add) noexcept {
  emulator::product p;
  p.a = a, p.b = b, p.add = add, p.registers = Registers;
  emulated::issue(p, d, nullptr, PLACE);
}
template <int Registers>
EMULATED void warpgroup_multiply(float (&d)[Registers], const std::uint32_t (&a)[4], std::uint64_t b,
                                 bool add) noexcept {
  emulator::product p;
  p.a_in_registers = true, p.b = b, p.add = add, p.registers = Registers;
  emulated::issue(p, d, a, PLACE);
}
template <int Registers>
inline void more_registers() noexcept {
  static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 256);
  if (m().own_warp().registers > Registers) m().fail("more_registers: fewer than before");
  int none = 0;
  emulator::together("more_registers", none, [](int*(&)[32]) { m().own_warp().registers = Registers; });
}
template <int Registers>
inline void fewer_registers() noexcept {
  static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 256);
  if (m().own_warp().registers < Registers) m().fail("fewer_registers: more than before");
  int none = 0;
  emulator::together("fewer_registers", none, [](int*(&)[32]) { m().own_warp().registers = Registers; });
}

}  // namespace dupq::inline DUPQ_ABI::ptx
