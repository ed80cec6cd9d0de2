// Texts and numbers in a page: whatever a text holds, it is read as text and changes nothing around it.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/text/utf8.hpp>
#include <string>
#include <string_view>

#include "format.hpp"
#include "json.hpp"
#include "utf8.hpp"

namespace dupq_tool::report {

/// Appends a character. Those of mark-up are escaped; control characters become their pictures, and what no page may
/// hold becomes U+FFFD.
inline void append_character(std::string& page, char32_t c) {
  const bool no_character = (c >= 0x80 && c < 0xA0) || (c >= 0xFDD0 && c < 0xFDF0) || (c & 0xFFFE) == 0xFFFE;
  switch (c) {
    case '&': page += "&amp;"; return;
    case '<': page += "&lt;"; return;
    case '>': page += "&gt;"; return;
    case '"': page += "&quot;"; return;
    case '\'': page += "&#39;"; return;
    default: break;
  }
  append_utf8(page, c < 0x20 ? 0x2400 + c : c == 0x7F ? U'\u2421' : no_character ? dupq::unicode::replacement : c);
}

/// The bytes of a text's first characters.
inline std::string_view characters(std::string_view bytes, std::size_t most) {
  const char *p = bytes.data(), *const end = p + bytes.size();
  for (; p != end && most != 0; --most) dupq::unicode::decode(p, end);
  return bytes.substr(0, static_cast<std::size_t>(p - bytes.data()));
}

/// What follows a text of which only the first characters are shown.
inline std::string rest_of(std::string_view bytes, std::size_t most) {
  if (characters(bytes, most).size() == bytes.size()) return "";
  std::size_t count = 0;
  for (const char *p = bytes.data(), *const end = p + bytes.size(); p != end; ++count) dupq::unicode::decode(p, end);
  return "\u2026 <small>(" + grouped(count) + " characters)</small>";
}

/// A text as a page shows it, in mark-up and in attributes; broken UTF-8 becomes U+FFFD.
inline std::string text(std::string_view bytes) {
  std::string out;
  for (const char *p = bytes.data(), *const end = p + bytes.size(); p != end;)
    append_character(out, dupq::unicode::decode(p, end));
  return out;
}
/// The same of a text's first characters, and how many it has if these are not all.
inline std::string text(std::string_view bytes, std::size_t most) {
  return text(characters(bytes, most)) + rest_of(bytes, most);
}

/// With a true minus sign.
inline std::string with_minus(std::string digits) {
  if (digits.starts_with('-')) digits.replace(0, 1, "\u2212");
  return digits;
}

/// A score: three places, or three digits where those would say nothing or be far too many.
inline std::string short_number(double value) {
  const double size = std::fabs(value);
  if (value == 0 || (size >= 0.001 && size < 1e6)) return with_minus(fixed(value, 3));
  char digits[64];
  return with_minus({digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general, 3).ptr});
}

/// A number as people read it, and as a program does: the digits that --json has.
inline std::string number(double value, const std::string& shown) {
  return "<data value=\"" + json::real(value) + "\">" + shown + "</data>";
}
inline std::string number(double value, int places) { return number(value, with_minus(fixed(value, places))); }

/// 0.368 as "36.8 %"
inline std::string percent(double part) { return fixed(100 * part, 1) + "\u00A0%"; }
inline std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "none" : percent(static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace dupq_tool::report
