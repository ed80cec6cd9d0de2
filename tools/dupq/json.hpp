// JSON values, their parser and their printer (RFC 8259, strictly: UTF-8 only, no duplicate names, bounded depth; and
// as Python's json, NaN and Infinity).
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "failure.hpp"
#include "json_reader.hpp"

namespace dupq_tool::json {

class value;
using array = std::vector<value>;
using member = std::pair<std::string, value>;
using object = std::vector<member>;  ///< in the order of the text

/// An array or object that was longer than the caller of `parse` allows: its entries were read, but not kept.
struct left_out {
  std::size_t entries;
  bool operator==(const left_out&) const = default;
};

/// A value. Numbers without fraction and exponent that fit are std::int64_t, all others double.
class value : public std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, array, object, left_out> {
 public:
  using variant::variant;
  value() : variant(nullptr) {}
  value(const char* text) : variant(std::string(text)) {}

  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(this);
  }
  bool is_null() const noexcept { return as<std::nullptr_t>() != nullptr; }
  /// An object's member, or null: no such member, or no object.
  const value* find(std::string_view name) const noexcept {
    if (const auto* o = as<object>())
      for (const auto& [key, v] : *o)
        if (key == name) return &v;
    return nullptr;
  }
};

inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// Parses one text; failures name `source`, the line (its first one is `line`) and the byte. Of arrays and objects with
/// more than `most` entries it keeps their number alone, so that a hostile text costs no memory.
value parse(std::string_view text, std::string_view source, std::uint64_t line = 1, std::size_t most = unlimited);

/// The shortest decimal that reads back as the same number (of the same width); always with a mark of a fraction.
template <class Real>
std::string real(Real v) {
  if (!std::isfinite(v)) return std::isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
  char digits[64];
  std::string out(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
  if (out.find_first_of(".e") == out.npos) out += ".0";
  return out;
}

/// Prints on one line, or indented by `indent` blanks a level.
inline std::string print(const value& v, std::size_t indent = 0, std::size_t level = 0) {
  const auto line = [&](std::size_t depth) {
    return indent == 0 ? std::string() : "\n" + std::string(depth * indent, ' ');
  };
  const auto list = [&](const auto& items, char open, char close, const auto& item) {
    std::string out(1, open);
    for (std::size_t i = 0; i < items.size(); ++i)
      out += (i == 0 ? "" : indent == 0 ? ", " : ",") + line(level + 1) + item(items[i]);
    if (!items.empty()) out += line(level);
    return out += close;
  };
  if (const auto* b = v.as<bool>()) return *b ? "true" : "false";
  if (const auto* i = v.as<std::int64_t>()) return std::to_string(*i);
  if (const auto* d = v.as<double>()) return real(*d);
  if (const auto* s = v.as<std::string>()) return quote(*s);
  if (const auto* a = v.as<array>())
    return list(*a, '[', ']', [&](const value& e) { return print(e, indent, level + 1); });
  if (const auto* o = v.as<object>())
    return list(*o, '{', '}',
                [&](const member& m) { return quote(m.first) + ": " + print(m.second, indent, level + 1); });
  return "null";
}

/// The recursive-descent parser behind `parse`.
class parser : reader {
 public:
  parser(std::string_view text, std::string_view source, std::uint64_t line, std::size_t most)
      : reader(text, source, line), most_(most) {}

  value run() {
    value v = any(0);
    finish();
    return v;
  }

 private:
  value any(std::size_t depth) {
    blanks();
    const int c = peek();
    if (c == '{' || c == '[') {
      if (depth == max_depth) fail("nested too deeply");
      return c == '{' ? object_at(depth) : array_at(depth);
    }
    if (c == '"') return string();
    if (is_number()) {
      const json::number n = number();
      return n.whole ? value(n.integer) : value(n.real);
    }
    return accept_word("true") ? value(true) : accept_word("false") ? value(false) : (need_word("null"), value());
  }

  value object_at(std::size_t depth) {
    object members;
    std::vector<std::size_t> begins;
    std::size_t entries = 0;
    for_each_member([&] {
      if (++entries > most_) return skip_string(), need(':'), skip(depth + 1);
      begins.push_back(at());
      std::string name = string();
      need(':');
      members.emplace_back(std::move(name), any(depth + 1));
    });
    if (entries > most_) return left_out{entries};
    refuse_repeats(members, begins);
    return members;
  }

  /// Names that are there twice; `begins` says where each stands.
  void refuse_repeats(const object& members, const std::vector<std::size_t>& begins) {
    std::vector<std::size_t> order(members.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto before = [&](std::size_t a, std::size_t b) {
      const int c = members[a].first.compare(members[b].first);
      return c != 0 ? c < 0 : a < b;
    };
    std::sort(order.begin(), order.end(), before);
    std::size_t first = members.size();
    for (std::size_t i = 1; i < order.size(); ++i)
      if (members[order[i]].first == members[order[i - 1]].first) first = std::min(first, order[i]);
    if (first != members.size()) fail_at(begins[first], "the name " + quote(members[first].first) + " appears twice");
  }

  value array_at(std::size_t depth) {
    array items;
    std::size_t entries = 0;
    for_each_item([&] {
      if (++entries > most_) return skip(depth + 1);
      items.push_back(any(depth + 1));
    });
    if (entries > most_) return left_out{entries};
    return items;
  }

  std::size_t most_;
};

inline value parse(std::string_view text, std::string_view source, std::uint64_t line, std::size_t most) {
  return parser(text, source, line, most).run();
}

}  // namespace dupq_tool::json
