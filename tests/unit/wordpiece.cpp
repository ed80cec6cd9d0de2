#include <doctest/doctest.h>
#include <algorithm>
#include <array>
#include <dupq/text/wordpiece.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "small_vocabulary.hpp"

using dupq::added_tokens, dupq::errc, dupq::special_tokens;
using dupq_test::added, dupq_test::added_bytes, dupq_test::vocabulary_bytes;

namespace {

const std::vector<std::string> names{
    "[PAD]", "[UNK]",  "[CLS]",        "[SEP]", "a", "b",   "c",     "what", "is",     "##s",
    "un",    "##aff",  "##able",       "?",     "<", ">",   "unk",   "=",    "\u4E00", "the",
    "##b",   "\u00E9", "\u1B44\u302E", "[",     "]", "sep", "<unk>", "##a"};
enum id : std::int32_t {
  pad,
  unk,
  cls,
  sep,
  a,
  b,
  c,
  what,
  is,
  s_,
  un,
  aff_,
  able_,
  question,
  less,
  more,
  unk_word,
  equal,
  one,
  the,
  b_,
  e_acute,
  marks,
  open,
  close,
  sep_word,
  unk_token,
  a_
};
using ids = std::vector<std::int32_t>;

struct fixture {
  vocabulary_bytes words{names};
  added_bytes list;
  std::optional<dupq::tokenizer> t;

  explicit fixture(dupq::tokenizer_options o = options(), const std::vector<added>& extra = {})
      : list([&] {
          std::vector<added> all{{"[PAD]", 0, 0}, {"[UNK]", 1, 0}, {"[CLS]", 2, 0}, {"[SEP]", 3, 0}};
          all.insert(all.end(), extra.begin(), extra.end());
          return all;
        }()) {
    const auto v = words.view();
    const auto added = list.view(names.size());
    REQUIRE(v);
    REQUIRE(added);
    const auto made = dupq::tokenizer::make(*v, o, *added);
    REQUIRE(made);
    t = *made;
  }
  static dupq::tokenizer_options options() {
    dupq::tokenizer_options o;
    o.pad = pad, o.unk = unk, o.cls = cls, o.sep = sep;
    return o;
  }

  /// The ids without cls and sep.
  ids one(std::string_view text, special_tokens mode = special_tokens::parse, std::size_t max_length = 600) const {
    ids out(max_length, -7);
    const auto e = t->encode(text, max_length, out, mode);
    REQUIRE(e.tokens >= 2);
    REQUIRE(e.first_segment == e.tokens);
    CHECK((out[0] == cls && out[e.tokens - 1] == sep));
    for (std::size_t i = e.tokens; i < out.size(); ++i) CHECK(out[i] == -7);
    return ids(out.begin() + 1, out.begin() + e.tokens - 1);
  }
  ids pair(std::string_view x, std::string_view y, std::size_t max_length) const {
    ids out(max_length, -7);
    const auto e = t->encode_pair(x, y, max_length, out);
    REQUIRE(e.tokens <= max_length);
    out.resize(e.tokens);
    return out;
  }
};

std::string times(std::size_t n, std::string_view s) {
  std::string out;
  while (n-- != 0) out += s;
  return out;
}

}  // namespace

TEST_CASE("words become their longest pieces") {
  const fixture f;
  CHECK(f.one("What is the unaffable?") == ids{what, is, the, un, aff_, able_, question});
  CHECK(f.one("") == ids{});
  CHECK(f.one(" \t\r\n ") == ids{});
  CHECK(f.one(std::string_view("\0", 1)) == ids{});
  CHECK(f.one("unaffx a") == ids{unk, a});
  CHECK(f.one("as ab abx") == ids{a, s_, a, b_, unk});
  CHECK(f.one("a??b") == ids{a, question, question, b});
  CHECK(f.one("wh\xC3\xA4t IS\v\xE3\x80\x80th\xCC\x81"
              "e") == ids{what, is, the});
  CHECK(f.one("a\xE4\xB8\x80"
              "b") == ids{a, one, b});
  CHECK(f.one("\xE2\x89\xA0") == ids{equal});
  CHECK(f.one("a\xFF"
              "b") == ids{a, b_});
}

