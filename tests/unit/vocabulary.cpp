#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <dupq/text/vocabulary.hpp>
#include <string>
#include <vector>

#include "small_vocabulary.hpp"

using dupq::errc, dupq::vocabulary;
using dupq_test::vocabulary_bytes;

namespace {

std::vector<std::string> many(std::size_t n) {
  std::vector<std::string> names{"[PAD]", "[UNK]"};
  while (names.size() < n) names.push_back((names.size() % 3 == 0 ? "##t" : "t") + std::to_string(names.size() / 2));
  return names;
}

std::uint32_t word_at(const std::vector<std::byte>& v, std::size_t i) {
  std::uint32_t x;
  std::memcpy(&x, v.data() + 1 + 4 * i, 4);
  return x;
}
void set_word(std::vector<std::byte>& v, std::size_t i, std::uint32_t x) { std::memcpy(v.data() + 1 + 4 * i, &x, 4); }

}  // namespace

TEST_CASE("pieces are found, as beginnings and as continuations") {
  const vocabulary_bytes b({"[PAD]", "[UNK]", "the", "##the", "[", "##[", "\xC3\xA9", "##x"});
  const auto v = b.view();
  REQUIRE(v);
  CHECK(v->size() == 8);
  CHECK(v->find("the", false) == 2);
  CHECK(v->find("the", true) == 3);
  CHECK(v->find("[", false) == 4);
  CHECK(v->find("[", true) == 5);
  CHECK(v->find("\xC3\xA9", false) == 6);
  CHECK(v->find("\xC3\xA9", true) == -1);
  CHECK(v->find("x", false) == -1);
  CHECK(v->find("[UNK]", false) == 1);
  CHECK(v->find("", false) == -1);
  CHECK(v->token(1) == "[UNK]");
  CHECK(v->token(2) == "\xE2\x96\x81the");
  CHECK(v->token(3) == "the");
  CHECK(v->longest(false) == 5);
  CHECK(v->longest(true) == 3);
  CHECK(vocabulary().find("the", false) == -1);
}

TEST_CASE("any number of tokens, and the last of equal ones") {
  for (const std::size_t n :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4}, std::size_t{1000}, std::size_t{30522}}) {
    auto names = many(30522);
    names.resize(n);
    const vocabulary_bytes b(names);
    const auto v = b.view();
    REQUIRE(v);
    for (std::size_t i = 0; i < n; ++i) {
      const bool continuing = names[i].starts_with("##");
      const std::int32_t id = v->find(continuing ? names[i].substr(2) : names[i], continuing);
      REQUIRE(id >= static_cast<std::int32_t>(i));
      REQUIRE(names[static_cast<std::size_t>(id)] == names[i]);
      CHECK((id == static_cast<std::int32_t>(i) ||
             std::count(names.begin() + static_cast<std::ptrdiff_t>(i), names.end(), names[i]) > 1));
    }
  }
  const vocabulary_bytes twice({"a", "b", "a"});
  REQUIRE(twice.view());
  CHECK(twice.view()->find("a", false) == 2);
}

TEST_CASE("an index that contradicts the tokens is refused") {
  const vocabulary_bytes good(many(50));
  REQUIRE(good.view());
  const auto refused = [](const vocabulary_bytes& b, errc code) {
    const auto v = b.view();
    return !v && v.error().code == code;
  };
  for (std::size_t i = 0; i < 50; ++i) {
    vocabulary_bytes b = good;
    set_word(b.offsets, i, word_at(b.offsets, i) ^ 8u);
    CHECK(refused(b, errc::bad_vocabulary));
  }
  for (std::size_t i = 0; i < vocabulary::slot_count(50); ++i) {
    const std::uint32_t was = word_at(good.slots, i);
    vocabulary_bytes b = good;
    set_word(b.slots, i, 0xFFFFFFC0u | 50u);  // an id beyond the vocabulary
    CHECK(refused(b, errc::bad_vocabulary));
    if (was == vocabulary::empty_slot) continue;
    for (const std::uint32_t wrong : {vocabulary::empty_slot, was ^ 0x80000000u, was ^ 1u}) {
      set_word(b.slots, i, wrong);
      CHECK(refused(b, errc::bad_vocabulary));
    }
  }
  vocabulary_bytes full = good;
  for (std::size_t i = 0; i < vocabulary::slot_count(50); ++i)
    if (word_at(full.slots, i) == vocabulary::empty_slot) set_word(full.slots, i, 0);
  CHECK(refused(full, errc::bad_vocabulary));
}

TEST_CASE("payloads of the wrong size are refused") {
  const vocabulary_bytes good(many(50));
  for (std::size_t cut = 1; cut <= good.tokens.size(); cut += 7) {
    vocabulary_bytes b = good;
    b.tokens.resize(b.tokens.size() - cut);
    const auto v = b.view();
    REQUIRE(!v);
    CHECK(v.error().code == errc::truncated);
    std::vector<std::uint32_t> o(b.count), s(vocabulary::slot_count(b.count));
    const auto e = vocabulary::build_index(b.tokens, b.count, o, s);
    REQUIRE(e);
    CHECK(e->code == errc::truncated);
  }
  vocabulary_bytes huge = good;
  for (std::size_t i = 0; i < 8; ++i) huge.tokens[i] = std::byte{0xFF};  // a length of 2^64 - 1
  CHECK((!huge.view() && huge.view().error().code == errc::truncated));

  vocabulary_bytes b = good;
  b.tokens.push_back(std::byte{});
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.offsets.pop_back();
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.slots.resize(1 + 4 * 64);  // less than two a token
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.slots.resize(b.slots.size() - 4);
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.count = 0;
  CHECK((!b.view() && b.view().error().code == errc::out_of_range));
  b.count = vocabulary::max_count + 1;
  CHECK((!b.view() && b.view().error().code == errc::out_of_range));
}
