// Records of fields with a separator between them, and three ways to read quotes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "input_stream.hpp"
#include "lines.hpp"

namespace dupq_tool {

/// A row that cannot be read; the reader can go on behind it.
struct bad_row : failure {
  using failure::failure;
  bad_row(const input_stream& input, std::uint64_t line, const std::string& what)
      : failure(input.name() + ": line " + std::to_string(line) + ": " + what) {}
};

/// csv: as in RFC 4180, a field may be quoted and then hold separators, line breaks and doubled quotes.
/// none: a quote is a letter like any other.
/// whole: as csv for a field that is quoted from its first character to its last, on one line; any other quote is a
/// letter. Where a record read so has not as many fields as the first one, but has them if all quotes are letters, they
/// are letters.
enum class quote_rule { csv, none, whole };

/// Views live until the next record is read.
struct csv_record {
  std::vector<std::string_view> fields;
  std::string_view raw;     ///< the record as it stands in the file, without the line break that ends it
  const char* ending = "";  ///< that line break; "" at the end of the file
  std::uint64_t line = 0;   ///< the line that it begins on, from 1
};

class csv_reader {
 public:
  csv_reader(input_stream& input, char separator, quote_rule quotes)
      : lines(input), input_(input), separator_(separator), quotes_(quotes) {}

  /// Reads the next record; false at the end of the file. An empty line is a record of one empty field. Throws bad_row.
  bool next(csv_record& record) {
    const char* why = nullptr;
    if (!next(record, why)) return false;
    if (why != nullptr) throw bad_row(input_, record.line, why);
    return true;
  }
  /// The same without an exception, which takes longer than reading a record: `why` says what is wrong with a bad one.
  bool next(csv_record& record, const char*& why) {
    if (!look(record)) return false;
    why = why_bad_;
    if (first_ && why == nullptr) settle(record);
    accept();
    return true;
  }

  /// Reads the next record too, but it stays in the input until `accept`, also a bad one. Throws bad_row.
  bool peek(csv_record& record) {
    if (!look(record)) return false;
    if (why_bad_ != nullptr) throw bad_row(input_, line_, why_bad_);
    return true;
  }
  void accept() {
    if (skips_line_)
      lines.skip(taken_);
    else
      input_.take(taken_);
    line_ += taken_lines_;
    skips_line_ = false;
  }
  /// To be called with the first record after `peek`, before `accept`: it is whole, and the others should have as many
  /// fields and the same line ends.
  void settle(const csv_record& record) {
    lines.settle(record.ending);
    expected_ = record.fields.size();
    first_ = quotes_end_with_their_line_ = false;
  }
  void separate_by(char separator) noexcept { separator_ = separator; }

  line_finder lines;

 private:
  static constexpr const char* never_closed = "a quote is opened and never closed";

  /// Reads the record ahead, or sets why_bad_; false at the end of the file.
  bool look(csv_record& record) {
    record.line = line_;
    why_bad_ = nullptr;
    if (!lines.any()) return false;
    const std::size_t mark = first_ ? lines.begin() : 0;
    spans_.clear();
    const line_end line = quotes_ == quote_rule::csv ? multi_line(mark) : one_line(mark);
    if (why_bad_ != nullptr) return true;
    taken_ = line.next;
    if (line.at > max_record) why_bad_ = "a record of more than 16 MiB";
    record.ending = line.ending;
    record.raw = input_.ahead().substr(0, line.at);
    if (why_bad_ == nullptr) make_fields(record);
    return true;
  }

  struct span {
    std::size_t begin, end;
    bool doubled;  ///< quotes in it stand for half as many
  };

  line_end first_line(std::size_t from) {
    begins_ = lines.find(from);
    take_first_line();
    return begins_;
  }

  void take_first_line() noexcept { taken_ = begins_.next, taken_lines_ = 1, skips_line_ = begins_.too_long; }

  line_end one_line(std::size_t mark) {
    const line_end line = first_line(mark);
    const std::string_view text = input_.ahead().substr(0, line.at);
    split(text, mark, quotes_ == quote_rule::whole);
    if (quotes_ == quote_rule::whole && expected_ != 0 && spans_.size() != expected_) {
      const std::vector<span> quoted = std::exchange(spans_, {});
      split(text, mark, false);
      if (spans_.size() != expected_) spans_ = quoted;
    }
    return line;
  }

