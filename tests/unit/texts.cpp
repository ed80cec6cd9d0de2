#include <doctest/doctest.h>

#include <array>
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
  const auto made = std::views::iota(0, 3) | std::views::transform([](int i) { return std::to_string(i); });
  static_assert(!std::is_constructible_v<dupq::texts, decltype(made)>);
  static_assert(std::is_trivially_copyable_v<dupq::texts>);
  CHECK(made.size() == 3);
}
