// Cuts a list of unequal items into consecutive ranges, for workers that take the next range when they are free.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Ranges of 0..n-1, in order, each item in one. They are large at first, so that few are cut short of a full batch,
/// and small at the end, so that workers finish together. `Weight` says what item i takes, in any unit: weight(i) > 0.
template <class Weight>
class work_ranges {
 public:
  struct range {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  /// A range has at most `most` items. It weighs about `least` or more, unless too little is left to give every worker
  /// as much.
  work_ranges(std::size_t n, std::size_t workers, std::size_t least, std::size_t most, Weight weight) noexcept
      : n_(n),
        workers_(std::max<std::size_t>(workers, 1)),
        least_(least),
        most_(std::max<std::size_t>(most, 1)),
        weight_(weight) {
    if (workers_ == 1) return;
    std::size_t all = 0;
    for (std::size_t i = 0; i < n; ++i) all += weight_(i);
    left_.store(all, std::memory_order_relaxed);
  }

  /// The next range, empty when there is none. Any number of threads may call it at a time.
  range next() noexcept {
    std::size_t begin = begin_.load(std::memory_order_relaxed);
    for (;;) {
      if (begin == n_) return {n_, n_};
      std::size_t end = begin + std::min(most_, n_ - begin), taken = 0;
      if (workers_ != 1) {
        const std::size_t left = left_.load(std::memory_order_relaxed), last = end;
        const std::size_t fair = std::max(left / (2 * workers_), std::min(least_, left / workers_));
        taken = weight_(begin);
        for (end = begin + 1; end < last; ++end) {
          const std::size_t more = weight_(end);
          if (taken + more / 2 > fair) break;  // it is nearer to `fair` without this one
          taken += more;
        }
      }
      if (!begin_.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
      left_.fetch_sub(taken, std::memory_order_relaxed);
      return {begin, end};
    }
  }

 private:
  std::size_t n_, workers_, least_, most_;
  Weight weight_;
  std::atomic<std::size_t> begin_{0}, left_{0};  ///< the first item, and the weight, that nobody has taken
};

}  // namespace dupq::inline DUPQ_ABI
