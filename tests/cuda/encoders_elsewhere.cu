// The second translation unit of encoders.cu.
#include <cstdio>
#include <dupq/cuda.cuh>

int encode_elsewhere(const dupq::model& m) {
  auto encoder = dupq::cuda::bi_encoder::make(m);
  if (!encoder) return dupq::print_error(encoder.error());
  const auto score = encoder->score("how do I learn C++?", "what is the best way to learn C++?");
  if (!score) return dupq::print_error(score.error());
  std::printf("%.6f\n", static_cast<double>(*score));
  return 0;
}
