// How numbers are written: shortest floats, fixed places, grouped counts; and a user's words.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <string>
#include <string_view>

namespace dupq_tool {

/// "mean", "cls+max+mean", "lasttoken+cls", ...
inline std::string pooling_text(dupq::pooling p) {
  std::string text(p.sequence == 0 ? name(p) : "");
  for (std::uint32_t rest = p.sequence; rest != 0; rest >>= 4) {
    if (!text.empty()) text += '+';
    text += name(static_cast<dupq::pooling_mode>(rest & 15));
  }
  return text;
}

/// The shortest decimal that reads back as the same value.
template <std::floating_point T>
std::string shortest(T value) {
  char digits[64];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

/// With `places` digits after the point.
inline std::string fixed(double value, int places) {
  char digits[400];
  return {digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, places).ptr};
}

/// 1234567 as 1,234,567.
inline std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

/// "1 row", "2 rows".
inline std::string counted(std::uint64_t n, std::string_view noun) {
  return grouped(n) + ' ' + std::string(noun) + (n == 1 ? "" : "s");
}

/// A word for an error message: short, quoted, on one line.
inline std::string printable(std::string_view word) {
  std::string quoted = "'";
  for (char c : word.substr(0, 40)) quoted += (c >= 0 && c < ' ') || c == 0x7F ? '?' : c;
  return quoted + (word.size() > 40 ? "...'" : "'");
}

/// The double nearest to a float's shortest decimal, so that JSON shows that decimal too.
inline double as_shortest(float value) {
  const std::string digits = shortest(value);
  double wide = value;
  std::from_chars(digits.data(), digits.data() + digits.size(), wide);
  return wide;
}

}  // namespace dupq_tool