TEST_CASE("long words are unknown, counted in characters after normalisation") {
  const fixture f;
  CHECK(f.one(times(100, "a")) == [] {
    ids v(100, a_);
    v[0] = a;
    return v;
  }());
  CHECK(f.one(times(101, "a") + " b") == ids{unk, b});
  CHECK(f.one(times(100, "a\xCC\x81")).size() == 100);
  CHECK(f.one(times(101, "a\xCC\x81") + "?") == ids{unk, question});
  CHECK(f.one(times(50, "\xED\x95\x9C")) == ids{unk});
  CHECK(f.one(times(100000, "a") + " b") == ids{unk, b});
  auto o = fixture::options();
  o.max_word_chars = 2;
  const fixture short_words(o);
  CHECK(short_words.one("ab abb is the a") == ids{a, b_, unk, is, unk, a});
  CHECK(short_words.one("thexb\xC3\xA9 the\xC3\xA9?") == ids{unk, unk, question});
  o.max_word_chars = dupq::tokenizer::max_word_chars_limit;
  CHECK(fixture(o).one(times(200, "a")).size() == 200);
  CHECK(fixture(o).one(times(200, "\xF0\x9F\x99\x82")) == ids{unk});
}

TEST_CASE("special tokens in a text are special, or not, as the caller says") {
  const fixture f;
  CHECK(f.one("a[SEP]b [CLS][PAD][UNK]") == ids{a, sep, b, cls, pad, unk});
  CHECK(f.one("a[SEP]b", special_tokens::literal) == ids{a, open, sep_word, close, b});
  CHECK(f.one("a[sep]b") == ids{a, open, sep_word, close, b});
  // Words, and marks in canonical order, do not reach over a token.
  CHECK(f.one("un[SEP]affable") == ids{un, sep, unk});
  CHECK(f.one("\xE3\x80\xAE\xE1\xAD\x84") == ids{marks});
  CHECK(f.one("\xE3\x80\xAE[SEP]\xE1\xAD\x84") == ids{unk, sep, unk});
}

TEST_CASE("normalised tokens are looked for in the normalised text") {
  const fixture f(fixture::options(), {{"<UNK>", unk_token, added_tokens::normalized}});
  for (const char* text : {"<unk>", "<UNK>", "<u\xE2\x80\x8Bnk>", "<u\xCC\x88nk>", "\xE2\x89\xAEunk>"})
    CHECK(f.one("a" + std::string(text) + "b") == ids{a, unk_token, b});
  CHECK(f.one("<unk") == ids{less, unk_word});
  CHECK(f.one("<u nk>") == ids{less, unk, unk, more});
  CHECK(f.one("<<unk>>") == ids{less, unk_token, more});
  CHECK(f.one("<u[SEP]nk>") == ids{less, unk, sep, unk, more});
  CHECK(f.one("<unk>", special_tokens::literal) == ids{less, unk_word, more});

  const fixture g(fixture::options(),
                  {{"is", is, added_tokens::normalized},
                   {"Is a", the, added_tokens::normalized | added_tokens::single_word},
                   {" ", c, added_tokens::normalized | added_tokens::lstrip | added_tokens::rstrip}});
  CHECK(g.one("this") == ids{unk, is});
  CHECK(g.one("IS A?") == ids{the, question});
  CHECK(g.one("his  a") == ids{unk, is, c, a});
  CHECK(g.one(" \t  b  ") == ids{c, b, c});
}

