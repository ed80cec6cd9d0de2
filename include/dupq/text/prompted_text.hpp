// A text with a prompt before it, which a tokenizer reads as the one text that they are together: words and special
// tokens may lie across the border.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "../core/platform.hpp"
#include "../core/prefix.hpp"

namespace dupq::inline DUPQ_ABI {

/// The prompt must be UTF-8 (a broken character at its end could join with the text's first bytes), and no longer than
/// most_prompt.
struct prompted_text {
  static constexpr std::size_t most_prompt = 4096;
  /// Bytes of a text that are copied behind the prompt, to be read as one text with it. A longer text is read in two
  /// parts. Most models read a few hundred tokens and never come to the second part.
  static constexpr std::size_t room = 12288;

  std::string_view prompt, text;

  /// Calls each(part), once or, with a text that is longer than `room`, twice. The tokens of both parts are those of
  /// the whole, since it is cut at a blank; but for what looks across blanks: an added token with a blank in it that
  /// lies across the cut, and a normaliser's step that prepends, which does so to the second part as well.
  template <class Each>
  void for_each_part(Each&& each) const noexcept {
    char joined[most_prompt + room];
    const std::size_t head = text.size() <= room ? text.size() : cut();
    std::memcpy(joined, prompt.data(), prompt.size());
    if (head != 0) std::memcpy(joined + prompt.size(), text.data(), head);
    each(std::string_view(joined, prompt.size() + head));
    if (head != text.size()) each(after(text, head));
  }

 private:
  /// Before a blank, where no word goes on; where there is none for thousands of bytes, before a character.
  std::size_t cut() const noexcept {
    for (std::size_t at = room; at > room / 2; --at)
      if (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') return at;
    std::size_t at = room;
    while (at > room - 4 && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80) --at;
    return at;
  }
};

}  // namespace dupq::inline DUPQ_ABI
