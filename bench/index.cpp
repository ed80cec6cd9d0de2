// Times an index on disk; index.py runs it beside the command line.
//
//   bench_index make FOLDER MODEL.gguf TEXTS.txt VECTORS.npy ROWS
//   bench_index ask FOLDER MODEL.gguf QUERIES.txt COUNT THREADS
//
// `make` writes an index of ROWS rows without encoding them: the texts, a line each, with their vectors, again and
// again with a number behind the text and noise in the vector where ROWS is more. `ask` opens it and asks COUNT queries
// one at a time, each encoded and searched for its 5 nearest, and prints a line of JSON: milliseconds of opening, the
// medians of encoding, of searching and of both together, the 99th percentile of that, and the median of reading the
// integers of all rows once (what limits a search: it cannot be faster than memory).
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dupq/core/thread_pool.hpp>
#include <dupq/dupq.hpp>
#include <dupq/index.hpp>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "npy.hpp"

namespace {

std::vector<std::string> read_lines(const char* path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

double now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double percentile(std::vector<double> times, std::size_t percent) {
  std::sort(times.begin(), times.end());
  return times[times.size() * percent / 100];
}

int make(const char* folder, const char* model_path, const char* texts_path, const char* vectors_path,
         std::size_t rows) {
  const auto model = dupq::model::open(model_path);
  if (!model) return dupq::print_error(model.error());
  const auto lines = read_lines(texts_path);
  bench::array known;
  if (!bench::read(vectors_path, known) || known.rows != lines.size() || known.dim != model->dim() || known.rows == 0)
    return std::fprintf(stderr, "%s: no array with a row for each line of %s\n", vectors_path, texts_path), 1;
  auto index = dupq::index_writer::create(folder, *model, model_path);
  if (!index) return dupq::print_error(index.error());
  const std::size_t dim = known.dim;
  std::uint32_t noise = 1;
  std::vector<std::string> texts;
  std::vector<float> vectors;
  for (std::size_t row = 0; row < rows;) {
    texts.clear(), vectors.clear();
    for (const std::size_t end = std::min(rows, row + 65'536); row < end; ++row) {
      const std::size_t from = row % known.rows, round = row / known.rows;
      texts.push_back(round == 0 ? lines[from] : lines[from] + ' ' + std::to_string(round));
      for (std::size_t c = 0; c < dim; ++c) {
        const float more = static_cast<float>((noise = noise * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
        vectors.push_back(known.numbers[from * dim + c] + (round == 0 ? 0.0f : 0.1f * more));
      }
    }
    if (const auto done = index->add(texts, std::span<const float>(vectors)); !done)
      return dupq::print_error(done.error());
  }
  if (const auto done = index->compact(); !done) return dupq::print_error(done.error());
  if (const auto done = index->commit(); !done) return dupq::print_error(done.error());
  return 0;
}

/// Milliseconds of reading the panels of all rows' integers, by all workers.
double stream(const dupq::index_reader& index, const dupq::executor& workers) {
  std::uint64_t all = 0;
  const double begin = now();
  for (std::size_t i = 0; i < index.segment_count(); ++i) {
    const dupq::packed_rows rows = index.segment(i).rows;
    const dupq::search_detail::packed_layout layout(rows.rows, rows.dim);
    const std::size_t bytes = layout.bytes() - layout.whole(), parts = 4 * workers.count();
    std::vector<std::uint64_t> sums(parts);
    workers.run(parts, [&](std::size_t part, std::size_t) {
      // Copies into one place that stays in the cache are reads, at the speed of the system's own memcpy.
      alignas(64) std::byte place[16'384];
      for (std::size_t at = bytes * part / parts, end = bytes * (part + 1) / parts; at < end; at += sizeof place) {
        std::memcpy(place, rows.packed + layout.whole() + at, std::min(sizeof place, end - at));
        sums[part] += static_cast<std::uint64_t>(place[at % sizeof place]);
      }
    });
    for (const std::uint64_t s : sums) all += s;
  }
  const double time = now() - begin;
  return all == 1 ? 0 : time;  // so that the sum is needed
}

int ask(const char* folder, const char* model_path, const char* queries_path, std::size_t count, std::size_t threads) {
  const auto model = dupq::model::open(model_path);
  if (!model) return dupq::print_error(model.error());
  const auto queries = read_lines(queries_path);
  if (queries.empty()) return std::fprintf(stderr, "%s: no lines\n", queries_path), 1;
  const double start = now();
  const auto index = dupq::index_reader::open(folder);
  const double opened = now() - start;
  if (!index) return dupq::print_error(index.error());
  if (const auto same = index->check_model(*model, model_path); !same) return dupq::print_error(same.error());
  dupq::thread_pool pool(threads);
  auto encoder = dupq::bi_encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());
  std::vector<float> query(index->dim());
  std::vector<double> encoding, searching, both, streaming;
  for (std::size_t i = 0; i < count + 20; ++i) {
    const double begin = now();
    const auto encoded = encoder->encode(std::string_view(queries[i * 7919 % queries.size()]), query);
    const double between = now();
    if (!encoded) return dupq::print_error(encoded.error());
    dupq::neighbour room[5];
    const auto found =
        index->search(query, room, -std::numeric_limits<float>::infinity(), {.executor = pool.executor()});
    const double end = now();
    if (!found) return dupq::print_error(found.error());
    if (i < 20) continue;  // until everything is in memory
    encoding.push_back(between - begin), searching.push_back(end - between), both.push_back(end - begin);
    if (i % 10 == 0) streaming.push_back(stream(*index, pool.executor()));
  }
  std::printf(
      "{\"rows\": %zu, \"threads\": %zu, \"open\": %.3f, \"encode\": %.3f, \"search\": %.3f, \"both\": %.3f, "
      "\"p99\": %.3f, \"stream\": %.3f}\n",
      index->size(), threads, opened, percentile(encoding, 50), percentile(searching, 50), percentile(both, 50),
      percentile(both, 99), percentile(streaming, 50));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc < 2 ? "" : argv[1];
  const auto number = [&](int i) { return static_cast<std::size_t>(std::strtoull(argv[i], nullptr, 10)); };
  if (verb == "make" && argc == 7 && number(6) != 0) return make(argv[2], argv[3], argv[4], argv[5], number(6));
  if (verb == "ask" && argc == 7 && number(5) != 0 && number(6) != 0)
    return ask(argv[2], argv[3], argv[4], number(5), number(6));
  std::fputs(
      "usage: bench_index make FOLDER MODEL.gguf TEXTS.txt VECTORS.npy ROWS\n"
      "       bench_index ask FOLDER MODEL.gguf QUERIES.txt COUNT THREADS\n",
      stderr);
  return 2;
}
