// dupq search: the nearest texts of an index.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/index.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "index_input.hpp"
#include "json.hpp"
#include "output_file.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// An index as it is now: opened again when a writer has changed it, for whoever asks for a long time.
class current_index {
 public:
  explicit current_index(const std::string& folder)
      : folder_(folder), written_(written()), index_(take(dupq::index_reader::open(folder))) {}

  const dupq::index_reader& operator*() const noexcept { return index_; }
  const dupq::index_reader* operator->() const noexcept { return &index_; }
  void refresh() {
    const std::string now = written();
    if (now.empty() || now == written_) return;
    index_ = take(dupq::index_reader::open(folder_));
    written_ = now;
  }

 private:
  /// The beginning of the manifest, in which a digest of all of it stands. Its time of writing would not do: two
  /// changes within a system's smallest step of time look like one.
  std::string written() const {
    std::ifstream manifest(os::path_of(folder_) / "manifest.gguf", std::ios::binary);
    std::string start(512, '\0');
    manifest.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(manifest.gcount()));
    return start;
  }

  std::string folder_;
  std::string written_;
  dupq::index_reader index_;
};

class index_search {
 public:
  index_search(const arguments& args, output_file& out)
      : out_(out),
        folder_(args[0]),
        k_(args.number<std::size_t>("-k", 1, SIZE_MAX).value_or(5)),
        threshold_(args.number<float>("--threshold", -1e30f, 1e30f)),
        objects_(args.has("--json")),
        index_(folder_),
        encoder_(model_of(*index_, folder_, args), args) {
    check_model(*index_, folder_, encoder_);
    if (const auto path = args.text("--rerank")) {
      judge_ = std::make_unique<session>(*path, args.without("--prompt").without("--max-length"));
      if (!judge_->cross())
        throw failure(dupq::error(dupq::errc::wrong_kind, "a cross_encoder is needed, not a bi_encoder").in(*path));
    }
  }

  session& encoder() noexcept { return encoder_; }

  /// Answers one query, without the line that ends an answer among others.
  void answer_one(std::string_view query) { answer({&query, 1}, false); }

  /// Answers queries in order: a batch when it is full, and before the input makes us wait.
  void answer_all(row_source& rows) {
    text_store bytes;
    std::vector<std::string_view> queries;
    const auto flush = [&] {
      answer(queries, true);
      queries.clear(), bytes.clear();
      out_.flush();
    };
    rows.input().before_waiting = flush;
    for (text_row row; rows.next(row);) {
      queries.push_back(bytes.keep(row.texts[0]));
      if (encoder_.full(queries.size(), bytes.bytes())) flush();
    }
    flush();
  }

 private:
  struct hit {
    std::string_view id, text;
    float score = 0;
  };

  void answer(std::span<const std::string_view> queries, bool end) {
    if (queries.empty()) return;
    index_.refresh();
    const std::size_t dim = encoder_.dim();
    const std::size_t most = std::min(judge_ ? std::max(k_, least_candidates) : k_, index_->size());
    vectors_.resize(queries.size() * dim);
    encoder_.encode(queries, vectors_);
    // A part of the queries where there is much to keep of each.
    const std::size_t part = std::clamp<std::size_t>(most_kept / std::max<std::size_t>(most, 1), 1, queries.size());
    room_.resize(part * most);
    const float least =
        judge_ ? -std::numeric_limits<float>::infinity() : threshold_.value_or(-std::numeric_limits<float>::infinity());
    for (std::size_t at = 0; at < queries.size(); at += best_.size()) {
      best_.clear();
      for (std::size_t i = 0; i < std::min(part, queries.size() - at); ++i)
        best_.emplace_back(std::span(room_).subspan(i * most, most), least);
      check(index_->search(std::span(vectors_).subspan(at * dim, best_.size() * dim), best_,
                           {.kernels = &encoder_.model().kernel_table(), .executor = encoder_.executor()}));
      for (std::size_t i = 0; i < best_.size(); ++i) print(queries[at + i], hits_of(queries[at + i], best_[i]), end);
    }
  }

