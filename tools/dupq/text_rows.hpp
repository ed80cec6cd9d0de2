// The texts, pairs and labelled pairs that the verbs read, whatever the file's format.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "csv.hpp"
#include "format.hpp"
#include "json.hpp"
#include "label.hpp"
#include "lines.hpp"
#include "text_store.hpp"
#include "utf8.hpp"

namespace dupq_tool {

/// lines: one text a line, several separated by TABs. nul: a NUL ends each text, the texts of a row follow each other.
/// csv, tsv: a header, whose names choose the columns. jsonl: an object a line, whose keys do.
enum class text_format { lines, nul, csv, tsv, jsonl };

/// What is to be read of a file, and how.
struct row_choice {
  text_format format = text_format::lines;
  /// The names of one text column, of two, or of two and the label's. They are looked up in the header, or in a line's
  /// object; in a format that has neither only how many there are counts.
  std::vector<std::string> columns = {};
  std::string id_column = {};  ///< of a text's id; empty: there is none
  bool chosen = false;         ///< by the user; otherwise a single column may have any name where it stands alone
  bool negatives = false;      ///< the third column is a text as well, and no label
  /// If the file has no column of labels but one of this name, that one is read as a third text (see `negatives`).
  std::string else_negatives = {};
  bool skip_bad = false;
  std::optional<char> separator = std::nullopt;
  std::optional<quote_rule> quotes = std::nullopt;
  text_encoding encoding = text_encoding::utf8;
};

/// One row: a text, a pair (two texts), a labelled pair (two texts and a label), or three texts. Views live until the
/// next one.
struct text_row {
  std::vector<std::string_view> texts;
  std::string_view id;     ///< where ids are read
  int label = -1;          ///< 0 or 1 where labels are read
  std::uint64_t line = 0;  ///< where the row begins; for `nul`, the number of its first text
  csv_record record;       ///< the row as it stands in the file
  json::value object;      ///< for `jsonl`
};

class row_reader {
 public:
  row_reader(input_stream& input, row_choice choice)
      : input_(input), choice_(std::move(choice)), csv_(input, separator(), quotes()) {
    if (has_header()) read_header();
  }

  /// Reads the next row; false at the end. A row that cannot be read is thrown as bad_row, or skipped and counted.
  bool next(text_row& row) {
    for (;;) {
      const outcome found = read(row);
      if (found != outcome::bad) return found == outcome::row;
    }
  }

  text_format format() const noexcept { return choice_.format; }
  bool has_header() const noexcept { return format() == text_format::csv || format() == text_format::tsv; }
  char separator() const noexcept {
    return choice_.separator.value_or(format() == text_format::csv || format() == text_format::nul ? ',' : '\t');
  }
  bool has_ids() const noexcept { return !choice_.id_column.empty(); }
  const std::string& header() const noexcept { return header_; }
  const char* line_ending() const noexcept { return ending_; }  ///< the header's, or "\n"

  std::uint64_t skipped() const noexcept { return skipped_; }
  const std::string& first_skipped() const noexcept { return first_skipped_; }  ///< why, and where
  std::uint64_t blank() const noexcept { return blank_; }                       ///< empty lines between rows
  std::uint64_t broken() const noexcept { return broken_; }  ///< lines that were not in the file's encoding
  std::uint64_t first_broken() const noexcept { return first_broken_; }

 private:
  enum class outcome { end, bad, row };

  /// A row that begins on that line cannot be read: says why, once if such rows are skipped. There may be millions of
  /// them, so the reason is only put into words where it is told, and nothing is thrown.
  template <class Why>
  outcome refuse(std::uint64_t line, Why&& why) {
    if (!choice_.skip_bad) throw bad_row(input_, line, why());
    if (skipped_++ == 0) first_skipped_ = bad_row(input_, line, why()).what();
    return outcome::bad;
  }

  quote_rule quotes() const noexcept {
    return choice_.quotes.value_or(format() == text_format::tsv ? quote_rule::whole : quote_rule::csv);
  }

