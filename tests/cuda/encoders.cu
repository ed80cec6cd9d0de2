// The encoders on a GPU, as a user's program has them: compile.py --link builds it beside another such unit. It runs
// where a GPU is, and says what is wrong where none is.
#include <cstdio>
#include <dupq/cuda.cuh>

int encode_elsewhere(const dupq::model& m);

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto m = dupq::model::open(argv[1]);
  if (!m) return dupq::print_error(m.error());
  if (m->config().kind == dupq::model_kind::bi_encoder) return encode_elsewhere(*m);
  auto judge = dupq::cuda::cross_encoder::make(*m);
  if (!judge) return dupq::print_error(judge.error());
  const auto score = judge->score("how do I learn C++?", "what is the best way to learn C++?");
  if (!score) return dupq::print_error(score.error());
  std::printf("%.6f\n", static_cast<double>(*score));
}