TEST_CASE("cased tokenizers") {
  auto o = fixture::options();
  o.normal = {true, true, false, false};
  const fixture f(o);
  CHECK(f.one("What is") == ids{unk, is});
  CHECK(f.one("\xC3\xA9 \xC3\x89") == ids{e_acute, unk});
  o.normal = {true, true, false, true};
  CHECK(fixture(o).one("\xC3\x89 What") == ids{e_acute, what});
  o.normal = {false, false, false, false};
  CHECK(fixture(o).one("a\vb\x01 a\xE4\xB8\x80") == ids{a, unk, unk});
}

TEST_CASE("truncation of one text") {
  const fixture f;
  const std::string text = "a b c what";
  CHECK(f.one(text, special_tokens::parse, 6) == ids{a, b, c, what});
  CHECK(f.one(text, special_tokens::parse, 5) == ids{a, b, c});
  CHECK(f.one(text, special_tokens::parse, 2) == ids{});
  CHECK(f.one("unaffable", special_tokens::parse, 4) == ids{un, aff_});
  ids out(8);
  CHECK(!f.t->encode(text, 6, out).truncated);
  CHECK(!f.t->encode(text + "  ", 6, out).truncated);
  CHECK(f.t->encode(text, 5, out).truncated);
  CHECK(f.t->encode(text + " [SEP]", 6, out).truncated);
  CHECK(f.t->encode(text, 1, out).tokens == 0);
  CHECK(f.t->encode(text, 100, std::span(out).first(3)).tokens == 3);
  CHECK(f.t->special_count(false) == 2);
}

TEST_CASE("pairs are cut longest first") {
  const fixture f;
  CHECK(f.pair("a", "b?", 10) == ids{cls, a, sep, b, question, sep});
  CHECK(f.pair("", "", 10) == ids{cls, sep, sep});
  CHECK(f.pair("a a", "b", 3) == ids{cls, sep, sep});
  const auto lengths = [&](std::size_t n, std::size_t m, std::size_t budget) {
    const ids out = f.pair(times(n, "a "), times(m, "b "), budget + 3);
    CHECK(out.back() == sep);
    return std::pair(std::count(out.begin(), out.end(), a), std::count(out.begin(), out.end(), b));
  };
  for (const auto& [n, m, budget, first, second] : std::vector<std::array<int, 5>>{{20, 10, 5, 3, 2},
                                                                                   {10, 20, 5, 2, 3},
                                                                                   {20, 20, 5, 2, 3},
                                                                                   {20, 10, 6, 3, 3},
                                                                                   {5, 4, 8, 4, 4},
                                                                                   {3, 9, 8, 3, 5},
                                                                                   {9, 3, 8, 5, 3},
                                                                                   {4, 4, 8, 4, 4},
                                                                                   {1, 9, 1, 0, 1},
                                                                                   {9, 1, 1, 1, 0},
                                                                                   {1, 1, 1, 0, 1},
                                                                                   {0, 9, 5, 0, 5},
                                                                                   {9, 0, 5, 5, 0},
                                                                                   {1000, 999, 7, 4, 3},
                                                                                   {999, 1000, 7, 3, 4},
                                                                                   {3, 2, 4, 2, 2},
                                                                                   {2, 3, 4, 2, 2},
                                                                                   {5000, 5000, 7, 3, 4}})
    CHECK(lengths(static_cast<std::size_t>(n), static_cast<std::size_t>(m), static_cast<std::size_t>(budget)) ==
          std::pair<std::ptrdiff_t, std::ptrdiff_t>(first, second));
  // A word that comes to nothing in the second text leaves the first one alone.
  CHECK(f.pair("a b c what is", "unaffx", 9) == ids{cls, a, b, c, what, is, sep, unk, sep});

  ids out(20);
  const auto e = f.t->encode_pair("a b", "c", 20, out);
  CHECK((e.tokens == 6 && e.first_segment == 4 && !e.truncated));
  CHECK(f.t->encode_pair("a b", "c", 5, out).truncated);
  CHECK(f.t->encode_pair("a b", "c", 2, out).tokens == 0);
  CHECK(f.t->special_count(true) == 3);

  auto o = fixture::options();
  o.pair_separators = 2;
  const fixture mpnet(o);
  CHECK(mpnet.pair("a", "b", 6) == ids{cls, a, sep, sep, b, sep});
  CHECK(mpnet.t->encode_pair("a", "b", 6, out).first_segment == 6);
  CHECK(mpnet.t->special_count(true) == 4);
}

