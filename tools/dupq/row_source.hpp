// The options that say how a file of texts is read, and the reader that they make.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "args.hpp"
#include "format.hpp"
#include "text_rows.hpp"

namespace dupq_tool {

inline constexpr option text_option_list[] = {{"-0", false},        {"--format", true},    {"--columns", true},
                                              {"--column", true},   {"--separator", true}, {"--quotes", true},
                                              {"--encoding", true}, {"--skip-bad", false}};
inline constexpr std::string_view text_option_help =
    "Texts: one a line (LF, CR LF or CR ends it), a CSV or TSV file with a header, or JSON Lines.\n"
    "  -0              a NUL ends each text, texts may hold line breaks and TABs\n"
    "  --format F      text (lines; TABs between the texts of a pair), csv, tsv or jsonl (an object a line);\n"
    "                  default: by the file's name\n"
    "  --columns A,B,LABEL  columns or keys of pairs (default question1,question2,is_duplicate)\n"
    "  --column NAME   column or key of single texts (default question, or the only one)\n"
    "  --separator C   between fields (default: a comma, or the semicolon where the header shows it; in a TSV, TAB)\n"
    "  --quotes Q      csv: a quoted field may hold separators and line breaks; none: a quote is a letter\n"
    "                  (default: csv; in a TSV a quote is a letter, unless the whole field is quoted on one line)\n"
    "  --encoding E    utf-8 (default), latin1, windows-1252 or utf-16; a byte-order mark of UTF-16 is recognised,\n"
    "                  what is no text in its encoding is counted and becomes U+FFFD\n"
    "  --skip-bad      skip and count rows that cannot be read\n";

/// Which rows a verb reads. text: single texts; pair: two texts; labelled: two texts and a label; positives: two texts
/// and either a label or a third text that is no duplicate of theirs, from the column that --negatives names or, in a
/// file without labels, from the column `negative`.
enum class row_kind { text, pair, labelled, positives };

/// Whether a file's name ends so, in capitals or not.
inline bool has_ending(std::string_view path, std::string_view ending) noexcept {
  if (path.size() < ending.size()) return false;
  path.remove_prefix(path.size() - ending.size());
  for (std::size_t i = 0; i < path.size(); ++i)
    if ((path[i] >= 'A' && path[i] <= 'Z' ? path[i] - 'A' + 'a' : path[i]) != ending[i]) return false;
  return true;
}

inline text_format choose_format(const arguments& args, const std::string& path, row_kind kind) {
  if (args.has("-0")) {
    if (args.has("--format")) throw usage_error("-0 and --format exclude each other");
    if (kind == row_kind::labelled || kind == row_kind::positives) throw usage_error("-0 has no place for labels");
    return text_format::nul;
  }
  using enum text_format;
  constexpr text_format formats[] = {lines, csv, tsv, jsonl};
  if (args.has("--format")) return formats[args.choice("--format", {"text", "csv", "tsv", "jsonl"})];
  return has_ending(path, ".csv") ? csv : has_ending(path, ".tsv") ? tsv : has_ending(path, ".jsonl") ? jsonl : lines;
}

/// --separator: one character, or "\t".
inline char separator_of(const std::string& word) {
  if (word == "\\t") return '\t';
  if (word.size() != 1 || !is_ascii(word) || std::string_view("\"\r\n").find(word[0]) != std::string_view::npos)
    throw usage_error("--separator cannot be " + printable(word) + " (one ASCII character, no quote)");
  return word[0];
}

inline row_choice choose_rows(const arguments& args, const std::string& path, row_kind kind) {
  row_choice choice;
  choice.skip_bad = args.has("--skip-bad");
  choice.format = choose_format(args, path, kind);
  const bool fields = choice.format == text_format::csv || choice.format == text_format::tsv;
  if (const auto word = args.text("--separator")) choice.separator = separator_of(*word);
  if (args.has("--quotes"))
    choice.quotes = args.choice("--quotes", {"none", "csv"}) == 0 ? quote_rule::none : quote_rule::csv;
  for (const std::string_view name : {"--separator", "--quotes"})
    if (args.has(name) && !fields) throw usage_error(std::string(name) + " needs a csv or tsv");
  using enum text_encoding;
  constexpr text_encoding encodings[] = {utf8, latin1, windows1252, utf16};
  choice.encoding = encodings[args.choice("--encoding", {"utf-8", "latin1", "windows-1252", "utf-16"})];

  const std::string_view option = kind == row_kind::text ? "--column" : "--columns";
  if (args.has(kind == row_kind::text ? "--columns" : "--column"))
    throw usage_error(std::string(option) + " names the columns here");
  choice.columns = kind == row_kind::text   ? std::vector<std::string>{"question"}
                   : kind == row_kind::pair ? std::vector<std::string>{"question1", "question2"}
                                            : std::vector<std::string>{"question1", "question2", "is_duplicate"};
  if (const auto names = args.text(option)) {
    if (!fields && choice.format != text_format::jsonl)
      throw usage_error(std::string(option) + " needs a file with a header (csv or tsv) or keys (jsonl)");
    auto list = kind == row_kind::text ? std::vector{*names} : arguments::split(*names, ',');
    if (kind == row_kind::pair && list.size() == 3) list.pop_back();  // the label of eval's option
    if (list.size() != choice.columns.size())
      throw usage_error("--columns needs " + std::to_string(choice.columns.size()) + " names");
    choice.columns = std::move(list);
    choice.chosen = true;
  }
  if (kind == row_kind::positives && (fields || choice.format == text_format::jsonl)) {
    choice.else_negatives = "negative";
    if (const auto name = args.text("--negatives")) choice.columns[2] = *name, choice.negatives = true;
  } else if (args.has("--negatives") && kind == row_kind::positives) {
    throw usage_error("--negatives needs a file with a header (csv or tsv) or keys (jsonl)");
  }
  if (const auto name = args.text("--id")) {
    if (!fields && choice.format != text_format::jsonl)
      throw usage_error("--id needs a file with a header (csv or tsv) or keys (jsonl)");
    if (name->empty()) throw usage_error("--id needs a name");
    choice.id_column = *name;
  }
  return choice;
}

class row_source {
 public:
  row_source(const arguments& args, const std::string& path, row_kind kind)
      : row_source(choose_rows(args, path, kind), path) {}

