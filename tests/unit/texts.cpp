#include <doctest/doctest.h>

#include <array>
#include <compare>
#include <cstddef>
#include <deque>
#include <dupq/core/texts.hpp>
#include <initializer_list>
#include <list>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace {

std::string joined(dupq::texts list) {
  std::string all;
  for (std::size_t i = 0; i < list.size(); ++i) all.append(list[i]) += '|';
  CHECK(list.empty() == all.empty());
  return all;
}

}  // namespace

/// A random-access range whose elements are made when they are read. (Not std::views, which clang 14 cannot compile.)
struct made_texts {
  struct iterator {
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    difference_type at = 0;

    std::string operator*() const { return std::to_string(at); }
    std::string operator[](difference_type n) const { return std::to_string(at + n); }
    iterator& operator+=(difference_type n) { return at += n, *this; }
    iterator& operator-=(difference_type n) { return at -= n, *this; }
    iterator& operator++() { return *this += 1; }
    iterator& operator--() { return *this -= 1; }
    iterator operator++(int) { return {at++}; }
    iterator operator--(int) { return {at--}; }
    friend iterator operator+(iterator i, difference_type n) { return i += n; }
    friend iterator operator+(difference_type n, iterator i) { return i += n; }
    friend iterator operator-(iterator i, difference_type n) { return i -= n; }
    friend difference_type operator-(iterator a, iterator b) { return a.at - b.at; }
    friend auto operator<=>(iterator, iterator) = default;
  };
  iterator begin() const { return {0}; }
  iterator end() const { return {3}; }
};

TEST_CASE("any random-access range of strings is a list of texts") {
  const std::vector<std::string> strings{"a", "", "long enough to live on the heap of the process"};
  CHECK(joined(strings) == "a||long enough to live on the heap of the process|");
  CHECK(joined(std::vector<std::string_view>{"a", "b"}) == "a|b|");
  CHECK(joined(std::vector<const char*>{"a", "b"}) == "a|b|");
  CHECK(joined(std::array<std::string_view, 2>{"x", "y"}) == "x|y|");
  CHECK(joined(std::deque<std::string>{"p", "q", "r"}) == "p|q|r|");
  const char* const literals[] = {"one", "two"};
  CHECK(joined(literals) == "one|two|");
  const std::initializer_list<std::string_view> braces = {"1", "2", "3"};
  CHECK(joined(braces) == "1|2|3|");
  CHECK(joined(std::span(strings).first(2)) == "a||");
  CHECK(joined(std::vector<std::string>{}).empty());
  CHECK(joined(dupq::texts(strings)) == joined(strings));
}

TEST_CASE("texts may hold NUL and are views, not copies") {
  std::vector<std::string> strings{std::string("a\0b", 3)};
  const dupq::texts list(strings);
  CHECK(list[0].size() == 3);
  CHECK(list[0].data() == strings[0].data());
  strings[0][1] = '-';
  CHECK(list[0] == "a-b");
}

TEST_CASE("ranges that cannot be viewed are no texts") {
  static_assert(!std::is_constructible_v<dupq::texts, std::vector<int>>);
  static_assert(!std::is_constructible_v<dupq::texts, std::list<std::string>>);
  // Its elements are temporaries: a view of one would dangle.
  static_assert(std::ranges::random_access_range<const made_texts> && std::ranges::sized_range<const made_texts>);
  static_assert(!std::is_constructible_v<dupq::texts, made_texts>);
  static_assert(std::is_trivially_copyable_v<dupq::texts>);
  CHECK(made_texts().begin()[2] == "2");
}
