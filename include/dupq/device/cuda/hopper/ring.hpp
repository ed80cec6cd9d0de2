// What all warps of a block read, on its way through shared memory: stages of equal size in a ring.
#pragma once

#include "../layouts.hpp"
#include "../primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Fetches stages of a tape of so many.
template <int StageBytes>
struct tape_stages {
  const half* tape = nullptr;
  int length = 0;

  DUPQ_DEVICE void operator()(int item, std::uint32_t to, std::uint32_t barrier) const noexcept {
    ptx::bulk_load(to, tape + static_cast<std::size_t>(item % length) * (StageBytes / 2), StageBytes, barrier);
  }
};

/// One warp's view of the ring. A stage is read with `get`, in order, and given back with `put`, which may lag behind;
/// the last of the `Warps` readers refills it, so that no warp waits for another but through the stages themselves.
/// Fetch(item, to, barrier) starts the bulk loads of an item, `StageBytes` in all.
template <int Stages, int StageBytes, int Warps, class Fetch = tape_stages<StageBytes>>
class stage_ring {
 public:
  static constexpr std::uint32_t bytes = Stages * StageBytes;
  static constexpr std::uint32_t barrier_bytes = Stages * 12;  ///< a barrier and a counter for each stage

  /// `stages` is aligned to 1,024 bytes, `barriers` to 8; `total` items will be read.
  DUPQ_DEVICE stage_ring(std::uint32_t stages, std::uint32_t barriers, const Fetch& fetch, int total) noexcept
      : stages_(stages), barriers_(barriers), fetch_(fetch), total_(total) {}

  /// By one thread, before a fence of barriers and a barrier of the block.
  DUPQ_DEVICE void init() const noexcept {
    DUPQ_GPU_UNROLL
    for (std::uint32_t s = 0; s < Stages; ++s) {
      ptx::init_barrier(full(s), 1);
      ptx::store_shared(counter(s), 0);
    }
  }
  /// By one thread, behind that barrier.
  DUPQ_DEVICE void start() const noexcept {
    DUPQ_GPU_ROLLED
    for (int i = 0; i < Stages && i < total_; ++i) fill(i, static_cast<std::uint32_t>(i));
  }

  /// Waits for the next stage; its address.
  DUPQ_DEVICE std::uint32_t get() noexcept {
    const std::uint32_t at = stages_ + read_ * StageBytes;
    ptx::wait_barrier(full(read_), parity_);
    if (++read_ == Stages) read_ = 0, parity_ ^= 1;
    return at;
  }
  /// Gives the oldest stage back that was not yet; the warp's reads of it are over.
  DUPQ_DEVICE void put(int lane) noexcept {
    if (lane == 0) {
      const auto before = static_cast<int>(ptx::add_shared(counter(given_back_), 1));
      const int next = (before / Warps + 1) * Stages + static_cast<int>(given_back_);
      if (before % Warps == Warps - 1 && next < total_) fill(next, given_back_);
    }
    if (++given_back_ == Stages) given_back_ = 0;
  }

 private:
  DUPQ_DEVICE std::uint32_t full(std::uint32_t stage) const noexcept { return barriers_ + 8 * stage; }
  DUPQ_DEVICE std::uint32_t counter(std::uint32_t stage) const noexcept { return barriers_ + 8 * Stages + 4 * stage; }
  DUPQ_DEVICE void fill(int item, std::uint32_t stage) const noexcept {
    ptx::arrive_expect(full(stage), StageBytes);
    fetch_(item, stages_ + stage * StageBytes, full(stage));
  }

  std::uint32_t stages_, barriers_;
  Fetch fetch_;
  int total_;
  std::uint32_t read_ = 0, given_back_ = 0, parity_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
