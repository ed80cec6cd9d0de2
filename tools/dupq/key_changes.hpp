// The keys of a model file copied to another one, where some of them have other values or are left out.
#pragma once

#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/core/gguf_writer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dupq_tool {

/// A key and what it shall be; monostate: not there.
struct key_change {
  std::string key;
  std::variant<std::monostate, bool, std::uint32_t, std::uint64_t, float, std::string> value = {};
};

inline void add_key(dupq::gguf::writer& to, const key_change& change) {
  std::visit(
      [&]<class T>(const T& value) {
        if constexpr (std::is_same_v<T, std::string>)
          to.add(change.key, std::string_view(value));
        else if constexpr (!std::is_same_v<T, std::monostate>)
          to.add(change.key, value);
      },
      change.value);
}

/// Copies the keys of a file in their order. A changed one keeps its place; those that the file does not have come
/// last.
inline void copy_keys(const dupq::gguf::file& from, std::span<const key_change> changes, dupq::gguf::writer& to) {
  std::vector<bool> seen(changes.size());
  from.for_each_key([&](std::string_view name, const dupq::gguf::value& value) {
    for (std::size_t i = 0; i < changes.size(); ++i)
      if (changes[i].key == name) return seen[i] = true, add_key(to, changes[i]);
    to.add(name, value);
  });
  for (std::size_t i = 0; i < changes.size(); ++i)
    if (!seen[i]) add_key(to, changes[i]);
}

}  // namespace dupq_tool
