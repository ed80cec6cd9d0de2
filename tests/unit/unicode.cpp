#include <doctest/doctest.h>
#include <array>
#include <cstdint>
#include <dupq/text/normalizer.hpp>
#include <dupq/text/unicode.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::vector<char32_t> decode_all(std::string_view s) {
  std::vector<char32_t> out;
  const char* p = s.data();
  while (p != s.data() + s.size()) out.push_back(dupq::unicode::decode(p, s.data() + s.size()));
  return out;
}

std::string utf8(char32_t c) {
  char bytes[4];
  return std::string(bytes, dupq::unicode::encode(c, bytes));
}

struct crc32 {
  std::uint32_t state = 0xFFFFFFFFu;
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      state ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1u ? 0xEDB88320u : 0u);
    }
  }
};

/// The record that make_oracle.py describes.
void add_record(crc32& sum, const dupq::normalization& switches, char32_t c) {
  const std::string text = "x" + utf8(c) + "y";
  dupq::stretch all(text);
  dupq::normalizer normal(switches, all);
  std::string normalised, words, word;
  const auto end_word = [&] {
    if (!word.empty()) words += word + "\xFE";
    word.clear();
  };
  for (char32_t d; (d = normal.next()) != dupq::normalizer::end_of_text;) {
    normalised += utf8(d);
    if (dupq::unicode::is_space(d)) {
      end_word();
    } else if (dupq::unicode::is_punctuation(d)) {
      end_word();
      words += utf8(d) + "\xFE";
    } else {
      word += utf8(d);
    }
  }
  end_word();
  sum.add(normalised + "\xFF" + words);
}

constexpr std::uint32_t oracle[] = {
#include "../unicode/oracle.inc"
};
constexpr dupq::normalization switches[] = {
    {true, true, true, true},  {true, true, false, false}, {true, true, false, true},
    {true, true, true, false}, {false, false, true, true},
};

}  // namespace

TEST_CASE("every code point is what Hugging Face makes of it") {
  constexpr char32_t block = 4096;
  static_assert(std::size(oracle) * block == 0x110000);
  for (std::size_t i = 0; i < std::size(oracle); ++i) {
    crc32 sum;
    for (char32_t c = static_cast<char32_t>(i) * block; c < (i + 1) * block; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      for (const auto& s : switches) add_record(sum, s, c);
      sum.add(dupq::unicode::is_word(c) ? "W" : "\xFD");
    }
    CHECK_MESSAGE(~sum.state == oracle[i], "code points from " << i * block);
  }
}

TEST_CASE("UTF-8 is read and written") {
  for (const char32_t c :
       {U'\0', U'a', U'\x7F', U'\x80', U'\x7FF', U'\x800', U'\xFFFD', U'\xFFFF', U'\x10000', U'\x10FFFF'})
    CHECK(decode_all(utf8(c)) == std::vector<char32_t>{c});
}

TEST_CASE("broken UTF-8 becomes U+FFFD, one for each maximal part") {
  constexpr char32_t bad = 0xFFFD;
  CHECK(decode_all("\x80") == std::vector<char32_t>{bad});
  CHECK(decode_all("\xC0\xAF") == std::vector<char32_t>{bad, bad});
  CHECK(decode_all("\xE2\x82") == std::vector<char32_t>{bad});
  CHECK(decode_all("\xE2\x82x") == std::vector<char32_t>{bad, 'x'});
  CHECK(decode_all("\xED\xA0\x80") == std::vector<char32_t>{bad, bad, bad});
  CHECK(decode_all("\xE0\x9F\xBF") == std::vector<char32_t>{bad, bad, bad});
  CHECK(decode_all("\xF0\x9F\x92") == std::vector<char32_t>{bad});
  CHECK(decode_all("\xF0\x8F\xBF\xBF") == std::vector<char32_t>{bad, bad, bad, bad});
  CHECK(decode_all("\xF4\x90\x80\x80") == std::vector<char32_t>{bad, bad, bad, bad});
  CHECK(decode_all("\xF5\xC3\xA9") == std::vector<char32_t>{bad, 0xE9});
  CHECK(decode_all("\xF0\x9F\xC3\xA9") == std::vector<char32_t>{bad, 0xE9});
}

TEST_CASE("a text is UTF-8 or not") {
  using dupq::unicode::character_bytes, dupq::unicode::is_utf8;
  for (char32_t c = 0; c < 0x110000; ++c)
    if (c < 0xD800 || c > 0xDFFF) REQUIRE(character_bytes(utf8(c) + '\x80') == utf8(c).size());  // U+FFFD among them
  CHECK(character_bytes("") == 0);
  CHECK(is_utf8(""));
  CHECK(is_utf8("a\xC3\xA9\xEF\xBF\xBD\xF0\x9F\x99\x82"));
  // The third has as many bytes as U+FFFD, and is none.
  for (const char* broken :
       {"\x80", "\xEF\xBF", "\xF0\x9F\x99", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    CAPTURE(broken);
    CHECK(character_bytes(broken) == 0);
    CHECK_FALSE(is_utf8(std::string("a") + broken));
    CHECK_FALSE(is_utf8(broken + std::string("a")));
  }
}

TEST_CASE("the character before a place") {
  const std::string_view text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82\x80";
  const char* b = text.data();
  CHECK(dupq::unicode::decode_before(b, b + 1) == U'a');
  CHECK(dupq::unicode::decode_before(b, b + 3) == 0xE9);
  CHECK(dupq::unicode::decode_before(b, b + 6) == 0x20AC);
  CHECK(dupq::unicode::decode_before(b, b + 10) == 0x1F642);
  CHECK(dupq::unicode::decode_before(b, b + 11) == dupq::unicode::replacement);
  CHECK(dupq::unicode::decode_before(b + 1, b + 2) == dupq::unicode::replacement);
}

TEST_CASE("Hangul syllables are two or three jamo") {
  char32_t out[3];
  CHECK(dupq::unicode::strip_hangul(0xAC00, out) == 2);
  CHECK((out[0] == 0x1100 && out[1] == 0x1161));
  CHECK(dupq::unicode::strip_hangul(0xD7A3, out) == 3);
  CHECK((out[0] == 0x1112 && out[1] == 0x1175 && out[2] == 0x11C2));
}
