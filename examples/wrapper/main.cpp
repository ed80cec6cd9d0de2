// A program that knows nothing of dupq's headers.
//
//   example_wrapper MODEL.gguf QUESTION QUESTION
#include <cstdio>
#include <exception>

#include "similarity.hpp"

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: example_wrapper MODEL QUESTION QUESTION\n", stderr), 2;
  try {
    similarity alike(argv[1]);
    std::printf("%.3f\n", static_cast<double>(alike(argv[2], argv[3])));
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
