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
  std::uint64_t skipped = 0, blank = 0, broken = 0, first_broken = 0;
  std::string first_skipped;
  bool operator==(const result&) const = default;
};

result read_pieces(std::string_view bytes, const row_choice& choice, std::size_t piece) {
  input_stream input("f", bytes, choice.encoding, piece);
  row_reader reader(input, choice);
  result out;
  for (text_row row; reader.next(row);) {
    out.texts.emplace_back(row.texts.begin(), row.texts.end());
    out.labels.push_back(row.label);
    out.lines.push_back(row.line);
  }
  out.skipped = reader.skipped();
  out.first_skipped = reader.first_skipped();
  out.blank = reader.blank();
  out.broken = reader.broken(), out.first_broken = reader.first_broken();
  return out;
}

/// What is read does not depend on how the input comes.
result read_all(std::string_view bytes, const row_choice& choice) {
  const result whole = read_pieces(bytes, choice, 1 << 20);
  if (bytes.size() < 1000)
    for (std::size_t piece : {1u, 2u, 3u, 7u}) CHECK(read_pieces(bytes, choice, piece) == whole);
  return whole;
}
result read_all(std::string_view bytes, text_format format, strings columns, bool skip_bad = false,
                bool chosen = false) {
  return read_all(bytes, {.format = format, .columns = std::move(columns), .chosen = chosen, .skip_bad = skip_bad});
}

std::string message(std::string_view bytes, const row_choice& choice) {
  try {
    read_pieces(bytes, choice, 1 << 20);
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}
std::string message(std::string_view bytes, text_format format, strings columns, bool chosen = false) {
  return message(bytes, {.format = format, .columns = std::move(columns), .chosen = chosen});
}

const strings one{"question"}, pair{"question1", "question2"}, labelled{"question1", "question2", "is_duplicate"};

}  // namespace

TEST_CASE("lines end with CR where the first one does and no LF is in sight") {
  const result r = read_all("a\rb\r\rc", text_format::lines, one);
  CHECK(r.texts == std::vector<strings>{{"a"}, {"b"}, {""}, {"c"}});
  CHECK(r.lines == std::vector<std::uint64_t>{1, 2, 3, 4});
  CHECK(read_all("a\tb\t1\rc\td\t0\r", text_format::lines, labelled).labels == std::vector<int>{1, 0});
  // A pipe may not show the LF in time; a file does.
  CHECK(read_pieces("a\rb\nc\n", {.columns = one}, 1 << 20).texts == std::vector<strings>{{"a\rb"}, {"c"}});
}

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
  CHECK(message("a,b\n", text_format::csv, pair) ==
        "f: line 1: no column question1, only 'a', 'b' (--columns names others)");
  const std::string many = message("a1" + std::string(2000, ',') + "\n", text_format::csv, pair);
  CHECK(many.starts_with("f: line 1: no column question1, only 'a1', ''"));
  CHECK(many.ends_with("'', ... (--columns names others)"));
  CHECK(many.size() < 180);
  CHECK(message("", text_format::csv, pair) == "f: empty, where a header is expected");
}

TEST_CASE("the only column serves as the text, unless the user named another") {
  CHECK(read_all("text\na\n\n", text_format::tsv, one).texts == std::vector<strings>{{"a"}, {""}});
  CHECK(message("text\na\n", text_format::tsv, one, true) ==
        "f: line 1: no column question, only 'text' (--column names another)");
}

TEST_CASE("rows that cannot be read are errors, or skipped and counted") {
  const std::string file = "question1,question2,is_duplicate\na,b,2\nc,d,1\ne,f\n\"g\"x,h,1\ni,j,\nk,l,0\n\"m,n,0\n";
  CHECK(message(file, text_format::csv, labelled) ==
        "f: line 2: is_duplicate is '2', not 0 or 1, true or false, yes or no");
  const result r = read_all(file, text_format::csv, labelled, true);
  CHECK(r.texts == std::vector<strings>{{"c", "d"}, {"k", "l"}});
  CHECK(r.skipped == 5);
  CHECK(r.first_skipped == "f: line 2: is_duplicate is '2', not 0 or 1, true or false, yes or no");
  CHECK(message("question1,question2\na,b,c\n", text_format::csv, pair) ==
        "f: line 2: 3 fields where the header has 2");
}

TEST_CASE("a text of more than 16 MiB is refused") {
  const std::string big(max_record + 1, 'x');
  CHECK(message("a\n" + big + "\nb\n", text_format::lines, one) == "f: line 2: a text of more than 16 MiB");
  CHECK(read_all("a\n" + big + "\nb\n", text_format::lines, one, true).texts == std::vector<strings>{{"a"}, {"b"}});
  CHECK(message(big, text_format::nul, one) == "f: line 1: a text of more than 16 MiB");
}

