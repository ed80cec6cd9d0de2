// Teaches a bi-encoder what you call duplicates, with a loss of one's own. (`dupq train` needs no program.)
//
//   example_training BI_ENCODER.gguf PAIRS       lines of PAIRS: question TAB question TAB 0 or 1
#include <cstdio>
#include <dupq/dupq.hpp>
#include <dupq/training.hpp>
#include <fstream>
#include <span>
#include <string>
#include <vector>

/// Any struct like this one is a loss: it returns a number, and writes its gradient for every vector. Here the vectors
/// of duplicates shall lie near to each other, and those of others in any other direction (a dot product of 0).
struct near_or_square {
  static constexpr std::size_t scratch_doubles(std::size_t, std::size_t) noexcept { return 0; }
  double operator()(const dupq::vector_batch& b, const dupq::vector_gradients& g, std::span<double>) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < b.first.rows; ++i) {
      double dot = 0;
      for (std::size_t j = 0; j < b.first.columns; ++j) dot += double{b.first.row(i)[j]} * double{b.second.row(i)[j]};
      const double apart = dot - double{b.labels[i]}, slope = 2 * apart / static_cast<double>(b.first.rows);
      for (std::size_t j = 0; j < b.first.columns; ++j) {
        g.first.row(i)[j] = static_cast<float>(slope * double{b.second.row(i)[j]});
        g.second.row(i)[j] = static_cast<float>(slope * double{b.first.row(i)[j]});
      }
      sum += apart * apart / static_cast<double>(b.first.rows);
    }
    return sum;
  }
};

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: example_training BI_ENCODER PAIRS\n", stderr), 2;
  std::vector<std::string> first, second;
  std::vector<float> labels;
  std::ifstream file(argv[2]);
  for (std::string a, b, c; std::getline(file, a, '\t') && std::getline(file, b, '\t') && std::getline(file, c);)
    first.push_back(a), second.push_back(b), labels.push_back(c == "1" ? 1.0f : 0.0f);
  auto model = dupq::model::open(argv[1]);
  if (!model) return dupq::print_error(model.error());
  const std::size_t batch = 8, epochs = 5, steps = first.size() / batch;  // of an epoch
  if (steps == 0) return std::fputs("fewer than 8 pairs\n", stderr), 1;
  dupq::thread_pool pool;  // all cores
  dupq::trainer_options options;
  options.warmup = 4, options.steps = epochs * steps, options.texts = 2 * batch;
  options.executor = pool.executor(), options.optimizer.learning_rate = 1e-3;
  auto trainer = dupq::trainer::make(*model, options);  // takes all memory that there will be
  if (!trainer) return dupq::print_error(trainer.error());
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
    double sum = 0;
    for (std::size_t n = 0; n < steps; ++n) {
      const auto part = [&](const auto& all) { return std::span(all).subspan(n * batch, batch); };
      const auto done = trainer->step(part(first), part(second), {}, part(labels), near_or_square{});
      if (!done) return dupq::print_error(done.error());
      sum += done->loss;
    }
    std::printf("epoch %zu: loss %.4f\n", epoch + 1, sum / static_cast<double>(steps));
  }
}
