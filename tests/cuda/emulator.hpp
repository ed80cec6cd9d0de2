// A GPU's block of threads on the host, for kernels that are written against gpu::machine: runs them as fibers in
// random order and knows the rules that hardware does not enforce. Whatever breaks one ends the launch with a message:
// races in shared memory, reads of what nobody wrote, copies that were not waited for, lanes that miss an operation of
// their warp, barriers that some never reach, accesses outside the given global arrays, misaligned addresses.
#pragma once

#include <dupq/device/cuda/fragment.hpp>
#include <dupq/device/cuda/primitives.hpp>
#include <dupq/device/widen.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fibers.hpp"
#include "half.hpp"
#include "shadow.hpp"

namespace emulator {

/// How many threads a block has, and bytes of shared memory.
struct shape {
  unsigned blocks, threads;
  std::size_t shared_bytes;
};

class block {
 public:
  /// Kernels may read these arrays, and nothing else.
  template <class T>
  void may_read(std::span<const T> some) {
    arrays_.push_back({reinterpret_cast<std::uintptr_t>(some.data()), some.size_bytes(), false});
  }
  /// Kernels may read and write these.
  template <class T>
  void may_write(std::span<T> some) {
    arrays_.push_back({reinterpret_cast<std::uintptr_t>(some.data()), some.size_bytes(), true});
  }
  void forget_arrays() { arrays_.clear(); }

  /// Runs all blocks, one after the other in random order. Empty, or the first rule that was broken.
  std::string launch(const std::string& kernel, shape s, std::uint64_t seed, const std::function<void()>& body) {
    error_.clear(), kernel_ = kernel, threads_ = s.threads;
    shared_.resize(s.shared_bytes);
    std::vector<unsigned> order(s.blocks);
    for (unsigned b = 0; b < s.blocks; ++b) order[b] = b;
    for (unsigned b = s.blocks; b > 1; --b) std::swap(order[b - 1], order[(seed * 0x9E3779B97F4A7C15u >> 33) % b]);
    for (const unsigned b : order) {
      block_ = b;
      std::fill(shared_.begin(), shared_.end(), std::byte{0xFF});  // NaN
      shadow_.clear(s.shared_bytes);
      copies_.assign(s.threads, {});
      barriers_passed_ = 0, whole_ = {};
      warps_.assign(s.threads / 32, {});
      if (!threads_run_.run(s.threads, seed + b, body))
        error_ = kernel_ + ": some threads wait for others that never come (" + waiting() + ")";
      if (error_.empty() && std::any_of(copies_.begin(), copies_.end(), [](auto& c) { return !c.queue.empty(); }))
        error_ = kernel_ + ": copies are in flight at the end";
      if (!error_.empty()) return error_;
    }
    return {};
  }

  unsigned thread() const { return threads_run_.current(); }
  unsigned index() const { return block_; }
  unsigned barriers() const { return barriers_passed_; }  ///< that the last block has passed
  std::uint64_t bank_conflicts = 0;                       ///< matrices whose rows shared a bank, ever

  /// All `count` threads of a group meet; the last one calls finish(arguments by place).
  template <class Finish>
  void meet_warp(const char* what, void* argument, Finish finish) {
    meet(warps_[thread() / 32].meeting, 32, what, thread() % 32, argument, finish);
  }
  void sync() {
    meet(whole_, threads_, "sync", thread(), nullptr, [this](auto&) { ++barriers_passed_; });
  }
  void sync_warp() {
    meet_warp("sync_warp", nullptr, [this](auto&) { ++warps_[thread() / 32].barriers; });
  }

  void read_shared(std::uint32_t address, std::uint32_t bytes, void* to) {
    check_shared(address, bytes);
    verdict(shadow_.read(address, bytes, me()), address);
    std::memcpy(to, &shared_[address], bytes);
  }
  void write_shared(std::uint32_t address, std::uint32_t bytes, const void* from) {
    check_shared(address, bytes);
    verdict(shadow_.write(address, bytes, me(), false), address);
    std::memcpy(&shared_[address], from, bytes);
  }

