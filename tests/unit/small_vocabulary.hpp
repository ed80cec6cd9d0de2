// A vocabulary and added tokens in a model file's form, made from Hugging Face's spelling ("word", "##piece", "[X]").
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/text/wordpiece.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dupq_test {

inline std::vector<std::byte> bytes_of(const void* p, std::size_t n) {
  std::vector<std::byte> v(n);
  if (n != 0) std::memcpy(v.data(), p, n);
  return v;
}

inline void add_string(std::vector<std::byte>& to, std::string_view s) {
  const std::uint64_t n = s.size();
  const auto length = bytes_of(&n, sizeof n), text = bytes_of(s.data(), s.size());
  to.insert(to.end(), length.begin(), length.end());
  to.insert(to.end(), text.begin(), text.end());
}

inline std::string stored(std::string_view token) {
  if (token.size() > 2 && token.front() == '[' && token.back() == ']') return std::string(token);
  if (token.size() > 2 && token.starts_with("##")) return std::string(token.substr(2));
  return "\xE2\x96\x81" + std::string(token);
}

/// The three arrays; `offsets` and `table` as they lie in a file, at an odd address.
struct vocabulary_bytes {
  std::vector<std::byte> tokens, offsets, table;
  std::size_t count;

  explicit vocabulary_bytes(const std::vector<std::string>& names) : count(names.size()) {
    for (const auto& name : names) add_string(tokens, stored(name));
    std::vector<std::uint32_t> o(count);
    std::vector<std::uint64_t> t(dupq::vocabulary::table_size(count));
    if (!dupq::vocabulary::build_index(tokens, count, o, t)) count = 0;
    offsets = bytes_of(o.data(), o.size() * 4);
    table = bytes_of(t.data(), t.size() * 8);
    offsets.insert(offsets.begin(), std::byte{});
    table.insert(table.begin(), std::byte{});
  }
  auto view() const {
    return dupq::vocabulary::view(tokens, count, std::span(offsets).subspan(1), std::span(table).subspan(1));
  }
};

struct added {
  std::string content;
  std::uint32_t id;
  std::uint32_t flags;
};

struct added_bytes {
  std::vector<std::byte> contents, ids, flags;
  std::size_t count;

  explicit added_bytes(const std::vector<added>& tokens) : count(tokens.size()) {
    for (const auto& t : tokens) {
      add_string(contents, t.content);
      for (const auto byte : bytes_of(&t.id, 4)) ids.push_back(byte);
      for (const auto byte : bytes_of(&t.flags, 4)) flags.push_back(byte);
    }
  }
  auto view(std::size_t vocabulary_size) const {
    return dupq::added_tokens::view(contents, ids, flags, count, vocabulary_size);
  }
};

}  // namespace dupq_test