TEST_CASE("options that cannot be are refused") {
  const vocabulary_bytes words(names);
  const auto v = words.view();
  REQUIRE(v);
  const auto refused = [&](auto change) {
    auto o = fixture::options();
    change(o);
    const auto t = dupq::tokenizer::make(*v, o);
    return !t && t.error().code == errc::out_of_range;
  };
  CHECK(!refused([](auto&) {}));
  CHECK(refused([](auto& o) { o.unk = -1; }));
  CHECK(refused([](auto& o) { o.cls = static_cast<std::int32_t>(names.size()); }));
  CHECK(refused([](auto& o) { o.sep = 1 << 30; }));
  CHECK(refused([](auto& o) { o.pad = -5; }));
  CHECK(refused([](auto& o) { o.max_word_chars = 0; }));
  CHECK(refused([](auto& o) { o.max_word_chars = dupq::tokenizer::max_word_chars_limit + 1; }));
  CHECK(refused([](auto& o) { o.pair_separators = 3; }));
}

TEST_CASE("whatever stands where the text is read in blocks") {
  const fixture f(fixture::options(), {{"<unk>", unk_token, added_tokens::normalized}});
  // A tail that needs every path, behind 0 to 300 bytes of words: blocks have 16 and 64 bytes, chunks 256.
  const std::vector<std::pair<std::string, ids>> tails{
      {"What?is", {what, question, is}},
      {"unaffable", {un, aff_, able_}},
      {"wh\xC3\xA4t is", {what, is}},
      {"un\xCC\x81"
       "affable",
       {un, aff_, able_}},
      {"\xE4\xB8\x80the", {one, the}},
      {"is\xFF\xC3 the", {is, the}},
      {"is\xE4\xB8", {is}},
      {"is\x01\x7F?", {is, question}},
      {"[SEP]is", {sep, is}},
      {"is[SEP", {is, open, sep_word}},
      {"the<UNK>is", {the, unk_token, is}},
      {"<unk", {less, unk_word}},
      {"a\xCC\x8A<unk>a", {a, unk_token, a}},
      {std::string(100, 'x') + "?", {unk, question}},
      {std::string(300, 'a') + " is", {unk, is}},
      {"the ", {the}},
  };
  for (std::size_t before = 0; before <= 300; ++before) {
    std::string text;
    ids want;
    for (; text.size() + 2 <= before; want.push_back(a)) text += "A ";
    if (text.size() < before) text += ' ';
    for (const auto& ending : tails) {
      const std::string& tail = ending.first;
      const ids& rest = ending.second;
      CAPTURE(before);
      CAPTURE(tail);
      ids all = want;
      all.insert(all.end(), rest.begin(), rest.end());
      CHECK(f.one(text + tail) == all);
      if (before % 64 < 2) {
        all.insert(all.end(), rest.begin(), rest.end());
        CHECK(f.one(text + tail + "\t" + tail) == all);
      }
    }
    // One word that crosses every edge.
    if (before != 0 && before <= 100) {
      ids word(before, a_);
      word[0] = a;
      CHECK(f.one("? " + std::string(before, 'A')) == [&] {
        ids v{question};
        v.insert(v.end(), word.begin(), word.end());
        return v;
      }());
    }
  }
  for (std::size_t n = 1; n <= 120; ++n) {
    const std::string words = times(n, "is?");
    CHECK(f.one(words).size() == 2 * n);
    CHECK(f.one(words, special_tokens::parse, n + 2).size() == n);
    CHECK(f.one(times(n, "is\xC2\xA0")).size() == n);
  }
}
