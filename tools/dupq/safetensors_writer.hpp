// Writes a safetensors file of floats: a u64 header length, a JSON header, then the data.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "float_weights.hpp"
#include "json.hpp"

namespace dupq_tool::safetensors {

/// Hands the file over piece by piece. Tensors stand in the order of their names, as in the files that Python writes.
template <class Sink>
void write(std::vector<float_weight> weights, Sink&& sink) {
  std::sort(weights.begin(), weights.end(),
            [](const float_weight& a, const float_weight& b) { return a.hf_name < b.hf_name; });
  const auto number = [](std::uint64_t n) { return json::value(static_cast<std::int64_t>(n)); };
  json::object header{{"__metadata__", json::object{{"format", "pt"}}}};
  std::uint64_t at = 0;
  for (const float_weight& w : weights) {
    const std::uint64_t end = at + w.elements() * sizeof(float);
    json::array shape;
    if (!w.vector) shape.push_back(number(w.rows));
    shape.push_back(number(w.columns));
    header.emplace_back(w.hf_name, json::object{{"dtype", "F32"},
                                                {"shape", std::move(shape)},
                                                {"data_offsets", json::array{number(at), number(end)}}});
    at = end;
  }
  std::string text = json::print(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  const std::uint64_t length = text.size();
  sink(std::as_bytes(std::span(&length, 1)));
  sink(std::as_bytes(std::span(text)));
  for (const float_weight& w : weights) sink(std::as_bytes(std::span<const float>(w.values())));
}

}  // namespace dupq_tool::safetensors
