// A few entries in order. With it a long list is compared with itself in nearly linear time and little memory: all
// later entries are looked up among a few, and then it is the next few's turn.
#pragma once

#include <algorithm>
#include <cstddef>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Entries in the order of their keys, or a finer one that whoever inserts them keeps.
class sorted_window {
 public:
  struct entry {
    std::size_t key, other;
  };
  static constexpr std::size_t room = 128;

  const entry* begin() const noexcept { return entries_; }
  const entry* end() const noexcept { return entries_ + size_; }
  /// The first entry for which `below` is false; those before it have it true.
  template <class Below>
  const entry* find(Below&& below) const noexcept {
    return std::partition_point(begin(), end(), below);
  }
  /// Puts an entry before `place`; there must be room.
  void insert(const entry* place, const entry& e) noexcept {
    entry* const to = entries_ + (place - entries_);
    std::move_backward(to, entries_ + size_, entries_ + size_ + 1);
    *to = e;
    ++size_;
  }
  void clear() noexcept { size_ = 0; }

 private:
  entry entries_[room];
  std::size_t size_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
