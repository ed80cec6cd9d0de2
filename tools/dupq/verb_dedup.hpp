// dupq dedup: duplicates among the texts of one file, or of one file in another.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/index/folder.hpp>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dedup_groups.hpp"
#include "folded_texts.hpp"
#include "other_texts.hpp"
#include "output_file.hpp"
#include "pair_sorter.hpp"
#include "row_output.hpp"
#include "session.hpp"
#include "text_search.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// What the user asks for, once it is known to make sense.
struct dedup_request {
  explicit dedup_request(const arguments& args)
      : file(args.size() > 1 ? args[1] : "-"),
        against(args.text("--against")),
        keep(args.text("--keep")),
        groups(args.has("--groups")),
        top(args.number<std::size_t>("--top", 1, SIZE_MAX).value_or(0)),
        nearest(args.number<std::size_t>("--nearest", 1, SIZE_MAX).value_or(0)),
        out(keep ? *keep : args.text("-o").value_or("-")) {
    constexpr dupq::linkage linkages[] = {dupq::linkage::star, dupq::linkage::first, dupq::linkage::components};
    linkage = linkages[args.choice("--link", {"star", "first", "components"})];
    constexpr std::string_view jobs[] = {"--groups", "--keep", "--nearest", "--top"};
    for (const std::string_view& a : jobs)
      for (const std::string_view& b : jobs)
        if (&a < &b && args.has(a) && args.has(b))
          throw usage_error(std::string(a) + " and " + std::string(b) + " exclude each other");
    if (args.has("--link") && !groups) throw usage_error("--link needs --groups");
    if (groups && against) throw usage_error("--groups are made within one file, without --against");
    if (keep && args.has("-o")) throw usage_error("--keep OUT names the output, -o is one too many");
    if (against && *against == file) throw usage_error("--against needs another file than " + printable(file));
  }

  std::string file;
  std::optional<std::string> against, keep;
  bool groups;
  std::size_t top, nearest;
  std::string out;
  dupq::linkage linkage;
};

/// Fails where the output would take the place of what is read.
inline void spare_inputs(const std::string& out, std::initializer_list<std::string> inputs) {
  for (const std::string& input : inputs) {
    std::error_code not_there;
    const std::filesystem::path from = input == "-" ? "/dev/stdin" : os::path_of(input);  // where there is such a name
    if (out != "-" && std::filesystem::equivalent(os::path_of(out), from, not_there))
      throw failure(out + ": is read, and must not be replaced by what is written");
  }
}
/// Fails where the output would take the place of an index's file.
inline void spare_index(const std::string& out) {
  using namespace dupq::index_detail;
  std::error_code not_there;
  std::filesystem::path path = std::filesystem::weakly_canonical(os::path_of(out), not_there);
  if (path.empty()) path = os::path_of(out);
  const std::string name = os::name_of(path.filename());
  if (name != manifest_name && name != next_manifest_name && name != lock_name && !segment_number(name)) return;
  if (out != "-" && os::look_at(os::name_of(path.parent_path() / os::path_of(std::string(manifest_name)))).there)
    throw failure(out + ": is of an index, and must not be replaced by what is written");
}

/// The options for `file`. Those that make no sense for its format are left out if they do for the other file's: then
/// they were meant for that one.
inline arguments options_of(const arguments& args, const std::string& file, const std::optional<std::string>& other) {
  if (!other) return args;
  const text_format mine = choose_format(args, file, row_kind::text),
                    theirs = choose_format(args, *other, row_kind::text);
  const auto plain = [](text_format f) { return f == text_format::lines || f == text_format::nul; };
  const auto table = [](text_format f) { return f == text_format::csv || f == text_format::tsv; };
  arguments own = args;
  if (plain(mine) && !plain(theirs)) own = own.without("--column");
  if (!table(mine) && table(theirs)) own = own.without("--separator").without("--quotes");
  return own;
}

class deduplication {
 public:
  deduplication(const arguments& args, const dedup_request& want)
      : want_(want),
        session_(args[0], args),
        rows_(options_of(args, want.file, want.against), want.file, row_kind::text),
        mine_(read_rows()),
        threshold_(threshold(args)),
        out_(want.out) {}

