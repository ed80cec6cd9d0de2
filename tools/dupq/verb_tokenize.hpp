// dupq tokenize: texts, or pairs of them, to token ids.
#pragma once

#include <charconv>
#include <cstdint>

#include "output_file.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

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
  std::uint64_t truncated = 0;
  for (text_row row; rows.next(row);) {
    const auto made = pairs ? dupq::encode_pair(model, prompt, row.texts[0], row.texts[1], ids, options.special_tokens)
                            : dupq::encode_text(model, prompt, row.texts[0], ids, options.special_tokens);
    truncated += made.truncated;
    for (std::size_t i = 0; i < made.tokens; ++i) out.write((i == 0 ? "" : " ") + std::to_string(ids[i]));
    out.write("\n");
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
