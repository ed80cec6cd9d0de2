// How a change of an index reaches the disk, and what an interrupted one has left behind.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/heap_list.hpp"
#include "../core/new_file.hpp"
#include "../core/os.hpp"
#include "folder.hpp"
#include "manifest.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

/// Makes bytes the manifest: they are written beside it and on the disk before they take its name. Once they have,
/// `replaced` is true, whatever else fails. Errors: cannot_write, out_of_memory.
inline result<void> replace_manifest(std::string_view folder, std::span<const std::byte> bytes,
                                     bool& replaced) noexcept {
  const file_path next(folder, next_manifest_name), last(folder, manifest_name), names(folder);
  auto file = new_file::create(next.text());
  if (!file) return file.error();
  if (const auto done = file->write(bytes); !done) return done;
  if (const auto done = file->finish(); !done) return done;
  // The segments' names must be on the disk before a manifest that has them.
  if (!os::sync_folder(names.text()) || !os::rename(next.text(), last.text())) {
    const error failed = os::file_error(errc::cannot_write, last, errno);
    os::remove(next.text());
    return failed;
  }
  replaced = true;
  if (!os::sync_folder(names.text())) return os::file_error(errc::cannot_write, last, errno);
  return {};
}

/// Removes the files of segments that are not among `kept`, and manifests that nobody finished. What cannot be removed
/// now, since a reader on Windows has it open, goes another time.
inline void sweep(std::string_view folder, std::span<const std::uint64_t> kept) noexcept {
  struct context {
    std::string_view folder;
    std::span<const std::uint64_t> kept;
  } all{folder, kept};
  const file_path names(folder);
  (void)os::for_each_name(
      names.text(),
      [](void* c, const char* name) noexcept {
        const context& known = *static_cast<const context*>(c);
        const auto number = segment_number(name);
        const bool stays = number ? std::find(known.kept.begin(), known.kept.end(), *number) != known.kept.end()
                                  : name != next_manifest_name;
        if (!stays) os::remove(file_path(known.folder, name).text());
      },
      &all);
}

/// Whether a folder holds nothing but what a writer may have left there.
inline bool only_leftovers(std::string_view folder) noexcept {
  bool only = true;
  const file_path names(folder);
  const bool read = os::for_each_name(
      names.text(),
      [](void* known, const char* text) noexcept {
        const std::string_view name = text;
        if (name != "." && name != ".." && name != lock_name && name != next_manifest_name && !segment_number(name))
          *static_cast<bool*>(known) = false;
      },
      &only);
  return read && only;
}

}  // namespace dupq::inline DUPQ_ABI::index_detail
