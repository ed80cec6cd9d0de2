// A static model on a microcontroller: no layers, so that a score takes microseconds and some hundred bytes of RAM. The
// model's bytes are a constant in flash; no heap, no files, no streams, no exceptions.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <dupq/static_encoder.hpp>
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

// The numbers of a row, as `dupq info` prints them, and how long texts may be: they size the RAM.
constexpr dupq::config shape{.kind = dupq::model_kind::static_encoder, .hidden = 32, .pooling = {.mean = true}};
constexpr dupq::limits sizes{.text_tokens = 64, .packed_tokens = 64};
alignas(dupq::alignment) std::byte workspace[dupq::static_encoder::workspace_bytes(shape, sizes)];
alignas(dupq::alignment) std::byte storage[1024];  // the model's; load says if it is too small

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

/// A score in millionths.
void say_score(float score) {
  char digits[12];
  char* at = digits + sizeof digits;
  auto n = static_cast<std::int32_t>(score * 1e6f);
  const bool negative = n < 0;
  if (negative) n = -n;
  do *--at = static_cast<char>('0' + n % 10);
  while ((n /= 10) != 0);
  if (negative) *--at = '-';
  say({at, static_cast<std::size_t>(digits + sizeof digits - at)});
}

}  // namespace

int main() {
  // Static models are among the settings that few files have; these are theirs alone.
  const auto model = dupq::model::load({flash_begin, flash_end}, storage, {.settings = &dupq::static_settings});
  if (!model) return say(model.error());
  auto encoder = dupq::static_encoder::make(*model, {.limits = sizes}, workspace);
  if (!encoder) return say(encoder.error());
  const auto score = encoder->score("How do I learn Python?", "What is the best way to learn Python?");
  if (!score) return say(score.error());
  say_score(*score);
  return say(*score >= 0.75f ? "duplicate" : "different");
}
