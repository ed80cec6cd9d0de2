// Folders that hold something else than a model that can be converted: they say what, and what to do about it.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "hf_checkpoint.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// Refuses adapters, kinds of models whose vectors are no vectors of texts, and weights and tokenizers in other
/// formats. Everything else is left to those who read the files.
class foreign_folder {
 public:
  static void refuse(const std::filesystem::path& root) {
    const foreign_folder folder(root);
    folder.refuse_adapter();
    folder.refuse_kinds();
    folder.refuse_weights();
    folder.refuse_tokenizers();
  }

 private:
  using path = std::filesystem::path;

  static constexpr std::string_view colbert = "a ColBERT model, which has a vector for each token, is not supported";
  static constexpr std::string_view splade = "a SPLADE model, whose vectors are sparse, is not supported";

  explicit foreign_folder(const path& root) : root_(root), folders_{root, root / "0_Transformer"} {}

  void refuse_adapter() const {
    for (const path& folder : folders_)
      if (const auto json = open(folder / "adapter_config.json"))
        json->fail("an adapter (LoRA) without its base is no model: merge it into " +
                   json->text_or("base_model_name_or_path", "its base") + " and save the whole");
  }

  void refuse_kinds() const {
    if (std::filesystem::exists(root_ / "artifact.metadata"))
      throw failure(os::name_of(root_ / "artifact.metadata") + ": " + std::string(colbert));
    const auto check = [](const json_node& name, std::string_view sign, std::string_view kind) {
      if (name.is_text() && lower(name.text()).find(sign) != std::string::npos)
        name.fail(json::quote(name.text()) + ": " + std::string(kind));
    };
    for (const path& folder : folders_)
      if (const auto json = open(folder / "config.json"))
        if (const auto names = json->get("architectures"); names && names->is_array())
          for (const json_node& name : names->items()) {
            check(name, "colbert", colbert);
            check(name, "splade", splade);
          }
    if (const auto json = open(root_ / "modules.json"); json && json->is_array())
      for (const json_node& module : json->items()) {
        if (!module.is_object()) continue;
        const auto type = module.get("type");
        if (!type) continue;
        check(*type, "pylate", colbert);
        check(*type, "sparse_encoder", splade);
        check(*type, "splade", splade);
      }
    if (const auto json = open(root_ / "config_sentence_transformers.json"); json && json->is_object())
      if (const auto type = json->get("model_type")) {
        check(*type, "colbert", colbert);
        check(*type, "sparse", splade);
      }
  }

  void refuse_weights() const {
    for (const path& folder : folders_)
      for (const char* name : hf_checkpoint::weight_files)
        if (std::filesystem::exists(std::filesystem::symlink_status(folder / name))) return;
    struct format {
      const char *place, *name, *ending;
    };
    constexpr format known[] = {{"", "TensorFlow", "tf_model.h5"},   {"", "TensorFlow", ".ckpt.index"},
                                {"", "Flax", "flax_model.msgpack"},  {"", "ONNX", ".onnx"},
                                {"onnx", "ONNX", ".onnx"},           {"", "OpenVINO", "openvino_model.xml"},
                                {"openvino", "OpenVINO", ".xml"},    {"", "a model file already", ".gguf"},
                                {"", "another name", ".safetensors"}};
    for (const format& f : known)
      for (const path& folder : folders_)
        if (const auto found = file_in(folder / f.place, f.ending))
          throw failure(os::name_of(folders_[0] / "model.safetensors") +
                        ": no such file: " + os::name_of(std::filesystem::relative(*found, root_)) + " (" + f.name +
                        ") is not read, save the model as safetensors");
  }

  void refuse_tokenizers() const {
    for (const path& folder : folders_)
      for (const char* name : {"tokenizer.json", "vocab.txt"})
        if (std::filesystem::exists(std::filesystem::symlink_status(folder / name))) return;
    for (const path& folder : folders_)
      if (std::filesystem::exists(folder / "vocab.json") && std::filesystem::exists(folder / "merges.txt")) return;
    for (const path& folder : folders_)
      for (const char* name : {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json"})
        if (std::filesystem::exists(folder / name))
          throw failure(os::name_of(folder / "tokenizer.json") + ": no such file: " + name +
                        " alone is not read, save the tokenizer as tokenizer.json");
  }

  /// A file whose name ends so; of several, the first by name.
  static std::optional<path> file_in(const path& folder, std::string_view ending) {
    std::error_code none;
    std::vector<path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none))
      if (os::name_of(entry.path().filename()).ends_with(ending)) found.push_back(entry.path());
    if (found.empty()) return {};
    return *std::min_element(found.begin(), found.end());
  }
  static std::optional<json_node> open(const path& file) {
    if (!std::filesystem::exists(file)) return {};
    return json_node::open(file);
  }
  static std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  }

  path root_;
  std::vector<path> folders_;  ///< where the transformer's files may be
};

}  // namespace dupq_tool
