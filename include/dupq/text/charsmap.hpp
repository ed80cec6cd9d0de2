// SentencePiece's map of characters ("Precompiled" in tokenizer.json): what stands in a text, and what becomes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A view of the bytes that the file has: a u32 length, so many bytes of a trie of u32 units (Darts' double array), and
/// the replacements, each ended by a NUL. Every search ends after the bytes of its text, and reads nothing outside,
/// whatever the bytes are.
class charsmap {
 public:
  /// Bytes of the longest cluster of characters that is looked up as a whole.
  static constexpr std::size_t most_cluster = 5;

  /// Of bytes that `is_sound` has accepted.
  explicit charsmap(std::string_view bytes) noexcept
      : units_(bytes.data() + 4), count_(load(bytes.data()) / 4), texts_(bytes.substr(4 + count_ * 4)) {}

  /// Whether the lengths fit together, and a replacement does not run over the end.
  static bool is_sound(std::string_view bytes) noexcept {
    if (bytes.size() < 4) return false;
    const std::size_t trie = load(bytes.data());
    if (trie == 0 || trie % 4 != 0 || bytes.size() - 4 < trie) return false;
    return bytes.size() - 4 == trie || bytes.back() == '\0';
  }

  /// The replacement of the shortest beginning of `text` that the map has.
  std::optional<std::string_view> find(std::string_view text) const noexcept {
    std::size_t at = offset(unit(0));
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) break;
      at ^= byte;
      const std::uint32_t u = unit(at);
      if (label(u) != byte) break;
      at ^= offset(u);
      if (has_leaf(u)) return text_at(value(unit(at)));
    }
    return {};
  }

  // The parts of a unit, for who checks a map from end to end.
  std::size_t units() const noexcept { return count_; }
  std::uint32_t unit(std::size_t i) const noexcept { return i < count_ ? load(units_ + i * 4) : 0; }
  static std::uint32_t label(std::uint32_t u) noexcept { return u & (1u << 31 | 0xFFu); }
  static std::size_t offset(std::uint32_t u) noexcept { return std::size_t{u >> 10} << ((u & 1u << 9) >> 6); }
  static bool has_leaf(std::uint32_t u) noexcept { return (u >> 8 & 1u) != 0; }
  static std::uint32_t value(std::uint32_t u) noexcept { return u & ~(1u << 31); }
  std::string_view texts() const noexcept { return texts_; }

 private:
  static std::uint32_t load(const char* p) noexcept {
    std::uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  std::string_view text_at(std::size_t place) const noexcept {
    if (place >= texts_.size()) return {};
    return texts_.substr(place, texts_.find('\0', place) - place);
  }

  const char* units_;
  std::size_t count_;
  std::string_view texts_;
};

}  // namespace dupq::inline DUPQ_ABI
