// The model file of weights that were trained: float32, laid out as `dupq convert` does, with the keys of the file that
// training began with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <dupq/core/sha256.hpp>
#include <dupq/model.hpp>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "key_changes.hpp"
#include "named_weights.hpp"
#include "tensor_layout.hpp"
#include "tensor_writer.hpp"
#include "training_keys.hpp"

namespace dupq_tool {

/// What is true of the base alone, or of it as it is stored. Thresholds are of the scores that the base gives.
inline std::vector<key_change> trained_keys(tensor_layout layout, std::string digest, std::optional<float> threshold,
                                            const std::optional<training_record>& record) {
  constexpr std::uint32_t all_f32 = 0;  // llama.cpp's number for it
  std::vector<key_change> keys{{"general.file_type", all_f32}, {"dupq.weights", std::string("f32")}};
  if (layout == tensor_layout::plain) keys.push_back({"general.alignment"});
  keys.push_back({"dupq.digest", std::move(digest)});
  using cascade = dupq::cascade_settings;
  for (const auto stale :
       {cascade::lower_key, cascade::upper_key, cascade::threshold_key, cascade::name_key, cascade::digest_key})
    keys.push_back({std::string(stale)});
  keys.push_back({"dupq.threshold"});
  if (threshold) keys.back().value = *threshold;
  if (record) std::ranges::move(record->keys(), std::back_inserter(keys));
  return keys;
}

/// Hands the bytes of the model file to `sink`, whose weights are those of `weights`; returns how many they are.
/// A weight that is not finite is a failure.
inline std::uint64_t write_trained(const dupq::model& base, const named_weights& weights,
                                   std::optional<float> threshold, const std::optional<training_record>& record,
                                   const byte_sink& sink) {
  const tensor_layout layout = base.packed() ? tensor_layout::packed : tensor_layout::plain;
  const std::vector<output_tensor> tensors =
      lay_out(weights.all(base.config()), base.config().vocabulary, layout, weight_type::f32);
  dupq::sha256 digest;  // it stands before the data
  produce(tensors, layout, [&](std::span<const std::byte> bytes) { digest.update(bytes); });

  dupq::gguf::writer writer(alignment_of(layout));
  copy_keys(base.file(), trained_keys(layout, std::string(std::string_view(digest.hex())), threshold, record), writer);
  for (const output_tensor& t : tensors) writer.add_tensor(t.name, t.type, t.extents, t.bytes());
  const auto header = header_of(writer);
  sink(header.items());
  produce(tensors, layout, sink);
  return header.size() + writer.data_bytes();
}

/// The same in memory.
inline std::vector<std::byte> trained_image(const dupq::model& base, const named_weights& weights) {
  std::vector<std::byte> file;
  write_trained(base, weights, std::nullopt, std::nullopt,
                [&](std::span<const std::byte> bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); });
  return file;
}

}  // namespace dupq_tool
