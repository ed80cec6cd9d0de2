// A cross-encoder's model file made of a bi-encoder's: the same body with a head of a dense layer and a classifier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/model.hpp>
#include <dupq/training/random.hpp>
#include <span>
#include <string>
#include <vector>

#include "convert.hpp"
#include "key_changes.hpp"
#include "named_weights.hpp"
#include "tensor_layout.hpp"
#include "tensor_writer.hpp"

namespace dupq_tool {

/// The weights of a head, as PyTorch has them: dense [hidden][hidden], classifier [1][hidden].
struct head_values {
  std::vector<float> dense, dense_bias, classifier, classifier_bias;
};

/// Number i of those that are normally distributed with a standard deviation of 0.02: twelve uniform ones, added. Whole
/// numbers are added, so it is the same on every machine.
inline float initial_weight(std::uint64_t seed, std::uint64_t i) noexcept {
  std::int64_t sum = 0;
  for (std::uint64_t k = 0; k < 12; ++k)
    sum += static_cast<std::int64_t>(dupq::mix(dupq::mix(dupq::mix(seed) + i) + k) >> 32) - (std::int64_t{1} << 31);
  constexpr double scale = 0.02 / 4294967296.0;
  return static_cast<float>(static_cast<double>(sum) * scale);
}

/// What transformers starts a head with: weights from a normal distribution, biases of 0.
inline head_values seeded_head(std::size_t hidden, std::uint64_t seed) {
  head_values head{std::vector<float>(hidden * hidden), std::vector<float>(hidden), std::vector<float>(hidden), {0}};
  for (std::size_t i = 0; i < head.dense.size(); ++i) head.dense[i] = initial_weight(seed, i);
  for (std::size_t i = 0; i < hidden; ++i) head.classifier[i] = initial_weight(seed, head.dense.size() + i);
  return head;
}

/// The keys that make a cross-encoder of a bi-encoder's file. Its score is a probability, of two texts without prompts.
inline std::vector<key_change> head_keys(const dupq::model& body) {
  const bool steps = body.file().find(dupq::normalizer_steps::key).has_value();
  std::vector<key_change> keys{{std::string(name(body.config().architecture)) + ".pooling_type", std::uint32_t{4}},
                               {"dupq.version", std::uint32_t{steps ? 2u : 1u}},
                               {"dupq.kind", std::string(name(dupq::model_kind::cross_encoder))},
                               {"dupq.pooling", std::string("none")},
                               {"dupq.normalize", false},
                               {"dupq.activation", std::string("sigmoid")}};
  for (const char* bi_encoders : {"dupq.truncate_dim", "dupq.similarity", "dupq.prompts.names", "dupq.prompts.texts",
                                  "dupq.prompt", "dupq.pool_prompt", "dupq.threshold"})
    keys.push_back({bi_encoders});
  return keys;
}

/// The tensors that a model file has of a head in float32.
inline std::vector<output_tensor> lay_out_head(const named_weights& weights, tensor_layout layout) {
  std::vector<output_tensor> out;
  for (const char* name : {"cls", "cls.output"}) {
    output_tensor t;
    t.name = std::string(name) + ".weight";
    t.parts = {weights.get(t.name)};
    t.rows = t.parts[0]->shape[0], t.columns = t.parts[0]->shape[1];
    t.extents = {t.columns, t.rows};
    if (layout == tensor_layout::packed) {
      t.extents = {panel_width, t.columns, (t.rows + panel_width - 1) / panel_width};
      t.form = tensor_form::panels;
    }
    out.push_back(t);
    output_tensor bias;
    bias.name = std::string(name) + ".bias";
    bias.parts = {weights.get(bias.name)};
    bias.rows = 1, bias.columns = t.rows;
    bias.extents = {t.rows};
    out.push_back(std::move(bias));
  }
  return out;
}

/// The model file, in memory, of a bi-encoder's body with this head, which is stored in float32.
inline std::vector<std::byte> with_head(const dupq::model& body, const head_values& head) {
  const std::uint64_t hidden = body.config().hidden;
  named_weights weights("the new head");
  weights.add("cls.weight", hidden, hidden, head.dense);
  weights.add("cls.bias", 1, hidden, head.dense_bias);
  weights.add("cls.output.weight", 1, hidden, head.classifier);
  weights.add("cls.output.bias", 1, 1, head.classifier_bias);
  const tensor_layout layout = body.packed() ? tensor_layout::packed : tensor_layout::plain;
  const std::vector<output_tensor> added = lay_out_head(weights, layout);

  const dupq::gguf::file& file = body.file();
  dupq::gguf::writer writer(alignment_of(layout));
  std::vector<key_change> keys = head_keys(body);
  if (layout == tensor_layout::plain) keys.push_back({"general.alignment"});
  copy_keys(file, keys, writer);
  file.for_each_tensor([&](const dupq::gguf::tensor& t) {
    writer.add_tensor(t.name, t.type, {t.extent, t.dimensions}, t.bytes.size());
  });
  for (const output_tensor& t : added) writer.add_tensor(t.name, t.type, t.extents, t.bytes());
  const auto header = header_of(writer);
  std::vector<std::byte> image;
  image.reserve(header.size() + writer.data_bytes());
  const auto append = [&](std::span<const std::byte> bytes) { image.insert(image.end(), bytes.begin(), bytes.end()); };
  append(header.items());
  file.for_each_tensor([&](const dupq::gguf::tensor& t) {
    append(t.bytes);
    image.resize(dupq::round_up(image.size(), alignment_of(layout)));
  });
  produce(added, layout, append);
  return image;
}

}  // namespace dupq_tool
