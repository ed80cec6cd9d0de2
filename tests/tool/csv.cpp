#include "csv.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace dupq_tool;
using rows = std::vector<std::vector<std::string>>;

namespace {

/// All rows; a row that cannot be read becomes {"bad", line and reason}. They do not depend on how the input comes.
rows read_pieces(std::string_view bytes, char separator, quote_rule quotes, std::size_t piece) {
  input_stream input("f.csv", bytes, text_encoding::utf8, piece);
  csv_reader reader(input, separator, quotes);
  rows out;
  csv_record record;
  for (;;) try {
      if (!reader.next(record)) return out;
      out.emplace_back(record.fields.begin(), record.fields.end());
    } catch (const bad_row& e) {
      out.push_back({"bad", e.what()});
    }
}

rows read_all(std::string_view bytes, char separator = ',', quote_rule quotes = quote_rule::csv) {
  const rows whole = read_pieces(bytes, separator, quotes, 1 << 20);
  if (bytes.size() < 1000)
    for (std::size_t piece : {1u, 2u, 3u, 7u}) CHECK(read_pieces(bytes, separator, quotes, piece) == whole);
  return whole;
}
rows read_tsv(std::string_view bytes) { return read_all(bytes, '\t', quote_rule::whole); }

}  // namespace

TEST_CASE("fields are separated by commas, rows by LF or CRLF") {
  CHECK(read_all("") == rows{});
  CHECK(read_all("a,b\n1,2\r\n3,4") == rows{{"a", "b"}, {"1", "2"}, {"3", "4"}});
  CHECK(read_all(",\n,,") == rows{{"", ""}, {"", "", ""}});
  CHECK(read_all("a\n\nb\n") == rows{{"a"}, {""}, {"b"}});
  CHECK(read_all("a\nb\rc,d\r") == rows{{"a"}, {"b\rc", "d\r"}});
  CHECK(read_all("a,b\tc\n", '\t') == rows{{"a,b", "c"}});
}

TEST_CASE("quoted fields hold separators, line breaks and doubled quotes") {
  CHECK(read_all("\"a,b\",\"c\nd\r\ne\",\"\"\"f\"\"\"\n") == rows{{"a,b", "c\nd\r\ne", "\"f\""}});
  CHECK(read_all("\"\",x\r\n\"\"") == rows{{"", "x"}, {""}});
  CHECK(read_all("5\" disk,a\n") == rows{{"5\" disk", "a"}});  // a quote inside an unquoted field is a character
  CHECK(read_all("\"a\tb\"\tc\n", '\t') == rows{{"a\tb", "c"}});
}

TEST_CASE("where the first row ends with CR alone, every CR ends a row") {
  CHECK(read_all("a,b\r1,2\r3,4") == rows{{"a", "b"}, {"1", "2"}, {"3", "4"}});
  CHECK(read_all("a,b\r1,2\r\n\n3,\"4\r5\"\r") == rows{{"a", "b"}, {"1", "2"}, {""}, {"3", "4\r5"}});
  CHECK(read_all("\"a\rb\",c\n1,2\r\n3\r,4\n") == rows{{"a\rb", "c"}, {"1", "2"}, {"3\r", "4"}});
  CHECK(read_all("a\r\"b\rc") == rows{{"a"}, {"bad", "f.csv: line 2: a quote is opened and never closed"}, {"c"}});
}

TEST_CASE("in a TSV a quote is a letter, unless the whole field is quoted on one line") {
  CHECK(read_tsv("\"a\"\tb\n") == rows{{"a", "b"}});
  CHECK(read_tsv("\"a\" b\t\"c\td\n") == rows{{"\"a\" b", "\"c", "d"}});
  CHECK(read_tsv("\"\t\"\"\t\"\"\"\t\"\"\"\"\n") == rows{{"\t\"\t\"", "\""}});
  CHECK(read_tsv("\"x\ty\"\t\"say \"\"hi\"\"\"\r\n") == rows{{"x\ty", "say \"hi\""}});
  CHECK(read_tsv("\"a \"b\" c\"\td\n") == rows{{"\"a \"b\" c\"", "d"}});
  CHECK(read_tsv("\"a\nb\"\n") == rows{{"\"a"}, {"b\""}});
}