  void copy(std::uint32_t to, const void* from, bool wanted, bool asynchronous) {
    static constexpr std::byte zeros[16] = {};
    if (wanted) check_global(from, 16, 16, false);
    if (!wanted) from = zeros;
    if (!asynchronous) return write_shared(to, 16, from);
    check_shared(to, 16);
    verdict(shadow_.write(to, 16, me(), true), to);
    copies_[thread()].queue.push_back({to, copies_[thread()].committed, from});
  }
  void commit() { ++copies_[thread()].committed; }
  void wait(unsigned left) {
    auto& mine = copies_[thread()];
    std::erase_if(mine.queue, [&](const copy_of_16& c) {
      if (c.group + left >= mine.committed) return false;
      std::memcpy(&shared_[c.to], c.from, 16);
      shadow_.landed(c.to, 16, me());
      return true;
    });
  }

  void check_global(const void* address, std::size_t bytes, std::size_t alignment, bool write) {
    const auto first = reinterpret_cast<std::uintptr_t>(address);
    if (first % alignment != 0) fail("a misaligned access to global memory");
    for (const array& a : arrays_)
      if (first >= a.first && first + bytes <= a.first + a.bytes && (a.writable || !write)) return;
    fail(write ? "a write outside the arrays in global memory" : "a read outside the arrays in global memory");
  }

 private:
  struct array {
    std::uintptr_t first;
    std::size_t bytes;
    bool writable;
  };
  struct meeting {
    const char* what = nullptr;
    unsigned count = 0;
    std::array<unsigned, 1024> threads;
    std::array<void*, 32> arguments;
  };
  struct warp {
    emulator::block::meeting meeting;
    unsigned barriers = 0;
  };
  struct copy_of_16 {
    std::uint32_t to;
    unsigned group;
    const void* from;
  };
  struct copies {
    std::vector<copy_of_16> queue;
    unsigned committed = 0;
  };

  [[noreturn]] void fail(const std::string& what) {
    error_ = kernel_ + ": " + what + " (block " + std::to_string(block_) + ", thread " + std::to_string(thread()) + ")";
    threads_run_.stop();
  }
  void verdict(const char* what, std::uint32_t address) {
    if (what != nullptr) fail("shared memory at " + std::to_string(address) + " " + what);
  }
  void check_shared(std::uint32_t address, std::uint32_t bytes) {
    if (address % bytes != 0) fail("shared memory at " + std::to_string(address) + " is misaligned");
    if (address + bytes > shared_.size()) fail("shared memory ends before " + std::to_string(address));
  }
  access me() const { return {thread(), barriers_passed_, warps_[thread() / 32].barriers}; }
  std::string waiting() const {
    std::string all;
    if (whole_.count != 0) all += std::to_string(whole_.count) + " at sync ";
    for (const warp& w : warps_)
      if (w.meeting.count != 0) all += std::to_string(w.meeting.count) + " at " + w.meeting.what + " ";
    return all;
  }

  template <class Finish>
  void meet(meeting& m, unsigned size, const char* what, unsigned place, void* argument, Finish finish) {
    if (m.count != 0 && std::strcmp(m.what, what) != 0)
      fail(std::string(what) + " while others of the warp are at " + m.what);
    m.what = what;
    if (place < m.arguments.size()) m.arguments[place] = argument;
    m.threads[m.count++] = thread();
    if (m.count < size) return threads_run_.wait();
    finish(m.arguments);
    m.count = 0;
    for (unsigned i = 0; i + 1 < size; ++i) threads_run_.wake(m.threads[i]);
  }

  fibers threads_run_;
  std::string kernel_, error_;
  unsigned threads_ = 0, block_ = 0, barriers_passed_ = 0;
  std::vector<std::byte> shared_;
  shadow shadow_;
  std::vector<copies> copies_;
  std::vector<array> arrays_;
  meeting whole_;
  std::vector<warp> warps_;
};

inline block gpu;  ///< the one that machines speak to

}  // namespace emulator
