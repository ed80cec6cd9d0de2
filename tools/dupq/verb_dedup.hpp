// dupq dedup: duplicates among the texts of one file.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/search/duplicates.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "csv.hpp"
#include "output_file.hpp"
#include "scoring.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Keeps matches, the best `most` of them if that is not 0.
class match_list {
 public:
  static constexpr std::size_t limit = 20'000'000;  ///< that are kept: memory is finite

  explicit match_list(std::size_t most) : most_(most) {}

  void add(const dupq::match& m) {
    if (most_ == 0 || found_.size() < most_) {
      if (found_.size() == limit)
        throw failure("more than " + grouped(limit) + " pairs: a higher --threshold or --top is needed");
      found_.push_back(m);
      if (found_.size() == most_) std::make_heap(found_.begin(), found_.end(), better);
    } else if (better(m, found_.front())) {
      std::pop_heap(found_.begin(), found_.end(), better);
      found_.back() = m;
      std::push_heap(found_.begin(), found_.end(), better);
    }
  }
  /// The matches, best first; equal scores in the order of the rows.
  const std::vector<dupq::match>& sorted() {
    std::sort(found_.begin(), found_.end(), better);
    return found_;
  }

 private:
  static bool better(const dupq::match& a, const dupq::match& b) noexcept {
    return std::tuple(-a.score, a.first, a.second) < std::tuple(-b.score, b.first, b.second);
  }

  std::size_t most_;
  std::vector<dupq::match> found_;  ///< once there are `most_`, a heap with the worst in front
};

inline void run_dedup(const arguments& args) {
  const auto top = args.number<std::size_t>("--top", 1, match_list::limit);
  session s(args[0], args);
  s.need_vectors();  // before anything is read
  const float threshold = s.threshold(args);
  if (std::isnan(threshold)) throw failure(s.path() + ": duplicates need a --threshold");
  row_source rows(args, args.size() > 1 ? args[1] : "-", row_kind::text);
  text_store bytes;
  std::vector<std::string_view> texts;
  std::vector<std::uint64_t> lines;
  for (text_row row; rows.next(row);) {
    texts.push_back(bytes.keep(row.texts[0]));
    lines.push_back(row.line);
  }
  const std::vector<float> vectors = encode_all(s, texts);
  match_list found(top.value_or(0));
  check(dupq::find_duplicates(vectors, s.dim(),
                              {.threshold = threshold,
                               .similarity = s.model().config().similarity,
                               .kernels = &s.model().kernel_table(),
                               .executor = s.executor()},
                              [&](const dupq::match& m) {
                                found.add(m);
                                return true;
                              }));
  const std::string to = args.text("-o").value_or("-");
  const bool objects = to == "-" ? rows.reader().format() == text_format::jsonl : has_ending(to, ".jsonl");
  output_file out(to);
  if (!objects) out.write("first,second,score,first_text,second_text\n");
  for (const dupq::match& m : found.sorted()) {
    const std::string first = std::to_string(lines[m.first]), second = std::to_string(lines[m.second]);
    if (objects)
      out.write("{\"first\": " + first + ", \"second\": " + second + ", \"score\": " + shortest(m.score) +
                ", \"first_text\": " + json::quote(texts[m.first]) +
                ", \"second_text\": " + json::quote(texts[m.second]) + "}\n");
    else
      out.write(first + ',' + second + ',' + shortest(m.score) + ',' + csv_field(texts[m.first], ',') + ',' +
                csv_field(texts[m.second], ',') + '\n');
  }
  out.commit();
  rows.report(s.truncated(), s.tokens(), "text");
}

inline verb dedup_verb() {
  return {
      .name = "dedup",
      .summary = "duplicates among the texts of one file",
      .usage = "M.gguf [FILE] [--threshold T] [--top K] [-o OUT.csv|OUT.jsonl]",
      .help =
          "Prints the pairs of lines that are duplicates, the best first: their line numbers, score and texts, as CSV\n"
          "or, where OUT ends in .jsonl or FILE is JSON Lines and there is no OUT, an object a pair.\n"
          "  --threshold T   duplicates score T or more (default: the model's threshold)\n"
          "  --top K         only the best K pairs\n",
      .options = {{"--threshold", true}, {"--top", true}, {"-o", true}},
      .runs_model = true,
      .reads_texts = true,
      .most = 2,
      .run = run_dedup};
}

}  // namespace dupq_tool
