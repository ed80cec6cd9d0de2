// Comma- and tab-separated records as RFC 4180 has them: fields may be quoted, quoted fields may hold separators, line
// breaks and doubled quotes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "input_stream.hpp"

namespace dupq_tool {

/// A row that cannot be read; the reader has moved past it and can go on.
struct bad_row : failure {
  bad_row(const input_stream& input, std::uint64_t line, const std::string& what)
      : failure(input.name() + ": line " + std::to_string(line) + ": " + what) {}
};

struct csv_record {
  std::vector<std::string> fields;
  std::string raw;          ///< the record as it stands in the file, without the line break that ends it
  const char* ending = "";  ///< that line break: "\n", "\r\n", or "" at the end of the file
  std::uint64_t line = 0;   ///< the line that it begins on, from 1
};

class csv_reader {
 public:
  csv_reader(input_stream& input, char separator) : input_(input), separator_(separator) {}

  /// Reads the next record; false at the end of the file. An empty line is a record of one empty field. Throws bad_row.
  bool next(csv_record& record) {
    record.fields.clear();
    record.raw.clear();
    record.ending = "";
    record.line = line_;
    if (input_.peek() < 0) return false;
    if (line_ == 1) take_byte_order_mark(record);
    do record.fields.push_back(field(record));
    while (more_fields_);
    return true;
  }

 private:
  static constexpr const char* never_closed = "a quote is opened and never closed";

  /// Reads a field and what ends it: a separator (more_fields_), a line break or the end of the file.
  std::string field(csv_record& record) {
    std::string text;
    const bool was_quoted = input_.peek() == '"';
    if (was_quoted) quoted(record, text);
    for (int c; (c = input_.get()) >= 0;) {
      if (end_of_line(c, record)) break;
      if (record.raw.size() == max_record) skip_line(record, "a record of more than 16 MiB");
      record.raw += static_cast<char>(c);
      if (c == separator_) {
        more_fields_ = true;
        return text;
      }
      if (was_quoted) skip_line(record, "text after a closing quote");
      text += static_cast<char>(c);
    }
    more_fields_ = false;
    return text;
  }

  /// Reads from an opening quote to the closing one.
  void quoted(csv_record& record, std::string& text) {
    for (record.raw += static_cast<char>(input_.get());;) {
      const int c = input_.get();
      if (c < 0) start_again_after_first_line(record);
      record.raw += static_cast<char>(c);
      if (c == '\n') {
        ++line_;
        if (quotes_end_with_their_line_) throw bad_row(input_, record.line, never_closed);
      }
      if (record.raw.size() >= max_record) start_again_after_first_line(record);
      if (c == '"') {
        if (input_.peek() != '"') return;
        record.raw += static_cast<char>(input_.get());
      }
      text += static_cast<char>(c);
    }
  }

  /// An unclosed quote swallows the rest of the file. Whoever skips bad rows wants to lose one line only: the others
  /// are read again, and from here on quotes end with their line, so that this happens once at most.
  [[noreturn]] void start_again_after_first_line(const csv_record& record) {
    const std::size_t first = record.raw.find('\n');
    if (first == std::string::npos) skip_line(record, never_closed);
    input_.unread(std::string_view(record.raw).substr(first + 1));
    line_ = record.line + 1;
    quotes_end_with_their_line_ = true;
    throw bad_row(input_, record.line, never_closed);
  }

  /// Gives the record up, and moves to the line after the one that is being read.
  [[noreturn]] void skip_line(const csv_record& record, const char* what) {
    for (int c; (c = input_.get()) >= 0 && c != '\n';) continue;
    ++line_;
    throw bad_row(input_, record.line, what);
  }

  bool end_of_line(int c, csv_record& record) {
    if (c == '\r' && input_.peek() == '\n') {
      input_.get();
      record.ending = "\r\n";
    } else if (c == '\n') {
      record.ending = "\n";
    } else {
      return false;
    }
    ++line_;
    return true;
  }

  void take_byte_order_mark(csv_record& record) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    std::string seen;
    while (seen.size() < mark.size() && input_.peek() == static_cast<unsigned char>(mark[seen.size()]))
      seen += static_cast<char>(input_.get());
    if (seen == mark)
      record.raw = seen;
    else if (!seen.empty())
      input_.unread(seen);
  }

  input_stream& input_;
  char separator_;
  bool more_fields_ = false, quotes_end_with_their_line_ = false;
  std::uint64_t line_ = 1;
};

/// A field as a record holds it: quoted where it has to be.
inline std::string csv_field(std::string_view text, char separator) {
  if (text.find_first_of("\"\r\n") == std::string_view::npos && text.find(separator) == std::string_view::npos)
    return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace dupq_tool
