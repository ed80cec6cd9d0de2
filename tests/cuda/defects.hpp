// Every place of a kernel where the emulator can leave something out: each defect must show.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <string>

#include "emulator/mutations.hpp"

namespace cuda_test {

/// Plants defects in a kernel and says which ones did not show; `expected` is how many there are. run(problem) gives
/// results, which one.apart() compares with the right ones.
template <class Case, class Run>
void check_defects(Case& one, std::size_t expected, float tolerance, Run&& run) {
  std::set<std::string> planted;
  const auto unnoticed = emulator::unnoticed_defects(
      [&] {
        std::string problem;
        const auto found = run(problem);
        return !problem.empty() ? problem : one.apart(found) < tolerance ? "" : std::string("a wrong result");
      },
      planted);
  for (const auto& line : unnoticed) FAIL_CHECK(line);
  CHECK(planted.size() == expected);
}

}  // namespace cuda_test
