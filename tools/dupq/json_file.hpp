// A JSON configuration file: reads values by key and checks their types; every failure names the file and the key.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "folder_file.hpp"
#include "json.hpp"

namespace dupq_tool {

/// A value together with where it stands: "folder/config.json: hidden_size".
class json_node {
 public:
  /// Reads a file; the tree lives as long as a node of it.
  static json_node open(const std::filesystem::path& path) {
    const dupq::mapped_file file = open_folder_file(path);
    return {std::make_shared<const json::value>(json::parse(as_text(file.bytes()), path.string())), path.string()};
  }
  /// A tree that is no file, under a name.
  json_node(std::shared_ptr<const json::value> tree, std::string where)
      : tree_(std::move(tree)), value_(tree_.get()), where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& what) const { throw failure(where_ + ": " + what); }
  const json::value& raw() const noexcept { return *value_; }
  const std::string& where() const noexcept { return where_; }

  /// A member; nothing if it is absent or null.
  std::optional<json_node> get(std::string_view key) const {
    check<json::object>("an object");
    const json::value* const v = value_->find(key);
    if (v == nullptr || v->is_null()) return {};
    return child(*v, key);
  }
  /// A member that must be there.
  json_node at(std::string_view key) const {
    if (auto v = get(key)) return *v;
    throw failure(place(key) + ": missing");
  }

  std::vector<json_node> items() const {
    std::vector<json_node> out;
    std::size_t i = 0;
    for (const json::value& v : check<json::array>("an array")) out.push_back(child(v, std::to_string(i++)));
    return out;
  }
  std::vector<std::pair<std::string, json_node>> members() const {
    std::vector<std::pair<std::string, json_node>> out;
    for (const auto& [name, v] : check<json::object>("an object")) out.emplace_back(name, child(v, name));
    return out;
  }

  const std::string& text() const { return check<std::string>("a string"); }
  bool flag() const { return check<bool>("true or false"); }
  double number() const {
    if (const auto* i = value_->as<std::int64_t>()) return static_cast<double>(*i);
    return check<double>("a number");
  }
  /// A whole number from `low` to `high`.
  std::uint32_t count(std::uint32_t low = 0, std::uint32_t high = std::numeric_limits<std::int32_t>::max()) const {
    const double d = number();
    if (d != std::floor(d)) fail("a whole number is expected, found " + json::print(*value_));
    if (d < low || d > high)
      fail("must be from " + std::to_string(low) + " to " + std::to_string(high) + ", found " + json::print(*value_));
    return static_cast<std::uint32_t>(d);
  }

  std::string text_or(std::string_view key, std::string_view otherwise) const {
    const auto v = get(key);
    return v ? v->text() : std::string(otherwise);
  }
  bool flag_or(std::string_view key, bool otherwise) const {
    const auto v = get(key);
    return v ? v->flag() : otherwise;
  }

 private:
  template <class T>
  const T& check(const char* what) const {
    if (const T* v = value_->as<T>()) return *v;
    fail(std::string(what) + " is expected");
  }
  json_node child(const json::value& v, std::string_view key) const {
    json_node node = *this;
    node.value_ = &v;
    node.where_ = place(key);
    return node;
  }
  std::string place(std::string_view key) const {
    return where_ + (value_ == tree_.get() ? ": " : ".") + std::string(key);
  }

  std::shared_ptr<const json::value> tree_;
  const json::value* value_;
  std::string where_;
};

}  // namespace dupq_tool
