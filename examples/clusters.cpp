// What are the lines of a file about? Groups of lines that ask the same, the largest first.
//
//   example_clusters all-MiniLM-L6-v2.gguf examples/questions.txt 0.7
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <dupq/dupq.hpp>
#include <fstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return std::fputs("usage: example_clusters MODEL FILE [THRESHOLD]\n", stderr), 2;
  std::vector<std::string> lines;
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (!file.eof()) return std::fprintf(stderr, "%s: cannot be read\n", argv[2]), 1;

  auto model = dupq::model::open(argv[1]);
  if (!model) return dupq::print_error(model.error());
  dupq::thread_pool pool;  // all cores
  auto encoder = dupq::bi_encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());
  const auto vectors = encoder->encode(lines);
  if (!vectors) return dupq::print_error(vectors.error());

  std::vector<dupq::match> matches;
  const float threshold = argc == 4 ? std::strtof(argv[3], nullptr) : model->threshold().value_or(0.75f);
  const auto searched = dupq::find_duplicates(
      *vectors, model->dim(),
      {.threshold = threshold, .similarity = model->config().similarity, .executor = pool.executor()},
      [&](dupq::match m) { return matches.push_back(m), true; });
  if (!searched) return dupq::print_error(searched.error());

  // Stars: every line matches the one that represents its cluster, so nothing chains.
  const auto of = dupq::find_clusters(lines.size(), matches);
  if (!of) return dupq::print_error(of.error());
  std::vector<std::vector<std::size_t>> clusters(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) clusters[(*of)[i]].push_back(i);
  std::ranges::stable_sort(clusters, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const auto& members : clusters) {
    if (members.size() < 2) break;
    const std::size_t centre = (*of)[members[0]];
    std::printf("%zu  %s\n", members.size(), lines[centre].c_str());
    for (const std::size_t i : members)
      if (i != centre) std::printf("    %s\n", lines[i].c_str());
  }
}
