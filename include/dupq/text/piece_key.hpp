// A piece of a word in two registers: how a vocabulary's table stores it, finds it and tells it from others.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// The first 12 bytes of a piece, zeros after its end, and its kind: the length (127 stands for all that are longer),
/// and 128 more for a piece that goes on with a word. Two pieces of up to 12 bytes are the same when their keys are.
///
/// As integers: `lo` is the first 8 bytes, little-endian; `hi` the next 4 and the kind above them.
///
/// The hash, modulo 2^64: h = (lo ^ rotate_left(hi, 20)) * k; for each further 8 bytes (the last filled with zeros)
/// h = (h ^ h >> 32 ^ these) * k. Its highest bits are the good ones.
struct piece_key {
  static constexpr std::size_t capacity = 12;
  static constexpr std::size_t readable = 16;  ///< bytes that are read where a text is known to be surrounded by others

  std::uint64_t lo, hi;

  friend bool operator==(const piece_key&, const piece_key&) noexcept = default;

  /// Of the first `size` <= 12 bytes at `p`, where 16 bytes can be read.
  static piece_key read(const char* p, std::size_t size, bool continuing) noexcept {
    piece_key key;
    std::memcpy(&key.lo, p, 8);
    std::memcpy(&key.hi, p + 8, 8);
    return key.first(size, continuing);
  }

  /// Of any text.
  static piece_key of(std::string_view text, bool continuing) noexcept {
    char bytes[readable] = {};
    const std::size_t n = std::min(text.size(), capacity);
    if (n != 0) std::memcpy(bytes, text.data(), n);
    piece_key key = read(bytes, n, continuing);
    if (text.size() > capacity)
      key.hi = (key.hi & 0xFFFFFFFFu) | kind(std::min<std::size_t>(text.size(), 127), continuing);
    return key;
  }

  /// The key of the first `size` <= 12 bytes of this key's text, which has at least as many.
  piece_key first(std::size_t size, bool continuing) const noexcept {
    return {lo & masks[size].lo, (hi & masks[size].hi) | kind(size, continuing)};
  }

  /// The hash of a piece of up to 12 bytes.
  std::uint64_t hash() const noexcept { return (lo ^ std::rotl(hi, 20)) * k; }
  /// The hash of any piece.
  std::uint64_t hash(std::string_view text) const noexcept {
    std::uint64_t h = hash();
    for (std::size_t at = capacity; at < text.size(); at += 8) {
      std::uint64_t more = 0;
      std::memcpy(&more, text.data() + at, std::min<std::size_t>(text.size() - at, 8));
      h = (h ^ h >> 32 ^ more) * k;
    }
    return h;
  }

 private:
  static_assert(std::endian::native == std::endian::little, "dupq reads little-endian files in place");
  static constexpr std::uint64_t k = 0xBF58476D1CE4E5B9u;

  static constexpr std::uint64_t kind(std::size_t size, bool continuing) noexcept {
    return std::uint64_t{size | (continuing ? 128u : 0u)} << 32;
  }

  struct mask {
    std::uint64_t lo, hi;
  };
  /// masks[n] keeps the first n bytes of a key's text.
  static constexpr auto masks = [] {
    std::array<mask, capacity + 1> m{};
    for (std::size_t n = 1; n <= capacity; ++n) {
      m[n].lo = n >= 8 ? ~std::uint64_t{0} : ~std::uint64_t{0} >> (64 - 8 * n);
      m[n].hi = n <= 8 ? 0 : ~std::uint64_t{0} >> (128 - 8 * n);
    }
    return m;
  }();
};

}  // namespace dupq::inline DUPQ_ABI
