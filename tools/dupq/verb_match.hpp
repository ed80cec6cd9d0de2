// dupq match: which vectors of one array, or of two, are alike. It needs no model, so that a cluster of machines can
// share out the work: each compares two blocks of vectors that others have encoded.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <dupq/search/duplicates.hpp>
#include <dupq/search/nearest.hpp>
#include <dupq/search/similarity.hpp>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "best_in_turn.hpp"
#include "npy.hpp"
#include "output_file.hpp"
#include "progress.hpp"
#include "row_output.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Calls write(row, other, score) for the k nearest others of each row of `a`, or the nearest of `b`, best first.
template <class Write>
void match_nearest(const npy_file& a, const npy_file* b, std::size_t k, const dupq::search_options& options,
                   Write&& write) {
  const auto note = [&](std::size_t row, std::span<const dupq::neighbour> found) {
    for (const dupq::neighbour& n : found) write(row, n.row, n.score);
    return true;
  };
  const std::size_t dim = a.columns();
  if (b == nullptr) return check(dupq::nearest_neighbours(a.values(), dim, k, options, note));
  std::vector<std::byte> memory(dupq::packed_bytes(b->rows(), dim));
  const auto rows =
      take(dupq::pack_rows(b->values(), dim, memory, {options.similarity, options.kernels, options.executor}));
  best_in_turn(
      a.rows(), std::min(k, b->rows()), options.threshold,
      [&](std::size_t first, std::span<dupq::best_neighbours> best) {
        check(dupq::find_nearest(a.values().subspan(first * dim, best.size() * dim), rows,
                                 {.kernels = options.kernels, .executor = options.executor}, best));
        if (options.on_progress) options.on_progress(first + best.size(), a.rows());
      },
      note);
}

inline void run_match(const arguments& args) {
  using enum dupq::similarity;
  constexpr dupq::similarity kinds[] = {cosine, dot, euclidean, manhattan};
  const auto kind = kinds[args.choice("--similarity", {"cosine", "dot", "euclidean", "manhattan"})];
  const bool own = args.has("--own");
  if (own && args.size() == 2) throw usage_error("--own is for one file");
  const auto nearest = args.number<std::size_t>("--nearest", 1, SIZE_MAX);
  if (own && nearest) throw usage_error("--own and --nearest exclude each other");
  if (own && args.has("--threshold")) throw usage_error("--own needs no --threshold");
  const auto least = args.number<float>("--threshold", -1e30f, 1e30f);
  if (!own && !nearest && !least) throw usage_error("--threshold T or --nearest K is needed");
  const float threshold = least.value_or(-std::numeric_limits<float>::infinity());
  const dupq::kernels* const kernels = chosen_kernels(args);
  dupq::thread_pool pool(args.number<std::size_t>("--threads", 1, 1024).value_or(0));
  const npy_file a(args[0]);
  std::optional<npy_file> b;
  if (args.size() == 2) b.emplace(args[1]);
  if (b && b->columns() != a.columns())
    throw failure(b->path() + ": vectors of " + std::to_string(b->columns()) + " numbers, and of " +
                  std::to_string(a.columns()) + " in " + a.path());
  const std::string to = args.text("-o").value_or("-");
  output_file out(to);
  row_output rows(out, has_ending(to, ".jsonl"), {"first", "second", "score"});
  const auto write = [&](std::size_t first, std::size_t second, float score) {
    rows.number(std::uint64_t{first}).number(std::uint64_t{second}).number(score).end();
  };
  progress shown("blocks", 0, !out.terminal());
  const auto tell = [&](std::size_t done, std::size_t total) {
    shown.update(done, static_cast<double>(done) / static_cast<double>(total));
    return true;
  };
  const dupq::search_options options{
      .threshold = threshold, .similarity = kind, .kernels = kernels, .executor = pool.executor(), .on_progress = tell};
  const auto found = [&](const dupq::match& m) {
    write(m.first, m.second, m.score);
    return true;
  };
  if (own) {
    for (std::size_t row = 0; row < a.rows(); ++row) {
      const auto vector = a.values().subspan(row * a.columns(), a.columns());
      write(row, row, dupq::similarity_of(kind, vector, vector, kernels));
    }
  } else if (nearest) {
    match_nearest(a, b ? &*b : nullptr, *nearest, options, write);
  } else if (b) {
    check(dupq::find_matches(a.values(), b->values(), a.columns(), options, found));
  } else {
    check(dupq::find_duplicates(a.values(), a.columns(), options, found));
  }
  out.commit();
}

inline verb match_verb() {
  return {.name = "match",
          .summary = "pairs of vectors that are alike, without a model",
          .usage = "A.npy [B.npy] --threshold T | --nearest K [--similarity S] [-o OUT.csv]",
          .help =
              "Prints first,second,score for each pair of rows of A, or of a row of A and one of B, that scores T or\n"
              "more; rows count from 0. Arrays are [rows, dim] of float32, as `dupq encode` writes them.\n"
              "  --threshold T   what a pair must score\n"
              "  --nearest K     instead the K nearest others of each row of A, or the nearest rows of B, best first\n"
              "  --similarity S  cosine (default), dot, euclidean, manhattan (`dupq info` says which is a model's)\n"
              "  --own           instead what each row scores with itself\n"
              "  --threads N     threads to use (default: the cores that this process may use)\n"
              "  --kernels NAME  force a kernel table; results are the same\n",
          .options = {{"--threshold", true},
                      {"--nearest", true},
                      {"--similarity", true},
                      {"--own", false},
                      {"--threads", true},
                      {"--kernels", true},
                      {"-o", true}},
          .most = 2,
          .run = run_match};
}

}  // namespace dupq_tool
