// dupq score: one pair of texts, or a stream of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "output_file.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Reads pairs and writes each with its score, in order. A batch is answered when it is full, and before the input
/// makes us wait.
class pair_stream {
 public:
  pair_stream(session& s, row_source& rows, output_file& out, float threshold)
      : session_(s), rows_(rows), out_(out), threshold_(threshold), separator_(1, rows.reader().separator()) {}

  void run() {
    const row_reader& reader = rows_.reader();
    if (reader.has_header()) {
      if (reader.header().ending[0] != '\0') ending_ = reader.header().ending;
      out_.write(reader.header().raw + separator_ + "score" + separator_ + "duplicate" + ending_);
    }
    rows_.input().before_waiting = [&] {
      answer();
      out_.flush();
    };
    for (text_row row; rows_.next(row);) {
      first_.push_back(std::move(row.texts[0]));
      second_.push_back(std::move(row.texts[1]));
      raw_.push_back(std::move(row.record.raw));
      endings_.push_back(row.record.ending);
      if (first_.size() == session_.chunk_texts()) answer();
    }
    answer();
  }

 private:
  void answer() {
    scores_.resize(first_.size());
    session_.score(first_, second_, scores_);
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!raw_[i].empty()) out_.write(raw_[i] + separator_);
      out_.write(shortest(scores_[i]) + separator_ +
                 (std::isnan(threshold_)     ? ""
                  : scores_[i] >= threshold_ ? "1"
                                             : "0"));
      out_.write(endings_[i][0] == '\0' ? ending_ : endings_[i]);
    }
    shown_.update(done_ += scores_.size(), rows_.fraction());
    first_.clear(), second_.clear(), raw_.clear(), endings_.clear();
  }

  session& session_;
  row_source& rows_;
  output_file& out_;
  float threshold_;
  std::string separator_;
  std::string ending_ = "\n";
  std::vector<std::string> first_, second_, raw_, endings_;
  std::vector<float> scores_;
  std::uint64_t done_ = 0;
  progress shown_{"pairs", 0, !out_.terminal()};
};

inline void run_score(const arguments& args) {
  const auto file = args.text("--pairs");
  if (args.size() != (file ? 1u : 3u)) throw usage_error("two texts or --pairs FILE");
  if (!file)
    for (const option& o : text_option_list)
      if (args.has(o.name)) throw usage_error(std::string(o.name) + " needs --pairs FILE");
  session s(args[0], args);
  const float threshold = s.threshold(args);
  if (!file) {
    const std::string first[] = {args[1]}, second[] = {args[2]};
    float score = 0;
    s.score(first, second, {&score, 1});
    output_file out(args.text("-o").value_or("-"));
    out.write(shortest(score) + (std::isnan(threshold) ? "\tundecided\n"
                                 : score >= threshold  ? "\tduplicate\n"
                                                       : "\tdifferent\n"));
    out.commit();
    if (s.truncated() != 0) std::fprintf(stderr, "cut to %zu tokens\n", s.tokens());
    return;
  }
  row_source rows(args, *file, row_kind::pair);
  output_file out(args.text("-o").value_or("-"));
  pair_stream(s, rows, out, threshold).run();
  out.commit();
  rows.report(s.truncated(), s.tokens(), s.cross() ? "pair" : "text");
}

inline verb score_verb() {
  return {.name = "score",
          .summary = "how alike two texts are, and whether they are duplicates",
          .usage = "M.gguf A B | M.gguf --pairs FILE [-o OUT.csv]",
          .help =
              "One pair: prints score TAB duplicate or different. Many: the rows of FILE with the columns score and\n"
              "duplicate (1, 0, or nothing without a threshold) added; with -0 only these two. `--pairs -` answers row "
              "by row.\n"
              "  --threshold T   duplicates score T or more (default: the model's threshold)\n",
          .options = {{"--pairs", true}, {"-o", true}, {"--threshold", true}},
          .runs_model = true,
          .reads_texts = true,
          .most = 3,
          .run = run_score};
}

}  // namespace dupq_tool
