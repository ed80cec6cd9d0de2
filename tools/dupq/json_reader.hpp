// The words of a JSON text, one after the other, for whoever reads one without keeping it as a tree.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "failure.hpp"
#include "utf8.hpp"

namespace dupq_tool::json {

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

struct number {
  bool whole = false;  ///< has neither fraction nor exponent, and fits `integer`
  std::int64_t integer = 0;
  double real = 0;
};

/// Reads forward. Failures name the source, the line (its first one is `line`) and the byte.
class reader {
 public:
  reader(std::string_view text, std::string_view source, std::uint64_t line = 1)
      : text_(text), source_(source), line_(line) {}

  /// Fails at the place that is reached, or at another.
  [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(std::size_t at, const std::string& what) const {
    std::uint64_t line = line_;
    for (std::size_t i = 0; i < at && i < text_.size(); ++i) line += text_[i] == '\n';
    throw failure(std::string(source_) + ": line " + std::to_string(line) + ", byte " + std::to_string(at) + ": " +
                  what);
  }
  std::size_t at() const noexcept { return at_; }
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
  /// A mark, blanks around it or not.
  void need(char c) {
    blanks();
    if (!accept(c)) fail(std::string("'") + c + "' is expected");
    blanks();
  }
  bool accept_word(std::string_view word) noexcept {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void need_word(std::string_view word) {
    if (!accept_word(word)) fail(peek() < 0 ? "ends too early" : "a value is expected");
  }
  /// Nothing but blanks is left.
  void finish() {
    blanks();
    if (at_ != text_.size()) fail("unexpected text after the end");
  }

  /// Calls f() at the name of each member of the object that begins here; f reads it, the colon and the value.
  template <class F>
  void for_each_member(F&& f) {
    for_each('}', [&] {
      if (peek() != '"') fail(peek() < 0 ? "ends too early" : "a name in quotes is expected");
      f();
    });
  }
  /// Calls f() at each item of the array that begins here; f reads it.
  template <class F>
  void for_each_item(F&& f) {
    for_each(']', f);
  }

  /// Moves over a value of any kind, which must be well-formed.
  void skip(std::size_t depth = 0) {
    blanks();
    const int c = peek();
    if ((c == '{' || c == '[') && depth == max_depth) fail("nested too deeply");
    if (c == '{')
      return for_each_member([&] {
        skip_string();
        need(':');
        skip(depth + 1);
      });
    if (c == '[') return for_each_item([&] { skip(depth + 1); });
    if (c == '"') return skip_string();
    if (is_number()) return (void)number();
    if (!accept_word("true") && !accept_word("false")) need_word("null");
  }

  std::string string() {
    std::string out;
    (void)read_string(&out);
    return out;
  }
  /// The same without a copy, where the text has no escapes; what it is is then put into `storage`.
  std::string_view string(std::string& storage) {
    const std::size_t begin = at_ + 1;
    if (read_string(nullptr)) return text_.substr(begin, at_ - 1 - begin);
    at_ = begin - 1;
    storage = string();
    return storage;
  }
  void skip_string() { (void)read_string(nullptr); }

  bool is_number() const noexcept {
    const int c = peek();
    return c == '-' || (c >= '0' && c <= '9') || c == 'N' || c == 'I';
  }
  /// A number, or what Python's json writes for one that is not finite.
  json::number number() {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const std::size_t begin = at_;
    if (peek() == 'N') return need_word("NaN"), json::number{false, 0, std::numeric_limits<double>::quiet_NaN()};
    const bool minus = accept('-');
    if (peek() == 'I') return need_word("Infinity"), json::number{false, 0, minus ? -infinity : infinity};
    const bool zero = peek() == '0';
    if (digits() > 1 && zero) fail_at(begin, "a number with a leading zero");
    bool integer = true;
    if (accept('.')) integer = false, digits();
    if (accept('e') || accept('E')) {
      integer = false;
      if (!accept('+')) (void)accept('-');
      digits();
    }
    const char* const first = text_.data() + begin;
    const char* const last = text_.data() + at_;
    json::number out;
    if (integer && std::from_chars(first, last, out.integer).ec == std::errc{}) return out.whole = true, out;
    // What is too large or too small for a double is infinite or 0, as in Python.
    if (std::from_chars(first, last, out.real).ec != std::errc{})
      out.real = std::strtod(std::string(first, last).c_str(), nullptr);
    return out;
  }

 private:
  template <class F>
  void for_each(char close, F&& f) {
    ++at_;
    blanks();
    if (accept(close)) return;
    do {
      blanks();
      f();
      blanks();
    } while (accept(','));
    if (!accept(close)) fail(peek() < 0 ? "ends too early" : std::string("',' or '") + close + "' is expected");
  }

  /// Appends a string to `out`, if there is one; true if it has no escapes.
  bool read_string(std::string* out) {
    bool plain = true;
    std::string unused;
    ++at_;
    for (std::size_t begin = at_;;) {
      const int c = peek();
      const bool special = c < 0x20 || c == '"' || c == '\\';
      if (special && out != nullptr) out->append(text_.substr(begin, at_ - begin));
      if (c < 0) fail("the string does not end");
      if (c == '"') return ++at_, plain;
      if (c < 0x20) fail("a control character in a string");
      if (c == '\\') {
        plain = false;
        unused.clear();
        escape(out != nullptr ? *out : unused);
        begin = at_;
        continue;
      }
      const std::size_t n = c < 0x80 ? 1 : dupq::unicode::character_bytes(text_.substr(at_));
      if (n == 0) fail("not UTF-8");
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

  std::string_view text_, source_;
  std::uint64_t line_;
  std::size_t at_ = 0;
};

}  // namespace dupq_tool::json
