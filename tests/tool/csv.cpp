#include "csv.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace dupq_tool;
using rows = std::vector<std::vector<std::string>>;

namespace {

/// All rows; a row that cannot be read becomes {"bad", line and reason}.
rows read_all(std::string_view bytes, char separator = ',') {
  input_stream input("f.csv", bytes);
  csv_reader reader(input, separator);
  rows out;
  csv_record record;
  for (;;) try {
      if (!reader.next(record)) return out;
      out.push_back(record.fields);
    } catch (const bad_row& e) {
      out.push_back({"bad", e.what()});
    }
}

}  // namespace

TEST_CASE("fields are separated by commas, rows by LF or CRLF") {
  CHECK(read_all("") == rows{});
  CHECK(read_all("a,b\n1,2\r\n3,4") == rows{{"a", "b"}, {"1", "2"}, {"3", "4"}});
  CHECK(read_all(",\n,,") == rows{{"", ""}, {"", "", ""}});
  CHECK(read_all("a\n\nb\n") == rows{{"a"}, {""}, {"b"}});
  CHECK(read_all("a\rb,c\r") == rows{{"a\rb", "c\r"}});
  CHECK(read_all("a,b\tc\n", '\t') == rows{{"a,b", "c"}});
}

TEST_CASE("quoted fields hold separators, line breaks and doubled quotes") {
  CHECK(read_all("\"a,b\",\"c\nd\r\ne\",\"\"\"f\"\"\"\n") == rows{{"a,b", "c\nd\r\ne", "\"f\""}});
  CHECK(read_all("\"\",x\r\n\"\"") == rows{{"", "x"}, {""}});
  CHECK(read_all("5\" disk,a\n") == rows{{"5\" disk", "a"}});  // a quote inside an unquoted field is a character
  CHECK(read_all("\"a\tb\"\tc\n", '\t') == rows{{"a\tb", "c"}});
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
  csv_reader reader(input, ',');
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
