// A cache of answers that knows a question in other words: where one is near enough to an earlier one, by the model's
// threshold, that one's answer is given; otherwise it has to be worked out, and is kept.
//
//   example_semantic_cache all-MiniLM-L6-v2.gguf < FILE     lines: question TAB what working it out would give
#include <cstddef>
#include <cstdio>
#include <dupq/dupq.hpp>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: example_semantic_cache MODEL < FILE\n", stderr), 2;
  auto model = dupq::model::open(argv[1]);
  if (!model) return dupq::print_error(model.error());
  auto encoder = dupq::bi_encoder::make(*model);
  if (!encoder) return dupq::print_error(encoder.error());
  const dupq::search_options near_enough{.threshold = model->threshold().value_or(0.75f),
                                         .similarity = model->config().similarity};

  std::vector<float> vectors;  // of the questions whose answers are kept, one behind the other
  std::vector<std::string> answers;
  std::size_t asked = 0;
  for (std::string question, worked_out; std::getline(std::cin, question, '\t') && std::getline(std::cin, worked_out);
       ++asked) {
    const auto vector = encoder->encode(question);
    if (!vector) return dupq::print_error(vector.error());
    dupq::neighbour best;
    bool hit = false;
    const auto searched = dupq::find_similar(*vector, vectors, near_enough, [&](std::size_t row, float score) {
      if (!hit || score > best.score) best = {row, score};
      return hit = true;
    });
    if (!searched) return dupq::print_error(searched.error());
    if (hit) {
      std::printf("hit %.3f  %s\n", static_cast<double>(best.score), answers[best.row].c_str());
    } else {
      std::printf("miss       %s\n", worked_out.c_str());
      vectors.insert(vectors.end(), vector->begin(), vector->end());
      answers.push_back(worked_out);
    }
  }
  std::printf("%zu of %zu answers had to be worked out\n", answers.size(), asked);
}