  /// The columns of a header, for a message: as many as a line has room for.
  static std::string names_of(const csv_record& header) {
    std::string names;
    for (const std::string_view field : header.fields) {
      if (names.size() > 60) return names + ", ...";
      names += (names.empty() ? "" : ", ") + printable(field);
    }
    return names;
  }

  /// The option that names a column.
  const char* hint(const std::string& missing) const noexcept {
    return &missing == &choice_.id_column ? " (--id names another)"
           : choice_.columns.size() == 1  ? " (--column names another)"
                                          : " (--columns names others)";
  }

  void read_header() {
    std::vector<char> separators{separator()};
    if (format() == text_format::csv && !choice_.separator) separators.push_back(';');
    std::optional<bad_row> why;
    std::size_t most = 0;
    csv_record header;
    for (const char s : separators) {
      csv_.separate_by(s);
      try {
        if (!csv_.peek(header)) throw failure(input_.name() + ": empty, where a header is expected");
      } catch (const bad_row& e) {
        if (!why) why = e;
        continue;
      }
      clean(header);
      most = std::max(most, header.fields.size());
      const std::string* const missing = find_columns(header);
      if (missing == nullptr) return take_header(header, s);
      if (!why) why = bad_row(input_, 1, "no column " + *missing + ", only " + names_of(header) + hint(*missing));
    }
    if (choice_.chosen || choice_.columns.size() != 1 || most != 1 || has_ids()) throw failure(*why);
    csv_.separate_by(separators[0]);
    csv_.peek(header);
    clean(header);
    positions_ = {0};
    take_header(header, separators[0]);
  }

  /// The first column that is not there, or null; the others' positions are noted.
  const std::string* find_columns(const csv_record& header) {
    const auto has = [&](const std::string& name) {
      return std::find(header.fields.begin(), header.fields.end(), name) != header.fields.end();
    };
    if (!choice_.else_negatives.empty() && !has(choice_.columns[2]) && has(choice_.else_negatives)) take_negatives();
    positions_.clear();
    for (const std::string& wanted : choice_.columns) {
      const auto found = std::find(header.fields.begin(), header.fields.end(), wanted);
      if (found == header.fields.end()) return &wanted;
      positions_.push_back(static_cast<std::size_t>(found - header.fields.begin()));
    }
    if (!has_ids()) return nullptr;
    const auto id = std::find(header.fields.begin(), header.fields.end(), choice_.id_column);
    if (id == header.fields.end()) return &choice_.id_column;
    id_position_ = static_cast<std::size_t>(id - header.fields.begin());
    return nullptr;
  }

  void take_negatives() {
    choice_.columns[2] = choice_.else_negatives;
    choice_.negatives = true;
  }

  void take_header(const csv_record& header, char separator) {
    choice_.separator = separator;
    csv_.separate_by(separator);
    csv_.settle(header);
    csv_.accept();
    header_ = header.raw;
    if (header.ending[0] != '\0') ending_ = header.ending;
    fields_ = header.fields.size();
  }

  outcome read(text_row& row) {
    kept_.clear();
    row.texts.clear();
    switch (format()) {
      case text_format::lines: return read_line(row);
      case text_format::nul: return read_until_nul(row);
      case text_format::jsonl: return read_object(row);
      case text_format::csv:
      case text_format::tsv: break;
    }
    for (;; ++blank_) {
      const char* why = nullptr;
      if (!csv_.next(row.record, why)) return outcome::end;
      if (why != nullptr) return refuse(row.record.line, [&] { return std::string(why); });
      if (fields_ == 1 || !row.record.raw.empty()) break;
    }
    clean(row.record);
    row.line = row.record.line;
    if (row.record.fields.size() != fields_)
      return refuse(row.line, [&] {
        return counted(row.record.fields.size(), "field") + " where the header has " + std::to_string(fields_);
      });
    for (std::size_t p : positions_) row.texts.push_back(row.record.fields[p]);
    if (has_ids()) row.id = row.record.fields[id_position_];
    return take_label(row);
  }