  std::vector<hit> hits_of(std::string_view query, dupq::best_neighbours& best) {
    std::vector<hit> hits;
    for (const dupq::neighbour& n : best.sorted())
      hits.push_back({take(index_->id(n.row)), take(index_->text(n.row)), n.score});
    if (!judge_) return hits;
    std::vector<std::string_view> first(hits.size(), query), second;
    std::vector<float> scores(hits.size());
    for (const hit& h : hits) second.push_back(h.text);
    judge_->score(first, second, scores);
    for (std::size_t i = 0; i < hits.size(); ++i) hits[i].score = scores[i];
    std::stable_sort(hits.begin(), hits.end(), [](const hit& a, const hit& b) { return a.score > b.score; });
    std::erase_if(hits, [&](const hit& h) { return threshold_ && !(h.score >= *threshold_); });
    if (hits.size() > k_) hits.resize(k_);
    return hits;
  }

  void print(std::string_view query, const std::vector<hit>& hits, bool end) {
    line_.clear();
    if (objects_) {
      line_ += "{\"query\": " + json::quote(query) + ", \"hits\": [";
      for (const hit& h : hits)
        line_ += std::string(&h == hits.data() ? "" : ", ") + "{\"id\": " + json::quote(h.id) +
                 ", \"score\": " + shortest(h.score) + ", \"text\": " + json::quote(h.text) + '}';
      line_ += "]}\n";
    } else {
      for (const hit& h : hits) {
        line_ += shortest(h.score) + '\t';
        line_ += h.id;
        line_ += '\t';
        const std::size_t begin = line_.size();
        line_ += h.text;
        std::replace_if(
            line_.begin() + static_cast<std::ptrdiff_t>(begin), line_.end(),
            [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
        line_ += '\n';
      }
      if (end) line_ += '\n';
    }
    out_.write(line_);
  }

  static constexpr std::size_t least_candidates = 50;  ///< for the cross-encoder
  static constexpr std::size_t most_kept = std::size_t{1} << 20;

  output_file& out_;
  std::string folder_;
  std::size_t k_;
  std::optional<float> threshold_;
  bool objects_;
  current_index index_;
  session encoder_;
  std::unique_ptr<session> judge_;
  std::vector<float> vectors_;
  std::vector<dupq::neighbour> room_;
  std::vector<dupq::best_neighbours> best_;
  std::string line_;
};

inline void run_search(const arguments& args) {
  const auto file = args.text("--queries");
  if (file && args.size() > 1) throw usage_error("a query or --queries FILE, not both");
  const std::string from = file ? *file : args.size() > 1 ? args[1] : "-";
  const bool many = file || from == "-";
  if (!many)
    for (const option& o : text_option_list)
      if (args.has(o.name)) throw usage_error(std::string(o.name) + " needs --queries FILE");
  output_file out("-");
  index_search search(args, out);
  if (!many) {
    search.answer_one(from);
    out.commit();
    if (search.encoder().truncated() != 0) std::fprintf(stderr, "cut to %zu tokens\n", search.encoder().tokens());
    return;
  }
  row_source rows(args, from, row_kind::text);
  search.answer_all(rows);
  out.commit();
  rows.report(search.encoder().truncated(), search.encoder().tokens(), "query");
}

inline verb search_verb() {
  return {
      .name = "search",
      .summary = "the texts of an index that are most alike to others",
      .usage = "FOLDER [QUERY | --queries FILE | -] [-k 5] [--threshold T] [--rerank CROSS.gguf] [--json]",
      .help =
          "Prints score TAB id TAB text of the nearest texts, best first; blanks stand for line breaks and TABs.\n"
          "Of several queries a blank line ends each answer. Queries of \"-\" (the default: standard input, a query a\n"
          "line) are answered as they come, also about what has been added to the index meanwhile.\n"
          "  -k N                 at most N texts a query (default 5)\n"
          "  --threshold T        only texts that score T or more\n"
          "  --rerank CROSS.gguf  a cross-encoder scores the best N texts, or 50 if that is more, and their order and\n"
          "                       scores, which --threshold is about, are its own\n"
          "  --model M.gguf       where the index's model is, if it is no longer where it was\n"
          "  --json               a line a query: {\"query\": ..., \"hits\": [{\"id\": ..., \"score\": ..., \"text\": "
          "...}]}\n",
      .options = {{"--queries", true},
                  {"-k", true},
                  {"--threshold", true},
                  {"--rerank", true},
                  {"--model", true},
                  {"--json", false}},
      .runs_model = true,
      .reads_texts = true,
      .most = 2,
      .run = run_search};
}

}  // namespace dupq_tool
