// Passes of few texts as graphs: everything that a pass launches is recorded once and replayed with one call. A graph
// is for a number of tokens; a pass takes the smallest that has room, so one graph serves any texts of about a length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Encoders whose passes hold at most so many texts are made to answer soon, not to do much at a time.
inline constexpr std::size_t few_texts = 2;

class graph_list {
 public:
  static constexpr int most = 14;

  /// Tokens of graph i, and the first graph for so many tokens.
  static constexpr std::size_t tokens_of(int i) noexcept { return std::size_t{16} << i; }
  static constexpr int graph_for(std::size_t tokens) noexcept {
    int i = 0;
    while (i + 1 < most && tokens_of(i) < tokens) ++i;
    return i;
  }
  static constexpr std::size_t most_tokens = std::size_t{16} << (most - 1);

  /// Records the graphs for up to so many tokens: launches(tokens) launches a pass of these.
  template <class Runtime, class Launches>
  void record(Runtime& runtime, int slot, std::size_t tokens, Launches&& launches) noexcept {
    for (int i = 0; i <= graph_for(tokens); ++i) graphs_[i] = runtime.record(slot, [&] { launches(tokens_of(i)); });
  }
  template <class Runtime>
  void replay(Runtime& runtime, int slot, std::size_t tokens) noexcept {
    runtime.replay(slot, graphs_[graph_for(tokens)]);
  }

 private:
  int graphs_[most] = {};
};

/// Numbers that a GPU writes into the host's memory, each of which shows whether it has been written: before
/// that it is a NaN that no kernel computes. Seeing them come takes less time than asking CUDA whether the GPU is done.
class awaited_numbers {
 public:
  awaited_numbers() = default;
  awaited_numbers(float* at, std::size_t count) noexcept : at_(at), count_(count) {}

  float* values() const noexcept { return at_; }
  /// Before the pass that writes them.
  void expect() noexcept { std::memset(static_cast<void*>(at_), 0xFF, count_ * sizeof(float)); }
  /// Waits until all are written, and returns true; or until finished(), which is asked now and then, says that the
  /// GPU has nothing left to do, and returns false.
  template <class Finished>
  bool arrive(Finished&& finished) const noexcept {
    constexpr unsigned looks = 4096;
    unsigned left = looks;
    for (std::size_t i = 0; i < count_;) {
      std::uint32_t bits;
      __atomic_load(reinterpret_cast<const std::uint32_t*>(at_ + i), &bits, __ATOMIC_RELAXED);
      if (bits != ~0u) {
        ++i;
      } else if (--left == 0) {
        if (finished()) return false;
        left = looks;
      }
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return true;
  }

 private:
  float* at_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
