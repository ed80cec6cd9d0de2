// A runtime for the engine whose GPU is the emulator.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <dupq/core/error.hpp>
#include <dupq/device/cuda/hopper/cluster.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../emulator.hpp"

namespace emulator {

/// Copies are put off until they are waited for.
class runtime {
 public:
  explicit runtime(std::uint32_t seed, int processors = 1000)
      : seed_(std::make_shared<std::uint32_t>(seed)), processors_(processors) {}

  void* device_memory(std::size_t bytes) {
    memory_.push_back(std::make_unique<buffer<std::byte>>((bytes + 3) / 4 * 4));
    return memory_.back()->data();
  }
  void* pinned_memory(std::size_t bytes) {
    pinned_.push_back(std::make_unique<buffer<std::byte>>(bytes, use::read));
    global_memory::all().remove(pinned_.back()->data());  // no kernel reaches it
    return pinned_.back()->data();
  }
  void* mapped_memory(std::size_t bytes) {
    mapped_.push_back(std::make_unique<buffer<std::byte>>((bytes + 3) / 4 * 4));
    return mapped_.back()->data();
  }
  void clear(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }
  void upload(int slot, void* to, const void* from, std::size_t bytes) { later(slot, to, from, bytes); }
  void download(int slot, void* to, const void* from, std::size_t bytes) { later(slot, to, from, bytes); }
  template <class Args>
  void launch(int slot, void (*kernel)(Args), int blocks, int threads, std::size_t shared_bytes, const Args& args) {
    (recorded_ != nullptr ? *recorded_ : work_[slot]).push_back([=, seed = seed_, trusted = trusted] {
      const std::string problem = emulator::launch({.blocks = blocks,
                                                    .threads = threads,
                                                    .shared_bytes = shared_bytes,
                                                    .seed = ++*seed,
                                                    .cluster = dupq::gpu::cluster_of<Args>(),
                                                    .overlaps = true,
                                                    .trusted = trusted},
                                                   [&] { kernel(args); });
      if (problems == nullptr)
        CHECK(problem == "");
      else if (problems->empty())
        *problems = problem;
    });
  }
  template <class Launches>
  int record(int, Launches&& launches) {
    recorded_ = &graphs_.emplace_back();
    launches();
    recorded_ = nullptr;
    return static_cast<int>(graphs_.size()) - 1;
  }
  void replay(int slot, int graph) {
    const auto& steps = graphs_[static_cast<std::size_t>(graph)];
    work_[slot].insert(work_[slot].end(), steps.begin(), steps.end());
  }
  /// The first look sees that it is not done, but lets it be done.
  bool finished(int slot) {
    const bool nothing_left = work_[slot].empty();
    run(slot);
    return nothing_left;
  }
  dupq::result<void> begin() { return {}; }
  dupq::result<void> wait(int slot) {
    run(slot);
    if (fail_after != 0 && --fail_after == 0) return dupq::error(dupq::errc::gpu_failed, "test", 0, 700);
    return {};
  }
  int processors() const { return processors_; }
  bool warpgroups() const { return true; }

  int fail_after = 0;                             ///< waits
  bool trusted = false;                           ///< see launch_shape
  static inline std::string* problems = nullptr;  ///< where kernels' problems are expected: the first of them

 private:
  using step_list = std::vector<std::function<void()>>;

  void run(int slot) {
    for (const auto& step : work_[slot]) step();
    work_[slot].clear();
  }
  void later(int slot, void* to, const void* from, std::size_t bytes) {
    work_[slot].push_back([=] { std::memcpy(to, from, bytes); });
  }

  std::vector<std::unique_ptr<buffer<std::byte>>> memory_, pinned_, mapped_;
  step_list work_[2], *recorded_ = nullptr;
  std::deque<step_list> graphs_;
  std::shared_ptr<std::uint32_t> seed_;  // graphs use it, wherever the runtime is moved
  int processors_;
};

}  // namespace emulator
