// A configuration file's settings are read, known to change nothing, or refused by name.
#include "json_file.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

using namespace dupq_tool;

namespace {

json_node file(const char* text) { return {json::parse(text, "f.json"), "f.json"}; }

/// What `finish` says; empty: nothing was left unread.
std::string left(const json_node& node, std::initializer_list<std::string_view> known = {}) {
  try {
    node.finish(known);
  } catch (const failure& e) {
    return e.what();
  }
  return "";
}

const std::string end = ": this setting is not supported; remove it if it changes nothing";

}  // namespace

TEST_CASE("what nobody asked for is refused by its name") {
  const json_node node = file(R"({"a": 1, "b": {"c": 2, "d": [{"e": 3, "f": 4}, {"e": 5}]}, "g": null})");
  CHECK(left(node) == "f.json: a" + end);
  CHECK(node.at("a").number() == 1);
  CHECK(left(node) == "f.json: b" + end);
  const json_node b = node.at("b");
  CHECK(left(node) == "f.json: b.c" + end);
  CHECK(b.at("c").number() == 2);
  for (const json_node& item : b.at("d").items()) (void)item.at("e");
  CHECK(left(node) == "f.json: b.d.0.f" + end);
  (void)b.at("d").items()[0].at("f");
  CHECK(left(node) == "");  // a null is no setting
}

TEST_CASE("what is known to change nothing passes, by its whole name") {
  const json_node node = file(R"({"a": {"b": 1, "c": [{"d": 2}]}, "e": {"x": 1, "y": {"z": 2}}})");
  (void)node.at("a").at("c");
  (void)node.at("e");
  CHECK(left(node, {"b", "d", "e.*"}) == "f.json: a.b" + end);
  CHECK(left(node, {"a.b", "e.*"}) == "f.json: a.c.0.d" + end);
  CHECK(left(node, {"a.b", "a.c.d", "e.x"}) == "f.json: e.y" + end);
  CHECK(left(node, {"a.b", "a.c.d", "e.*"}) == "");
  CHECK(left(node, {"a", "e"}) == "");
}

TEST_CASE("a value that was taken as a whole has no unread members, one whose kind was looked at has") {
  const json_node node = file(R"({"a": {"b": 1}, "c": {"d": 1}})");
  (void)node.at("a").raw();
  CHECK_FALSE(node.at("c").is_text());
  CHECK(left(node) == "f.json: c.d" + end);
  for (const auto& [name, value] : node.at("c").members()) CHECK(value.where() == "f.json: c." + name);
  CHECK(left(node) == "");
}

TEST_CASE("a list that was too long to keep has a number of entries, and is read by nobody") {
  const json_node node(json::parse(R"({"a": [1, 2, 3], "b": [1]})", "f.json", 1, 2), "f.json");
  CHECK(node.at("a").entries() == 3);
  CHECK(node.at("b").entries() == 1);
  CHECK(node.entries() == 2);
  CHECK_THROWS_WITH_AS((void)node.at("a").items(), "f.json: a: 3 entries are too many", failure);
  CHECK_THROWS_WITH_AS((void)node.at("a").raw(), "f.json: a: 3 entries are too many", failure);
}
