// The rows of a file, with each distinct text once: a third of real logs are repeats, and what is equal need not be
// encoded or compared again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "failure.hpp"
#include "row_source.hpp"
#include "text_store.hpp"

namespace dupq_tool {

/// A row as it stands in its file.
struct raw_row {
  std::string_view bytes;
  const char* ending = "";  ///< the line break behind it
};

struct folded_texts {
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  text_store bytes;
  // Of each row:
  std::vector<std::uint64_t> lines;    ///< where it begins in the file
  std::vector<std::uint32_t> text_of;  ///< its text
  std::vector<std::uint32_t> next;     ///< the next row with that text, or none
  std::vector<raw_row> raw;            ///< where it was asked for
  // Of each distinct text, in the order in which they come:
  std::vector<std::string_view> texts;
  std::vector<std::uint32_t> first;   ///< its first row
  std::vector<std::uint32_t> copies;  ///< its rows
  std::unordered_map<std::string_view, std::uint32_t> numbers;

  std::size_t rows() const noexcept { return lines.size(); }
  std::string_view text(std::size_t row) const noexcept { return texts[text_of[row]]; }
  bool repeats(std::size_t row) const noexcept { return first[text_of[row]] != row; }

  /// Calls f(row) for the rows of a text, in order.
  template <class F>
  void for_each_row(std::size_t text, F&& f) const {
    for (std::uint32_t row = first[text]; row != none; row = next[row]) f(row);
  }
};

/// Reads all rows of a file; with `keeps_raw` also as they stand in it.
inline folded_texts read_folded(row_source& rows, bool keeps_raw = false) {
  folded_texts all;
  std::vector<std::uint32_t> last;  // row of each text
  for (text_row row; rows.next(row);) {
    if (all.rows() == folded_texts::none) throw failure(rows.input().name() + ": more than 4,294,967,295 rows");
    const auto number = static_cast<std::uint32_t>(all.rows());
    std::string_view text = row.texts[0];
    bool is_kept = false;
    if (keeps_raw) {
      const bool nul = rows.reader().format() == text_format::nul;
      const std::string_view raw = nul ? text : row.record.raw, kept = all.bytes.keep(raw);
      all.raw.push_back({kept, nul ? "" : row.record.ending});
      // Most texts stand in their row as they are.
      const std::less_equal<const char*> in_order;
      is_kept = in_order(raw.data(), text.data()) && in_order(text.data() + text.size(), raw.data() + raw.size());
      if (is_kept) text = kept.substr(static_cast<std::size_t>(text.data() - raw.data()), text.size());
    }
    auto known = all.numbers.find(text);
    if (known == all.numbers.end()) {
      if (!is_kept) text = all.bytes.keep(text);
      known = all.numbers.emplace(text, static_cast<std::uint32_t>(all.texts.size())).first;
      all.texts.push_back(text);
      all.first.push_back(number);
      all.copies.push_back(0);
      last.push_back(number);
    } else {
      all.next[last[known->second]] = number;
      last[known->second] = number;
    }
    ++all.copies[known->second];
    all.lines.push_back(row.line);
    all.text_of.push_back(known->second);
    all.next.push_back(folded_texts::none);
  }
  return all;
}

}  // namespace dupq_tool