TEST_CASE("labels are 0 and 1, true and false, yes and no") {
  std::string file = "question1\tquestion2\tis_duplicate\n";
  for (const char* label : {"1", "0", "1.0", "0.0", "true", "False", "TRUE", "no", "YES", "\"1\""})
    file += std::string("a\tb\t") + label + "\n";
  CHECK(read_all(file, text_format::tsv, labelled).labels == std::vector<int>{1, 0, 1, 0, 1, 0, 1, 0, 1, 1});
  for (const char* label : {"", "2", "-1", "0.5", "1.00", " 1", "y", "t", "nan"})
    CHECK(message(std::string("question1,question2,is_duplicate\na,b,") + label + "\n", text_format::csv, labelled) ==
          "f: line 2: is_duplicate is '" + std::string(label) + "', not 0 or 1, true or false, yes or no");
}

TEST_CASE("semicolons separate where only they find the columns") {
  CHECK(read_all("\"id\";\"question1\";question2\n1;\"a;b\";c,d\n", text_format::csv, pair).texts ==
        std::vector<strings>{{"a;b", "c,d"}});
  CHECK(read_all("question1,question2;x\na,b;c\n", {.format = text_format::csv, .columns = {"question1"}}).texts ==
        std::vector<strings>{{"a"}});
  CHECK(read_all("id;question\n1;a\n", text_format::csv, one).texts == std::vector<strings>{{"a"}});
  CHECK(message("id;text\n1;a\n", text_format::csv, one) ==
        "f: line 1: no column question, only 'id;text' (--column names another)");
  CHECK(message("id;question1\n", text_format::csv, pair) ==
        "f: line 1: no column question1, only 'id;question1' (--columns names others)");
  CHECK(message("question1;question2\na;b\n", {.format = text_format::csv, .columns = pair, .separator = ','}) ==
        "f: line 1: no column question1, only 'question1;question2' (--columns names others)");
  CHECK(read_all("question1|question2\na|\"b|c\"\n", {.format = text_format::csv, .columns = pair, .separator = '|'})
            .texts == std::vector<strings>{{"a", "b|c"}});
}

TEST_CASE("quotes are read as the format has them, or as the user says") {
  const std::string file = "question1\tquestion2\n\"a\tb\n\"c\"\t\"d\n";
  CHECK(read_all(file, text_format::tsv, pair).texts == std::vector<strings>{{"\"a", "b"}, {"c", "\"d"}});
  CHECK(read_all(file, {.format = text_format::tsv, .columns = pair, .quotes = quote_rule::none}).texts ==
        std::vector<strings>{{"\"a", "b"}, {"\"c\"", "\"d"}});
  CHECK(message(file, {.format = text_format::tsv, .columns = pair, .quotes = quote_rule::csv}) ==
        "f: line 2: text after a closing quote");
  const std::string multi = "question1\tquestion2\na\t\"b\nc\"\n";
  CHECK(message(multi, text_format::tsv, pair) == "f: line 3: 1 field where the header has 2");
  CHECK(read_all(multi, {.format = text_format::tsv, .columns = pair, .quotes = quote_rule::csv}).texts ==
        std::vector<strings>{{"a", "b\nc"}});
}

TEST_CASE("objects have the columns as keys") {
  const std::string file =
      "{\"question1\": \"a\", \"x\": [1, {}], \"question2\": \"\\u00e9\\n\", \"is_duplicate\": 1}\r\n"
      "\n {\"is_duplicate\": false, \"question2\": \"d\", \"question1\": \"c\"} \n"
      "{\"question1\": \"\", \"question2\": \"\", \"is_duplicate\": \"Yes\"}\n"
      "{\"question1\": \"e\", \"question2\": \"f\", \"is_duplicate\": 0.0}";
  const result r = read_all(file, text_format::jsonl, labelled);
  CHECK(r.texts == std::vector<strings>{{"a", "\xC3\xA9\n"}, {"c", "d"}, {"", ""}, {"e", "f"}});
  CHECK(r.labels == std::vector<int>{1, 0, 1, 0});
  CHECK(r.lines == std::vector<std::uint64_t>{1, 3, 4, 5});
  CHECK(r.blank == 1);
  CHECK(read_all("\xEF\xBB\xBF{\"text\": \"a\"}\n", text_format::jsonl, one).texts == std::vector<strings>{{"a"}});
  CHECK(read_all("", text_format::jsonl, one).texts.empty());
}

