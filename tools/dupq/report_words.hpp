// What tells two texts apart: the words that only one of them has, or has elsewhere, are marked.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report_text.hpp"

namespace dupq_tool::report {

/// With small letters for ASCII's capitals.
inline std::string folded(std::string_view word) {
  std::string out(word);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// A text in pieces, words and what stands between them in turn; the first piece is what stands before the first word,
/// and may be empty. A word is a run of ASCII letters and digits, and of all that is not ASCII.
inline std::vector<std::string_view> words_of(std::string_view text) {
  const auto in_word = [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
  };
  std::vector<std::string_view> pieces;
  for (std::size_t begin = 0, end = 0; begin < text.size() || pieces.empty(); begin = end) {
    const bool word = pieces.size() % 2 == 1;
    while (end < text.size() && in_word(text[end]) == word) ++end;
    pieces.push_back(text.substr(begin, end - begin));
  }
  return pieces;
}

/// For each piece of two texts, whether it is a word to be marked: those that are left when as many words as possible
/// are kept that both texts have in the same order, whatever their capitals. None are marked where no word is kept,
/// because then all would be.
inline std::array<std::vector<bool>, 2> differing(const std::vector<std::string_view>& first,
                                                  const std::vector<std::string_view>& second) {
  const std::size_t rows = first.size() / 2, columns = second.size() / 2;
  const auto same = [&](std::size_t r, std::size_t c) { return folded(first[2 * r + 1]) == folded(second[2 * c + 1]); };
  // kept[r, c]: of the words from r and from c on.
  std::vector<std::size_t> kept((rows + 1) * (columns + 1));
  const auto at = [&](std::size_t r, std::size_t c) -> std::size_t& { return kept[r * (columns + 1) + c]; };
  for (std::size_t r = rows; r-- > 0;)
    for (std::size_t c = columns; c-- > 0;)
      at(r, c) = same(r, c) ? at(r + 1, c + 1) + 1 : std::max(at(r + 1, c), at(r, c + 1));
  std::array<std::vector<bool>, 2> out{std::vector<bool>(first.size()), std::vector<bool>(second.size())};
  if (at(0, 0) == 0) return out;
  for (std::size_t r = 0, c = 0; r < rows || c < columns;) {
    if (r < rows && c < columns && same(r, c))
      ++r, ++c;
    else if (c == columns || (r < rows && at(r + 1, c) >= at(r, c + 1)))
      out[0][2 * r++ + 1] = true;
    else
      out[1][2 * c++ + 1] = true;
  }
  return out;
}

/// Two texts as `text` shows them, with the words marked that tell them apart.
inline std::array<std::string, 2> marked_texts(std::string_view first, std::string_view second, std::size_t most) {
  const std::array<std::string_view, 2> whole{first, second};
  const std::array pieces{words_of(characters(first, most)), words_of(characters(second, most))};
  const auto marked = differing(pieces[0], pieces[1]);
  std::array<std::string, 2> out;
  for (std::size_t t = 0; t < 2; ++t) {
    bool open = false;  // a mark goes on to the next word, if that is marked as well
    for (std::size_t i = 0; i < pieces[t].size(); ++i) {
      const bool mark = marked[t][i] || (open && i % 2 == 0 && i + 1 < pieces[t].size() && marked[t][i + 1]);
      if (mark != open) out[t] += mark ? "<mark>" : "</mark>";
      open = mark;
      out[t] += text(pieces[t][i]);
    }
    if (open) out[t] += "</mark>";
    out[t] += rest_of(whole[t], most);
  }
  return out;
}

}  // namespace dupq_tool::report
