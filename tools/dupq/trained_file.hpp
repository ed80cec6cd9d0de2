// The model file of weights that were trained: float32, laid out as `dupq convert` does, with the keys of the file that
// training began with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/heap_list.hpp>
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

/// The keys of the base's file that change for other weights: how they are stored, their digest, and thresholds and a
/// cascade, which were chosen for the base's scores.
inline std::vector<key_change> trained_keys(const dupq::gguf::file& base, tensor_layout layout, std::string digest,
                                            std::optional<float> threshold,
                                            const std::optional<training_record>& record) {
  constexpr std::uint32_t all_f32 = 0;  // llama.cpp's number for it
  std::vector<key_change> keys{{"dupq.weights", std::string("f32")}};
  if (base.find("general.file_type")) keys.push_back({"general.file_type", all_f32});
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

/// The model file of a base with other weights, which are referred to. One that is not finite is a failure.
class trained_file {
 public:
  trained_file(const dupq::model& base, const named_weights& weights, std::optional<float> threshold = {},
               const std::optional<training_record>& record = {})
      : layout_(base.packed() ? tensor_layout::packed : tensor_layout::plain),
        tensors_(tensors_of(base, weights, layout_)) {
    dupq::sha256 digest;  // it stands before the data
    produce(tensors_, layout_, [&](std::span<const std::byte> bytes) { digest.update(bytes); });
    dupq::gguf::writer writer(alignment_of(layout_));
    const std::string digits(std::string_view(digest.hex()));
    copy_keys(base.file(), trained_keys(base.file(), layout_, digits, threshold, record), writer);
    for (const output_tensor& t : tensors_) writer.add_tensor(t.name, t.type, t.extents, t.bytes());
    header_ = header_of(writer);
    bytes_ = header_.size() + writer.data_bytes();
  }

  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Hands all of them to `sink`, piece by piece.
  void write(const byte_sink& sink) const {
    sink(header_.items());
    produce(tensors_, layout_, sink);
  }
  /// All of them in memory.
  std::vector<std::byte> image() const {
    std::vector<std::byte> all;
    all.reserve(static_cast<std::size_t>(bytes_));
    write([&](std::span<const std::byte> part) { all.insert(all.end(), part.begin(), part.end()); });
    return all;
  }

 private:
  static std::vector<output_tensor> tensors_of(const dupq::model& base, const named_weights& weights,
                                               tensor_layout layout) {
    const dupq::config& c = base.config();
    if (c.kind == dupq::model_kind::static_encoder)
      return {table_tensor(*weights.get("token_embd.weight"), dupq::gguf::tensor_type::f32)};
    return lay_out(weights.all(c), c.vocabulary, layout, weight_type::f32);
  }

  tensor_layout layout_;
  std::vector<output_tensor> tensors_;
  dupq::heap_list<std::byte> header_;
  std::uint64_t bytes_ = 0;
};

}  // namespace dupq_tool
