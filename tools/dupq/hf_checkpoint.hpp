// The weights of a Hugging Face folder: model.safetensors, else the files that model.safetensors.index.json lists, else
// pytorch_model.bin, else the files that pytorch_model.bin.index.json lists.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "failure.hpp"
#include "folder_file.hpp"
#include "json_file.hpp"
#include "safetensors.hpp"
#include "torch_file.hpp"

namespace dupq_tool {

/// Every tensor of a folder, by its name.
class hf_checkpoint {
 public:
  /// Failures name the file, and the tensor or key.
  explicit hf_checkpoint(const std::filesystem::path& folder) : path_(folder / weight_files[0]) {
    for (const char* const name : weight_files) {
      if (!std::filesystem::exists(folder / name)) continue;
      path_ = folder / name;
      break;
    }
    if (os::name_of(path_).ends_with(".json"))
      read_index(path_);
    else
      add(path_);
  }

  /// What weights are looked for in; the first that is there counts, as in transformers.
  static constexpr const char* weight_files[] = {"model.safetensors", "model.safetensors.index.json",
                                                 "pytorch_model.bin", "pytorch_model.bin.index.json"};

  /// The file that lists the tensors.
  std::string source() const { return os::name_of(path_); }
  const safetensors::tensor* find(std::string_view name) const noexcept {
    for (const auto& file : files_)
      if (const safetensors::tensor* const t = file->find(name)) return t;
    return nullptr;
  }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& file : files_)
      for (const safetensors::tensor& t : file->tensors()) f(t);
  }

 private:
  /// One file, of either format.
  class shard {
   public:
    explicit shard(const std::filesystem::path& path)
        : mapped_(open_folder_file(path)), tensors_(read(mapped_.bytes(), os::name_of(path))) {}

    const safetensors::tensor* find(std::string_view name) const noexcept {
      return std::visit([&](const auto& file) { return file.find(name); }, tensors_);
    }
    const std::vector<safetensors::tensor>& tensors() const noexcept {
      return std::visit(
          [](const auto& file) -> const auto& { return file.tensors(); }, tensors_);
    }
    const std::string& source() const noexcept {
      return std::visit(
          [](const auto& file) -> const auto& { return file.source(); }, tensors_);
    }

   private:
    using either = std::variant<safetensors::file, torch_file>;

    static either read(std::span<const std::byte> bytes, const std::string& name) {
      if (name.ends_with(".bin")) return torch_file(bytes, name);
      return safetensors::file(bytes, name);
    }

    dupq::mapped_file mapped_;
    either tensors_;
  };

  const shard& add(const std::filesystem::path& path) { return *files_.emplace_back(std::make_unique<shard>(path)); }

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
      const shard& file = add(place);
      for (const auto& [tensor, where] : listed)
        if (file.find(tensor) == nullptr) where.fail("is not in " + json::quote(name));
      if (file.tensors().size() != listed.size()) refuse_unlisted(file, listed, path);
    }
  }

  [[noreturn]] static void refuse_unlisted(const shard& file,
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
