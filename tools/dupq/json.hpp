// JSON values, their parser and their printer (RFC 8259, strictly: UTF-8 only, no duplicate names, bounded depth).
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "failure.hpp"
#include "utf8.hpp"

namespace dupq_tool::json {

class value;
using array = std::vector<value>;
using member = std::pair<std::string, value>;
using object = std::vector<member>;  ///< in the order of the text

/// A value. Numbers without fraction and exponent that fit are std::int64_t, all others double.
class value : public std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, array, object> {
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

/// Parses one text; failures name `source`, the line (its first one is `line`) and the byte.
value parse(std::string_view text, std::string_view source, std::uint64_t line = 1);

/// Nesting beyond this is refused: it bounds the stack.
inline constexpr std::size_t max_depth = 64;

/// The text in quotes, escaped; bytes that are not UTF-8 become U+FFFD.
inline std::string quote(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef", escaped = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
  std::string out = "\"";
  for (const char *p = text.data(), *const end = p + text.size(); p != end;) {
    const char32_t c = dupq::unicode::decode(p, end);
    if (const auto k = c < 0x80 ? escaped.find(static_cast<char>(c)) : escaped.npos; k != escaped.npos)
      out += '\\', out += letters[k];
    else if (c < 0x20 || c == 0x7F)
      out += "\\u00", out += hex[c >> 4], out += hex[c & 15];
    else
      append_utf8(out, c);
  }
  return out += '"';
}

/// The shortest decimal that reads back as the same number (of the same width); always with a mark of a fraction.
template <class Real>
std::string real(Real v) {
  char digits[64];
  std::string out(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
  if (out.find_first_of(".en") == out.npos) out += ".0";
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
class parser {
 public:
  parser(std::string_view text, std::string_view source, std::uint64_t line)
      : text_(text), source_(source), line_(line) {}

  value run() {
    value v = any(0);
    blanks();
    if (at_ != text_.size()) fail("unexpected text after the end");
    return v;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    std::uint64_t line = line_;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) line += text_[i] == '\n';
    throw failure(std::string(source_) + ": line " + std::to_string(line) + ", byte " + std::to_string(at_) + ": " +
                  what);
  }
  int peek() const noexcept { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  bool accept(char c) noexcept {
    if (peek() != static_cast<unsigned char>(c)) return false;
    ++at_;
    return true;
  }
  void blanks() noexcept {
    while (accept(' ') || accept('\n') || accept('\t') || accept('\r')) {
    }
  }

  value any(std::size_t depth) {
    blanks();
    const int c = peek();
    if (c == '{' || c == '[') {
      if (depth == max_depth) fail("nested too deeply");
      return c == '{' ? object_at(depth) : array_at(depth);
    }
    if (c == '"') return string();
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    for (const auto& [word, v] : {std::pair<std::string_view, value>{"true", true}, {"false", false}, {"null", {}}})
      if (text_.substr(at_, word.size()) == word) return at_ += word.size(), v;
    fail(c < 0 ? "ends too early" : "a value is expected");
  }

  value object_at(std::size_t depth) {
    object members;
    std::unordered_set<std::string> names;
    ++at_;
    blanks();
    if (accept('}')) return members;
    do {
      blanks();
      const std::size_t begin = at_;
      if (peek() != '"') fail(peek() < 0 ? "ends too early" : "a name in quotes is expected");
      std::string name = string();
      if (!names.insert(name).second) {
        at_ = begin;
        fail("the name " + quote(name) + " appears twice");
      }
      blanks();
      if (!accept(':')) fail("':' is expected");
      members.emplace_back(std::move(name), any(depth + 1));
      blanks();
    } while (accept(','));
    if (!accept('}')) fail(peek() < 0 ? "ends too early" : "',' or '}' is expected");
    return members;
  }

  value array_at(std::size_t depth) {
    array items;
    ++at_;
    blanks();
    if (accept(']')) return items;
    do {
      items.push_back(any(depth + 1));
      blanks();
    } while (accept(','));
    if (!accept(']')) fail(peek() < 0 ? "ends too early" : "',' or ']' is expected");
    return items;
  }

  std::string string() {
    std::string out;
    ++at_;
    for (;;) {
      const int c = peek();
      if (c < 0) fail("the string does not end");
      if (c == '"') return ++at_, out;
      if (c < 0x20) fail("a control character in a string");
      if (c == '\\') {
        escape(out);
        continue;
      }
      const std::size_t n = dupq::unicode::character_bytes(text_.substr(at_));
      if (n == 0) fail("not UTF-8");
      out += text_.substr(at_, n);
      at_ += n;
    }
  }

  void escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const std::size_t begin = at_++;
    const int c = peek();
    const auto bad = [&](const char* what) {
      at_ = begin;
      fail(what);
    };
    if (const auto k = c < 0 ? letters.npos : letters.find(static_cast<char>(c)); k != letters.npos) {
      ++at_;
      out += meanings[k];
      return;
    }
    if (c != 'u') bad("an unknown escape");
    ++at_;
    char32_t unit = 0, low = 0;
    if (!hex4(unit) || (unit >= 0xDC00 && unit < 0xE000)) bad("a broken \\u escape");
    if (unit >= 0xD800 && unit < 0xDC00) {
      if (!accept('\\') || !accept('u') || !hex4(low) || low < 0xDC00 || low > 0xDFFF) bad("half a surrogate pair");
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, unit);
  }

  bool hex4(char32_t& unit) noexcept {
    std::uint32_t v = 0;
    if (text_.size() - at_ < 4) return false;
    const char* const first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, first + 4, v, 16);  // takes no sign: v is unsigned
    if (error != std::errc{} || end != first + 4) return false;
    at_ += 4;
    unit = v;
    return true;
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    if (at_ == begin) fail("a digit is expected");
    return at_ - begin;
  }

  value number() {
    const std::size_t begin = at_;
    (void)accept('-');
    const bool zero = peek() == '0';
    if (digits() > 1 && zero) at_ = begin, fail("a number with a leading zero");
    bool integer = true;
    if (accept('.')) integer = false, digits();
    if (accept('e') || accept('E')) {
      integer = false;
      if (!accept('+')) (void)accept('-');
      digits();
    }
    const char* const first = text_.data() + begin;
    const char* const last = text_.data() + at_;
    std::int64_t whole = 0;
    if (integer && std::from_chars(first, last, whole).ec == std::errc{}) return whole;
    double d = 0;
    if (std::from_chars(first, last, d).ec != std::errc{}) at_ = begin, fail("a number out of range");
    return d;
  }

  std::string_view text_, source_;
  std::uint64_t line_;
  std::size_t at_ = 0;
};

inline value parse(std::string_view text, std::string_view source, std::uint64_t line) {
  return parser(text, source, line).run();
}

}  // namespace dupq_tool::json
