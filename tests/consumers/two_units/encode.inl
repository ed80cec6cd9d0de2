// The body of both units: the vectors of a few questions, empty when something fails.
#include <array>
#include <dupq/dupq.hpp>
#include <string_view>
#include <vector>

inline constexpr std::array<std::string_view, 4> questions = {
    "How do I learn to swim?", "what is the way to learn it", "",
    "a longer question, with 12 numbers, and some more words"};

static std::vector<float> encode_all(const char* path, const char* kernels) {
  const auto model = dupq::model::open(path, {.kernels = kernels});
  if (!model) return {};
  auto encoder = dupq::bi_encoder::make(*model);
  std::vector<float> vectors(questions.size() * model->dim());
  if (!encoder || !encoder->encode(questions, vectors)) return {};
  return vectors;
}
