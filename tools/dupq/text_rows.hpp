// The texts, pairs and labelled pairs that the verbs read, whatever the file's format.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csv.hpp"
#include "format.hpp"

namespace dupq_tool {

/// Lines: one text a line, several separated by TABs. Nul: a NUL ends each text, the texts of a row follow each other.
/// The others have a header, whose names choose the columns.
enum class text_format { lines, nul, csv, tsv };

/// One row: a text, a pair (two texts), or a labelled pair (two texts and a label).
struct text_row {
  std::vector<std::string> texts;
  int label = -1;          ///< 0 or 1 where labels are read
  std::uint64_t line = 0;  ///< where the row begins; for `nul`, the number of its first text
  csv_record record;       ///< the row as it stands in the file
};

class row_reader {
 public:
  /// `columns`: the names of one text column, two, or two and the label's. They are looked up in a header; without one
  /// only their number matters. One column that was not `chosen` by the user may have any name where it stands alone.
  row_reader(input_stream& input, text_format format, std::vector<std::string> columns, bool chosen, bool skip_bad)
      : input_(input), format_(format), columns_(std::move(columns)), skip_bad_(skip_bad), csv_(input, separator()) {
    if (has_header()) read_header(chosen);
  }

  /// Reads the next row; false at the end. A row that cannot be read is thrown as bad_row, or skipped and counted.
  bool next(text_row& row) {
    for (;;) {
      try {
        return read(row);
      } catch (const bad_row& e) {
        if (!skip_bad_) throw;
        if (skipped_++ == 0) first_skipped_ = e.what();
      }
    }
  }

  bool has_header() const noexcept { return format_ == text_format::csv || format_ == text_format::tsv; }
  char separator() const noexcept { return format_ == text_format::csv || format_ == text_format::nul ? ',' : '\t'; }
  const csv_record& header() const noexcept { return header_; }
  std::uint64_t skipped() const noexcept { return skipped_; }
  const std::string& first_skipped() const noexcept { return first_skipped_; }  ///< why, and where

 private:
  void read_header(bool chosen) {
    if (!csv_.next(header_)) throw failure(input_.name() + ": empty, where a header is expected");
    auto& names = header_.fields;
    for (const std::string& wanted : columns_) {
      const auto found = std::find(names.begin(), names.end(), wanted);
      if (found != names.end())
        positions_.push_back(static_cast<std::size_t>(found - names.begin()));
      else if (columns_.size() == 1 && names.size() == 1 && !chosen)
        positions_.push_back(0);
      else
        throw failure(input_.name() + ": line 1: no column " + wanted);
    }
  }

  bool read(text_row& row) {
    switch (format_) {
      case text_format::lines: return read_line(row);
      case text_format::nul: return read_until_nul(row);
      case text_format::csv:
      case text_format::tsv: break;
    }
    do {
      if (!csv_.next(row.record)) return false;
    } while (header_.fields.size() > 1 && row.record.raw.empty());  // blank lines separate nothing
    row.line = row.record.line;
    if (row.record.fields.size() != header_.fields.size())
      throw bad_row(input_, row.line,
                    counted(row.record.fields.size(), "field") + " where the header has " +
                        std::to_string(header_.fields.size()));
    row.texts.clear();
    for (std::size_t p : positions_) row.texts.push_back(row.record.fields[p]);
    take_label(row);
    return true;
  }

  bool read_line(text_row& row) {
    row.line = ++line_;
    if (input_.peek() < 0) return false;
    std::string& text = row.record.raw;
    row.record.ending = until('\n', text) ? "\n" : "";
    if (!text.empty() && text.back() == '\r' && row.record.ending[0] != '\0') {
      text.pop_back();
      row.record.ending = "\r\n";
    }
    row.texts.clear();
    if (columns_.size() == 1) {
      row.texts.push_back(text);
      return true;
    }
    for (std::size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
      end = std::min(text.find('\t', begin), text.size());
      row.texts.push_back(text.substr(begin, end - begin));
    }
    if (row.texts.size() != columns_.size())
      throw bad_row(input_, row.line,
                    counted(row.texts.size(), "field") + " separated by TABs where " + std::to_string(columns_.size()) +
                        " are expected");
    take_label(row);
    return true;
  }

  bool read_until_nul(text_row& row) {
    row.line = line_ + 1;
    if (input_.peek() < 0) return false;
    row.texts.assign(columns_.size(), {});
    for (std::string& text : row.texts) {
      if (input_.peek() < 0) throw bad_row(input_, row.line, "the second text of a pair is missing");
      ++line_;
      until('\0', text);
    }
    return true;
  }

  /// Reads up to `end`, which is taken but not kept; false where the file ends without it.
  bool until(char end, std::string& text) {
    text.clear();
    bool too_long = false;
    for (int c; (c = input_.get()) >= 0;) {
      if (c == static_cast<unsigned char>(end)) {
        if (too_long) break;
        return true;
      }
      if (text.size() < max_record)
        text += static_cast<char>(c);
      else
        too_long = true;
    }
    if (too_long) throw bad_row(input_, line_, "a text of more than 16 MiB");
    return false;
  }

  /// The third text of a labelled pair is its label.
  void take_label(text_row& row) const {
    if (row.texts.size() < 3) return;
    const std::string& label = row.texts[2];
    if (label != "0" && label != "1")
      throw bad_row(input_, row.line, columns_[2] + " is " + printable(label) + ", not 0 or 1");
    row.label = label[0] - '0';
    row.texts.pop_back();
  }

  input_stream& input_;
  text_format format_;
  std::vector<std::string> columns_;
  bool skip_bad_;
  csv_reader csv_;
  csv_record header_;
  std::vector<std::size_t> positions_;
  std::uint64_t line_ = 0, skipped_ = 0;
  std::string first_skipped_;
};

}  // namespace dupq_tool
