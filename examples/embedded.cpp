// On a microcontroller: no heap, no files, no streams, no exceptions. The model's bytes are a constant in flash, the
// RAM is two static buffers whose size is known to the compiler.
#include <cstddef>
#include <cstdio>
#include <dupq/bi_encoder.hpp>
#include <span>
#include <string_view>

// The linker places the model file (DUPQ_EXAMPLE_MODEL, its path) with the constants.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".globl flash_begin\n"
    "flash_begin: .incbin \"" DUPQ_EXAMPLE_MODEL
    "\"\n"
    ".globl flash_end\n"
    "flash_end: .byte 0\n"
    ".popsection\n");
extern "C" const std::byte flash_begin[], flash_end[];

namespace {

// The dimensions of that model, as `dupq info` prints them, and how long texts may be. They size the RAM.
constexpr dupq::config shape{.layers = 2,
                             .hidden = 32,
                             .heads = 4,
                             .intermediate = 52,
                             .positions = 40,
                             .token_types = 2,
                             .max_length = 24,
                             .pooling = {.mean = true}};
constexpr dupq::limits sizes{.text_tokens = 16, .packed_tokens = 32, .texts = 2};
alignas(dupq::alignment) std::byte workspace[dupq::workspace_bytes(shape, sizes)];
alignas(dupq::alignment) std::byte storage[2560];  // the model and a packed file's layers; load says if it is too small

/// Replace this by a function that writes to your serial line.
void put(char c) { std::putchar(c); }

int say(std::string_view text) {
  for (const char c : text) put(c);
  put('\n');
  return 0;
}
int say(const dupq::error& e) {
  char line[200];
  e.format(line, sizeof line);
  return say(std::string_view(line)), 1;
}

}  // namespace

int main() {
  const auto model = dupq::model::load({flash_begin, flash_end}, storage);  // the weights stay where they are
  if (!model) return say(model.error());
  auto encoder = dupq::bi_encoder::make(*model, {.limits = sizes}, workspace);
  if (!encoder) return say(encoder.error());
  const auto score = encoder->score("How do I learn Python?", "how do I LEARN python?");
  if (!score) return say(score.error());
  return say(*score >= 0.75f ? "duplicate" : "different");
}
