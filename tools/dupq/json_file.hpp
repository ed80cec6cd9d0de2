// A JSON configuration file: reads values by key and checks their types, and refuses what nobody read, so that no
// setting is dropped in silence; every failure names the file and the key.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "folder_file.hpp"
#include "json.hpp"

namespace dupq_tool {

/// A value together with where it stands: "folder/config.json: hidden_size".
class json_node {
 public:
  /// Reads a file; the tree lives as long as a node of it. Lists of more than `most` entries are counted, not kept.
  static json_node open(const std::filesystem::path& path, std::size_t most = json::unlimited) {
    const dupq::mapped_file file = open_folder_file(path);
    return {json::parse(as_text(file.bytes()), os::name_of(path), 1, most), os::name_of(path)};
  }
  /// A tree that is no file, under a name.
  json_node(json::value tree, std::string where)
      : document_(std::make_shared<document>(document{std::move(tree), {}, {}})),
        value_(&document_->tree),
        where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& what) const { throw failure(where_ + ": " + what); }
  const std::string& where() const noexcept { return where_; }
  bool is_text() const noexcept { return value_->as<std::string>() != nullptr; }
  bool is_flag() const noexcept { return value_->as<bool>() != nullptr; }
  bool is_array() const noexcept { return value_->as<json::array>() != nullptr; }
  bool is_object() const noexcept { return value_->as<json::object>() != nullptr; }
  bool is_empty() const { return check<json::object>("an object").empty(); }
  /// How many entries an array or object has, or had before they were left out.
  std::size_t entries() const {
    if (const auto* v = value_->as<json::array>()) return v->size();
    if (const auto* v = value_->as<json::object>()) return v->size();
    const auto* const v = value_->as<json::left_out>();
    return v != nullptr ? v->entries : 0;
  }
  /// The value itself, for a caller that reads the whole of it.
  const json::value& raw() const {
    refuse_left_out();
    document_->whole.insert(value_);
    return *value_;
  }

  /// A member; nothing if it is absent or null.
  std::optional<json_node> get(std::string_view key) const {
    check<json::object>("an object");
    const json::value* const v = value_->find(key);
    if (v == nullptr || v->is_null()) return {};
    return child(*v, key);
  }
  /// This object, with the members of `changes` (but for those in `without`) in place of its own members of these
  /// names. Failures then name both files.
  json_node changed_by(const json_node& changes, std::span<const std::string_view> without = {}) const {
    json::object members = check<json::object>("an object");
    for (const json::member& change : changes.check<json::object>("an object")) {
      if (std::find(without.begin(), without.end(), change.first) != without.end()) continue;
      const auto same =
          std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == change.first; });
      if (same == members.end())
        members.push_back(change);
      else
        same->second = change.second;
    }
    const std::string changed = changes.where_.substr(changes.where_.find_last_of("/\\") + 1);
    return {std::move(members), where_ + " with " + changed};
  }

  /// Refuses every setting that nobody read: each member, in any depth, that `get` and the like did not ask for, that
  /// is not null, and that is not among those `known` to change nothing. Those are named from here on, without the
  /// numbers of list entries ("truncation.strategy"); a name that ends in ".*" stands for all members. To be called on
  /// a file's root when everything in it has been read.
  void finish(std::initializer_list<std::string_view> known = {}) const {
    finish(std::span(known.begin(), known.end()));
  }
  void finish(std::span<const std::string_view> known) const { finish(known, ""); }

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

  /// The names of an object's members, which does not read these.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const json::member& m : check<json::object>("an object")) out.push_back(m.first);
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
    refuse_left_out();
    fail(std::string(what) + " is expected");
  }
  void refuse_left_out() const {
    if (value_->as<json::left_out>() != nullptr) fail(std::to_string(entries()) + " entries are too many");
  }
  /// What stands under `key`; whoever asks for it reads it.
  json_node child(const json::value& v, std::string_view key) const {
    document_->read.insert(&v);
    return inside(v, key);
  }
  json_node inside(const json::value& v, std::string_view key) const {
    json_node node = *this;
    node.value_ = &v;
    node.where_ = place(key);
    return node;
  }
  std::string place(std::string_view key) const {
    return where_ + (value_ == &document_->tree ? ": " : ".") + std::string(key);
  }

  void finish(std::span<const std::string_view> known, const std::string& path) const {
    if (document_->whole.contains(value_)) return;
    if (const auto* list = value_->as<json::array>())
      for (std::size_t i = 0; i < list->size(); ++i) inside((*list)[i], std::to_string(i)).finish(known, path);
    const auto* members = value_->as<json::object>();
    if (members == nullptr) return;
    const std::string begin = path.empty() ? "" : path + ".";
    const auto has = [&](const std::string& name) {
      return std::find(known.begin(), known.end(), name) != known.end();
    };
    if (has(begin + "*")) return;
    for (const auto& [key, v] : *members) {
      if (v.is_null() || has(begin + key)) continue;
      const json_node member = inside(v, key);
      if (!document_->read.contains(&v)) member.fail("this setting is not supported; remove it if it changes nothing");
      member.finish(known, begin + key);
    }
  }

  /// A tree, and which of its values were asked for; `whole`: with everything inside them.
  struct document {
    json::value tree;
    std::unordered_set<const json::value*> read, whole;
  };

  std::shared_ptr<document> document_;  ///< shared by all nodes of one tree
  const json::value* value_;
  std::string where_;
};

}  // namespace dupq_tool
