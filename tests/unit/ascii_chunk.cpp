#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <dupq/text/ascii_chunk.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using dupq::ascii_chunk;
namespace byte_block = dupq::byte_block;

namespace {

enum class kind { word, blank, mark, other };

kind kind_of(char c) {
  const std::string_view view(&c, 1);
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return kind::word;
  if (view.find_first_of(" \t\n\r") == 0) return kind::blank;
  return c > ' ' && c < 0x7F ? kind::mark : kind::other;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// On the heap in exactly its size, so that a sanitizer sees a read beyond it.
struct exact {
  explicit exact(std::string_view s) : bytes(new char[s.size()]), size(s.size()) {
    std::copy(s.begin(), s.end(), bytes.get());
  }
  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

struct item {
  std::size_t place, size;
  bool operator==(const item&) const = default;
};

/// What limit_from() and for_each() should say, a byte at a time.
struct expected {
  std::size_t limit;
  bool other;
  std::vector<item> items;

  expected(std::string_view text, std::size_t from, bool text_ends) {
    std::size_t end = from;
    while (end < text.size() && kind_of(text[end]) != kind::other) ++end;
    other = end < text.size();
    for (std::size_t i = from; i < end; ++i) {
      if (kind_of(text[i]) == kind::blank) continue;
      const std::size_t start = i;
      if (kind_of(text[i]) == kind::word)
        while (i + 1 < end && kind_of(text[i + 1]) == kind::word) ++i;
      items.push_back({start, i + 1 - start});
    }
    limit = end;
    if ((other || !text_ends) && !items.empty() && items.back().place + items.back().size == end) {
      limit = items.back().place;
      items.pop_back();
    }
  }
};

void check(std::string_view text, bool lowercase) {
  CAPTURE(std::string(text));
  const exact copy(text);
  ascii_chunk chunk;
  chunk.read(copy.bytes.get(), copy.size, lowercase);
  for (std::size_t i = 0; i < text.size(); ++i) CHECK(*chunk.at(i) == (lowercase ? lower(text[i]) : text[i]));
  for (std::size_t from = 0; from < text.size(); ++from) {
    if (!chunk.covers(copy.bytes.get() + from)) {
      CHECK((kind_of(text[from]) == kind::word && kind_of(text[from - 1]) == kind::word));
      continue;
    }
    for (const bool text_ends : {false, true}) {
      const expected want(text, from, text_ends);
      const ascii_chunk::limit got = chunk.limit_from(from, text_ends);
      std::vector<item> items;
      chunk.for_each(from, got.place, [&](std::size_t place, std::size_t size) {
        items.push_back({place, size});
        return true;
      });
      CHECK(got.place == want.limit);
      CHECK(got.other == want.other);
      CHECK(items == want.items);
    }
  }
}

}  // namespace

TEST_CASE("sixteen bytes at once are what they are one by one") {
  for (unsigned c = 0; c < 256; ++c)
    for (std::size_t place = 0; place < byte_block::size; ++place)
      for (const unsigned around : {0x00u, 0x61u, 0x80u, 0xFFu}) {
        std::string text(byte_block::size, static_cast<char>(around));
        text[place] = static_cast<char>(c);
        for (const bool lowercase : {false, true}) {
          byte_block::classes want{0, 0, 0};
          std::string want_copy = text;
          for (std::size_t i = 0; i < text.size(); ++i) {
            want.word |= std::uint32_t{kind_of(text[i]) == kind::word} << i;
            want.blank |= std::uint32_t{kind_of(text[i]) == kind::blank} << i;
            want.other |= std::uint32_t{kind_of(text[i]) == kind::other} << i;
            if (lowercase) want_copy[i] = lower(text[i]);
          }
          const auto same = [&](auto classify) {
            std::string copy(byte_block::size, '?');
            const byte_block::classes got = classify(text.data(), copy.data(), lowercase);
            return got.word == want.word && got.blank == want.blank && got.other == want.other && copy == want_copy;
          };
          REQUIRE(same(byte_block::classify));
          REQUIRE(same(byte_block::integers::classify));
        }
        byte_block::kinds kinds{};
        for (std::size_t i = 0; i < text.size(); ++i) {
          const auto byte = static_cast<unsigned char>(text[i]);
          const bool ascii = byte < 0x80, white = byte == ' ' || (byte >= '\t' && byte <= '\r');
          const bool digit = byte >= '0' && byte <= '9', letter = lower(text[i]) >= 'a' && lower(text[i]) <= 'z';
          kinds.letter |= std::uint32_t{letter} << i, kinds.digit |= std::uint32_t{digit} << i;
          kinds.space |= std::uint32_t{byte == ' '} << i, kinds.high |= std::uint32_t{!ascii} << i;
          kinds.mark |= std::uint32_t{ascii && !white && !digit && !letter} << i;
        }
        REQUIRE(byte_block::kinds_of(text.data()) == kinds);
        REQUIRE(byte_block::integers::kinds_of(text.data()) == kinds);
        std::uint32_t equal = 0;
        for (std::size_t i = 0; i < text.size(); ++i) equal |= std::uint32_t{text[i] == static_cast<char>(c)} << i;
        REQUIRE(byte_block::equal(text.data(), static_cast<char>(c)) == equal);
        REQUIRE(byte_block::integers::equal(text.data(), static_cast<char>(c)) == equal);
      }
}

TEST_CASE("the first of two bytes") {
  for (std::size_t size = 0; size <= 70; ++size) {
    const exact none(std::string(size, 'x'));
    CHECK(byte_block::find_either(none.bytes.get(), none.bytes.get() + size, '[', '<') == none.bytes.get() + size);
    for (std::size_t place = 0; place < size; ++place)
      for (const char c : {'[', '<'}) {
        std::string text(size, 'x');
        text[place] = c;
        if (place % 3 == 0) text.back() = '<';
        const exact one(text);
        CHECK(byte_block::find_either(one.bytes.get(), one.bytes.get() + size, '[', '<') == one.bytes.get() + place);
      }
  }
}

TEST_CASE("chunks of every size") {
  const std::string_view pattern = "What's  the (best) way to-learn C++20, x9?\tA\nlongerwordthanakeyhas y.";
  std::string text;
  while (text.size() < ascii_chunk::capacity) text += pattern;
  for (std::size_t size = 0; size <= ascii_chunk::capacity; ++size) check(text.substr(size % 7, size), size % 2 == 0);
}

TEST_CASE("one byte that is not plain, anywhere") {
  for (const std::size_t size : {1u, 2u, 15u, 16u, 17u, 31u, 32u, 33u, 63u, 64u, 65u, 127u, 128u, 129u, 256u})
    for (std::size_t place = 0; place<size; place += size> 66 ? 7 : 1)
      for (const char* other : {"\xC3", "\x01", "\x7F"}) {
        std::string text(size, 'a');
        for (std::size_t i = 3; i < size; i += 5) text[i] = i % 2 == 0 ? ' ' : '?';
        text[place] = *other;
        check(text, true);
      }
}

TEST_CASE("words as long as a chunk") {
  for (const std::size_t begin : {0u, 1u, 63u, 64u, 65u})
    for (const std::size_t length : {1u, 2u, 63u, 64u, 65u, 127u, 128u, 129u, 191u}) {
      std::string text(ascii_chunk::capacity, ' ');
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(begin), length, 'w');
      check(text, true);
    }
  check(std::string(ascii_chunk::capacity, 'w'), false);
}

TEST_CASE("punctuation that the caller wants to look at") {
  std::string text = "a<b?c";
  ascii_chunk chunk;
  chunk.read(text.data(), text.size(), true, [](char c) { return c == '?'; });
  CHECK(chunk.limit_from(0, true).place == 2);  // b touches it
  CHECK(chunk.limit_from(0, true).other);
  CHECK(chunk.limit_from(4, true).place == 5);
  chunk.read(text.data(), text.size(), true);
  CHECK(!chunk.limit_from(0, true).other);
  CHECK(!chunk.covers(text.data() + 5));
}
