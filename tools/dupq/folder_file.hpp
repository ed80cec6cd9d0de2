// Opens a file of a model folder; what cannot be read is a failure that names the file.
#pragma once

#include <dupq/core/file.hpp>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "failure.hpp"
#include "os.hpp"

namespace dupq_tool {

inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Whether a file is what git-lfs leaves in place of a large one that was not fetched.
inline bool is_lfs_pointer(std::span<const std::byte> bytes) noexcept {
  return as_text(bytes).starts_with("version https://git-lfs.github.com/spec/");
}

inline constexpr const char* lfs_pointer = "is a git-lfs pointer: run git lfs pull";

inline dupq::mapped_file open_folder_file(const std::filesystem::path& path) {
  std::error_code trouble;
  const auto status = std::filesystem::status(path, trouble);
  const auto fail = [&](const std::string& what) { throw failure(os::name_of(path) + ": " + what); };
  if (!std::filesystem::exists(status)) fail("no such file");
  if (std::filesystem::is_directory(status)) fail("is a directory");
  if (!std::filesystem::is_regular_file(status)) fail("not a regular file");
  if (std::filesystem::file_size(path, trouble) == 0) fail("is empty");
  auto file = dupq::mapped_file::open(os::name_of(path).c_str());
  if (!file) throw failure(file.error());
  if (is_lfs_pointer(file->bytes())) fail(lfs_pointer);
  return *std::move(file);
}

}  // namespace dupq_tool
