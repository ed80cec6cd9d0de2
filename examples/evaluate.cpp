// How good is a model? The table of the usual notebook: a bi-encoder, then a cross-encoder on the same pairs. The
// threshold is chosen on the first half of the file and judged on the second.
//
//   example_evaluate BI_ENCODER.gguf CROSS_ENCODER.gguf PAIRS       lines of PAIRS: question TAB question TAB 0 or 1
#include <cstdio>
#include <dupq/dupq.hpp>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace {

struct pairs {
  std::vector<std::string> first, second;
  std::vector<int> duplicate;
};

pairs read_pairs(const char* path) {
  pairs p;
  std::ifstream file(path);
  for (std::string a, b, label;
       std::getline(file, a, '\t') && std::getline(file, b, '\t') && std::getline(file, label);)
    p.first.push_back(a), p.second.push_back(b), p.duplicate.push_back(label == "1");
  return p;
}

/// Scores all pairs with an encoder of either kind and prints a row of the table.
template <class Encoder>
int evaluate(const char* path, const pairs& p, dupq::thread_pool& pool) {
  auto model = dupq::model::open(path);
  if (!model) return dupq::print_error(model.error());
  auto encoder = Encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());

  std::vector<float> scores(p.duplicate.size());
  if (const auto done = encoder->score(p.first, p.second, scores); !done) return dupq::print_error(done.error());
  const std::span all(scores);
  const std::span labels(p.duplicate);
  const std::size_t half = scores.size() / 2;
  const auto chosen = dupq::best_f1(all.first(half), labels.first(half));
  if (!chosen) return std::fputs("no duplicates in the first half\n", stderr), 1;
  const dupq::confusion test = dupq::confusion_at(all.subspan(half), labels.subspan(half), chosen->threshold);
  std::printf("%-13s  %9.4f  %6.4f  %9.4f  %6.4f\n", name(model->config().kind).data(), chosen->threshold, test.f1(),
              test.precision(), test.recall());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: example_evaluate BI_ENCODER CROSS_ENCODER PAIRS\n", stderr), 2;
  const pairs p = read_pairs(argv[3]);
  std::printf("%-13s  threshold  %6s  precision  recall\n", "model", "F1");
  dupq::thread_pool pool;  // all cores
  if (int failed = evaluate<dupq::bi_encoder>(argv[1], p, pool)) return failed;
  return evaluate<dupq::cross_encoder>(argv[2], p, pool);
}
