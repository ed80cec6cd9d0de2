// What the C library would do with a heap and a stream: a character to the debugger.
#include "board.hpp"

extern "C" int putchar(int c) {
  const char text[2] = {static_cast<char>(c), '\0'};
  board::print(text);
  return c;
}
