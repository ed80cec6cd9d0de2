// Folders of static models with made-up tables, over the golden models' WordPiece vocabulary.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tool/checkpoint.hpp"
#include "tool/model_folder.hpp"

namespace dupq_tool {

/// A safetensors file of tensors whose bytes are given: name, type, shape, bytes.
struct raw_tensor {
  std::string name, type;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};
inline std::string safetensors_of(const std::vector<raw_tensor>& tensors) {
  std::string header, data;
  for (const raw_tensor& t : tensors) {
    std::string shape;
    for (const std::uint64_t n : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    header += (header.empty() ? "{\"" : ",\"") + t.name + "\":{\"dtype\":\"" + t.type + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + t.bytes.size()) + "]}";
    data += t.bytes;
  }
  header += header.empty() ? "{}" : "}";
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}
template <class T>
std::string bytes_of_all(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A model2vec folder, or with `modules` one of sentence-transformers; the table has a row for each of 479 tokens.
struct static_folder {
  static constexpr std::uint64_t tokens = 479;
  const std::uint64_t dim;
  std::vector<float> rows;
  model_folder folder{"bert"};

  explicit static_folder(bool modules, std::uint64_t dim_ = 32, const std::string& config = "") : dim(dim_) {
    for (const char* name : {"1_Pooling", "sentence_bert_config.json", "tokenizer_config.json", "modules.json"})
      folder.remove(name);
    std::uint32_t state = 7;
    for (std::uint64_t i = 0; i < tokens * dim; ++i) {
      state = state * 1664525u + 1013904223u;
      rows.push_back(static_cast<float>(state >> 24) / 64.0f - 2.0f);  // few bits: halves hold them
    }
    if (modules) {
      folder.remove("config.json");
      folder.write("modules.json",
                   R"([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"},
 {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}])");
      write({{"embedding.weight", "F32", {tokens, dim}, bytes_of_all(rows)}});
    } else {
      folder.write("config.json", config.empty() ? R"({"model_type": "model2vec", "normalize": true})" : config);
      write({{"embeddings", "F32", {tokens, dim}, bytes_of_all(rows)}});
    }
  }
  void write(const std::vector<raw_tensor>& tensors) const {
    folder.write("model.safetensors", safetensors_of(tensors));
  }
};

}  // namespace dupq_tool
