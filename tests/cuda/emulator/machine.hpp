// The machine: one launch of a kernel, block by block (or cluster by cluster), a fiber for each thread, in an order
// that a seed decides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "clocks.hpp"
#include "fiber.hpp"
#include "memory.hpp"

namespace emulator {

struct launch_shape {
  int blocks = 1;
  int threads = 32;
  std::size_t shared_bytes = 0;
  std::uint32_t seed = 1;
  int cluster = 1;        ///< blocks of a cluster
  bool overlaps = false;  ///< begins while the kernels before it still run: see wait_for_previous_kernel
  bool trusted = false;   ///< in one order, without a look at races and at global accesses: for speed
};

/// A copy under way.
struct transfer {
  std::byte* to = nullptr;
  const std::byte* from = nullptr;
  std::size_t bytes = 0;
  int thread = 0;
  epoch at = 0;                 ///< of the actor that it belongs to
  std::uint32_t barrier = ~0u;  ///< shared address that is told of its end, of `block`
  int block = 0;
};

/// A product by a warp of a warpgroup, put off until it is waited for.
struct product {
  std::uint64_t a = 0, b = 0;
  bool a_in_registers = false, add = false;
  std::uint32_t fragments[32][4];
  float* d[32];
  int registers = 0;

  bool same(const product& other) const {
    return a == other.a && b == other.b && a_in_registers == other.a_in_registers && add == other.add &&
           registers == other.registers;
  }
};

struct thread {
  fiber f;
  clock c;
  int block = 0, lane = 0, warp = 0;  ///< `block` within the cluster, `warp` within the cluster
  const char* waits_for = nullptr;
  bool done = false;
  bool waited = false;              ///< for the kernels before this one
  epoch copies = 0, committed = 0;  ///< asynchronous copies so far, and of them in ended groups
  std::vector<epoch> groups;        ///< the last copy of each ended group that was not waited for
  std::vector<transfer> pending;    ///< its copies under way
};

struct warp {
  const char* what = nullptr;  ///< the collective that its lanes gather for
  int arrived = 0;
  void* arguments[32] = {};
  std::vector<std::vector<product>> product_groups;
  std::vector<product> products;  ///< not committed yet
  epoch products_issued = 0, products_done = 0;
  std::vector<epoch> stores;  ///< ends of groups of bulk stores that were not waited for
  epoch stores_issued = 0, stores_committed = 0;
  bool fenced = false;            ///< its registers, for products
  int registers = 0;              ///< of a thread
  std::vector<product> of_group;  ///< of a warpgroup's first warp: what whichever warp came first has multiplied

  /// Whether the warpgroup's product number `index` is this one; the first to say so decides.
  bool same_product(std::size_t index, const product& p) {
    if (index == of_group.size()) of_group.push_back(p);
    return of_group[index].same(p);
  }
};

struct meeting {  ///< a named barrier
  int arrived = 0, expected = 0;
  clock c;
  std::vector<int> waiting;
};

struct phase_barrier {  ///< a barrier in shared memory
  int arrivals = 0, pending = 0;
  std::int64_t bytes = 0;
  epoch phase = 0;
  std::size_t actor = 0;
  int made_by = 0;      ///< thread
  bool fenced = false;  ///< by that thread, so that copies see it
  clock gathering, passed;
  std::vector<int> waiting;
};

struct block {
  std::vector<std::byte> shared;
  shadow_memory shadow;
  meeting barriers[16];
  std::map<std::uint32_t, phase_barrier> phase_barriers;
  std::map<std::uint32_t, clock> counters;
  std::vector<access> reached;  ///< by threads of other blocks
  clock end;                    ///< what its threads knew when they ended
};

/// Decides every order: splitmix64, since a number is drawn for each step of each thread.
class dice {
 public:
  using result_type = std::uint32_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }

  void seed(std::uint64_t s) { state_ = s; }
  result_type operator()() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return static_cast<result_type>(x >> 32);
  }
  /// Less than n, which is less than 2^32.
  std::size_t below(std::size_t n) { return (*this)() * std::uint64_t{n} >> 32; }

 private:
  std::uint64_t state_ = 0;
};

class machine {
 public:
  static machine& self() { return self_; }

