#include "encoding.hpp"

#include <doctest/doctest.h>

#include <string>

#include "input_stream.hpp"

using namespace dupq_tool;
using enum text_encoding;

namespace {

/// All that an input has, however it comes.
std::string read_all(std::string_view bytes, text_encoding encoding) {
  std::string whole;
  for (std::size_t piece : {1u << 20, 1u, 2u, 3u, 5u}) {
    input_stream input("f", bytes, encoding, piece);
    while (input.more()) continue;
    const std::string text(input.ahead());
    if (piece == 1u << 20) whole = text;
    CHECK(text == whole);
  }
  return whole;
}

std::string utf16_bytes(std::u16string_view s, bool big) {
  std::string out;
  for (char16_t c : s) {
    const char high = static_cast<char>(c >> 8), low = static_cast<char>(c & 0xFF);
    out += big ? high : low;
    out += big ? low : high;
  }
  return out;
}

const std::string mark(byte_order_mark);

}  // namespace

TEST_CASE("Latin-1 and Windows-1252") {
  std::string all, latin, windows;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (char32_t c = 0; c < 256; ++c) append_utf8(latin, c);
  CHECK(read_all(all, latin1) == latin);
  // What Python's cp1252 makes of 80 to 9F.
  constexpr char32_t table[] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};
  for (char32_t c = 0; c < 256; ++c) {
    if (c < 0x80 || c > 0x9F)
      append_utf8(windows, c);
    else if (table[c - 0x80] != 0)
      append_utf8(windows, table[c - 0x80]);
    else
      windows += no_character;
  }
  CHECK(read_all(all, windows1252) == windows);
}

TEST_CASE("UTF-16 with a byte-order mark is read whatever is asked for, and without one where it is") {
  const std::u16string text = u"a\u00E9\u20AC\U0001F642\n";
  const std::string wanted = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82\n";
  for (bool big : {false, true}) {
    CHECK(read_all(utf16_bytes(u"\uFEFF" + text, big), utf8) == mark + wanted);
    CHECK(read_all(utf16_bytes(u"\uFEFF" + text, big), utf16) == mark + wanted);
    CHECK(read_all(utf16_bytes(u"ab" + text, big), utf16) == "ab" + wanted);
  }
  CHECK(read_all(utf16_bytes(text, false), utf16) == wanted);
  CHECK(read_all(utf16_bytes(u"\u20AC\u20AC", false), utf16) == "\xE2\x82\xAC\xE2\x82\xAC");
  CHECK(read_all("", utf16).empty());
  CHECK(read_all("\xFF\xFE", utf8) == mark);
  CHECK(read_all("\xFF", utf8) == "\xFF");
  CHECK(read_all("\xEF\xBB\xBF"
                 "a",
                 utf8) == mark + "a");
}

TEST_CASE("halves of surrogate pairs and of units are no characters") {
  const auto read = [](const std::u16string& s) { return read_all(utf16_bytes(s, false), utf16); };
  const char16_t high = 0xD83D, low = 0xDE42;
  CHECK(read({u'a', high, u'b', u'c'}) ==
        "a\xFF"
        "bc");
  CHECK(read({u'a', low, u'b', u'c'}) ==
        "a\xFF"
        "bc");
  CHECK(read({u'a', u'b', high}) == "ab\xFF");
  CHECK(read({u'a', u'b', low, high}) == "ab\xFF\xFF");
  CHECK(read({u'a', u'b', high, high, low}) == "ab\xFF\xF0\x9F\x99\x82");
  CHECK(read_all(utf16_bytes(u"ab", false) + "c", utf16) == "ab\xFF");
}

TEST_CASE("UTF-32 is refused") {
  using namespace std::string_view_literals;
  input_stream input("f", "\xFF\xFE\0\0a\0\0\0"sv);
  CHECK_THROWS_WITH(input.more(), "f: is UTF-32, which is not read");
}
