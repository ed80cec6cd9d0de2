// What a verb is: its words, its help, and the options that many verbs have.
#pragma once

#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "args.hpp"
#include "format.hpp"
#include "text_rows.hpp"

namespace dupq_tool {

struct verb {
  std::string_view name;
  std::string_view summary;
  std::string_view usage;  ///< what follows the name
  std::string_view help;   ///< more lines, the verb's own options among them
  std::vector<option> options;
  bool runs_model = false;          ///< has model_option_list
  bool reads_texts = false;         ///< has text_option_list
  std::size_t least = 1, most = 1;  ///< positionals
  void (*run)(const arguments&) = nullptr;
};

inline constexpr option model_option_list[] = {{"--device", true},     {"--threads", true}, {"--kernels", true},
                                               {"--max-length", true}, {"--prompt", true},  {"--literal", false}};
inline constexpr std::string_view model_option_help =
    "  --device D      cpu (default) or cuda, an NVIDIA GPU; CUDA_VISIBLE_DEVICES chooses which\n"
    "  --threads N     threads to use (default: the cores that this process may use)\n"
    "  --kernels NAME  force a kernel table; `dupq info` lists them, results are the same\n"
    "  --max-length N  cut texts to N tokens, special tokens included\n"
    "  --prompt NAME   one of the model's prompts (`dupq info` lists them) before each text, or none\n"
    "  --literal       \"[SEP]\" in a text is text, not the special token\n";

inline constexpr option text_option_list[] = {
    {"-0", false}, {"--format", true}, {"--columns", true}, {"--column", true}, {"--skip-bad", false}};
inline constexpr std::string_view text_option_help =
    "  -0              a NUL ends each text, texts may hold line breaks and TABs\n"
    "  --format F      text (lines; TABs between the texts of a pair), csv or tsv;\n"
    "                  default: by the file's name\n"
    "  --columns A,B,LABEL  columns of pairs (default question1,question2,is_duplicate)\n"
    "  --column NAME   column of single texts (default question, or the only one)\n"
    "  --skip-bad      skip and count rows that cannot be read\n";

/// Which rows a verb reads: single texts, pairs, or pairs with labels.
enum class row_kind { text, pair, labelled };

/// The format and the columns that the user asks for.
struct row_choice {
  text_format format = text_format::lines;
  std::vector<std::string> columns;
  bool chosen = false;  ///< columns are named by the user
  bool skip_bad = false;
};

inline row_choice choose_rows(const arguments& args, const std::string& path, row_kind kind) {
  row_choice choice;
  choice.skip_bad = args.has("--skip-bad");
  if (args.has("-0")) {
    if (args.has("--format")) throw usage_error("-0 and --format exclude each other");
    if (kind == row_kind::labelled) throw usage_error("-0 has no place for labels");
    choice.format = text_format::nul;
  } else if (args.has("--format")) {
    constexpr text_format formats[] = {text_format::lines, text_format::csv, text_format::tsv};
    choice.format = formats[args.choice("--format", {"text", "csv", "tsv"})];
  } else {
    choice.format = path.ends_with(".csv")   ? text_format::csv
                    : path.ends_with(".tsv") ? text_format::tsv
                                             : text_format::lines;
  }
  const std::string_view option = kind == row_kind::text ? "--column" : "--columns";
  if (args.has(kind == row_kind::text ? "--columns" : "--column"))
    throw usage_error(std::string(option) + " names the columns here");
  choice.columns = kind == row_kind::text   ? std::vector<std::string>{"question"}
                   : kind == row_kind::pair ? std::vector<std::string>{"question1", "question2"}
                                            : std::vector<std::string>{"question1", "question2", "is_duplicate"};
  if (const auto names = args.text(option)) {
    if (choice.format == text_format::lines || choice.format == text_format::nul)
      throw usage_error(std::string(option) + " needs a file with a header (csv or tsv)");
    auto list = kind == row_kind::text ? std::vector{*names} : arguments::split(*names, ',');
    if (kind == row_kind::pair && list.size() == 3) list.pop_back();  // the label of eval's option
    if (list.size() != choice.columns.size())
      throw usage_error("--columns needs " + std::to_string(choice.columns.size()) + " names");
    choice.columns = std::move(list);
    choice.chosen = true;
  }
  return choice;
}

/// A file's rows, as the user's options have them.
class row_source {
 public:
  row_source(const arguments& args, const std::string& path, row_kind kind)
      : row_source(choose_rows(args, path, kind), path) {}

  bool next(text_row& row) { return reader_.next(row); }
  input_stream& input() noexcept { return input_; }
  const row_reader& reader() const noexcept { return reader_; }
  /// How much of the file is read; 0 where its size is not known.
  double fraction() const noexcept {
    return input_.size() == 0 ? 0 : static_cast<double>(input_.bytes_read()) / static_cast<double>(input_.size());
  }

  /// Says on stderr what was skipped, and how many texts (or pairs) were longer than the model reads.
  void report(std::uint64_t truncated, std::size_t tokens, std::string_view noun) const {
    if (reader_.skipped() != 0)
      std::fprintf(stderr, "%s skipped; the first: %s\n", counted(reader_.skipped(), "row").c_str(),
                   reader_.first_skipped().c_str());
    if (truncated != 0)
      std::fprintf(stderr, "%s: %s cut to %zu tokens\n", input_.name().c_str(), counted(truncated, noun).c_str(),
                   tokens);
  }

 private:
  row_source(row_choice choice, const std::string& path)
      : input_(path), reader_(input_, choice.format, std::move(choice.columns), choice.chosen, choice.skip_bad) {}

  input_stream input_;
  row_reader reader_;
};

}  // namespace dupq_tool