TEST_CASE("lines that are no such objects are errors, or skipped and counted") {
  const auto why = [](std::string_view line) {
    return message("{\"question1\": \"a\", \"question2\": \"b\"}\n" + std::string(line) + "\n", text_format::jsonl,
                   pair);
  };
  CHECK(why("[1]") == "f: line 2: '[1]' is no JSON object");
  CHECK(why("\"a\"") == "f: line 2: '\"a\"' is no JSON object");
  CHECK(why("{\"question1\": \"a\"}") == "f: line 2: no key question2");
  CHECK(why("{\"question1\": null, \"question2\": \"\"}") == "f: line 2: question1 is 'null', not a string");
  CHECK(why("{\"question1\": \"a\", \"question2\": 7}") == "f: line 2: question2 is '7', not a string");
  CHECK(why("{\"question1\": \"a\"") == "f: line 2, byte 17: ends too early");
  CHECK(why("{\"question1\": \"\\ud800\", \"question2\": \"\"}") == "f: line 2, byte 15: half a surrogate pair");
  CHECK(why("{} {}") == "f: line 2, byte 3: unexpected text after the end");
  CHECK(message("{\"a\": \"x\"}\n", text_format::jsonl, one, true) == "f: line 1: no key question");
  CHECK(message("{\"a\": \"x\", \"b\": \"y\"}\n", text_format::jsonl, one) == "f: line 1: no key question");
  for (const char* label : {"2", "0.5", "null", "\"2\"", "[1]", "{}"})
    CHECK(message("{\"question1\": \"a\", \"question2\": \"b\", \"is_duplicate\": " + std::string(label) + "}",
                  text_format::jsonl, labelled)
              .ends_with(", not 0 or 1, true or false, yes or no"));
  const result r = read_all("{\"t\": \"a\"}\nx\n{\"t\": 1}\n{\"t\": \"b\"}\n", text_format::jsonl, one, true);
  CHECK(r.texts == std::vector<strings>{{"a"}, {"b"}});
  CHECK(r.skipped == 2);
}

TEST_CASE("blank lines of a table are counted, those of one column are texts") {
  CHECK(read_all("question1,question2\n\na,b\n\n\n", text_format::csv, pair).blank == 3);
  const result r = read_all("question\n\na\n", text_format::csv, one);
  CHECK(r.texts == std::vector<strings>{{""}, {"a"}});
  CHECK(r.blank == 0);
}

TEST_CASE("lines that are not UTF-8 are counted, and U+FFFD stands for what is broken") {
  const std::string bad = "\xEF\xBF\xBD";
  result r = read_all("a\ncaf\xE9\n\xC3\xA9\n\xFF\xF0\x9F\x99", text_format::lines, one);
  CHECK(r.texts == std::vector<strings>{{"a"}, {"caf" + bad}, {"\xC3\xA9"}, {bad + bad}});
  CHECK(r.broken == 2);
  CHECK(r.first_broken == 2);
  r = read_all("question1,question2,\xE9\na,b,c\n\"x\ny\xE9\nz\",\"\"\"\xE9\",\xE9\n", text_format::csv, pair);
  CHECK(r.texts == std::vector<strings>{{"a", "b"}, {"x\ny" + bad + "\nz", "\"" + bad}});
  CHECK(r.broken == 3);  // 1, 4 and 5
  CHECK(r.first_broken == 1);
  r = read_all("{\"t\": \"caf\xE9\"}", text_format::jsonl, one);
  CHECK(r.texts == std::vector<strings>{{"caf" + bad}});
  CHECK(r.broken == 1);
  using namespace std::string_view_literals;
  r = read_all("a\0b\xE9\0\xE9\n\0c\0"sv, text_format::nul, pair);
  CHECK(r.texts == std::vector<strings>{{"a", "b" + bad}, {bad + "\n", "c"}});
  CHECK(r.broken == 2);
  CHECK(r.first_broken == 2);
  r = read_all("a\r\xE9\r\xE9", text_format::lines, one);
  CHECK(r.broken == 2);
}

TEST_CASE("tables in other encodings are read as their text") {
  using enum text_encoding;
  const auto utf16le = [](std::u16string_view s) {
    std::string out;
    for (char16_t c : s) out += static_cast<char>(c & 0xFF), out += static_cast<char>(c >> 8);
    return out;
  };
  const std::u16string table = u"question1\tquestion2\r\n\u00E9\t\U0001F642\r\n";
  const std::vector<strings> wanted{{"\xC3\xA9", "\xF0\x9F\x99\x82"}};
  CHECK(read_all(utf16le(u"\uFEFF" + table), text_format::tsv, pair).texts == wanted);
  CHECK(read_all(utf16le(table), {.format = text_format::tsv, .columns = pair, .encoding = utf16}).texts == wanted);
  CHECK(message(utf16le(table), text_format::tsv, pair) == "f: looks like UTF-16 (--encoding utf-16 reads it)");
  CHECK(read_all("question1,question2\n\xE9,\x80\n",
                 {.format = text_format::csv, .columns = pair, .encoding = windows1252})
            .texts == std::vector<strings>{{"\xC3\xA9", "\xE2\x82\xAC"}});
  const result r = read_all("a\n\x81\n", {.columns = one, .encoding = windows1252});
  CHECK(r.broken == 1);
  CHECK(r.first_broken == 2);
}
