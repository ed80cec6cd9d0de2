// Every place of a kernel where the emulator can leave something out: each defect must show.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <set>
#include <string>

#include "emulator/mutations.hpp"

namespace cuda_test {

/// What is wrong with a run: the emulator's problem, or results that are not right; empty if nothing is.
inline std::string judged(const std::string& problem, bool right) {
  return !problem.empty() ? problem : right ? "" : "a wrong result";
}

/// Plants defects in a kernel and says which ones did not show; `expected` is how many there are. run() says what is
/// wrong with a run.
template <class Run>
void check_defects(std::size_t expected, Run&& run) {
  std::set<std::string> planted;
  const auto unnoticed = emulator::unnoticed_defects(run, planted);
  for (const auto& line : unnoticed) FAIL_CHECK(line);
  CHECK(planted.size() == expected);
}

/// The same where run(problem) gives results, which one.apart() compares with the right ones.
template <class Case, class Run>
void check_defects(Case& one, std::size_t expected, float tolerance, Run&& run) {
  check_defects(expected, [&] {
    std::string problem;
    const auto found = run(problem);
    return judged(problem, problem.empty() && one.apart(found) < tolerance);
  });
}

}  // namespace cuda_test
