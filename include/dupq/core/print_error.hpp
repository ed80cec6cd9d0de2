// Prints an error to stderr, for programs that have one. The library itself never prints.
#pragma once

#include <cstdio>

#include "error.hpp"

namespace dupq::inline DUPQ_ABI {

/// Writes the error as one line to stderr; returns 1, so that `main` can return it.
inline int print_error(const error& e) noexcept {
  char line[320];
  e.format(line, sizeof line);
  std::fprintf(stderr, "%s\n", line);
  return 1;
}

}  // namespace dupq::inline DUPQ_ABI
