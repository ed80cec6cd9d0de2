#include "json.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

using namespace dupq_tool;

namespace {

std::string trouble(std::string_view text) {
  try {
    (void)json::parse(text, "f.json");
  } catch (const failure& e) {
    return e.what();
  }
  return "";
}

json::value parse(std::string_view text) { return json::parse(text, "f.json"); }

}  // namespace

TEST_CASE("every kind of value is read") {
  const json::value v = parse(" {\"a\": [1, -2.5, true, false, null], \"b\": {\"c\": \"d\"}, \"e\": {}, \"f\": []}\n");
  const json::array& a = *v.find("a")->as<json::array>();
  CHECK(*a[0].as<std::int64_t>() == 1);
  CHECK(*a[1].as<double>() == -2.5);
  CHECK(*a[2].as<bool>());
  CHECK_FALSE(*a[3].as<bool>());
  CHECK(a[4].is_null());
  CHECK(*v.find("b")->find("c")->as<std::string>() == "d");
  CHECK(v.find("e")->as<json::object>()->empty());
  CHECK(v.find("f")->as<json::array>()->empty());
  CHECK(v.find("g") == nullptr);
  CHECK(a[0].find("a") == nullptr);
}

TEST_CASE("whole numbers stay whole as long as they fit") {
  CHECK(*parse("9223372036854775807").as<std::int64_t>() == std::numeric_limits<std::int64_t>::max());
  CHECK(*parse("-9223372036854775808").as<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
  CHECK(*parse("9223372036854775808").as<double>() == 9223372036854775808.0);
  CHECK(*parse("1e2").as<double>() == 100.0);
  CHECK(*parse("1000000000000000019884624838656").as<double>() == 1e30);
  CHECK(std::signbit(*parse("-0.0").as<double>()));
}

TEST_CASE("numbers that are not finite are read and written as Python's json does it") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(*parse("Infinity").as<double>() == infinity);
  CHECK(*parse("[-Infinity]").as<json::array>()->at(0).as<double>() == -infinity);
  CHECK(std::isnan(*parse("{\"a\": NaN}").find("a")->as<double>()));
  CHECK(*parse("1e999").as<double>() == infinity);
  CHECK(*parse("-1e999").as<double>() == -infinity);
  CHECK(*parse("1e-999").as<double>() == 0);
  CHECK(*parse(std::string(400, '9')).as<double>() == infinity);
  CHECK(json::print(parse("[NaN, Infinity, -Infinity]")) == "[NaN, Infinity, -Infinity]");
  for (const char* text : {"+Infinity", "infinity", "nan", "-NaN", "Inf", "inf"}) CHECK(trouble(text) != "");
}

