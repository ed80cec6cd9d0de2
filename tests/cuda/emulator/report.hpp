// A race in words, with the lines of the kernel that it happened in.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "machine.hpp"

namespace emulator {

/// "file:line" of the code before a return address, where the program has debug information.
inline std::string place_name(void* address) {
  Dl_info info{};
  const auto where = reinterpret_cast<std::uintptr_t>(address) - 1;
  if (dladdr(address, &info) == 0) return "?";
  char command[512], line[512] = "", best[512] = "?";
  std::snprintf(command, sizeof command, "addr2line -i -e '%s' %#zx 2>/dev/null", info.dli_fname,
                static_cast<std::size_t>(where - reinterpret_cast<std::uintptr_t>(info.dli_fbase)));
  FILE* const lines = popen(command, "r");
  if (lines == nullptr) return best;
  while (std::fgets(line, sizeof line, lines) != nullptr) {
    const std::string text = std::string(line).substr(0, std::string(line).find_first_of("\n("));
    const std::string name = text.substr(text.rfind('/') + 1);
    const bool of_emulator = text.find("/emulator/") != std::string::npos;  // a wrapper that was inlined
    if (std::string(best) == "?" && !of_emulator) std::snprintf(best, sizeof best, "%s", name.c_str());
  }
  pclose(lines);
  return best;
}

inline std::string name(const access& a) {
  const machine& m = machine::self();
  const std::size_t threads = m.threads.size(), warps = m.warps.size();
  const std::string who = a.actor < threads               ? "thread " + std::to_string(a.actor)
                          : a.actor < 2 * threads         ? "a copy of thread " + std::to_string(a.actor - threads)
                          : a.actor < 2 * threads + warps ? "a product of warp " + std::to_string(a.actor - 2 * threads)
                          : a.actor < 2 * threads + 2 * warps
                              ? "a bulk store of warp " + std::to_string(a.actor - 2 * threads - warps)
                              : std::string("a bulk load");
  return std::string(a.what) + " by " + who + " at " + place_name(a.place);
}

inline std::string describe(const race& r) {
  const std::string at = "shared byte " + std::to_string(r.address) + ": ";
  if (r.first.actor == ~0u) return at + name(r.second) + " reads what nothing wrote";
  return at + "no order between " + name(r.first) + " and " + name(r.second);
}

}  // namespace emulator
