// The best rows so far of one query: what every search for the nearest fills.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

struct neighbour {
  std::size_t row = 0;
  float score = 0;

  /// It comes before another one: a higher score, of equal scores the earlier row.
  constexpr bool before(const neighbour& other) const noexcept {
    return score != other.score ? score > other.score : row < other.row;
  }
};

/// The best rows of one query so far, at most as many as there is room for. Which ones does not depend on the order in
/// which they are added.
class best_neighbours {
 public:
  best_neighbours() = default;
  /// Rows below the threshold are not kept. `room` is the caller's and outlives this.
  explicit best_neighbours(std::span<neighbour> room,
                           float threshold = -std::numeric_limits<float>::infinity()) noexcept
      : room_(room), threshold_(threshold) {}

  /// What a score has to reach to change anything.
  float least() const noexcept {
    if (room_.empty()) return std::numeric_limits<float>::infinity();
    return count_ < room_.size() ? threshold_ : room_[in_order_ ? count_ - 1 : 0].score;
  }
  void add(const neighbour& n) noexcept {
    if (room_.empty() || !(n.score >= least())) return;
    const auto kept = room_.first(count_);
    if (in_order_) std::make_heap(kept.begin(), kept.end(), order);
    in_order_ = false;
    if (count_ == room_.size()) {
      if (!n.before(room_[0])) return;
      std::pop_heap(kept.begin(), kept.end(), order);
      --count_;
    }
    room_[count_++] = n;
    std::push_heap(room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(count_), order);
  }
  std::size_t size() const noexcept { return count_; }
  /// The best first. More may be added afterwards.
  std::span<const neighbour> sorted() noexcept {
    const auto kept = room_.first(count_);
    if (!in_order_) std::sort(kept.begin(), kept.end(), order);
    in_order_ = true;
    return kept;
  }

 private:
  static bool order(const neighbour& a, const neighbour& b) noexcept { return a.before(b); }

  std::span<neighbour> room_{};  ///< in order, or a heap with the last of them in front
  std::size_t count_ = 0;
  float threshold_ = -std::numeric_limits<float>::infinity();
  bool in_order_ = false;
};

}  // namespace dupq::inline DUPQ_ABI
