// training_hashes MODELS TEXTS TABLE...: trains the converted golden models in the folder MODELS a little, on texts.txt
// of the folder TEXTS, with every kernel table, and compares the bits of all weights and moments with the known ones.
// Each TABLE must be among the tables.
#include <cstdio>
#include <dupq/core/print_error.hpp>
#include <dupq/model.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "golden/training_bits.hpp"

int main(int count, char** arguments) {
  if (count < 3) return std::fputs("usage: training_hashes MODELS TEXTS TABLE...\n", stderr), 2;
  std::ifstream file(std::string(arguments[2]) + "/texts.txt", std::ios::binary);
  std::vector<std::string> texts;
  for (std::string text; std::getline(file, text, '\0');) texts.push_back(text);
  if (texts.empty()) return std::fputs("no texts\n", stderr), 1;
  for (int i = 3; i < count; ++i)
    if (dupq::find_kernels(arguments[i]) == nullptr) return std::fprintf(stderr, "no %s kernels\n", arguments[i]), 1;

  bool all_same = true;
  for (const auto& [name, known] : golden::known_trainings) {
    const std::string path = std::string(arguments[1]) + "/" + name + ".f32.gguf";
    const auto m = dupq::model::open(path.c_str());
    if (!m) return dupq::print_error(m.error());
    for (const dupq::kernels* table : dupq::available_kernels()) {
      const auto bits = golden::trained_bits(*m, *table, texts);
      if (!bits) return dupq::print_error(bits.error());
      std::printf("%-12s %-8s %016llx%s\n", name, table->name, static_cast<unsigned long long>(*bits),
                  *bits == known ? "" : " DIFFERS");
      all_same = all_same && *bits == known;
    }
  }
  return all_same ? 0 : 1;
}
