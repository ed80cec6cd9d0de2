// How many cores this process may use: its affinity, and the CPU quotas of its control groups.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>

#include "os.hpp"

namespace dupq::inline DUPQ_ABI {
namespace cores_detail {

/// Calls line(text) for each line of a file, without its end; none where the file cannot be read.
template <class Line>
void for_lines(const std::string& path, Line&& line) {
  std::FILE* const file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return;
  std::string text;
  for (char part[512]; std::fgets(part, sizeof part, file) != nullptr;) {
    text += part;
    if (text.back() != '\n') continue;
    text.pop_back();
    line(std::string_view(text));
    text.clear();
  }
  if (!text.empty()) line(std::string_view(text));
  std::fclose(file);
}

/// Takes the text up to `end`, or all of it, off the front.
inline std::string_view next_field(std::string_view& text, char end) noexcept {
  const std::string_view field = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), field.size() + 1));
  return field;
}

/// Whether one of the words, separated by commas, is `word`.
inline bool has_word(std::string_view words, std::string_view word) noexcept {
  while (!words.empty())
    if (next_field(words, ',') == word) return true;
  return false;
}

/// The cores that "QUOTA PERIOD" stand for, rounded up; "max" and -1 stand for no limit.
inline std::size_t quota_cores(const std::string& text) noexcept {
  long long quota = 0, period = 0;
  if (std::sscanf(text.c_str(), "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
    return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(quota / period + (quota % period != 0));
}

inline std::string first_line(const std::string& path) {
  std::string first;
  bool seen = false;
  for_lines(path, [&](std::string_view line) {
    if (!seen) first = line;
    seen = true;
  });
  return first;
}

/// The path of this process's control group, from a line of /proc/self/cgroup: of version 2 ("0::/path"), or of the
/// version 1 hierarchy that limits CPU time.
inline std::string group_path(const std::string& root, bool unified) {
  std::string path;
  for_lines(root + "/proc/self/cgroup", [&](std::string_view line) {
    const std::string_view number = next_field(line, ':'), controllers = next_field(line, ':');
    if (unified ? number == "0" && controllers.empty() : has_word(controllers, "cpu")) path = line;
  });
  return path;
}

/// The least quota, in cores, of a group and of those above it up to the mount point.
inline std::size_t least_quota(const std::string& mount, std::string path, bool unified) {
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (;;) {
    const std::string folder = mount + path + '/';
    least = std::min(least, quota_cores(unified ? first_line(folder + "cpu.max")
                                                : first_line(folder + "cpu.cfs_quota_us") + ' ' +
                                                      first_line(folder + "cpu.cfs_period_us")));
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace cores_detail

/// Cores that the control groups (v2, v1 or both) of this process leave it; the largest number where there is no quota.
/// `root` stands before the absolute paths that are read: /proc/self/mountinfo, /proc/self/cgroup and the groups'.
inline std::size_t control_group_cores(const std::string& root = {}) {
  using namespace cores_detail;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  // 36 35 0:28 /GROUP /MOUNT/POINT rw,noatime shared:1 - cgroup cgroup rw,cpu,cpuacct
  for_lines(root + "/proc/self/mountinfo", [&](std::string_view line) {
    for (int i = 0; i < 3; ++i) next_field(line, ' ');
    const std::string_view group = next_field(line, ' '), mount = next_field(line, ' ');
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) return;
    line.remove_prefix(dash + 3);
    const std::string_view type = next_field(line, ' ');
    next_field(line, ' ');
    const bool unified = type == "cgroup2";
    if (!unified && (type != "cgroup" || !has_word(line, "cpu"))) return;
    // A container may see only its own group, mounted where the root would be.
    std::string path = group_path(root, unified);
    if (group != "/") path = (path + '/').starts_with(std::string(group) + '/') ? path.substr(group.size()) : "";
    if (path == "/" || path.starts_with("/..")) path.clear();
    least = std::min(least, least_quota(root + std::string(mount), path, unified));
  });
  return least;
}

/// Cores that this process may use: what its affinity and the quotas of its control groups leave. At least 1.
inline std::size_t available_cores() {
  std::size_t cores = os::cores();
  if constexpr (os::control_groups) cores = std::min(cores, control_group_cores());
  return cores;
}

}  // namespace dupq::inline DUPQ_ABI