  bool next(text_row& row) { return reader_.next(row); }
  input_stream& input() noexcept { return input_; }
  const std::string& name() const noexcept { return input_.name(); }
  const row_reader& reader() const noexcept { return reader_; }
  /// How much of the file is read; 0 where its size is not known.
  double fraction() const noexcept {
    return input_.size() == 0 ? 0 : static_cast<double>(input_.bytes_read()) / static_cast<double>(input_.size());
  }

  /// Fails where an output of the same format has the name of another.
  void check_name(const std::string& output) const {
    const bool objects = reader_.format() == text_format::jsonl;
    if (objects ? has_ending(output, ".csv") || has_ending(output, ".tsv") : has_ending(output, ".jsonl"))
      throw usage_error("the result has the format of " + name() + ", and " + output + " the name of another");
  }

  /// Says on stderr what was skipped or was not read as it stands, and how many texts (or pairs) were longer than the
  /// model reads.
  void report(std::uint64_t truncated, std::size_t tokens, std::string_view noun) const {
    const auto say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    const std::string name = input_.name() + ": ";
    if (reader_.skipped() != 0) say(skipped());
    if (reader_.blank() != 0) say(name + counted(reader_.blank(), "blank line") + " skipped");
    if (const std::uint64_t n = reader_.broken(); n != 0) {
      const std::string_view unit = reader_.format() == text_format::nul ? "text" : "line";
      const bool utf8 = input_.encoding() == text_encoding::utf8;
      say(name + counted(n, unit) + (n == 1 ? " is not " : " are not ") +
          std::string(encoding_name(input_.encoding())) + ", the first is " + std::string(unit) + ' ' +
          std::to_string(reader_.first_broken()) + "; U+FFFD stands for what is broken" +
          (utf8 ? " (--encoding reads latin1, windows-1252, utf-16)" : ""));
    }
    if (truncated != 0) say(name + counted(truncated, noun) + " cut to " + std::to_string(tokens) + " tokens");
  }

  /// "3 rows skipped; the first: ..."
  std::string skipped() const {
    return counted(reader_.skipped(), "row") + " skipped; the first: " + reader_.first_skipped();
  }

 private:
  row_source(row_choice choice, const std::string& path)
      : input_(path, choice.encoding), reader_(input_, std::move(choice)) {}

  input_stream input_;
  row_reader reader_;
};

}  // namespace dupq_tool
