// The weights of a Hugging Face folder: model.safetensors, or the files that model.safetensors.index.json lists.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "folder_file.hpp"
#include "json_file.hpp"
#include "safetensors.hpp"

namespace dupq_tool {

/// Every tensor of a folder, by its name.
class hf_checkpoint {
 public:
  /// Failures name the file, and the tensor or key.
  explicit hf_checkpoint(const std::filesystem::path& folder) : path_(folder / "model.safetensors") {
    const auto index = folder / "model.safetensors.index.json";
    if (std::filesystem::exists(path_) || !std::filesystem::exists(index))
      add(path_);
    else
      read_index(index);
  }
  /// The file that lists the tensors.
  std::string source() const { return os::name_of(path_); }
  const safetensors::tensor* find(std::string_view name) const noexcept {
    for (const auto& file : files_)
      if (const safetensors::tensor* const t = file->tensors.find(name)) return t;
    return nullptr;
  }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& file : files_)
      for (const safetensors::tensor& t : file->tensors.tensors()) f(t);
  }

 private:
  struct shard {
    explicit shard(const std::filesystem::path& path)
        : mapped(open_folder_file(path)), tensors(mapped.bytes(), os::name_of(path)) {}

    dupq::mapped_file mapped;
    safetensors::file tensors;
  };

  const safetensors::file& add(const std::filesystem::path& path) {
    return files_.emplace_back(std::make_unique<shard>(path))->tensors;
  }

  /// The index says of each tensor in which file it is; the files must agree.
  void read_index(const std::filesystem::path& path) {
    path_ = path;
    const json_node index = json_node::open(path);
    const json_node map = index.at("weight_map");
    std::map<std::string, std::vector<std::pair<std::string, json_node>>> by_file;
    for (auto& [name, file] : map.members()) by_file[file.text()].emplace_back(name, file);
    index.finish({"metadata", "metadata.*"});
    if (by_file.empty()) map.fail("lists no tensor");
    for (const auto& [name, listed] : by_file) {
      const std::filesystem::path relative = os::path_of(name);
      if (name.empty() || relative.has_root_path() ||
          std::find(relative.begin(), relative.end(), "..") != relative.end())
        listed[0].second.fail(json::quote(name) + " must lie inside the model's folder");
      const auto place = path.parent_path() / relative;
      if (!std::filesystem::exists(place)) listed[0].second.fail(json::quote(name) + " is not there");
      const safetensors::file& file = add(place);
      for (const auto& [tensor, where] : listed)
        if (file.find(tensor) == nullptr) where.fail("is not in " + json::quote(name));
      if (file.tensors().size() != listed.size()) refuse_unlisted(file, listed, path);
    }
  }

  [[noreturn]] static void refuse_unlisted(const safetensors::file& file,
                                           const std::vector<std::pair<std::string, json_node>>& listed,
                                           const std::filesystem::path& index) {
    std::unordered_set<std::string_view> names;
    for (const auto& entry : listed) names.insert(entry.first);
    for (const safetensors::tensor& t : file.tensors())
      if (!names.contains(t.name))
        throw failure(file.source() + ": tensor " + json::quote(t.name) + ": " + os::name_of(index.filename()) +
                      " does not have it there");
    throw failure(os::name_of(index) + ": contradicts " + file.source());
  }

  std::filesystem::path path_;
  std::vector<std::unique_ptr<shard>> files_;
};

}  // namespace dupq_tool
