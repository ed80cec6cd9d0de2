// What a report calls its models: a file's name without its folder, as far as that tells them apart.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "judged_model.hpp"
#include "report_svg.hpp"
#include "report_text.hpp"

namespace dupq_tool::report {

/// "models/quora-bi.gguf" as "quora-bi", if `ending` is ".gguf".
inline std::string_view base_name(std::string_view path, std::string_view ending = "") {
  path.remove_prefix(path.find_last_of("/\\") + 1);
  if (!ending.empty() && path.size() > ending.size() && path.ends_with(ending)) path.remove_suffix(ending.size());
  return path;
}

/// A name for each model, escaped. Two files of one name keep their folders.
inline std::vector<std::string> names_of(std::span<const judged_model> models) {
  std::vector<std::string> out;
  for (const judged_model& m : models) {
    const bool clear = std::all_of(models.begin(), models.end(), [&](const judged_model& other) {
      return other.title() == m.title() || base_name(other.name, ".gguf") != base_name(m.name, ".gguf") ||
             base_name(other.cross, ".gguf") != base_name(m.cross, ".gguf");
    });
    const auto name = [&](const std::string& path) {
      return "<bdi>" + text(clear ? base_name(path, ".gguf") : std::string_view(path), 120) + "</bdi>";
    };
    out.push_back(m.cross.empty() ? name(m.name) : name(m.name) + " + " + name(m.cross));
  }
  return out;
}

inline std::string kind_of(const judged_model& m) {
  if (!m.cross.empty()) return "cascade";
  std::string kind(name(m.kind));
  std::replace(kind.begin(), kind.end(), '_', '-');
  return kind;
}

}  // namespace dupq_tool::report
