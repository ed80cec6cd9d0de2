// The pieces of a Unigram vocabulary as a trie of bytes, read where the model file has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A double array of units of 64 bits, a multiple of 256 of them. A unit's low half is where its children are: the
/// child by byte b is unit (base ^ b), and is one only where that unit has b as its label. Two nodes never have the
/// same base. The first 256 units hold the root, which is unit 0 and has no label, and nothing else: who has no
/// children has base 0.
///
/// Bits: 0 to 29 the base; 30 the piece is a special token; 31 the unit is in use; 32 to 39 the label; 40 to 63 the
/// id of the piece that ends here, plus 1.
class piece_trie {
 public:
  static constexpr char key[] = "dupq.unigram.trie";
  static constexpr std::uint64_t base_mask = (1u << 30) - 1, special_bit = 1u << 30, used_bit = 1u << 31;
  static constexpr int label_shift = 32, id_shift = 40;
  static constexpr std::size_t max_units = std::size_t{1} << 30;

  piece_trie() noexcept = default;

  /// Errors: wrong_size, out_of_range (a base, or an id that is not below `count`).
  static result<piece_trie> view(std::span<const std::byte> bytes, std::size_t count) noexcept {
    const std::size_t units = bytes.size() / 8;
    if (bytes.size() % 8 != 0 || units == 0 || units % 256 != 0 || units > max_units)
      return error(errc::wrong_size, key, (units + 255) / 256 * 256, units);
    piece_trie t;
    t.units_ = bytes.data();
    for (std::size_t i = 0; i < units; ++i) {
      const std::uint64_t u = t.unit(i);
      if ((u & base_mask) >= units || (u >> id_shift) > count) return error(errc::out_of_range, key, units, i);
    }
    return t;
  }

  /// A place in the trie.
  class cursor {
   public:
    explicit cursor(const piece_trie& t) noexcept : trie_(&t), unit_(t.unit(0)) {}
    /// Goes on by a byte; false where no piece does.
    bool step(unsigned char byte) noexcept {
      const std::uint64_t next = trie_->unit((unit_ & base_mask) ^ byte);
      // In use, and by this byte: the label and the bit stand side by side.
      if ((next >> 31 & 0x1FF) != (std::uint64_t{byte} << 1 | 1)) return false;
      unit_ = next;
      return true;
    }
    /// The piece that ends here; -1 where none does.
    std::int32_t id() const noexcept { return static_cast<std::int32_t>(unit_ >> id_shift) - 1; }
    bool special() const noexcept { return (unit_ & special_bit) != 0; }

   private:
    const piece_trie* trie_;
    std::uint64_t unit_;
  };

  /// The id of a piece; -1 where there is none.
  std::int32_t find(std::string_view piece) const noexcept {
    cursor at(*this);
    for (const char c : piece)
      if (!at.step(static_cast<unsigned char>(c))) return -1;
    return at.id();
  }

 private:
  std::uint64_t unit(std::size_t i) const noexcept {
    std::uint64_t v;
    std::memcpy(&v, units_ + i * 8, sizeof v);
    return v;
  }

  const std::byte* units_ = nullptr;
};

}  // namespace dupq::inline DUPQ_ABI