  /// Runs a kernel; returns what went wrong, or nothing.
  std::string run(const launch_shape& s, std::function<void()> kernel) {
    shape = s;
    kernel_ = std::move(kernel);
    random.seed(s.seed);
    ++launch_number;
    problem = illegal(s);
    if (!problem.empty()) return problem;
    std::vector<int> order(static_cast<std::size_t>(s.blocks / s.cluster));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i) * s.cluster;
    std::shuffle(order.begin(), order.end(), random);
    for (const int first : order) {
      run_cluster(first);
      if (!problem.empty()) break;
    }
    return problem;
  }

  /// What keeps a launch from beginning on a chip, or nothing.
  static std::string illegal(const launch_shape& s) {
    if (s.blocks < 1) return "a launch of " + std::to_string(s.blocks) + " blocks";
    if (s.threads < 32 || s.threads > 1024 || s.threads % 32 != 0)
      return "a launch of " + std::to_string(s.threads) + " threads a block";
    if (s.cluster < 1 || s.cluster > 8 || s.blocks % s.cluster != 0) return "a part of a cluster";
    if (s.shared_bytes > most_shared) return std::to_string(s.shared_bytes) + " bytes of shared memory";
    return {};
  }

  // ---- for the primitives ----
  thread& current() { return threads[static_cast<std::size_t>(running)]; }
  block& own_block() { return blocks[static_cast<std::size_t>(current().block)]; }
  warp& own_warp() { return warps[static_cast<std::size_t>(current().warp)]; }

  /// True where a test plants a defect at this call of a primitive. Remembers all such places.
  bool defect(void* place, const char* what) {
    if (shape.trusted) return false;
    places.emplace(place, what);
    return defects.count(place) != 0;
  }
  /// Ends the launch.
  void fail(const std::string& what) {
    if (problem.empty()) problem = what;
    current().f.leave();
  }
  /// Sometimes lets others go first.
  void pause() {
    if (shape.trusted || random() % 16 != 0) return;
    ready.push_back(running);
    current().f.leave();
  }
  /// A thread of another block gets at this one's memory, which must be there.
  void reach(block& b, const access& a) {
    const auto first = static_cast<std::size_t>(&b - blocks.data()) * static_cast<std::size_t>(shape.threads);
    bool runs = false;
    for (std::size_t t = first; t < first + static_cast<std::size_t>(shape.threads); ++t)
      runs = runs || current().c.known[t] != 0;
    if (!runs) fail(std::string(a.what) + ": the other block of the cluster may not have begun");
    b.reached.push_back(a);
  }
  /// Sleeps until someone wakes this thread.
  void sleep(const char* why) {
    current().waits_for = why;
    current().f.leave();
  }
  void wake(int thread) {
    threads[static_cast<std::size_t>(thread)].waits_for = nullptr;
    ready.push_back(thread);
  }
  void wake(std::vector<int>& list) {
    for (const int t : list) wake(t);
    list.clear();
  }
  /// The thread's accesses so far are one epoch; later ones another.
  void release() { ++current().c.known[static_cast<std::size_t>(running)]; }

  // Actors: threads, their copies, warps' products, warps' bulk stores, barriers.
  std::size_t copies_of(int thread) const { return threads.size() + static_cast<std::size_t>(thread); }
  std::size_t products_of(int w) const { return 2 * threads.size() + static_cast<std::size_t>(w); }
  std::size_t stores_of(int w) const { return 2 * threads.size() + warps.size() + static_cast<std::size_t>(w); }
  std::size_t new_barrier_actor() {
    if (barrier_actors_ == most_barriers) fail("more barriers than the emulator has clocks for");
    return 2 * threads.size() + 2 * warps.size() + barrier_actors_++;
  }

  void advance(std::uint32_t address, phase_barrier& b) {
    if (b.pending < 0) fail("more arrivals at barrier " + std::to_string(address) + " than it expects");
    if (b.pending != 0 || b.bytes != 0) return;
    ++b.phase;
    b.passed = b.gathering;
    b.passed.known[b.actor] = b.phase;
    b.pending = b.arrivals;
    wake(b.waiting);
  }
  void land(const transfer& t) {
    std::memcpy(t.to, t.from, t.bytes);
    if (t.barrier == ~0u) return;
    phase_barrier& b = blocks[static_cast<std::size_t>(t.block)].phase_barriers[t.barrier];
    b.bytes -= static_cast<std::int64_t>(t.bytes);
    advance(t.barrier, b);
  }
  /// Lands this thread's copies up to one.
  void land_copies(thread& t, epoch until) {
    std::erase_if(t.pending, [&](const transfer& one) {
      if (one.at > until) return false;
      land(one);
      return true;
    });
  }

  launch_shape shape;
  int first_block = 0, running = 0;
  bool code_waits = true;  ///< see waits_for_kernels
  std::uint64_t launch_number = 0;
  std::vector<thread> threads;
  std::vector<warp> warps;
  std::vector<block> blocks;
  meeting cluster_barrier;
  std::vector<int> ready;
  std::vector<transfer> bulk;  ///< bulk loads under way
  dice random;
  std::string problem;
  std::map<void*, const char*> places;  ///< calls of barriers, waits and addressed loads so far, by their code
  std::set<void*> defects;              ///< those that are left out, or get a wrong address

 private:
  static constexpr std::size_t most_barriers = 96;
  static constexpr std::size_t most_shared = 227 * 1024;  ///< of Hopper
  static constexpr int register_file = 64 * 1024;         ///< of a multiprocessor
  static machine self_;

  static void enter() {
    machine& m = self();
    m.kernel_();
    m.own_block().end.join(m.current().c);
    m.current().done = true;
    m.current().f.leave();
  }

  void run_cluster(int first) {
    const auto count = static_cast<std::size_t>(shape.threads * shape.cluster);
    first_block = first;
    threads.resize(count);
    warps.assign(count / 32, {});
    for (warp& w : warps) w.registers = std::min(register_file / shape.threads / 8 * 8, 256);
    blocks.resize(static_cast<std::size_t>(shape.cluster));
    bulk.clear();
    ready.clear();
    barrier_actors_ = 0;
    cluster_barrier = {};
    for (block& b : blocks) {
      b.shared.assign(shape.shared_bytes, std::byte{0xFF});  // NaN
      b.shadow.reset(shape.shared_bytes, count);
      for (meeting& m : b.barriers) m = {};
      b.phase_barriers.clear();
      b.counters.clear();
      b.reached.clear();
      b.end = {};
    }
    const std::size_t actors = 2 * count + 2 * warps.size() + most_barriers;
    for (std::size_t i = 0; i < count; ++i) {
      thread& t = threads[i];
      t.c.known.assign(actors, 0);
      t.c.fenced.clear();
      t.c.known[i] = 1;
      t.block = static_cast<int>(i) / shape.threads;
      t.lane = static_cast<int>(i) % 32, t.warp = static_cast<int>(i) / 32;
      t.waits_for = nullptr, t.done = false, t.waited = !shape.overlaps;
      t.copies = t.committed = 0;
      t.groups.clear();
      t.pending.clear();
      t.f.start(&machine::enter);
      ready.push_back(static_cast<int>(i));
    }
    slow_ = std::vector<std::uint32_t>(warps.size());
    for (auto& s : slow_) s = random() % 4;  // some warps run ahead of others
    schedule(count);
  }

  void schedule(std::size_t live) {
    while (live != 0 && problem.empty()) {
      while (!bulk.empty() && (ready.empty() || random() % 64 == 0)) land_any(bulk);
      if (random() % 4 == 0) {
        auto& pending = threads[random.below(threads.size())].pending;
        if (!pending.empty()) land_any(pending);
      }
      if (ready.empty()) {
        problem = "deadlock:" + waiting();
        return;
      }
      std::size_t pick = shape.trusted ? ready.size() - 1 : random.below(ready.size());
      for (int tries = 0;
           tries < 4 && !shape.trusted && random() % 4 < slow_[static_cast<std::size_t>(ready[pick]) / 32]; ++tries)
        pick = random.below(ready.size());
      running = ready[pick];
      ready[pick] = ready.back();
      ready.pop_back();
      current().f.enter();
      if (current().done) --live;
    }
    bool under_way = !bulk.empty();
    for (const thread& t : threads) under_way = under_way || !t.pending.empty();
    if (problem.empty() && under_way) problem = "copies are still under way when the block ends";
    for (const block& b : blocks) {
      for (const access& a : b.reached)
        if (problem.empty() && b.end.known[a.actor] < a.at)
          problem = std::string(a.what) + ": the other block of the cluster may have ended";
    }
    int registers = 0;
    for (const warp& w : warps) registers += 32 * w.registers;
    if (problem.empty() && registers > register_file * shape.cluster)
      problem = "warps wait for more registers than there are";
  }

  void land_any(std::vector<transfer>& list) {
    const std::size_t i = random.below(list.size());
    const transfer t = list[i];
    list[i] = list.back();
    list.pop_back();
    land(t);
  }

  std::string waiting() const {
    std::map<std::string, int> reasons;
    for (const thread& t : threads)
      if (!t.done && t.waits_for != nullptr) ++reasons[t.waits_for];
    std::string list;
    for (const auto& [why, n] : reasons)
      list.append(" ").append(std::to_string(n)).append(" threads wait in ").append(why).append(";");
    return list;
  }

  std::function<void()> kernel_;
  std::vector<std::uint32_t> slow_;
  std::size_t barrier_actors_ = 0;
};

inline machine machine::self_;

/// Runs a kernel in the emulator; returns what went wrong, or nothing.
template <class Kernel>
std::string launch(const launch_shape& shape, Kernel&& kernel) {
  return machine::self().run(shape, std::forward<Kernel>(kernel));
}

}  // namespace emulator
