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
std::uint64_t double_at(const std::vector<std::byte>& v, std::size_t i) {
  std::uint64_t x;
  std::memcpy(&x, v.data() + 1 + 8 * i, 8);
  return x;
}
void set_double(std::vector<std::byte>& v, std::size_t i, std::uint64_t x) { std::memcpy(v.data() + 1 + 8 * i, &x, 8); }
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
  const std::size_t size = vocabulary::table_size(50);
  REQUIRE(good.table.size() == 1 + 8 * size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t was = double_at(good.table, i);
    vocabulary_bytes b = good;
    // In every empty slot and every full one: another text, another kind, another id, and ids beyond the vocabulary.
    std::vector<std::uint64_t> wrongs{was ^ 1, was ^ 0x8000000000u, was ^ 0x100000000u, was ^ 0x80000000u};
    if (i % 2 == 1) wrongs.insert(wrongs.end(), {was ^ (std::uint64_t{1} << 40), was | std::uint64_t{50} << 40});
    if (was != 0) wrongs.push_back(0);
    for (const std::uint64_t wrong : wrongs) {
      if (wrong == was) continue;
      set_double(b.table, i, wrong);
      CHECK(refused(b, errc::bad_vocabulary));
    }
  }
  vocabulary_bytes full = good;
  std::size_t taken = 0;
  while (double_at(good.table, taken * 2 + 1) == 0) ++taken;
  for (std::size_t i = 0; i < size; i += 2) {
    if (double_at(full.table, i + 1) != 0) continue;
    set_double(full.table, i, double_at(good.table, taken * 2));
    set_double(full.table, i + 1, double_at(good.table, taken * 2 + 1));
  }
  CHECK(refused(full, errc::bad_vocabulary));
}

TEST_CASE("pieces as long as a key, and longer") {
  // Neighbours in every length: the same beginning, another end, one byte more, and the other kind.
  std::vector<std::string> names{"[PAD]", "[UNK]"};
  for (std::size_t n = 1; n <= 40; ++n)
    for (const char last : {'a', 'b', '\x01'})
      for (const char* kind : {"", "##"}) names.push_back(kind + std::string(n - 1, 'a') + last);
  names.push_back(std::string(200, 'a'));
  names.push_back(std::string(201, 'a'));
  const vocabulary_bytes b(names);
  const auto v = b.view();
  REQUIRE(v);
  for (std::size_t i = 2; i < names.size(); ++i) {
    const bool continuing = names[i].starts_with("##");
    const std::string text = continuing ? names[i].substr(2) : names[i];
    CAPTURE(names[i]);
    CHECK(v->find(text, continuing) == static_cast<std::int32_t>(i));
    CHECK(v->find(text + 'c', continuing) == -1);
    CHECK(v->find(text + std::string(1, '\0'), continuing) == -1);
    if (text.size() <= dupq::piece_key::capacity) {
      const std::string more = text + "0123456789abcdef";
      CHECK(v->find(dupq::piece_key::read(more.data(), text.size(), continuing)) == static_cast<std::int32_t>(i));
      CHECK(v->find(dupq::piece_key::read(more.data(), dupq::piece_key::capacity, continuing)
                        .first(text.size(), continuing)) == static_cast<std::int32_t>(i));
    }
  }
  CHECK(v->find(std::string(199, 'a'), false) == -1);
  CHECK(v->longest(false) == 201);
  CHECK(v->longest(true) == 40);
}

TEST_CASE("payloads of the wrong size are refused") {
  const vocabulary_bytes good(many(50));
  for (std::size_t cut = 1; cut <= good.tokens.size(); cut += 7) {
    vocabulary_bytes b = good;
    b.tokens.resize(b.tokens.size() - cut);
    const auto v = b.view();
    REQUIRE(!v);
    CHECK(v.error().code == errc::truncated);
    std::vector<std::uint32_t> o(b.count);
    std::vector<std::uint64_t> t(vocabulary::table_size(b.count));
    const auto done = vocabulary::build_index(b.tokens, b.count, o, t);
    REQUIRE(!done);
    CHECK(done.error().code == errc::truncated);
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
  b.table.resize(1 + 16 * 64);  // less than two a token
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.table.resize(b.table.size() - 16);
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.table.resize(b.table.size() + 8);
  CHECK((!b.view() && b.view().error().code == errc::wrong_size));
  b = good;
  b.count = 0;
  CHECK((!b.view() && b.view().error().code == errc::out_of_range));
  b.count = vocabulary::max_count + 1;
  CHECK((!b.view() && b.view().error().code == errc::out_of_range));
}
