// Similar questions while one types: each line of standard input is what stands in the box by then, and the five
// nearest questions of the file answer it.
//
//   printf 'how do i\nhow do i learn to sw\n' | example_as_you_type all-MiniLM-L6-v2.gguf examples/questions.txt
#include <cstddef>
#include <cstdio>
#include <dupq/dupq.hpp>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: example_as_you_type MODEL FILE\n", stderr), 2;
  std::vector<std::string> questions;
  std::ifstream file(argv[2]);
  for (std::string line; std::getline(file, line);) questions.push_back(line);
  if (!file.eof()) return std::fprintf(stderr, "%s: cannot be read\n", argv[2]), 1;

  auto model = dupq::model::open(argv[1]);
  if (!model) return dupq::print_error(model.error());
  dupq::thread_pool pool;  // all cores
  auto encoder = dupq::bi_encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());

  // Once: the vectors, and their form in integers, which a search reads first: a quarter of the bytes.
  const auto vectors = encoder->encode(questions);
  if (!vectors) return dupq::print_error(vectors.error());
  std::vector<std::byte> memory(dupq::packed_bytes(questions.size(), model->dim()));
  const auto packed = dupq::pack_rows(*vectors, model->dim(), memory, {.similarity = model->config().similarity});
  if (!packed) return dupq::print_error(packed.error());

  std::vector<float> query(model->dim());
  for (std::string typed; std::getline(std::cin, typed);) {
    if (const auto done = encoder->encode(typed, query); !done) return dupq::print_error(done.error());
    dupq::neighbour room[5];
    dupq::best_neighbours best(room);
    const auto searched = dupq::find_nearest(query, *packed, {.executor = pool.executor()}, {&best, 1});
    if (!searched) return dupq::print_error(searched.error());
    for (const dupq::neighbour& n : best.sorted())
      std::printf("%.3f  %s\n", static_cast<double>(n.score), questions[n.row].c_str());
    std::puts("");
    std::fflush(stdout);
  }
}
