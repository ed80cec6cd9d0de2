#include <doctest/doctest.h>

#include <cstdint>
#include <dupq/text/charsmap.hpp>
#include <string>
#include <vector>

#include "character_map.hpp"

namespace {

using dupq_test::character_map;

bool ends(const character_map& map) {
  const std::string bytes = map.bytes();
  REQUIRE(dupq::charsmap::is_sound(bytes));
  const dupq::charsmap view(bytes);
  std::vector<std::uint64_t> memory(dupq::charsmap_ways::words(view), ~std::uint64_t{0});
  return dupq::charsmap_ways::check(view, memory.data());
}

}  // namespace

TEST_CASE("ways through a map of characters that end") {
  CHECK(ends(character_map(1)));                                   // no keys
  CHECK(ends(character_map(1).step(1, 'a', 200).leaf(200, 'b')));  // "ab"
  CHECK(ends(character_map(1).leaf(1, 'a')));                      // what stands behind a key is not walked
  CHECK(ends(character_map(1).step(1, 'a', 1).leaf(1, 'b')));      // back to the begin, but "b" leaves it
  CHECK(ends(character_map(1).step(1, 'a', 300).step(300, 'a', 1).leaf(300, 'c')));
}

TEST_CASE("ways through a map of characters that never end") {
  CHECK_FALSE(ends(character_map(1).step(1, 'a', 1)));  // "aaa..."
  CHECK_FALSE(ends(character_map(1).step(1, 'a', 200).step(200, 'a', 200)));
  CHECK_FALSE(ends(character_map(1).leaf(1, 'b').step(1, 'a', 300).step(300, 'a', 400).step(400, 'c', 300)));
  CHECK_FALSE(ends(character_map(1).leaf(1, 'b').step(1, 'a', 300)));   // nothing comes after "a"
  CHECK_FALSE(ends(character_map(1).leaf(1, 'b').step(1, 'a', 5000)));  // outside
  CHECK_FALSE(ends(character_map(5000)));
}

TEST_CASE("a map whose keys are longer than any cluster of characters is given up soon") {
  const auto key_of = [](std::uint32_t bytes) {
    character_map map(bytes * 256);
    for (std::uint32_t i = bytes; i > 1; --i) map.step(i * 256, 'a', (i - 1) * 256);
    return map.leaf(256, 'a');
  };
  CHECK(ends(key_of(100)));
  CHECK_FALSE(ends(key_of(4000)));
}
