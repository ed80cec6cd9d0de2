// A non-owning view of any random-access range of strings: vector<string>, array<string_view>, initializer lists, C
// arrays, views that pick a column of a table.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <ranges>
#include <string_view>
#include <type_traits>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Views the range it is made from, which must outlive it; elements convert to std::string_view. Those of a view such
/// as std::views::transform may be made when they are read if they are string views or pointers; a std::string made
/// then would be gone before it is used.
class texts {
 public:
  texts(std::initializer_list<std::string_view> list) noexcept
      : range_(list.begin()),
        size_(list.size()),
        at_([](const void* r, std::size_t i) { return static_cast<const std::string_view*>(r)[i]; }) {}

  template <std::ranges::random_access_range Range>
  requires(std::ranges::sized_range<Range> && !std::same_as<std::remove_cvref_t<Range>, texts> &&
           (std::is_reference_v<std::ranges::range_reference_t<const Range>> ||
            std::is_pointer_v<std::ranges::range_reference_t<const Range>> ||
            std::same_as<std::remove_cv_t<std::ranges::range_reference_t<const Range>>, std::string_view>)&&std::
               convertible_to<std::ranges::range_reference_t<const Range>, std::string_view>) texts(const Range& range)
  noexcept
      : range_(&range), size_(std::ranges::size(range)), at_([](const void* r, std::size_t i) {
          const Range& typed = *static_cast<const Range*>(r);
          return std::string_view(
              std::ranges::begin(typed)[static_cast<std::ranges::range_difference_t<const Range>>(i)]);
        }) {}

  /// What `at(context, i)` gives for i in 0..size-1.
  constexpr texts(const void* context, std::size_t size, std::string_view (*at)(const void*, std::size_t)) noexcept
      : range_(context), size_(size), at_(at) {}

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::string_view operator[](std::size_t i) const noexcept { return at_(range_, i); }

 private:
  const void* range_;
  std::size_t size_;
  std::string_view (*at_)(const void*, std::size_t);
};

}  // namespace dupq::inline DUPQ_ABI
