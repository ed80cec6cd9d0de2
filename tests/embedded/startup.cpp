// Starts a Cortex-M7 and lets it talk to its debugger (semihosting): what a board's own support files would do.
#include <cstddef>
#include <cstdint>

#include "board.hpp"

int main();

extern "C" {
extern std::uint32_t stack_bottom[], stack_top[], data_image[], data_begin[], data_end[], bss_begin[], bss_end[];
}

namespace {

constexpr std::uint32_t unused = 0xDEADBEEFu;

/// Arm's "Semihosting for AArch32 and AArch64": a breakpoint that the debugger answers.
int semihosting(int operation, const void* argument) {
  register int r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

}  // namespace

namespace board {

void print(const char* text) { semihosting(0x04, text); }  // SYS_WRITE0

void exit(bool success) {
  semihosting(0x18, reinterpret_cast<const void*>(success ? 0x20026u : 0x20023u));  // SYS_EXIT
  for (;;) {
  }
}

void spoil_float_modes() {
#if defined(__ARM_FP)
  __asm__ volatile("vmsr fpscr, %0" : : "r"(7u << 22));
#endif
}

std::size_t stack_used() {
  const std::uint32_t* lowest = stack_bottom;
  while (*lowest == unused) ++lowest;
  return static_cast<std::size_t>(stack_top - lowest) * sizeof(std::uint32_t);
}

}  // namespace board

extern "C" {

[[noreturn]] void fault() {
  board::print("fault\n");
  board::exit(false);
  for (;;) {
  }
}

[[noreturn]] void reset() {
  *reinterpret_cast<volatile std::uint32_t*>(0xE000ED88u) |= 0xFu << 20;  // CPACR: the floating-point unit is on
  __asm__ volatile("dsb\nisb");
  const std::uint32_t* from = data_image;
  for (std::uint32_t* to = data_begin; to != data_end;) *to++ = *from++;
  for (std::uint32_t* to = bss_begin; to != bss_end;) *to++ = 0;
  std::uint32_t* const here = static_cast<std::uint32_t*>(__builtin_frame_address(0)) - 64;
  for (std::uint32_t* to = stack_bottom; to < here;) *to++ = unused;
  board::exit(main() == 0);
  for (;;) {
  }
}

using handler = void (*)();
struct vector_table {
  std::uint32_t* stack;
  handler handlers[15];  // of exceptions 1 to 15
};
[[gnu::section(".vectors"), gnu::used]] extern const vector_table vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, nullptr, nullptr, nullptr, nullptr, fault, fault, nullptr, fault,
     fault}};
}