  /// Reads a line, the byte-order mark of the first one included. `mark`: bytes of that.
  outcome next_line(csv_record& record, std::size_t& mark) {
    line_finder& lines = csv_.lines;
    if (!lines.any()) return outcome::end;
    mark = line_ == 0 ? lines.begin() : 0;
    if (line_ == 0) lines.settle_if_lf();
    const line_end line = lines.find(0);
    if (line_++ == 0) lines.settle(line.ending);
    record.line = line_;
    record.raw = input_.ahead().substr(0, line.at);
    record.ending = line.ending;
    input_.take(line.next);
    if (line.too_long) lines.skip(0);
    if (line.at > max_record) return refuse_too_long();
    clean(record);
    return outcome::row;
  }

  outcome read_line(text_row& row) {
    std::size_t mark;
    if (const outcome line = next_line(row.record, mark); line != outcome::row) return line;
    row.line = line_;
    const std::string_view text = row.record.raw.substr(mark);
    if (choice_.columns.size() == 1) {
      row.texts.assign(1, text);
      return outcome::row;
    }
    for (std::size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
      end = std::min(text.find('\t', begin), text.size());
      row.texts.push_back(text.substr(begin, end - begin));
    }
    if (row.texts.size() != choice_.columns.size())
      return refuse(row.line, [&] {
        return counted(row.texts.size(), "field") + " separated by TABs where " +
               std::to_string(choice_.columns.size()) + " are expected";
      });
    return take_label(row);
  }

  outcome read_object(text_row& row) {
    for (std::size_t mark;; ++blank_) {
      if (const outcome line = next_line(row.record, mark); line != outcome::row) return line;
      row.record.raw.remove_prefix(mark);
      if (row.record.raw.find_first_not_of(" \t\r") != std::string_view::npos) break;
    }
    row.line = line_;
    // Most lines that are no objects are seen at their ends, and only the first one's reason is told: the parser, which
    // finds the reason and throws it, takes fifty times as long.
    constexpr std::string_view blanks = " \t\r";
    const std::string_view line = row.record.raw;
    if (skipped_ != 0 && (line[line.find_first_not_of(blanks)] != '{' || line[line.find_last_not_of(blanks)] != '}'))
      return ++skipped_, outcome::bad;
    try {
      row.object = json::parse(row.record.raw, input_.name(), line_);
    } catch (const failure& e) {
      if (!choice_.skip_bad) throw bad_row(e.what());  // it says where
      if (skipped_++ == 0) first_skipped_ = e.what();
      return outcome::bad;
    }
    const auto* const members = row.object.as<json::object>();
    if (members == nullptr) return refuse(line_, [&] { return printable(row.record.raw) + " is no JSON object"; });
    if (!choice_.else_negatives.empty() && !row.object.find(choice_.columns[2]) &&
        row.object.find(choice_.else_negatives))
      take_negatives();
    for (const std::string& key : choice_.columns) {
      const json::value* v = row.object.find(key);
      if (v == nullptr && choice_.columns.size() == 1 && members->size() == 1 && !choice_.chosen)
        v = &members->front().second;
      if (v == nullptr) return refuse(line_, [&] { return "no key " + key; });
      if (row.texts.size() == 2 && !choice_.negatives) {
        if (const outcome label = set_label(row, json_label(*v), [&] { return json::print(*v); });
            label == outcome::bad)
          return label;
      } else if (const auto* text = v->as<std::string>()) {
        row.texts.push_back(*text);
      } else {
        return refuse(line_, [&] { return key + " is " + printable(json::print(*v)) + ", not a string"; });
      }
    }
    return has_ids() ? read_object_id(row) : outcome::row;
  }

  /// An id is a string, or a whole number.
  outcome read_object_id(text_row& row) {
    const json::value* const v = row.object.find(choice_.id_column);
    if (v == nullptr) return refuse(line_, [&] { return "no key " + choice_.id_column; });
    const auto* const text = v->as<std::string>();
    if (text == nullptr && v->as<std::int64_t>() == nullptr)
      return refuse(line_, [&] {
        return choice_.id_column + " is " + printable(json::print(*v)) + ", not a string or a whole number";
      });
    row.id = text != nullptr ? std::string_view(*text) : kept_.keep(json::print(*v));
    return outcome::row;
  }

