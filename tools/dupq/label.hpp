// Labels as people write them: 0 and 1, also with ".0", true and false, yes and no.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "json.hpp"

namespace dupq_tool {

/// 0 or 1; nothing else is a label.
inline std::optional<int> text_label(std::string_view text) {
  if (text == "0" || text == "1") return text[0] - '0';
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (lower == "1.0" || lower == "true" || lower == "yes") return 1;
  if (lower == "0.0" || lower == "false" || lower == "no") return 0;
  return std::nullopt;
}

inline std::optional<int> json_label(const json::value& v) {
  if (const auto* text = v.as<std::string>()) return text_label(*text);
  return text_label(json::print(v));
}

}  // namespace dupq_tool
