// Tables: any bytes are read to their end; what was read can be written and is read back the same; the rows that are
// read stand in the input.
#include "csv.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "text_rows.hpp"

using namespace dupq_tool;

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

using row = std::vector<std::string>;

bool is_marked(std::string_view bytes) {
  return bytes.starts_with(utf16_mark(text_encoding::utf16)) || bytes.starts_with(utf16_mark(text_encoding::utf16_big));
}

void check(std::string_view bytes, char separator, quote_rule quotes, std::size_t piece) {
  if (is_marked(bytes)) return;  // UTF-16 does not stay as it stands
  input_stream input("fuzz", bytes, text_encoding::utf8, piece);
  csv_reader reader(input, separator, quotes);
  std::vector<row> rows;
  std::string written, seen;
  std::uint64_t bad = 0, line = 0;
  const auto line_breaks = static_cast<std::uint64_t>(
      std::count_if(bytes.begin(), bytes.end(), [](char c) { return c == '\n' || c == '\r'; }));
  for (csv_record record;;) {
    try {
      if (!reader.next(record)) break;
    } catch (const bad_row&) {
      require(++bad <= line_breaks + 1);  // a bad row costs at least a line
      continue;
    } catch (const failure&) {  // UTF-16
      return;
    }
    require(record.line > line && record.line <= line_breaks + 1);
    line = record.line;
    require(bytes.find(std::string(record.raw) + record.ending) != std::string_view::npos);
    seen += std::string(record.raw) + record.ending;
    rows.emplace_back(record.fields.begin(), record.fields.end());
    for (std::size_t i = 0; i < record.fields.size(); ++i)
      written += (i == 0 ? "" : std::string(1, separator)) + csv_field(record.fields[i], separator);
    written += '\n';
  }
  if (bad == 0) require(seen == bytes);
  // A field may begin with a byte-order mark in any row but the first, where it would be taken for the file's.
  if (rows.empty() || rows[0][0].starts_with(byte_order_mark) || is_marked(written)) return;
  input_stream again("fuzz", written);
  csv_reader second(again, separator, quote_rule::csv);
  csv_record record;
  for (const row& r : rows) {
    try {
      require(second.next(record) && row(record.fields.begin(), record.fields.end()) == r);
    } catch (const failure&) {
      return;  // looks like UTF-16
    }
  }
  require(!second.next(record));
}

/// Whatever the format, rows are read to the end of the input, and what they say is UTF-8.
void check_rows(std::string_view bytes, text_format format, text_encoding encoding) {
  try {
    input_stream input("fuzz", bytes, encoding, 5);
    row_reader reader(input, {.format = format, .columns = {"a"}, .skip_bad = true, .encoding = encoding});
    std::uint64_t line = 0;
    for (text_row r; reader.next(r);) {
      require(r.line > line && r.texts.size() == 1 && is_utf8(r.texts[0]) && is_utf8(r.record.raw));
      line = r.line;
    }
    require(reader.broken() == 0 || reader.first_broken() != 0);
  } catch (const failure&) {  // no header
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1} << 16}) {
    check(bytes, ',', quote_rule::csv, piece);
    check(bytes, '\t', quote_rule::csv, piece);
    check(bytes, '\t', quote_rule::whole, piece);
    check(bytes, ',', quote_rule::none, piece);
  }
  using enum text_format;
  for (const text_format format : {lines, nul, csv, tsv, jsonl})
    for (const auto encoding : {text_encoding::utf8, text_encoding::windows1252, text_encoding::utf16})
      check_rows(bytes, format, encoding);
  return 0;
}
