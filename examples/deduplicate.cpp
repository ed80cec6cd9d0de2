// Which lines of a file ask the same? Prints "LINE LINE SCORE" for each pair, on all cores.
//
//   example_deduplicate all-MiniLM-L6-v2.gguf examples/questions.txt 0.8
#include <cstdio>
#include <cstdlib>
#include <dupq/dupq.hpp>
#include <fstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return std::fputs("usage: example_deduplicate MODEL FILE [THRESHOLD]\n", stderr), 2;

  std::vector<std::string> questions;
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) questions.push_back(line);
  if (!file.eof()) return std::fprintf(stderr, "%s: cannot be read\n", argv[2]), 1;

  auto model = dupq::model::open(argv[1]);
  if (!model) return dupq::print_error(model.error());
  dupq::thread_pool pool;  // the library starts no threads of its own: an encoder uses the executor it is given
  auto encoder = dupq::bi_encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());

  const auto vectors = encoder->encode(questions);
  if (!vectors) return dupq::print_error(vectors.error());

  const float threshold = argc == 4 ? std::strtof(argv[3], nullptr) : model->threshold().value_or(0.75f);
  std::size_t pairs = 0;
  const auto done = dupq::find_duplicates(
      *vectors, model->dim(),
      {.threshold = threshold, .similarity = model->config().similarity, .executor = pool.executor()},
      [&](dupq::match m) {
        std::printf("%zu %zu %.3f\n", m.first + 1, m.second + 1, static_cast<double>(m.score));
        ++pairs;
        return true;  // false would end the search
      });
  if (!done) return dupq::print_error(done.error());
  std::printf("%zu pairs among %zu lines\n", pairs, questions.size());
}
