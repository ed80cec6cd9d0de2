// Are two questions duplicates?
//
//   example_score_pair all-MiniLM-L6-v2.gguf "How do I learn C++?" "What is the best way to learn C++?"
#include <cstdio>
#include <dupq/dupq.hpp>

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: example_score_pair MODEL QUESTION QUESTION\n", stderr), 2;

  auto model = dupq::model::open(argv[1]);  // maps and checks the file; one model serves many threads
  if (!model) return dupq::print_error(model.error());
  auto encoder = dupq::bi_encoder::make(*model);  // its workspace, taken once; one encoder a thread
  if (!encoder) return dupq::print_error(encoder.error());

  const auto score = encoder->score(argv[2], argv[3]);  // the cosine of their vectors, 1 for equal texts
  if (!score) return dupq::print_error(score.error());
  const float threshold = model->threshold().value_or(0.75f);  // `dupq calibrate` stores one in the model file
  std::printf("%.3f %s\n", static_cast<double>(*score), *score >= threshold ? "duplicate" : "different");
}
