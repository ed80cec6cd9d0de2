// UTF-8 in std::string, over the library's decoder.
#pragma once

#include <cstdint>
#include <cstring>
#include <dupq/text/utf8.hpp>
#include <string>
#include <string_view>

namespace dupq_tool {

/// Most texts are ASCII, which is seen eight bytes at a time.
inline bool is_ascii(std::string_view s) noexcept {
  const auto load = [](const char* p) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    return word;
  };
  std::uint64_t seen = 0;
  const char *p = s.data(), *const end = p + s.size();
  if (s.size() < sizeof seen) {
    for (; p != end; ++p) seen |= static_cast<unsigned char>(*p);
  } else {
    const char* const last = end - sizeof seen;
    for (; last - p >= 24; p += 32) seen |= load(p) | load(p + 8) | load(p + 16) | load(p + 24);
    for (; p < last; p += 8) seen |= load(p);
    seen |= load(last);
  }
  return (seen & 0x8080808080808080u) == 0;
}
inline bool is_utf8(std::string_view s) noexcept { return is_ascii(s) || dupq::unicode::is_utf8(s); }

/// Appends a code point (below 0x110000, no surrogate).
inline void append_utf8(std::string& out, char32_t c) {
  char bytes[4];
  out.append(bytes, dupq::unicode::encode(c, bytes));
}

/// Appends a text; broken bytes become U+FFFD, as the tokenizer reads them.
inline void append_valid_utf8(std::string& out, std::string_view text) {
  const char *p = text.data(), *const end = p + text.size();
  while (p != end) append_utf8(out, dupq::unicode::decode(p, end));
}

}  // namespace dupq_tool
