// Finds the questions nearest to a query: a bi-encoder picks candidates fast, a cross-encoder puts them in order.
//
//   example_rerank BI_ENCODER.gguf CROSS_ENCODER.gguf examples/questions.txt "How does one learn to swim?" 5
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <dupq/dupq.hpp>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 6) return std::fputs("usage: example_rerank BI_ENCODER CROSS_ENCODER FILE QUERY COUNT\n", stderr), 2;
  std::vector<std::string> questions;
  std::ifstream file(argv[3]);
  for (std::string line; std::getline(file, line);) questions.push_back(line);
  const std::string query = argv[4];

  auto finder_model = dupq::model::open(argv[1]);
  if (!finder_model) return dupq::print_error(finder_model.error());
  dupq::thread_pool pool;  // all cores, for the many questions
  auto finder = dupq::bi_encoder::make(*finder_model, {.executor = pool.executor()});
  if (!finder) return dupq::print_error(finder.error());
  auto judge_model = dupq::model::open(argv[2]);
  if (!judge_model) return dupq::print_error(judge_model.error());
  auto judge = dupq::cross_encoder::make(*judge_model);
  if (!judge) return dupq::print_error(judge.error());

  // The questions' vectors are made once and can be kept; each query is compared with all of them.
  const auto vectors = finder->encode(questions), wanted = finder->encode(query);
  if (!vectors) return dupq::print_error(vectors.error());
  if (!wanted) return dupq::print_error(wanted.error());
  struct candidate {
    std::size_t line;
    float similarity, score;
  };
  std::vector<candidate> found;
  const dupq::search_options all{.threshold = -1e30f, .similarity = finder_model->config().similarity};
  const auto searched = dupq::find_similar(*wanted, *vectors, all, [&](std::size_t row, float similarity) {
    found.push_back({row, similarity, 0});
    return true;
  });
  if (!searched) return dupq::print_error(searched.error());
  std::ranges::stable_sort(found, std::greater{}, &candidate::similarity);
  found.resize(std::min<std::size_t>(found.size(), std::strtoul(argv[5], nullptr, 10)));

  // The cross-encoder reads query and candidate together: slower and more exact, so it sees the best few only.
  for (candidate& c : found) {
    const auto score = judge->score(query, questions[c.line]);
    if (!score) return dupq::print_error(score.error());
    c.score = *score;
  }
  std::ranges::stable_sort(found, std::greater{}, &candidate::score);
  for (const candidate& c : found)
    std::printf("%.3f  %.3f  %s\n", static_cast<double>(c.score), static_cast<double>(c.similarity),
                questions[c.line].c_str());
}
