// A non-owning view of any random-access range of labels: vector<int>, span<const uint8_t>, vector<bool>, C arrays.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Views the range it is made from, which must outlive it. 0 means "different", everything else "duplicate".
class labels {
 public:
  template <std::ranges::random_access_range Range>
  requires(std::ranges::sized_range<Range> && !std::same_as<std::remove_cvref_t<Range>, labels> &&
           std::integral<std::ranges::range_value_t<const Range>>) labels(const Range& range)
  noexcept
      : range_(&range), size_(std::ranges::size(range)), at_([](const void* r, std::size_t i) {
          const Range& typed = *static_cast<const Range*>(r);
          return std::ranges::begin(typed)[static_cast<std::ranges::range_difference_t<const Range>>(i)] != 0;
        }) {}

  std::size_t size() const noexcept { return size_; }
  bool operator[](std::size_t i) const noexcept { return at_(range_, i); }

 private:
  const void* range_;
  std::size_t size_;
  bool (*at_)(const void*, std::size_t);
};

}  // namespace dupq::inline DUPQ_ABI
