// dupq score: one pair of texts, or a stream of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "output_file.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// An object of a JSON text, with null where Python has NaN or Infinity, which are no JSON.
inline std::string without_nan(std::string_view object) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < object.size(); ++i) {
    const char c = object[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') out += object[i++];
    if (quoted || (c != 'N' && c != 'I')) {
      out += object[i];
      continue;
    }
    if (out.back() == '-') out.pop_back();
    out += "null";
    i += (c == 'N' ? std::string_view("NaN") : std::string_view("Infinity")).size() - 1;
  }
  return out;
}

/// Reads pairs and writes each with its score, in order. Scores are written whenever a batch is full, and
/// before a read that would have to wait for more input.
class pair_stream {
 public:
  pair_stream(session& s, row_source& rows, output_file& out, float threshold)
      : session_(s),
        rows_(rows),
        reader_(rows.reader()),
        out_(out),
        threshold_(threshold),
        separator_(1, reader_.separator()) {}

  void run() {
    if (reader_.has_header())
      out_.write(reader_.header() + separator_ + "score" + separator_ + "duplicate" + reader_.line_ending());
    rows_.input().before_waiting = [&] {
      answer();
      out_.flush();
    };
    for (text_row row; rows_.next(row);) {
      const std::string_view raw = reader_.format() == text_format::jsonl ? open_object(row) : row.record.raw;
      first_.push_back(bytes_.keep(row.texts[0]));
      second_.push_back(bytes_.keep(row.texts[1]));
      raw_.push_back(bytes_.keep(raw));
      endings_.push_back(row.record.ending[0] == '\0' ? reader_.line_ending() : row.record.ending);
      if (session_.full(first_.size(), bytes_.bytes())) answer();
    }
    answer();
  }

  std::uint64_t done() const noexcept { return done_; }

 private:
  /// The row's object without its closing brace, since it goes on.
  std::string_view open_object(const text_row& row) {
    for (const char* key : {"score", "duplicate"})
      if (row.object.find(key) != nullptr)
        throw bad_row(rows_.input(), row.line,
                      std::string("there is a key ") + key + " already, which the result would have");
    std::string_view raw = row.record.raw;
    if (raw.find("NaN") != raw.npos || raw.find("Infinity") != raw.npos) raw = object_ = without_nan(raw);
    return raw.substr(0, raw.rfind('}'));
  }

  void answer() {
    scores_.resize(first_.size());
    session_.score(first_, second_, scores_);
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      const bool unknown = std::isnan(threshold_), duplicate = scores_[i] >= threshold_;
      out_.write(raw_[i]);
      if (reader_.format() == text_format::jsonl) {
        out_.write(", \"score\": " + shortest(scores_[i]) + ", \"duplicate\": " +
                   (unknown     ? "null}"
                    : duplicate ? "true}"
                                : "false}"));
      } else {
        if (!raw_[i].empty()) out_.write(separator_);
        out_.write(shortest(scores_[i]) + separator_ + (unknown ? "" : duplicate ? "1" : "0"));
      }
      out_.write(endings_[i]);
    }
    shown_.update(done_ += scores_.size(), rows_.fraction());
    first_.clear(), second_.clear(), raw_.clear(), endings_.clear(), bytes_.clear();
  }

  session& session_;
  row_source& rows_;
  const row_reader& reader_;
  output_file& out_;
  float threshold_;
  std::string separator_;
  text_store bytes_;
  std::string object_;
  std::vector<std::string_view> first_, second_, raw_;
  std::vector<const char*> endings_;
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
  session s(args[0], args, true, args.text("--cascade"));
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
    s.report_cascade(1);
    return;
  }
  const std::string to = args.text("-o").value_or("-");
  row_source rows(args, *file, row_kind::pair);
  rows.check_name(to);
  output_file out(to);
  pair_stream pairs(s, rows, out, threshold);
  pairs.run();
  out.commit();
  rows.report(s.truncated(), s.tokens(), s.cross() ? "pair" : "text");
  s.report_cascade(pairs.done());
}

inline verb score_verb() {
  return {
      .name = "score",
      .summary = "how alike two texts are, and whether they are duplicates",
      .usage = "M.gguf A B | M.gguf --pairs FILE [-o OUT.csv]",
      .help =
          "One pair: prints score TAB duplicate or different. Many: the rows of FILE with the columns score and\n"
          "duplicate (1, 0, or nothing without a threshold; in JSON Lines the keys, true, false or null) added; with\n"
          "-0 only these two. The result has the format and the line ends of FILE, and is UTF-8, whatever FILE is.\n"
          "`--pairs -` answers row by row.\n"
          "  --threshold T   duplicates score T or more (default: the model's threshold)\n"
          "  --cascade CROSS.gguf  M.gguf is a bi-encoder, and pairs that it is unsure of are judged by this\n"
          "                  cross-encoder, as `dupq calibrate --cascade` chose; their scores lie from 0 to 1, those "
          "of\n"
          "                  pairs that are surely different below, and of those that are surely duplicates above\n",
      .options = {{"--pairs", true}, {"-o", true}, {"--threshold", true}, {"--cascade", true}},
      .runs_model = true,
      .reads_texts = true,
      .most = 3,
      .run = run_score};
}

}  // namespace dupq_tool