  outcome read_until_nul(text_row& row) {
    if (!csv_.lines.any()) return outcome::end;
    if (line_ == 0 && input_.ahead().starts_with(byte_order_mark)) input_.take(byte_order_mark.size());
    row.line = line_ + 1;
    for (std::size_t i = 0; i < choice_.columns.size(); ++i) {
      if (i != 0 && !csv_.lines.any())
        return refuse(row.line, [] { return std::string("the second text of a pair is missing"); });
      ++line_;
      csv_record text;
      text.line = line_;
      const auto whole = until_nul();
      if (!whole) return refuse_too_long();
      text.raw = *whole;
      clean(text);
      row.texts.push_back(i + 1 == choice_.columns.size() ? text.raw : kept_.keep(text.raw));  // the input moves on
    }
    return outcome::row;
  }

  /// Takes a text and the NUL that ends it; the end of the file does, too. Nothing: it is too long.
  std::optional<std::string_view> until_nul() {
    bool too_long = false;
    for (std::size_t at = 0;;) {
      const std::string_view text = input_.ahead().substr(0, input_.ahead().find('\0', at));
      const bool ended = text.size() != input_.ahead().size();
      too_long = too_long || text.size() > max_record;
      if (ended || too_long) input_.take(text.size() + (ended ? 1 : 0));
      at = too_long ? 0 : text.size();
      if (!ended && input_.more()) continue;
      if (too_long) return {};
      if (ended) return text;
      const std::string_view rest = input_.ahead();
      input_.take(rest.size());
      return rest;
    }
  }

  outcome refuse_too_long() {
    return refuse(line_, [] { return std::string("a text of more than 16 MiB"); });
  }

  /// The third text of a labelled pair is its label.
  outcome take_label(text_row& row) {
    if (row.texts.size() < 3 || choice_.negatives) return outcome::row;
    const std::string_view text = row.texts[2];
    row.texts.pop_back();
    return set_label(row, text_label(text), [&] { return std::string(text); });
  }
  template <class Text>
  outcome set_label(text_row& row, std::optional<int> label, Text&& text) {
    if (!label)
      return refuse(row.line, [&] {
        return choice_.columns[2] + " is " + printable(text()) + ", not 0 or 1, true or false, yes or no";
      });
    row.label = *label;
    return outcome::row;
  }

  /// Puts U+FFFD where a record is not UTF-8, and counts the lines that are not.
  void clean(csv_record& record) {
    if (is_utf8(record.raw)) return;
    const char* const ends = format() == text_format::nul ? "" : csv_.lines.cr_ends() ? "\r\n" : "\n";
    std::uint64_t line = record.line;
    for (std::size_t begin = 0, end; begin <= record.raw.size(); begin = end + 1, ++line) {
      end = std::min(record.raw.find_first_of(ends, begin), record.raw.size());
      if (!is_utf8(record.raw.substr(begin, end - begin)) && broken_++ == 0) first_broken_ = line;
      if (record.raw.substr(end, 2) == "\r\n") ++end;
    }
    const auto mend = [&](std::string_view& text) {
      std::string valid;
      append_valid_utf8(valid, text);
      text = kept_.keep(valid);
    };
    mend(record.raw);
    for (std::string_view& field : record.fields) mend(field);
  }

  input_stream& input_;
  row_choice choice_;
  csv_reader csv_;
  std::string header_;
  const char* ending_ = "\n";
  std::size_t fields_ = 0;              ///< of the header
  std::vector<std::size_t> positions_;  ///< of the columns
  std::size_t id_position_ = 0;
  text_store kept_;  ///< texts of the row that are not as the input has them
  std::uint64_t line_ = 0, skipped_ = 0, blank_ = 0, broken_ = 0, first_broken_ = 0;
  std::string first_skipped_;
};

}  // namespace dupq_tool
