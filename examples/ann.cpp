// An approximate index, hnswlib, gives candidates that dupq scores exactly: how many of the ten nearest others of each
// question of a file are among them?
//
//   example_ann all-MiniLM-L6-v2.gguf examples/questions.txt
#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <dupq/dupq.hpp>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: example_ann MODEL FILE\n", stderr), 2;
  std::vector<std::string> lines;
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.size() < 2) return std::fprintf(stderr, "%s: two lines are needed\n", argv[2]), 1;
  auto model = dupq::model::open(argv[1]);
  if (!model) return dupq::print_error(model.error());
  dupq::thread_pool pool;
  auto encoder = dupq::bi_encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());
  const auto vectors = encoder->encode(lines);
  if (!vectors) return dupq::print_error(vectors.error());
  const std::size_t n = lines.size(), dim = model->dim();
  constexpr std::size_t nearest = 10, candidates = 4 * nearest;
  const auto vector = [&](std::size_t i) { return std::span(*vectors).subspan(i * dim, dim); };
  const auto clock = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()); };
  std::vector<std::vector<dupq::neighbour>> exact(n);
  const auto begin = clock();
  const auto searched = dupq::nearest_neighbours(
      *vectors, dim, nearest, {.threshold = -2, .executor = pool.executor()},
      [&](std::size_t i, std::span<const dupq::neighbour> of) { return exact[i].assign(of.begin(), of.end()), true; });
  if (!searched) return dupq::print_error(searched.error());
  const auto exactly = clock();
  hnswlib::InnerProductSpace space(dim);  // of unit vectors: the cosine
  hnswlib::HierarchicalNSW<float> index(&space, n);
  index.setEf(candidates + 1);
  pool.executor().run(n, [&](std::size_t i, std::size_t) { index.addPoint(vector(i).data(), i); });
  std::vector<std::size_t> found(n);
  pool.executor().run(n, [&](std::size_t i, std::size_t) {
    dupq::neighbour room[nearest];
    dupq::best_neighbours best(room);
    for (auto rest = index.searchKnn(vector(i).data(), std::min(n, candidates + 1)); !rest.empty(); rest.pop())
      if (const std::size_t row = rest.top().second; row != i) best.add({row, dupq::cosine(vector(i), vector(row))});
    for (const dupq::neighbour& a : exact[i])
      found[i] += static_cast<std::size_t>(std::ranges::count(best.sorted(), a.row, &dupq::neighbour::row));
  });
  const auto all = static_cast<double>(n * std::min(nearest, n - 1));
  std::printf("exact in %.2f s, index made and asked in %.2f s, recall %.4f\n", (exactly - begin).count(),
              (clock() - exactly).count(), std::accumulate(found.begin(), found.end(), 0.0) / all);
}
