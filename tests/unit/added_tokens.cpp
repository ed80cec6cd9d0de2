#include <doctest/doctest.h>
#include <dupq/text/added_tokens.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "small_vocabulary.hpp"

using dupq::added_tokens, dupq::errc;
using dupq_test::added, dupq_test::added_bytes;

namespace {

/// The text with its tokens cut out: "text" and "<id>" in turn.
std::vector<std::string> cut(const std::vector<added>& tokens, std::string_view text) {
  const added_bytes b(tokens);
  const auto view = b.view(100);
  REQUIRE(view);
  std::vector<std::string> out;
  const char *begin = text.data(), *scan = begin;
  for (;;) {
    dupq::stretch s(*view, text, begin, scan);
    while (s.extend(s.end())) {
    }
    if (s.end() != begin) out.emplace_back(begin, s.end());
    if (s.token().content.empty()) return out;
    out.push_back("<" + std::to_string(s.token().id) + ">");
    begin = s.after(), scan = s.next_scan();
  }
}
using parts = std::vector<std::string>;

}  // namespace

TEST_CASE("tokens are cut out, the leftmost and longest first") {
  const std::vector<added> t{{"[SEP]", 1, 0}, {"[SE", 2, 0}, {"ab", 3, 0}, {"abc", 4, 0}, {"bcd", 5, 0}};
  CHECK(cut(t, "") == parts{});
  CHECK(cut(t, "x") == parts{"x"});
  CHECK(cut(t, "[SEP]") == parts{"<1>"});
  CHECK(cut(t, "x[SEP][SEx[sep]") == parts{"x", "<1>", "<2>", "x[sep]"});
  CHECK(cut(t, "abcd") == parts{"<4>", "d"});
  CHECK(cut(t, "[S [SE") == parts{"[S ", "<2>"});
  CHECK(cut({}, "[SEP]") == parts{"[SEP]"});
  CHECK(cut({{"[SEP]", 1, added_tokens::normalized}}, "[SEP]") == parts{"[SEP]"});
}

TEST_CASE("white space beside a token, and tokens within words") {
  const std::vector<added> t{{"<l>", 1, added_tokens::lstrip},
                             {"<r>", 2, added_tokens::rstrip},
                             {"<w>", 3, added_tokens::single_word},
                             {"\t", 4, added_tokens::lstrip | added_tokens::rstrip}};
  CHECK(cut(t, "a \xE3\x80\x80<l> b") == parts{"a", "<1>", " b"});
  CHECK(cut(t, "a <r> \xE3\x80\x80 b <r>") == parts{"a ", "<2>", "b ", "<2>"});
  CHECK(cut(t, "<r>  <l>") == parts{"<2>", "<1>"});
  CHECK(cut(t, "a<w> <w>b <w>") == parts{"a<w> <w>b ", "<3>"});
  CHECK(cut(t, "\xC3\xA9<w>") == parts{"\xC3\xA9<w>"});
  CHECK(cut(t, "\x80<w>,") == parts{"\x80", "<3>", ","});
  CHECK(cut(t, "a\t\t b") == parts{"a", "<4>", "b"});
}

TEST_CASE("a stretch looks ahead only a little, and still sees white space before a token") {
  const std::vector<added> t{{"<l>", 1, added_tokens::lstrip}};
  for (std::size_t n = 1000; n < 1060; ++n)
    for (const std::size_t spaces : {std::size_t{0}, std::size_t{1}, std::size_t{40}, std::size_t{3000}})
      CHECK(cut(t, std::string(n, 'a') + std::string(spaces, ' ') + "<l>b") == parts{std::string(n, 'a'), "<1>", "b"});
  const added_bytes b(t);
  const auto view = b.view(100);
  REQUIRE(view);
  const std::string text(100000, 'a');
  dupq::stretch s(*view, text, text.data(), text.data());
  CHECK(s.extend(s.begin()));
  CHECK(s.end() - s.begin() < 2000);
}

TEST_CASE("lists that are not right are refused") {
  const std::vector<added> t{{"[SEP]", 1, 0}, {"[CLS]", 2, 0}};
  REQUIRE(added_bytes(t).view(3));
  const auto code = [](const added_bytes& b, std::size_t size) {
    const auto v = b.view(size);
    REQUIRE(!v);
    return v.error().code;
  };
  CHECK(code(added_bytes(t), 2) == errc::out_of_range);
  CHECK(code(added_bytes({{"", 1, 0}}), 9) == errc::wrong_value);
  CHECK(code(added_bytes({{"\xFF", 1, 0}}), 9) == errc::wrong_value);
  CHECK(code(added_bytes({{"\xF0\x9F\x99", 1, 0}}), 9) == errc::wrong_value);
  CHECK(code(added_bytes({{"x", 1, 16}}), 9) == errc::wrong_value);
  added_bytes b(t);
  b.contents.pop_back();
  CHECK(code(b, 9) == errc::truncated);
  b.contents.resize(7);
  CHECK(code(b, 9) == errc::truncated);
  b = added_bytes(t);
  b.contents.push_back(std::byte{});
  CHECK(code(b, 9) == errc::wrong_size);
  b = added_bytes(t);
  b.ids.pop_back();
  CHECK(code(b, 9) == errc::wrong_size);
  b = added_bytes(t);
  b.flags.resize(4);
  CHECK(code(b, 9) == errc::wrong_size);
  b = added_bytes(t);
  b.count = added_tokens::max_count + 1;
  CHECK(code(b, 9) == errc::out_of_range);
}