TEST_CASE("escapes and pairs of surrogates") {
  CHECK(*parse(R"("\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00")").as<std::string>() ==
        "\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(parse(R"("\u0000")").as<std::string>()->size() == 1);
}

TEST_CASE("what is no JSON is refused with its line and byte") {
  CHECK(trouble("") == "f.json: line 1, byte 0: ends too early");
  CHECK(trouble("{\"a\":\n 1,\n}") == "f.json: line 3, byte 10: a name in quotes is expected");
  CHECK(trouble("[1, 2") == "f.json: line 1, byte 5: ends too early");
  CHECK(trouble("[1 2]") == "f.json: line 1, byte 3: ',' or ']' is expected");
  CHECK(trouble("{\"a\" 1}") == "f.json: line 1, byte 5: ':' is expected");
  CHECK(trouble("{\"a\": 1 \"b\"}") == "f.json: line 1, byte 8: ',' or '}' is expected");
  CHECK(trouble("1 1") == "f.json: line 1, byte 2: unexpected text after the end");
  CHECK(trouble("tru") == "f.json: line 1, byte 0: a value is expected");
  CHECK(trouble("NaM") == "f.json: line 1, byte 0: a value is expected");
  CHECK(trouble("-Inf") == "f.json: line 1, byte 1: a value is expected");
  CHECK(trouble("\"a") == "f.json: line 1, byte 2: the string does not end");
  CHECK(trouble("\"a\nb\"") == "f.json: line 1, byte 2: a control character in a string");
  CHECK(trouble(R"("\x")") == "f.json: line 1, byte 1: an unknown escape");
  CHECK(trouble(R"("\u12)") == "f.json: line 1, byte 1: a broken \\u escape");
  CHECK(trouble(R"("\u+123")") == "f.json: line 1, byte 1: a broken \\u escape");
  CHECK(trouble(R"("\udc00")") == "f.json: line 1, byte 1: a broken \\u escape");
  CHECK(trouble(R"("\ud800x")") == "f.json: line 1, byte 1: half a surrogate pair");
  CHECK(trouble(R"("\ud800\u0041")") == "f.json: line 1, byte 1: half a surrogate pair");
  CHECK(trouble("\"\xC0\xAF\"") == "f.json: line 1, byte 1: not UTF-8");
  CHECK(trouble("\"\xED\xA0\x80\"") == "f.json: line 1, byte 1: not UTF-8");
  CHECK(trouble("\xEF\xBB\xBF{}") == "f.json: line 1, byte 0: a value is expected");
  CHECK(trouble("01") == "f.json: line 1, byte 0: a number with a leading zero");
  CHECK(trouble("-") == "f.json: line 1, byte 1: a digit is expected");
  CHECK(trouble("1.") == "f.json: line 1, byte 2: a digit is expected");
  CHECK(trouble("1e+") == "f.json: line 1, byte 3: a digit is expected");
  CHECK(trouble(R"({"a": 1, "\u0061": 2})") == "f.json: line 1, byte 9: the name \"a\" appears twice");
}

TEST_CASE("nesting is bounded") {
  const std::size_t most = json::max_depth;
  CHECK(trouble(std::string(most, '[') + std::string(most, ']')) == "");
  CHECK(trouble(std::string(most + 1, '[')) == "f.json: line 1, byte 64: nested too deeply");
  CHECK(trouble(std::string(100'000, '[')) == "f.json: line 1, byte 64: nested too deeply");
}

TEST_CASE("lists that are too long are read, counted and not kept") {
  const auto with = [](const char* text) { return json::parse(text, "f.json", 1, 2); };
  CHECK(with("[1, 2]") == json::value(json::array{std::int64_t{1}, std::int64_t{2}}));
  CHECK(with("[1, [2], {}]") == json::value(json::left_out{3}));
  CHECK(with(R"({"a": 1, "b": 2, "c": {"d": "e"}, "f": null})") == json::value(json::left_out{4}));
  CHECK_THROWS_WITH_AS(with("[1, 2, 3, 01]"), "f.json: line 1, byte 10: a number with a leading zero", failure);
  CHECK_THROWS_WITH_AS(with("[1, 2, 3"), "f.json: line 1, byte 8: ends too early", failure);
}

TEST_CASE("text is quoted so that it reads back") {
  CHECK(json::quote("a\"b\\c\n\t\x01\x7F") == R"("a\"b\\c\n\t\u0001\u007f")");
  CHECK(json::quote("\xC3\xA9") == "\"\xC3\xA9\"");
  CHECK(json::quote("a\xFF") == "\"a\xEF\xBF\xBD\"");
  CHECK(json::quote(std::string_view("\0", 1)) == R"("\u0000")");
}

TEST_CASE("values print on one line or indented") {
  const json::value v = json::object{{"a", json::array{std::int64_t{1}, 0.5, true, nullptr}}, {"b", json::object{}}};
  CHECK(json::print(v) == R"({"a": [1, 0.5, true, null], "b": {}})");
  CHECK(json::print(v, 2) == "{\n  \"a\": [\n    1,\n    0.5,\n    true,\n    null\n  ],\n  \"b\": {}\n}");
  CHECK(json::print("text") == "\"text\"");
  CHECK(parse(json::print(v, 4)) == v);
}

TEST_CASE("numbers print as the shortest decimal of their width") {
  CHECK(json::real(0.1f) == "0.1");
  CHECK(json::real(0.1) == "0.1");
  CHECK(json::real(double{0.1f}) == "0.10000000149011612");
  CHECK(json::real(3.0) == "3.0");
  CHECK(json::real(1e30) == "1e+30");
}
