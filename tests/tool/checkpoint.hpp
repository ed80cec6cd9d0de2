// Weights made up for a test: tensors of any shape and type, and the safetensors files that hold them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "half.hpp"
#include "tool/model_folder.hpp"

namespace dupq_tool {

struct made_tensor {
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};
using tensor_map = std::map<std::string, made_tensor>;

/// Numbers of a model, as config.json has them.
struct made_shape {
  std::uint64_t hidden = 32, heads = 4, inner = 52, layers = 2, vocabulary = 479, positions = 40;
};

/// The tensors of a BERT encoder; every value has few enough bits for all types of floats.
inline tensor_map make_bert(const made_shape& s) {
  tensor_map out;
  std::uint32_t state = 1;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape, float middle) {
    made_tensor& t = out[name];
    std::uint64_t n = 1;
    for (const std::uint64_t extent : shape) n *= extent;
    t.shape = std::move(shape);
    t.values.resize(n);
    for (float& v : t.values) {
      state = state * 1664525u + 1013904223u;
      v = middle + static_cast<float>(state >> 26) / 64.0f - 0.5f;
    }
  };
  const auto norm = [&](const std::string& name) {
    add(name + ".weight", {s.hidden}, 1.0f);
    add(name + ".bias", {s.hidden}, 0.0f);
  };
  const auto linear = [&](const std::string& name, std::uint64_t outputs, std::uint64_t inputs) {
    add(name + ".weight", {outputs, inputs}, 0.0f);
    add(name + ".bias", {outputs}, 0.0f);
  };
  add("embeddings.word_embeddings.weight", {s.vocabulary, s.hidden}, 0.0f);
  add("embeddings.position_embeddings.weight", {s.positions, s.hidden}, 0.0f);
  add("embeddings.token_type_embeddings.weight", {2, s.hidden}, 0.0f);
  norm("embeddings.LayerNorm");
  for (std::uint64_t i = 0; i < s.layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    for (const char* name : {"query", "key", "value"}) linear(layer + "attention.self." + name, s.hidden, s.hidden);
    linear(layer + "attention.output.dense", s.hidden, s.hidden);
    norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", s.inner, s.hidden);
    linear(layer + "output.dense", s.hidden, s.inner);
    norm(layer + "output.LayerNorm");
  }
  return out;
}

/// A safetensors file of those tensors that `wanted` takes, stored as `type` (F64, F32, F16 or BF16).
inline std::string safetensors_of(const tensor_map& tensors, const std::string& type = "F32",
                                  const std::function<bool(const std::string&)>& wanted = {}) {
  std::string header, data;
  for (const auto& [name, t] : tensors) {
    if (wanted && !wanted(name)) continue;
    const std::size_t begin = data.size();
    const auto put = [&](auto v) { data.append(reinterpret_cast<const char*>(&v), sizeof v); };
    for (const float f : t.values) {
      if (type == "F64") put(double{f});
      if (type == "F32") put(f);
      if (type == "F16") put(to_half(f));
      if (type == "BF16") put(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(f) >> 16));
    }
    std::string shape;
    for (const std::uint64_t n : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    header += (header.empty() ? "{\"" : ",\"") + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
  }
  header += header.empty() ? "{}" : "}";
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

/// The golden folder "bert" with numbers and weights of its own.
inline void reshape(const model_folder& folder, const made_shape& s, const std::string& type = "F32") {
  const made_shape was;
  const auto number = [&](const char* file, const std::string& key, std::uint64_t from, std::uint64_t to) {
    if (from != to)
      folder.edit(file, "\"" + key + "\": " + std::to_string(from), "\"" + key + "\": " + std::to_string(to));
  };
  number("config.json", "hidden_size", was.hidden, s.hidden);
  number("config.json", "num_attention_heads", was.heads, s.heads);
  number("config.json", "intermediate_size", was.inner, s.inner);
  number("config.json", "num_hidden_layers", was.layers, s.layers);
  number("config.json", "vocab_size", was.vocabulary, s.vocabulary);
  number("config.json", "max_position_embeddings", was.positions, s.positions);
  number("1_Pooling/config.json", "word_embedding_dimension", was.hidden, s.hidden);
  folder.write("model.safetensors", safetensors_of(make_bert(s), type));
}

}  // namespace dupq_tool
