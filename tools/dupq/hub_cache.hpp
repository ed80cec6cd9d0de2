// The folders of Hugging Face's own cache: models--ORG--NAME/snapshots/COMMIT, whose files are links into
// models--ORG--NAME/blobs, and models--ORG--NAME/refs, which says what commit a branch stands for.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "failure.hpp"
#include "os.hpp"

namespace dupq_tool::hub_cache {

/// The snapshot of the branch main where `folder` is a whole model of the cache, else `folder` itself. A failure where
/// the cache has no such snapshot.
inline std::filesystem::path snapshot(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder / "snapshots") || !std::filesystem::exists(folder / "refs")) return folder;
  const auto branch = folder / "refs" / "main";
  std::string commit;
  std::ifstream(branch) >> commit;
  if (commit.empty()) throw failure(os::name_of(branch) + ": names no snapshot: give the folder of one");
  const bool plain = commit.find_first_not_of("0123456789abcdef") == commit.npos;
  if (!plain || !std::filesystem::is_directory(folder / "snapshots" / os::path_of(commit)))
    throw failure(os::name_of(branch) + ": names a snapshot that is not there");
  return folder / "snapshots" / os::path_of(commit);
}

/// The name of the model in a folder: that of the folder, or NAME for one of the cache, which is called by its commit.
inline std::string model_name(const std::filesystem::path& folder) {
  if (folder.parent_path().filename() == "snapshots") {
    const std::string name = os::name_of(folder.parent_path().parent_path().filename());
    constexpr std::string_view prefix = "models--";
    const std::size_t last = name.rfind("--");
    if (name.starts_with(prefix) && last + 2 < name.size()) return name.substr(last + 2);
  }
  return os::name_of(folder.filename());
}

}  // namespace dupq_tool::hub_cache
