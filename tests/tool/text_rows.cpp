#include "text_rows.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace dupq_tool;
using strings = std::vector<std::string>;

namespace {

struct result {
  std::vector<strings> texts;
  std::vector<int> labels;
  std::vector<std::uint64_t> lines;
  std::uint64_t skipped = 0;
  std::string first_skipped;
};

result read_all(std::string_view bytes, text_format format, strings columns, bool skip_bad = false,
                bool chosen = false) {
  input_stream input("f", bytes);
  row_reader reader(input, format, std::move(columns), chosen, skip_bad);
  result out;
  for (text_row row; reader.next(row);) {
    out.texts.push_back(row.texts);
    out.labels.push_back(row.label);
    out.lines.push_back(row.line);
  }
  out.skipped = reader.skipped();
  out.first_skipped = reader.first_skipped();
  return out;
}

std::string message(std::string_view bytes, text_format format, strings columns, bool chosen = false) {
  try {
    read_all(bytes, format, std::move(columns), false, chosen);
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}

const strings one{"question"}, pair{"question1", "question2"}, labelled{"question1", "question2", "is_duplicate"};

}  // namespace

TEST_CASE("lines end with LF or CRLF, the last one with the file") {
  const result r = read_all("a\r\n\n b \nc\r", text_format::lines, one);
  CHECK(r.texts == std::vector<strings>{{"a"}, {""}, {" b "}, {"c\r"}});
  CHECK(r.lines == std::vector<std::uint64_t>{1, 2, 3, 4});
  CHECK(read_all("", text_format::lines, one).texts.empty());
}

TEST_CASE("TABs separate the texts of a line only where there are several") {
  CHECK(read_all("a\tb\n", text_format::lines, one).texts == std::vector<strings>{{"a\tb"}});
  CHECK(read_all("a\tb\n\t\n", text_format::lines, pair).texts == std::vector<strings>{{"a", "b"}, {"", ""}});
  const result r = read_all("a\tb\t1\nc\td\t0\n", text_format::lines, labelled);
  CHECK(r.texts == std::vector<strings>{{"a", "b"}, {"c", "d"}});
  CHECK(r.labels == std::vector<int>{1, 0});
  CHECK(message("a\tb\nc\n", text_format::lines, pair) == "f: line 2: 1 field separated by TABs where 2 are expected");
}

TEST_CASE("a NUL ends a text") {
  using namespace std::string_view_literals;
  CHECK(read_all("a\nb\0\0c\r\n\0"sv, text_format::nul, one).texts == std::vector<strings>{{"a\nb"}, {""}, {"c\r\n"}});
  CHECK(read_all("a\0b\0c\0d"sv, text_format::nul, pair).texts == std::vector<strings>{{"a", "b"}, {"c", "d"}});
  CHECK(message("a\0b\0c\0"sv, text_format::nul, pair) == "f: line 3: the second text of a pair is missing");
}

TEST_CASE("columns are found by name") {
  const std::string file = "id,is_duplicate,question2,question1\n7,1,b,a\n\n8,0,\"d\nd\",c\n";
  const result r = read_all(file, text_format::csv, labelled);
  CHECK(r.texts == std::vector<strings>{{"a", "b"}, {"c", "d\nd"}});
  CHECK(r.labels == std::vector<int>{1, 0});
  CHECK(r.lines == std::vector<std::uint64_t>{2, 4});
  CHECK(read_all(file, text_format::csv, {"id"}, false, true).texts == std::vector<strings>{{"7"}, {"8"}});
  CHECK(message("a,b\n", text_format::csv, pair) == "f: line 1: no column question1");
  CHECK(message("", text_format::csv, pair) == "f: empty, where a header is expected");
}

TEST_CASE("the only column serves as the text, unless the user named another") {
  CHECK(read_all("text\na\n\n", text_format::tsv, one).texts == std::vector<strings>{{"a"}, {""}});
  CHECK(message("text\na\n", text_format::tsv, one, true) == "f: line 1: no column question");
}

TEST_CASE("rows that cannot be read are errors, or skipped and counted") {
  const std::string file = "question1,question2,is_duplicate\na,b,2\nc,d,1\ne,f\n\"g\"x,h,1\ni,j,\nk,l,0\n\"m,n,0\n";
  CHECK(message(file, text_format::csv, labelled) == "f: line 2: is_duplicate is '2', not 0 or 1");
  const result r = read_all(file, text_format::csv, labelled, true);
  CHECK(r.texts == std::vector<strings>{{"c", "d"}, {"k", "l"}});
  CHECK(r.skipped == 5);
  CHECK(r.first_skipped == "f: line 2: is_duplicate is '2', not 0 or 1");
  CHECK(message("question1,question2\na,b,c\n", text_format::csv, pair) ==
        "f: line 2: 3 fields where the header has 2");
}

TEST_CASE("a text of more than 16 MiB is refused") {
  const std::string big(max_record + 1, 'x');
  CHECK(message("a\n" + big + "\nb\n", text_format::lines, one) == "f: line 2: a text of more than 16 MiB");
  CHECK(read_all("a\n" + big + "\nb\n", text_format::lines, one, true).texts == std::vector<strings>{{"a"}, {"b"}});
  CHECK(message(big, text_format::nul, one) == "f: line 1: a text of more than 16 MiB");
}
