// dupq tokenize: texts, or pairs of them, to token ids.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "output_file.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Prints ids with a blank behind each. The digits of every id of the vocabulary are made once and looked up from then
/// on, which is many times as fast as making them for each token.
class id_printer {
 public:
  static constexpr std::size_t most = 12;  ///< bytes of an id

  explicit id_printer(std::size_t vocabulary) : table_(std::min<std::size_t>(vocabulary, 1'000'000)) {
    for (std::size_t id = 0; id < table_.size(); ++id) {
      char text[most];
      table_[id].size = static_cast<char>(compute(static_cast<std::int32_t>(id), text) - text);
      std::copy(text, text + table_[id].size, table_[id].text);
    }
  }

  /// Returns where the id and its blank end; `to` has room for `most` bytes.
  char* print(std::int32_t id, char* to) const noexcept {
    if (static_cast<std::uint32_t>(id) >= table_.size()) return compute(id, to);
    const entry& e = table_[static_cast<std::size_t>(id)];
    std::memcpy(to, &e, sizeof e);  // eight bytes are one move
    return to + e.size;
  }

 private:
  struct entry {
    char text[7];
    char size;
  };

  static char* compute(std::int32_t id, char* to) noexcept {
    char* const end = std::to_chars(to, to + most - 1, id).ptr;
    *end = ' ';
    return end + 1;
  }

  std::vector<entry> table_;
};

inline void run_tokenize(const arguments& args) {
  const bool pairs = args.has("--pairs");
  const dupq::model model = open_model(args[0], args);
  const std::size_t limit = token_limit(model, args, pairs, 0);
  const dupq::encoder_options options{.special_tokens = special_mode(args),
                                      .prompt = prompt_name(model, args[0], args)};
  const auto prompt = take(dupq::prompt_for(model, options, {.text_tokens = limit}));
  row_source rows(args, args.size() > 1 ? args[1] : "-", pairs ? row_kind::pair : row_kind::text);
  output_file out(args.text("-o").value_or("-"));
  rows.input().before_waiting = [&] { out.flush(); };
  std::vector<std::int32_t> ids(limit);
  const id_printer printer(model.config().vocabulary);
  std::vector<char> line(id_printer::most * limit + 1);
  std::uint64_t truncated = 0;
  const auto print = [&](std::span<const std::int32_t> list) {
    char* end = line.data();
    for (const std::int32_t id : list) end = printer.print(id, end);
    if (end == line.data()) ++end;
    end[-1] = '\n';  // instead of the last blank
    out.write(line.data(), static_cast<std::size_t>(end - line.data()));
  };
  std::optional<dupq::static_table> table;
  if (model.config().kind == dupq::model_kind::static_encoder) {
    if (pairs) throw failure(args[0] + ": a static model reads each text of a pair alone");
    table = take(dupq::static_table::read(model.file(), model.config(), false, false));
  }
  for (text_row row; rows.next(row);) {
    if (table) {
      const auto made = dupq::static_tokens::read(model, *table, prompt, row.texts[0], ids, options.special_tokens);
      truncated += made.truncated;
      print(made.ids);
      continue;
    }
    const auto made = pairs ? dupq::encode_pair(model, prompt, row.texts[0], row.texts[1], ids, options.special_tokens)
                            : dupq::encode_text(model, prompt, row.texts[0], ids, options.special_tokens);
    truncated += made.truncated;
    print(std::span(ids).first(made.tokens));
  }
  out.commit();
  rows.report(truncated, limit, pairs ? "pair" : "text");
}

inline verb tokenize_verb() {
  return {.name = "tokenize",
          .summary = "texts to token ids",
          .usage = "M.gguf [FILE] [--pairs] [-o OUT]",
          .help =
              "Prints the ids of each text on a line. Without FILE, texts come from standard input.\n"
              "  --pairs         texts come in pairs (TAB between them)\n",
          .options = {{"--pairs", false}, {"-o", true}},
          .runs_model = true,
          .reads_texts = true,
          .most = 2,
          .run = run_tokenize};
}

}  // namespace dupq_tool