TEST_CASE("where quotes in a TSV give another number of fields than the header, they may be letters") {
  CHECK(read_tsv("h\ti\n\"Who said\tto be\"\n") == rows{{"h", "i"}, {"\"Who said", "to be\""}});
  CHECK(read_tsv("h\ti\n\"x\ty\"\tz\n") == rows{{"h", "i"}, {"x\ty", "z"}});
  CHECK(read_tsv("h\ti\tj\n\"\t\"\t\"\"\"\"\n\"a\"\n") == rows{{"h", "i", "j"}, {"\"", "\"", "\"\"\"\""}, {"a"}});
}

TEST_CASE("quotes are letters where that is asked for") {
  CHECK(read_all("\"a\",b\n\"c,d\"\n\"e\n", ',', quote_rule::none) == rows{{"\"a\"", "b"}, {"\"c", "d\""}, {"\"e"}});
}

TEST_CASE("a byte-order mark is no part of the first field") {
  CHECK(read_all("\xEF\xBB\xBF\"a\",b\n") == rows{{"a", "b"}});
  CHECK(read_all("\xEF\xBB"
                 "a\n") == rows{{"\xEF\xBB"
                                 "a"}});
  CHECK(read_all("a\n\xEF\xBB\xBF"
                 "b\n") == rows{{"a"},
                                {"\xEF\xBB\xBF"
                                 "b"}});
}

TEST_CASE("a record keeps its bytes, its ending and its line") {
  input_stream input("f.csv", "\xEF\xBB\xBFh,i\r\n\"a\nb\",\"c\"\n1,2");
  csv_reader reader(input, ',', quote_rule::csv);
  csv_record r;
  REQUIRE(reader.next(r));
  CHECK(r.raw == "\xEF\xBB\xBFh,i");
  CHECK(std::string(r.ending) == "\r\n");
  CHECK(r.line == 1);
  REQUIRE(reader.next(r));
  CHECK(r.raw == "\"a\nb\",\"c\"");
  CHECK(std::string(r.ending) == "\n");
  CHECK(r.line == 2);
  REQUIRE(reader.next(r));
  CHECK(std::string(r.ending).empty());
  CHECK(r.line == 4);
  CHECK_FALSE(reader.next(r));
}

TEST_CASE("a bad row names its line and the next row is read") {
  CHECK(read_all("a,b\n\"x\" y,2\n3,4\n") ==
        rows{{"a", "b"}, {"bad", "f.csv: line 2: text after a closing quote"}, {"3", "4"}});
  CHECK(read_all("a\n\"b\nc\" d\ne\n") == rows{{"a"}, {"bad", "f.csv: line 2: text after a closing quote"}, {"e"}});
}

TEST_CASE("an unclosed quote costs one line") {
  const std::string why = ": a quote is opened and never closed";
  CHECK(read_all("a,b\n\"x,1\ny,2\nz,3\n") == rows{{"a", "b"}, {"bad", "f.csv: line 2" + why}, {"y", "2"}, {"z", "3"}});
  CHECK(read_all("\"x") == rows{{"bad", "f.csv: line 1" + why}});
  CHECK(read_all("\"a\n\"\"\nb\n\"\"\"\"\nc\n") == rows{{"bad", "f.csv: line 1" + why}, {""}, {"b"}, {"\""}, {"c"}});
}

TEST_CASE("a record of more than 16 MiB is refused, whatever follows it is read") {
  const std::string big(max_record + 10, 'x');
  CHECK(read_all(big + "\nb\n") == rows{{"bad", "f.csv: line 1: a record of more than 16 MiB"}, {"b"}});
  CHECK(read_all('"' + big + "\nb\n") == rows{{"bad", "f.csv: line 1: a quote is opened and never closed"}, {"b"}});
  // From here on quotes end with their line, or each of them would have 16 MiB read again.
  CHECK(read_all("\"a\n" + big + "\n\"b\nc\"\nd\n") ==
        rows{{"bad", "f.csv: line 1: a quote is opened and never closed"},
             {"bad", "f.csv: line 2: a record of more than 16 MiB"},
             {"bad", "f.csv: line 3: a quote is opened and never closed"},
             {"c\""},
             {"d"}});
}

TEST_CASE("fields are quoted where they have to be") {
  CHECK(csv_field("plain text", ',') == "plain text");
  CHECK(csv_field("a,b", ',') == "\"a,b\"");
  CHECK(csv_field("a,b", '\t') == "a,b");
  CHECK(csv_field("a\tb", '\t') == "\"a\tb\"");
  CHECK(csv_field("say \"a\"\n", ',') == "\"say \"\"a\"\"\n\"");
  CHECK(csv_field("a\r", ',') == "\"a\r\"");
}