  void alone() {
    const text_search search(session_, mine_.texts);
    if (want_.groups) {
      row_output to(out_, objects(), {"group", "line", "score", "text"});
      write_groups(mine_, search, representatives(mine_, search, threshold_, want_.linkage), to);
    } else if (want_.keep) {
      const auto first = representatives(mine_, search, threshold_, dupq::linkage::first);
      keep([&](std::size_t row) { return !mine_.repeats(row) && first[mine_.text_of[row]] == mine_.text_of[row]; });
    } else if (want_.nearest != 0) {
      row_output to = pair_output();
      search.for_each_nearest(want_.nearest, threshold_, [&](std::size_t text, auto&& found) {
        const std::uint32_t row = mine_.first[text];
        for (const dupq::neighbour& n : found) write_pair(to, row, mine_.first[n.row], n.score);
        const float same = mine_.copies[text] > 1 ? search.own_score(text) : 0;
        mine_.for_each_row(text, [&](std::uint32_t copy) {
          if (copy != row) write_pair(to, copy, row, same);
        });
      });
    } else {
      pair_sorter pairs(want_.top, out_.scratch_folder());
      for (std::size_t text = 0; text < mine_.texts.size(); ++text) {
        if (mine_.copies[text] == 1) continue;
        const float same = search.own_score(text);
        mine_.for_each_row(text, [&](std::uint32_t row) {
          if (row != mine_.first[text]) pairs.add({mine_.first[text], row, same});
        });
      }
      search.for_each_match(threshold_, [&](const dupq::match& m) {
        pairs.add({mine_.first[m.first], mine_.first[m.second], m.score});
      });
      row_output to = pair_output();
      pairs.for_each([&](const scored_pair& p) { write_pair(to, p.first, p.second, p.score); });
    }
    finish();
  }

  void against(const arguments& args) {
    std::unique_ptr<other_texts> others;
    if (os::look_at(*want_.against).folder)
      others = std::make_unique<index_texts>(session_, *want_.against);
    else
      others = std::make_unique<file_texts>(session_, options_of(args, *want_.against, want_.file), *want_.against);
    const std::uint64_t others_cut = session_.truncated();
    std::vector<std::uint32_t> same;  // the other text that is equal to each of mine, or none
    for (const std::string_view text : mine_.texts) same.push_back(others->find(text));
    const text_search search = encode_new(session_, mine_.texts, same, *others);
    const auto write = [&](row_output& to, std::uint32_t row, std::size_t other, float score) {
      others->write_name(to.number(mine_.lines[row]), other);
      to.number(score).text(mine_.text(row)).text(others->text(other)).end();
    };
    if (want_.keep) {
      std::vector<bool> known(mine_.texts.size());
      for (std::size_t text = 0; text < same.size(); ++text) known[text] = same[text] != other_texts::none;
      search.for_each_match(threshold_, *others, [&](const dupq::match& m) { known[m.first] = true; });
      keep([&](std::size_t row) { return !known[mine_.text_of[row]]; });
    } else if (want_.nearest != 0) {
      row_output to = pair_output();
      search.for_each_nearest(want_.nearest, threshold_, *others, [&](std::size_t text, auto&& found) {
        mine_.for_each_row(text, [&](std::uint32_t row) {
          for (const dupq::neighbour& n : found) write(to, row, n.row, n.score);
        });
      });
    } else {
      pair_sorter pairs(want_.top, out_.scratch_folder());
      const auto add = [&](std::size_t text, std::size_t other, float score) {
        const auto second = static_cast<std::uint32_t>(other);
        mine_.for_each_row(text, [&](std::uint32_t row) { pairs.add({row, second, score}); });
      };
      for (std::size_t text = 0; text < same.size(); ++text)
        if (same[text] != other_texts::none) add(text, same[text], search.own_score(text));
      search.for_each_match(threshold_, *others, [&](const dupq::match& m) {
        if (m.second != same[m.first]) add(m.first, m.second, m.score);
      });
      row_output to = pair_output();
      pairs.for_each([&](const scored_pair& p) { write(to, p.first, p.second, p.score); });
    }
    finish(others_cut);
    others->report(session_);
  }

