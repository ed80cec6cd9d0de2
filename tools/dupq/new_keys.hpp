// A model file's keys with other values for some of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/core/platform.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace dupq_tool {

/// A key of a model file and what it shall be: a number or a text.
struct new_key {
  std::string_view key;
  std::variant<float, std::string> value;
};

/// Everything of a model file before its tensor data, with these keys instead of what it says of them. All other bytes
/// stay as they are, so the tensor data can be copied behind it.
inline std::string header_with(const dupq::gguf::file& file, std::span<const new_key> changed) {
  const auto* const begin = reinterpret_cast<const char*>(file.bytes().data());
  std::string keys;
  const char* entry = begin + 24;
  std::uint64_t count = changed.size();
  file.for_each_key([&](std::string_view name, const dupq::gguf::value& v) {
    const char* const end = v.text().data() + v.bytes.size();
    if (std::ranges::find(changed, name, &new_key::key) == changed.end()) keys.append(entry, end), ++count;
    entry = end;
  });
  const auto put = [](std::string& out, auto value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto put_text = [&](std::string_view text) {
    put(keys, std::uint64_t{text.size()});
    keys += text;
  };
  for (const new_key& k : changed) {
    put_text(k.key);
    const auto* const number = std::get_if<float>(&k.value);
    using enum dupq::gguf::value_type;
    put(keys, static_cast<std::uint32_t>(number != nullptr ? f32 : string));
    if (number != nullptr)
      put(keys, *number);
    else
      put_text(std::get<std::string>(k.value));
  }

  std::size_t descriptions = 0;
  file.for_each_tensor([&](const dupq::gguf::tensor& t) {
    descriptions += 8 + t.name.size() + 4 + 8 * std::size_t{t.dimensions} + 4 + 8;  // name, extents, type, offset
  });
  std::string header(begin, 16);  // magic, version, number of tensors
  put(header, count);
  header += keys;
  header.append(begin + file.tensors_offset(), descriptions);
  header.resize(dupq::round_up(header.size(), file.data_alignment()));
  return header;
}

}  // namespace dupq_tool
