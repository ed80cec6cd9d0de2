// hashes MODELS TEXTS TABLE...: runs the converted golden models in the folder MODELS over texts.txt and pairs.txt in
// the folder TEXTS with every kernel table, and its search, and compares the bits of the results with the known ones.
// Each TABLE must be among the tables. A small program, because many compilers build it.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dupq/bi_encoder.hpp>
#include <dupq/cross_encoder.hpp>
#include <dupq/device/cpu/exact.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "golden/hashes.hpp"
#include "product_bits.hpp"
#include "search_bits.hpp"

namespace {

std::vector<std::string> read_texts(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> all;
  for (std::string text; std::getline(file, text, '\0');) all.push_back(text);
  return all;
}

int fail(const dupq::error& e) {
  char line[256];
  e.format(line, sizeof line);
  std::fprintf(stderr, "%s\n", line);
  return 1;
}

/// Whether the bits are the known ones; prints them.
bool same(const char* of, const char* type, const char* table, std::uint64_t bits, std::uint64_t known) {
  std::printf("%-12s %-5s %-8s %016llx%s\n", of, type, table, static_cast<unsigned long long>(bits),
              bits == known ? "" : " DIFFERS");
  return bits == known;
}
bool same(const golden::known_bits& known, const char* table, const std::vector<float>& values) {
  golden::hash h;
  for (const float v : values) h.add(v);
  return same(known.model, known.type, table, h.value(), known.hash);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return std::fputs("usage: hashes MODELS TEXTS TABLE...\n", stderr), 2;
  const std::string models = arguments[1], folder = arguments[2];
  const std::vector<std::string> texts = read_texts(folder + "/texts.txt"), pairs = read_texts(folder + "/pairs.txt");
  if (texts.empty() || pairs.empty()) return std::fputs("no texts\n", stderr), 1;
  for (int i = 3; i < count; ++i)
    if (dupq::find_kernels(arguments[i]) == nullptr) return std::fprintf(stderr, "no %s kernels\n", arguments[i]), 1;

  std::vector<std::string> a, b;
  for (std::size_t i = 0; i < pairs.size(); ++i) (i % 2 == 0 ? a : b).push_back(pairs[i]);
  bool all_same = true;
  for (const dupq::kernels* table : dupq::available_kernels())
    if (!dupq::exact_arithmetic(*table)) std::printf("%s: inexact arithmetic\n", table->name), all_same = false;
  for (const dupq::kernels* table : dupq::available_kernels())
    all_same =
        same("search", "", table->name, search_bits::of(dupq::filter_of(*table)), search_bits::known) && all_same;
  for (const dupq::kernels* table : dupq::available_kernels())
    all_same =
        same("product", "", table->name, product_bits::of(*table), product_bits::of(dupq::scalar_kernels::table)) &&
        all_same;
  all_same = same("packed rows", "", "", search_bits::of_packed_rows(), search_bits::known_packed_rows) && all_same;
  for (const golden::known_bits& known : golden::known)
    for (const dupq::kernels* table : dupq::available_kernels()) {
      const std::string path = models + "/" + known.model + "." + known.type + ".gguf";
      const auto m = dupq::model::open(path.c_str(), {.kernels = table->name});
      if (!m) return fail(m.error());
      std::vector<float> values;
      if (known.cross) {
        auto encoder = dupq::cross_encoder::make(*m);
        if (!encoder) return fail(encoder.error());
        values.resize(a.size());
        if (const auto done = encoder->logits(a, b, values); !done) return fail(done.error());
      } else {
        auto encoder = dupq::bi_encoder::make(*m);
        if (!encoder) return fail(encoder.error());
        values.resize(texts.size() * m->dim());
        if (const auto done = encoder->encode(texts, values); !done) return fail(done.error());
      }
      all_same = same(known, table->name, values) && all_same;
    }
  return all_same ? 0 : 1;
}