 private:
  folded_texts read_rows() {
    session_.need_vectors();
    if (want_.keep) rows_.check_name(want_.out);
    return read_folded(rows_, want_.keep.has_value());
  }

  /// From which score on rows are reported. --nearest reports all neighbours unless the user gives a threshold;
  /// otherwise the model's own counts where the user gives none.
  float threshold(const arguments& args) const {
    if (want_.nearest != 0 && !args.has("--threshold")) return -std::numeric_limits<float>::infinity();
    const float chosen = session_.threshold(args);
    if (std::isnan(chosen)) throw failure(session_.path() + ": duplicates need a --threshold");
    return chosen;
  }

  bool objects() const {
    return want_.out == "-" ? rows_.reader().format() == text_format::jsonl : has_ending(want_.out, ".jsonl");
  }
  row_output pair_output() { return {out_, objects(), {"first", "second", "score", "first_text", "second_text"}}; }
  void write_pair(row_output& to, std::uint32_t first, std::uint32_t second, float score) {
    to.number(mine_.lines[first]).number(mine_.lines[second]).number(score).text(mine_.text(first));
    to.text(mine_.text(second)).end();
  }
  template <class Stays>
  void keep(Stays&& stays) {
    kept_ = write_rows(mine_, rows_.reader(), out_, stays);
  }
  void finish(std::uint64_t others_cut = 0) {
    out_.commit();
    const std::string kept = grouped(kept_) + " of " + counted(mine_.rows(), "row") + " kept";
    if (want_.keep) std::fprintf(stderr, "%s: %s\n", rows_.name().c_str(), kept.c_str());
    rows_.report(session_.truncated() - others_cut, session_.tokens(), "text");
  }

  const dedup_request& want_;
  session session_;
  row_source rows_;
  folded_texts mine_;
  float threshold_;
  output_file out_;
  std::size_t kept_ = 0;
};

inline void run_dedup(const arguments& args) {
  const dedup_request want(args);
  spare_inputs(want.out, {args[0], want.file, want.against.value_or("-")});
  spare_index(want.out);
  deduplication work(args, want);
  if (want.against)
    work.against(args);
  else
    work.alone();
}

inline verb dedup_verb() {
  return {
      .name = "dedup",
      .summary = "duplicates among the texts of one file, or of one file in another or in an index",
      .usage = "M.gguf [FILE] [--against OTHER] [--top K | --nearest K | --groups] [-o OUT] | ... --keep OUT",
      .help =
          "Prints the pairs of lines that are duplicates, the best first: their line numbers, score and texts, as CSV\n"
          "or, where OUT ends in .jsonl or FILE is JSON Lines and there is no OUT, an object a pair. A line that\n"
          "repeats an earlier one is paired with that one alone, whatever the threshold.\n"
          "  --threshold T   duplicates score T or more (default: the model's threshold)\n"
          "  --top K         only the best K pairs\n"
          "  --nearest K     instead the K nearest of each line, in the order of lines, repeats behind the line that\n"
          "                  they repeat; without --threshold however far they are\n"
          "  --groups        instead groups of two lines or more, the largest first: group,line,score,text, where the\n"
          "                  first line of a group represents it and the score is that with it\n"
          "  --link L        star (default): each line of a group is a duplicate of the group's representative, the\n"
          "                  line with the most duplicates; first: the same, with the earliest line that is no\n"
          "                  duplicate of another representative; components: whatever a chain of duplicates joins\n"
          "  --keep OUT      writes FILE to OUT as it is, without the lines that are duplicates of an earlier line "
          "that\n"
          "                  stays (the representatives of --groups --link first)\n"
          "  --against OTHER finds the duplicates of FILE's lines in OTHER instead, a file (second is a line of it) or "
          "an\n"
          "                  index (second is an id); with --keep, OUT has the lines that are not in OTHER\n",
      .options = {{"--threshold", true},
                  {"--top", true},
                  {"--nearest", true},
                  {"--groups", false},
                  {"--link", true},
                  {"--keep", true},
                  {"--against", true},
                  {"-o", true}},
      .runs_model = true,
      .reads_texts = true,
      .most = 2,
      .run = run_dedup};
}

}  // namespace dupq_tool
