// dupq cluster: rows that belong together, from the pairs that `dupq match` or a cluster of machines found.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/search/clusters.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "failure.hpp"
#include "input_file.hpp"
#include "output_file.hpp"
#include "pair_sorter.hpp"
#include "row_output.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// The lines of a file, of numbers between commas.
class number_lines {
 public:
  explicit number_lines(const std::string& path) : file_(path) {}

  const std::string& name() const noexcept { return file_.name(); }
  /// The next line, without its end; false where there is none.
  bool next(std::string_view& line) {
    for (std::size_t searched = 0;;) {
      const std::size_t end = buffer_.find('\n', at_ + searched);
      if (end != std::string::npos || ended_) {
        if (end == std::string::npos && at_ == buffer_.size()) return false;
        const std::size_t stop = std::min(end, buffer_.size());
        line = std::string_view(buffer_).substr(at_, stop - at_);
        if (line.ends_with('\r')) line.remove_suffix(1);
        at_ = std::min(stop + 1, buffer_.size());
        ++number_;
        return true;
      }
      searched = buffer_.size() - at_;
      if (searched > 1000) fail("is too long for a line of numbers");
      buffer_.erase(0, at_);
      at_ = 0;
      const std::size_t kept = buffer_.size();
      buffer_.resize(kept + (std::size_t{1} << 16));
      const std::size_t n = file_.read(buffer_.data() + kept, buffer_.size() - kept);
      buffer_.resize(kept + n);
      ended_ = n == 0;
    }
  }
  /// Reads the numbers of a line, which are all of it.
  template <class... T>
  void read(std::string_view line, T&... numbers) const {
    const char *p = line.data(), *const end = p + line.size();
    bool good = true, first = true;
    const auto one = [&](auto& number) {
      if (!first) good = good && p != end && *p++ == ',';
      first = false;
      const auto [after, trouble] = std::from_chars(p, end, number);
      good = good && trouble == std::errc{};
      p = after;
    };
    (one(numbers), ...);
    if (!good || p != end) fail("is " + printable(line));
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw failure(file_.name() + ": line " + std::to_string(number_) + " " + what);
  }

 private:
  input_file file_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
  bool ended_ = false;
};

inline void run_cluster(const arguments& args) {
  constexpr dupq::linkage linkages[] = {dupq::linkage::star, dupq::linkage::first, dupq::linkage::components};
  const auto linkage = linkages[args.choice("--link", {"star", "first", "components"})];
  constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
  const auto given = args.number<std::size_t>("--rows", 0, most);
  const auto weights_path = args.text("--weights");
  if (given.has_value() == weights_path.has_value()) throw usage_error("either --rows or --weights is needed");
  std::vector<std::uint32_t> weights;
  if (weights_path) {
    number_lines lines(*weights_path);
    for (std::string_view line; lines.next(line);) {
      lines.read(line, weights.emplace_back());
      if (weights.back() == 0) lines.fail("is 0, and a row is there at least once");
      if (weights.size() > most) lines.fail("is one too many");
    }
  }
  const std::size_t rows = given.value_or(weights.size());
  number_lines lines(args[0]);
  std::vector<scored_pair> matches;
  std::string_view line;
  if (!lines.next(line) || line != "first,second,score")
    throw failure(lines.name() + ": line 1 must be first,second,score");
  while (lines.next(line)) {
    scored_pair m{};
    lines.read(line, m.first, m.second, m.score);
    if (m.first >= rows || m.second >= rows)
      lines.fail("is " + printable(line) + ", and there are " + counted(rows, "row"));
    if (std::isnan(m.score)) lines.fail("has no score");
    matches.push_back(m);
  }
  const auto represents = take(dupq::find_clusters(rows, matches, {.linkage = linkage, .weights = weights}));
  const std::string to = args.text("-o").value_or("-");
  output_file out(to);
  row_output table(out, has_ending(to, ".jsonl"), {"row", "representative"});
  for (std::size_t row = 0; row < rows; ++row)
    table.number(std::uint64_t{row}).number(std::uint64_t{represents[row]}).end();
  out.commit();
}

inline verb cluster_verb() {
  return {
      .name = "cluster",
      .summary = "rows that belong together, from the pairs of `match`",
      .usage = "PAIRS.csv --rows N|--weights FILE [--link star|first|components] [-o OUT.csv]",
      .help =
          "Reads first,second,score, each pair of rows once, in any order, and prints row,representative for each\n"
          "of the N rows; rows count from 0. The clusters of `dupq dedup`.\n"
          "  --weights FILE  how many equal texts each row stands for, a number a line, instead of --rows\n"
          "  --link L        star (default): each row matches its representative, the row with the most matches;\n"
          "                  first: the same with the earliest row; components: whatever a chain of matches joins\n",
      .options = {{"--rows", true}, {"--weights", true}, {"--link", true}, {"-o", true}},
      .run = run_cluster};
}

}  // namespace dupq_tool
