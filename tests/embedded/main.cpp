// A golden model on a microcontroller: its file and the texts are constants in flash, and all RAM is static. Prints the
// hash of the vectors and compares it with the one that every other machine gets.
#include <cstddef>
#include <cstdint>
#include <dupq/bi_encoder.hpp>
#include <span>
#include <string_view>

#include "board.hpp"
#include "golden/hashes.hpp"

// The assembler places two files of the folder it is given: the model and texts.txt.
__asm__(
    ".pushsection .model, \"a\"\n"
    ".balign 64\n"
    "model_begin: .incbin \"bert.gguf\"\n"
    "model_end:\n"
    "texts_begin: .incbin \"texts.txt\"\n"
    "texts_end:\n"
    ".globl model_begin, model_end, texts_begin, texts_end\n"
    ".popsection\n");
extern "C" {
extern const std::byte model_begin[], model_end[];
extern const char texts_begin[], texts_end[];
}

namespace {

// The model's dimensions, as `dupq info` prints them, and how long texts may be: they size the RAM.
constexpr dupq::config shape{.layers = 2,
                             .hidden = 32,
                             .heads = 4,
                             .intermediate = 52,
                             .positions = 40,
                             .token_types = 2,
                             .max_length = 24,
                             .pooling = {.mean = true}};
constexpr dupq::limits sizes{.text_tokens = 24, .packed_tokens = 24, .texts = 2};
alignas(dupq::alignment) std::byte workspace[dupq::workspace_bytes(shape, sizes)];
alignas(dupq::alignment) std::byte storage[2560];

void print(std::uint64_t n, unsigned base) {
  char digits[24];
  char* at = digits + sizeof digits;
  *--at = '\0';
  do *--at = "0123456789abcdef"[n % base];
  while ((n /= base) != 0);
  board::print(at);
}
void print(const char* name, std::size_t bytes) {
  board::print(name);
  print(bytes, 10);
  board::print("\n");
}

int fail(const dupq::error& e) {
  char line[200];
  e.format(line, sizeof line);
  board::print(line);
  board::print("\n");
  return 1;
}

}  // namespace

int main() {
  board::spoil_float_modes();
  const auto model = dupq::model::load({model_begin, model_end}, storage);
  if (!model) return fail(model.error());
  auto encoder = dupq::bi_encoder::make(*model, {.limits = sizes}, workspace);
  if (!encoder) return fail(encoder.error());
  golden::hash hash;
  float vector[shape.dim()];
  for (const char* begin = texts_begin; begin != texts_end;) {
    const std::string_view one[] = {begin};  // each text is ended by a NUL
    if (const auto done = encoder->encode(one, vector); !done) return fail(done.error());
    for (const float v : vector) hash.add(v);
    begin += one[0].size() + 1;
  }
  board::print("hash ");
  print(hash.value(), 16);
  board::print("\n");
  print("workspace ", sizeof workspace);
  print("storage ", sizeof storage);
  print("stack ", board::stack_used());
  static_assert(std::string_view(golden::known[0].model) == "bert");
  return hash.value() == golden::known[0].hash ? 0 : 1;
}
