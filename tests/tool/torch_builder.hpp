// Files as torch.save writes them, of tensors made up for a test: a ZIP archive of a pickle and of the numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tool/checkpoint.hpp"

namespace dupq_tool {

/// The bytes of a number, lowest first.
template <class T>
std::string bytes_of(T v) {
  return {reinterpret_cast<const char*>(&v), sizeof v};
}

/// A ZIP archive of stored entries.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries, std::uint16_t method = 0) {
  std::string out, directory;
  for (const auto& [name, data] : entries) {
    const auto size = static_cast<std::uint32_t>(data.size());
    const std::string common = bytes_of(std::uint16_t{0}) + bytes_of(method) + bytes_of(std::uint64_t{0}) +
                               bytes_of(size) + bytes_of(size) + bytes_of(static_cast<std::uint16_t>(name.size())) +
                               bytes_of(std::uint16_t{0});
    directory += "PK\1\2" + bytes_of(std::uint32_t{0}) + common + std::string(10, '\0') +
                 bytes_of(static_cast<std::uint32_t>(out.size())) + name;
    out += "PK\3\4" + bytes_of(std::uint16_t{0}) + common + name + data;
  }
  const auto count = static_cast<std::uint16_t>(entries.size());
  return out + directory + "PK\5\6" + bytes_of(std::uint32_t{0}) + bytes_of(count) + bytes_of(count) +
         bytes_of(static_cast<std::uint32_t>(directory.size())) + bytes_of(static_cast<std::uint32_t>(out.size())) +
         bytes_of(std::uint16_t{0});
}

/// Pieces of a pickle, of protocol 2.
struct pickled {
  static std::string text(std::string_view t) {
    return "X" + bytes_of(static_cast<std::uint32_t>(t.size())) + std::string(t);
  }
  static std::string number(std::uint64_t n) { return "J" + bytes_of(static_cast<std::int32_t>(n)); }
  static std::string numbers(const std::vector<std::uint64_t>& all) {
    std::string out = "(";
    for (const std::uint64_t n : all) out += number(n);
    return out + "t";
  }
  static std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n";
  }
  static std::string storage(const std::string& type, const std::string& name, std::uint64_t count) {
    return "(" + text("storage") + global("torch", type) + text(name) + text("cpu") + number(count) + "tQ";
  }
  static std::string tensor(const std::string& its_storage, std::uint64_t first,
                            const std::vector<std::uint64_t>& shape, const std::vector<std::uint64_t>& strides) {
    return global("torch._utils", "_rebuild_tensor_v2") + "(" + its_storage + number(first) + numbers(shape) +
           numbers(strides) + "\x89" + global("collections", "OrderedDict") + ")RtR";
  }
  static std::string dictionary(const std::string& keys_and_values) { return "\x80\x02}(" + keys_and_values + "u."; }
};

/// The file of those tensors that `wanted` takes, as float32. `order`: what it says of the order of bytes.
inline std::string torch_of(const tensor_map& tensors, const std::function<bool(const std::string&)>& wanted = {},
                            const char* order = "little") {
  std::string keys;
  std::vector<std::pair<std::string, std::string>> entries{{"model/data.pkl", ""}, {"model/byteorder", order}};
  for (const auto& [name, t] : tensors) {
    if (wanted && !wanted(name)) continue;
    const std::string number = std::to_string(entries.size());
    std::vector<std::uint64_t> strides(t.shape.size(), 1);
    for (std::size_t i = t.shape.size(); i-- > 1;) strides[i - 1] = strides[i] * t.shape[i];
    keys += pickled::text(name) +
            pickled::tensor(pickled::storage("FloatStorage", number, t.values.size()), 0, t.shape, strides);
    entries.emplace_back("model/data/" + number,
                         std::string(reinterpret_cast<const char*>(t.values.data()), t.values.size() * sizeof(float)));
  }
  entries[0].second = pickled::dictionary(keys);
  return zip_of(entries);
}

}  // namespace dupq_tool
