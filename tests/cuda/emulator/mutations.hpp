// Plants one defect after another: leaves each barrier, fence and wait of a kernel out, and swizzles each load of
// matrices wrongly. Every one must show, as a problem that the emulator reports or in the result.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "report.hpp"

namespace emulator {

/// Runs `run` (a launch and a look at its result; it returns what is wrong, or nothing) as it is, and then with every
/// defect, or with those of one primitive. Returns the places, as "what at file:line", where a defect did not show;
/// `planted` gets all.
template <class Run>
std::set<std::string> unnoticed_defects(Run&& run, std::set<std::string>& planted, std::string_view only = {}) {
  machine& m = machine::self();
  m.places.clear(), m.defects.clear();
  std::set<std::string> unnoticed;
  const std::string problem = run();
  if (!problem.empty()) unnoticed.insert("without a defect: " + problem);
  std::map<std::string, std::set<void*>> lines;  // one line may be code in several places
  for (const auto& [place, what] : m.places)
    if (only.empty() || only == what) lines[std::string(what) + " at " + place_name(place)].insert(place);
  for (const auto& [line, places] : lines) {
    planted.insert(line);
    m.defects = places;
    if (run().empty()) unnoticed.insert(line);
  }
  m.defects.clear();
  return unnoticed;
}

}  // namespace emulator
