// CSV: any bytes are read to their end; what was read can be written and is read back the same; the rows that are read
// stand in the input.
#include "csv.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

using namespace dupq_tool;

namespace {

void require(bool truth) {
  if (!truth) std::abort();
}

void check(std::string_view bytes, char separator) {
  input_stream input("fuzz", bytes);
  csv_reader reader(input, separator);
  std::vector<std::vector<std::string>> rows;
  std::string written, seen;
  std::uint64_t bad = 0, line = 0;
  const std::uint64_t line_breaks = static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  for (csv_record record;;) {
    try {
      if (!reader.next(record)) break;
    } catch (const bad_row&) {
      require(++bad <= line_breaks + 1);  // a bad row costs at least a line
      continue;
    }
    require(record.line > line && record.line <= line_breaks + 1);
    line = record.line;
    require(bytes.find(record.raw + record.ending) != std::string_view::npos);
    seen += record.raw + record.ending;
    rows.push_back(record.fields);
    for (std::size_t i = 0; i < record.fields.size(); ++i)
      written += (i == 0 ? "" : std::string(1, separator)) + csv_field(record.fields[i], separator);
    written += '\n';
  }
  if (bad == 0) require(seen == bytes);
  // A field may begin with a byte-order mark in any row but the first, where it would be taken for the file's.
  if (!rows.empty() && rows[0][0].starts_with("\xEF\xBB\xBF")) return;
  input_stream again("fuzz", written);
  csv_reader second(again, separator);
  csv_record record;
  for (const auto& row : rows) require(second.next(record) && record.fields == row);
  require(!second.next(record));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes, ',');
  check(bytes, '\t');
  return 0;
}
