#include "args.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace dupq_tool;

namespace {

constexpr option known[] = {{"-o", true}, {"--threads", true}, {"--json", false}};

arguments parse(std::vector<std::string> words, std::size_t least = 0, std::size_t most = 9) {
  return {words, known, least, most};
}

std::string refusal(std::vector<std::string> words, std::size_t least = 0, std::size_t most = 9) {
  try {
    parse(std::move(words), least, most);
  } catch (const usage_error& e) {
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("options stand anywhere, with a blank or an equals sign before their value") {
  const arguments a = parse({"m.gguf", "-o", "--json", "--threads=3", "-", "--", "--json"});
  REQUIRE(a.size() == 3);
  CHECK(a[0] == "m.gguf");
  CHECK(a[1] == "-");
  CHECK(a[2] == "--json");
  CHECK(a.text("-o") == "--json");  // a value is whatever follows
  CHECK_FALSE(a.has("--json"));
  CHECK(a.number<unsigned>("--threads", 1, 8) == 3u);
  CHECK(a.needed("-o") == "--json");
  CHECK(parse({"--threads="}).text("--threads") == "");
}

TEST_CASE("what a verb does not know is refused") {
  CHECK(refusal({"--jsn"}) == "unknown option '--jsn'");
  CHECK(refusal({"-x"}) == "unknown option '-x'");
  CHECK(refusal({"--json=1"}) == "--json takes no value");
  CHECK(refusal({"--json", "--json"}) == "--json is given twice");
  CHECK(refusal({"--threads"}) == "--threads needs a value");
  CHECK(refusal({}, 1) == "too few arguments");
  CHECK(refusal({"a", "b\n"}, 0, 1) == "too many arguments: 'b?'");
  CHECK_THROWS_WITH_AS(parse({}).needed("-o"), "-o is missing", usage_error);
}

TEST_CASE("numbers are whole words within their limits") {
  for (const char* word : {"0", "9", "-1", "3x", "", " 3", "99999999999999999999", "1.5"})
    CHECK_THROWS_AS(parse({"--threads", word}).number<unsigned>("--threads", 1, 8), usage_error);
  CHECK_FALSE(parse({}).number<unsigned>("--threads", 1, 8).has_value());
  CHECK(parse({"-o", "-0.25"}).number<float>("-o", -1, 1) == -0.25f);
  for (const char* word : {"nan", "inf", "1e99", "2", "0.5f"})
    CHECK_THROWS_AS(parse({"-o", word}).number<float>("-o", -1, 1), usage_error);
}

TEST_CASE("a choice is one of its names, the first by default") {
  CHECK(parse({}).choice("-o", {"f32", "f16"}) == 0);
  CHECK(parse({"-o", "f16"}).choice("-o", {"f32", "f16"}) == 1);
  CHECK_THROWS_WITH_AS(parse({"-o", "f8"}).choice("-o", {"f32", "f16"}), "-o cannot be 'f8' (f32, f16)", usage_error);
}

TEST_CASE("lists are split, empty parts kept") {
  CHECK(arguments::split("a,b", ',') == std::vector<std::string>{"a", "b"});
  CHECK(arguments::split("a,,", ',') == std::vector<std::string>{"a", "", ""});
  CHECK(arguments::split("", ',') == std::vector<std::string>{""});
}
