// A folder of results that appears whole or not at all.
#pragma once

#include <cerrno>
#include <cstring>
#include <deque>
#include <dupq/core/os.hpp>
#include <filesystem>
#include <string>
#include <string_view>

#include "failure.hpp"
#include "os.hpp"
#include "output_file.hpp"
#include "unfinished.hpp"

namespace dupq_tool {

/// Files are written into a folder beside the target, whose name nobody can guess; `commit` gives it its own name.
/// Without a commit it disappears with all that is in it. A folder that is there already is only replaced where it is
/// empty. Failures name the folder.
class output_folder {
 public:
  explicit output_folder(const std::string& name) : name_(name) {
    std::filesystem::path target = os::path_of(name).lexically_normal();
    if (target.filename().empty()) target = target.parent_path();  // "FOLDER/"
    if (target.empty() || target.filename() == ".." || target.filename() == ".")
      throw failure(name + ": is there already");
    target_ = os::name_of(target);
    std::error_code none;
    if (std::filesystem::exists(std::filesystem::symlink_status(target, none)) &&
        !(std::filesystem::is_directory(std::filesystem::symlink_status(target, none)) &&
          std::filesystem::is_empty(target, none)))
      throw failure(name + ": is there already");
    std::string base = os::name_of(target.filename());
    if (base.size() > 200) base = "dupq";  // names have at most 255 bytes
    for (int attempt = 0; attempt < 16 && folder_.empty(); ++attempt) {
      const std::string beside = os::name_of(target.parent_path() / os::path_of(base + ".partial-" + random_digits()));
      noted_.emplace_back().note(beside);  // first, and so it is removed last
      if (dupq::os::make_folder(beside.c_str())) {
        folder_ = beside;
      } else {
        noted_.pop_back();
        if (errno != EEXIST) break;
      }
    }
    if (folder_.empty()) fail("cannot be created");
  }
  output_folder(const output_folder&) = delete;
  output_folder& operator=(const output_folder&) = delete;
  ~output_folder() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(os::path_of(folder_), ignored);
  }

  /// Calls write(output_file&) for a new file, whose name may have one folder before it ("1_Pooling/config.json").
  template <class F>
  void file(const std::string& name, F&& write) {
    make_folder_of(name);
    const std::string path = folder_ + "/" + name;
    noted_.emplace_back().note(path);  // before it is there, because a signal may come as soon as it is
    output_file out(path);
    write(out);
    out.commit();
  }
  void text(const std::string& name, std::string_view text) {
    file(name, [&](output_file& out) { out.write(text); });
  }
  /// An empty folder.
  void folder(const std::string& name) {
    const std::string path = folder_ + "/" + name;
    if (os::look_at(path).folder) return;
    noted_.emplace_back().note(path);
    if (!dupq::os::make_folder(path.c_str())) fail("cannot be created");
  }

  void commit() {
    std::error_code none;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(os::path_of(folder_), none))
      if (entry.is_directory(none)) os::sync_folder(os::name_of(entry.path()));
    os::sync_folder(folder_);
    (void)dupq::os::remove_folder(target_.c_str());  // an empty one; nothing happens where it is not
    if (!os::rename(folder_, target_)) fail("cannot be created");
    folder_.clear();
    noted_.clear();
    os::sync_folder(os::name_of(os::path_of(target_).parent_path()));
  }

 private:
  void make_folder_of(const std::string& name) {
    if (const std::size_t slash = name.find('/'); slash != name.npos) folder(name.substr(0, slash));
  }
  [[noreturn]] void fail(const char* what) const { throw failure(name_ + ": " + what + ": " + std::strerror(errno)); }

  std::string name_, target_, folder_;
  std::deque<unfinished> noted_;  ///< for a signal: the folder, then what is in it
};

}  // namespace dupq_tool
