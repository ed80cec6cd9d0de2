#include <doctest/doctest.h>
#include <dupq/text/normalizer.hpp>
#include <string>
#include <string_view>

using namespace std::string_literals;

namespace {

std::u32string normalise(std::string_view text, dupq::normalization switches = {}) {
  dupq::stretch all(text);
  dupq::normalizer normal(switches, all);
  std::u32string out;
  for (char32_t c; (c = normal.next()) != dupq::normalizer::end_of_text;) out += c;
  return out;
}

std::string utf8(std::u32string_view s) {
  std::string out;
  for (const char32_t c : s) {
    char bytes[4];
    out.append(bytes, dupq::unicode::encode(c, bytes));
  }
  return out;
}

}  // namespace

TEST_CASE("accents go, letters become small") {
  CHECK(normalise("H\xC3\xA9llo") == U"hello");
  CHECK(normalise(utf8(U"\u00C5\u1E9E\u0130\u00D8\u03A3")) == U"a\u00DFi\u00F8\u03C3");
  CHECK(normalise(utf8(U"\u00C9"), {true, true, false, true}) == U"\u00E9");
  CHECK(normalise(utf8(U"\u00C9"), {true, true, true, false}) == U"E");
  CHECK(normalise(utf8(U"\u0130x"), {true, true, false, true}) == U"i\u0307x");
}

TEST_CASE("clean_text deletes control characters and makes white space one kind") {
  const std::u32string raw = U"a\u0000b\u200Bc\v\f\u0085d\t\u3000e\uFFFD\U000F0000"s;
  CHECK(normalise(utf8(raw)) == U"abcd  e");
  CHECK(normalise(utf8(raw), {false, true, false, false}) == raw);
}

TEST_CASE("Chinese characters stand apart, before they are decomposed") {
  CHECK(normalise(utf8(U"a\u4E00b")) == U"a \u4E00 b");
  CHECK(normalise(utf8(U"\uF900")) == U" \u8C48 ");
  CHECK(normalise(utf8(U"a\u4E00b"), {true, false, true, true}) == U"a\u4E00b");
  CHECK(normalise(utf8(U"\u4E00"), {true, true, false, true}) == U" \u4E00 ");
}

TEST_CASE("marks that stay come in canonical order") {
  // Combining classes: 1D165 216, 302E 224, 1B44 9; 0301 is dropped, and reorders nothing.
  CHECK(normalise(utf8(U"q\u302E\U0001D165")) == U"q\U0001D165\u302E");
  CHECK(normalise(utf8(U"q\u302E\u0301\U0001D165\u200B\u1B44\u302Ez\u302E\u1B44")) ==
        U"q\u1B44\U0001D165\u302E\u302Ez\u1B44\u302E");
  CHECK(normalise(utf8(U"\U0001D165\u302E\u302E")) == U"\U0001D165\u302E\u302E");
  // A dropped mark of class 0 (0901) and the ones within 0C48 keep both sides apart.
  CHECK(normalise(utf8(U"q\u302E\u0901\U0001D165")) == U"q\u302E\U0001D165");
  CHECK(normalise(utf8(U"q\u302E\u0C48\U0001D165")) == U"q\u302E\U0001D165");
  // Without strip_accents nothing moves.
  CHECK(normalise(utf8(U"q\u302E\U0001D165"), {true, true, false, true}) == U"q\u302E\U0001D165");
}

TEST_CASE("a long run is put in order without a buffer") {
  std::u32string raw, high, low;
  for (int i = 0; i < 3000; ++i) {
    raw += i % 2 ? U"\U0001D165" : U"\u302E";
    (i % 2 ? low : high) += raw.back();
  }
  CHECK(normalise(utf8(U"q" + raw)) == U"q" + low + high);
}

TEST_CASE("a copy reads on independently") {
  const std::string text = utf8(U"q\u302E\U0001D165\u00E9x");
  dupq::stretch all(text);
  const dupq::normalization switches{};
  dupq::normalizer one(switches, all);
  CHECK(one.next() == U'q');
  CHECK(one.next() == 0x1D165);
  dupq::normalizer two = one;
  for (const char32_t c : std::u32string(U"\u302Eex")) {
    CHECK(one.next() == c);
    CHECK(two.next() == c);
  }
  CHECK(one.next() == dupq::normalizer::end_of_text);
  CHECK(one.next() == dupq::normalizer::end_of_text);
}
