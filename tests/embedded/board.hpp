// What the program needs from the board.
#pragma once

#include <cstddef>

namespace board {

void print(const char* text);
void exit(bool success);
/// Rounding towards zero, denormals flushed: what an encoder must not inherit.
void spoil_float_modes();
/// Bytes of stack that have been written since the start.
std::size_t stack_used();

}  // namespace board