  void split(std::string_view text, std::size_t at, bool quotes) {
    for (;; ++at) {
      if (!(quotes && whole_field(text, at))) {
        const std::size_t end = std::min(text.find(separator_, at), text.size());
        spans_.push_back({at, end, false});
        at = end;
      }
      if (at == text.size()) return;
    }
  }

  /// Reads a field in quotes that end where the field does, if it is one.
  bool whole_field(std::string_view text, std::size_t& at) {
    if (at == text.size() || text[at] != '"') return false;
    bool doubled = false;
    for (std::size_t from = at + 1;;) {
      const std::size_t quote = text.find('"', from);
      if (quote == text.npos) return false;
      if (quote + 1 == text.size() || text[quote + 1] == separator_) {
        spans_.push_back({at + 1, quote, doubled});
        at = quote + 1;
        return true;
      }
      if (text[quote + 1] != '"') return false;
      doubled = true;
      from = quote + 2;
    }
  }

  line_end multi_line(std::size_t at) {
    line_end line = first_line(at);
    for (;; ++at) {
      const char* text = input_.ahead().data();
      if (at < line.at && text[at] == '"') {
        const std::size_t begin = ++at;
        const bool doubled = find_closing(at, line);
        if (why_bad_ != nullptr) return line;
        text = input_.ahead().data();
        spans_.push_back({begin, at - 1, doubled});
        if (at < line.at && text[at] != separator_) {
          taken_ = line.next;
          skips_line_ = line.too_long;
          why_bad_ = "text after a closing quote";
          return line;
        }
      } else {
        const void* const found = std::memchr(text + at, separator_, line.at - at);
        const std::size_t end = found ? static_cast<std::size_t>(static_cast<const char*>(found) - text) : line.at;
        spans_.push_back({at, end, false});
        at = end;
      }
      if (at == line.at) return line;
    }
  }

  /// Moves `at` from behind an opening quote to behind the closing one, and `line` to the line where that is; true
  /// where doubled quotes stand between them.
  bool find_closing(std::size_t& at, line_end& line) {
    bool doubled = false;
    for (;;) {
      const char* const text = input_.ahead().data();
      const void* const found = at < line.at ? std::memchr(text + at, '"', line.at - at) : nullptr;
      if (found != nullptr) {
        at = static_cast<std::size_t>(static_cast<const char*>(found) - text) + 1;
        if (at == line.at || text[at] != '"') return doubled;
        doubled = true;
        ++at;
        continue;
      }
      if (line.ending[0] == '\0' || line.next > max_record || quotes_end_with_their_line_) break;
      at = line.next;
      line = lines.find(at);
      ++taken_lines_;
    }
    // An unclosed quote swallows the rest of the file. Whoever skips bad rows wants to lose one line only: the others
    // are read again, and from here on quotes end with their line, so that this happens once at most.
    take_first_line();
    quotes_end_with_their_line_ = true;
    why_bad_ = never_closed;
    return doubled;
  }

  void make_fields(csv_record& record) {
    record.fields.clear();
    single_.clear();
    single_.reserve(record.raw.size());  // it does not move while views are made of it
    for (const span& s : spans_) {
      const std::string_view field = record.raw.substr(s.begin, s.end - s.begin);
      if (!s.doubled) {
        record.fields.push_back(field);
        continue;
      }
      const std::size_t begin = single_.size();
      for (std::size_t i = 0; i < field.size(); ++i) {
        single_ += field[i];
        if (field[i] == '"') ++i;
      }
      record.fields.push_back(std::string_view(single_).substr(begin));
    }
  }

  input_stream& input_;
  char separator_;
  quote_rule quotes_;
  bool first_ = true, quotes_end_with_their_line_ = false;
  std::uint64_t line_ = 1;
  std::size_t expected_ = 0;
  const char* why_bad_ = nullptr;  ///< what is wrong with the record ahead
  line_end begins_;                ///< its first line
  std::vector<span> spans_;
  std::string single_;  ///< fields whose quotes were doubled
  // What `accept` takes off the input.
  std::size_t taken_ = 0;
  std::uint64_t taken_lines_ = 0;
  bool skips_line_ = false;  ///< besides, everything up to the end of the line
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
