// Texts and numbers in a page: whatever a text holds, it is read as text and changes nothing around it.
#pragma once

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

/// A text as a page shows it, in mark-up and in attributes; broken UTF-8 becomes U+FFFD. Of more than `most` characters
/// the first ones and how many there are.
inline std::string text(std::string_view bytes, std::size_t most = SIZE_MAX) {
  std::string out;
  std::size_t count = 0, kept = 0;
  for (const char *p = bytes.data(), *const end = p + bytes.size(); p != end; ++count) {
    append_character(out, dupq::unicode::decode(p, end));
    if (count + 1 == most) kept = out.size();
    if (count + 1 > most) out.resize(kept);  // what follows is only counted
  }
  return count > most ? out + "\u2026 <small>(" + grouped(count) + " characters)</small>" : out;
}

/// A number as people read it, and as a program does: the digits that --json has.
inline std::string number(double value, const std::string& shown) {
  return "<data value=\"" + json::real(value) + "\">" + shown + "</data>";
}
inline std::string number(double value, int places) { return number(value, fixed(value, places)); }

/// 0.368 as "36.8 %"
inline std::string percent(double part) { return fixed(100 * part, 1) + "\u00A0%"; }
inline std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "none" : percent(static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace dupq_tool::report
