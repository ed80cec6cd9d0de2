// bench_search VECTORS.npy [--threshold 0.8] [--nearest K] [--queries N] [--rows N] [--threads N] [--kernels NAME]
// [--runs N]: all pairs of an array's rows, or the nearest of each, or of single queries; a line of JSON a run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dupq/core/print_error.hpp>
#include <dupq/core/thread_pool.hpp>
#include <dupq/search/duplicates.hpp>
#include <dupq/search/nearest.hpp>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "npy.hpp"

namespace {

struct options {
  std::string file, kernels;
  float threshold = 0.8f;
  std::size_t nearest = 0, queries = 0, rows = std::numeric_limits<std::size_t>::max(), threads = 1, runs = 1;
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

int main(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    const auto number = [&] { return static_cast<std::size_t>(std::strtoull(value, nullptr, 10)); };
    if (name.substr(0, 2) != "--") {
      o.file = name;
      continue;
    }
    if (name == "--threshold") o.threshold = std::strtof(value, nullptr);
    if (name == "--nearest") o.nearest = number();
    if (name == "--queries") o.queries = number();
    if (name == "--rows") o.rows = number();
    if (name == "--threads") o.threads = number();
    if (name == "--runs") o.runs = number();
    if (name == "--kernels") o.kernels = value;
    ++i;
  }
  bench::array a;
  if (!bench::read(o.file, a)) {
    std::fprintf(stderr, "%s: no array of float32 with two dimensions\n", o.file.c_str());
    return 1;
  }
  const std::size_t rows = std::min(a.rows, o.rows), dim = a.dim;
  const std::span<const float> vectors(a.numbers.data(), rows * dim);
  const dupq::kernels* const k = dupq::find_kernels(o.kernels);
  if (k == nullptr) return std::fprintf(stderr, "%s: no such kernels here\n", o.kernels.c_str()), 1;
  dupq::thread_pool pool(o.threads);
  for (std::size_t run = 0; run < o.runs; ++run) {
    std::size_t found = 0;
    const double start = now();
    dupq::result<void> done;
    const dupq::search_options search{
        .threshold = o.nearest == 0 ? o.threshold : -std::numeric_limits<float>::infinity(),
        .kernels = k,
        .executor = pool.executor()};
    if (o.queries != 0) {
      std::vector<std::byte> memory(dupq::packed_bytes(rows, dim));
      const auto packed = dupq::pack_rows(vectors, dim, memory, {.kernels = k, .executor = pool.executor()});
      if (!packed) return dupq::print_error(packed.error());
      std::vector<double> seconds;
      std::vector<dupq::neighbour> room(std::max<std::size_t>(o.nearest, 1));
      for (std::size_t q = 0; q < o.queries; ++q) {
        dupq::best_neighbours best(room);
        const double begin = now();
        done = dupq::find_nearest(packed->row(q * 7919 % rows), *packed, {.kernels = k, .executor = pool.executor()},
                                  {&best, 1});
        seconds.push_back(now() - begin);
        if (!done) return dupq::print_error(done.error());
      }
      std::sort(seconds.begin(), seconds.end());
      std::printf("{\"rows\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", rows, seconds[seconds.size() / 2] * 1e3,
                  seconds[seconds.size() * 99 / 100] * 1e3);
      continue;
    }
    if (o.nearest != 0)
      done = dupq::nearest_neighbours(vectors, dim, o.nearest, search,
                                      [&](std::size_t, auto neighbours) { return found += neighbours.size(), true; });
    else
      done = dupq::find_duplicates(vectors, dim, search, [&](const dupq::match&) { return ++found != 0; });
    if (!done) return dupq::print_error(done.error());
    std::printf("{\"rows\": %zu, \"seconds\": %.4f, \"found\": %zu}\n", rows, now() - start, found);
    std::fflush(stdout);
  }
  return 0;
}
