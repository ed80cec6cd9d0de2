// What a project that uses dupq compiles: the umbrella header, linked by way of the CMake target alone.
#include <cstdio>
#include <dupq/dupq.hpp>
#include <vector>

int main() {
  const auto model = dupq::model::open("no such model.gguf");
  if (model) return 1;
  char message[200];
  model.error().format(message, sizeof message);
  const std::vector<float> scores{0.9f, 0.1f};
  const std::vector<int> labels{1, 0};
  const auto best = dupq::best_f1(scores, labels);
  if (!best) return 1;
  std::printf("%s\n%d.%d threshold %.1f\n", message, DUPQ_VERSION_MAJOR, DUPQ_VERSION_MINOR, best->threshold);
}
