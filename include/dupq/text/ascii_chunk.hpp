// A few lines of text, cut into words and punctuation as far as they are plain ASCII.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "../core/platform.hpp"
#include "byte_block.hpp"

namespace dupq::inline DUPQ_ABI {

/// Up to `capacity` bytes of text: a copy, in lower case where that is wanted, and three bits for each byte: whether an
/// item (a word or a punctuation mark) begins there, whether a word goes on there, and whether the byte is for the slow
/// path, which reads character by character (no ASCII, a control character, or where an added token may begin).
class ascii_chunk {
 public:
  static constexpr std::size_t capacity = 256;
  static constexpr std::size_t slack = 16;  ///< bytes that may be read beyond any of the copy, whatever they are

  const char* begin() const noexcept { return begin_; }
  const char* end() const noexcept { return begin_ + size_; }
  /// The copy of the byte at `place`.
  const char* at(std::size_t place) const noexcept { return copy_ + place; }

  /// Whether items can be read from `p` on: `p` lies within the copy and not in the middle of a word.
  bool covers(const char* p) const noexcept {
    if (p < begin() || p >= end()) return false;
    return !bit(inner_, static_cast<std::size_t>(p - begin_));
  }

  /// Reads `n` <= capacity bytes. stop(byte) says which punctuation is for the slow path; without it, none is.
  void read(const char* p, std::size_t n, bool lowercase) noexcept { read(p, n, lowercase, nowhere()); }
  template <class Stop>
  void read(const char* p, std::size_t n, bool lowercase, Stop&& stop) noexcept {
    begin_ = p, size_ = n;
    std::uint64_t carry = 0, any_other = 0;
    const std::size_t blocks = (n + 63) / 64;
    for (std::size_t b = 0; b < blocks; ++b) {
      masks m = n - b * 64 >= 64 ? read64(b * 64, lowercase) : read_last(b * 64, lowercase);
      const std::size_t left = n - b * 64;
      const std::uint64_t valid = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
      const std::uint64_t mark = valid & ~(m.word | m.blank | m.other);
      if constexpr (!std::is_same_v<std::remove_cvref_t<Stop>, nowhere>)
        for (std::uint64_t bits = mark; bits != 0; bits &= bits - 1)
          if (stop(p[b * 64 + lowest(bits)])) m.other |= bits & -bits;
      const std::uint64_t before = m.word << 1 | carry;
      carry = m.word >> 63;
      starts_[b] = mark | (m.word & ~before);
      inner_[b] = m.word & before;
      other_[b] = m.other;
      any_other |= m.other;
    }
    inner_[blocks] = inner_[blocks + 1] = 0;
    plain_ = any_other == 0;
  }

  struct limit {
    std::size_t place;
    bool other;  ///< it is a byte for the slow path
  };
  /// How far whole items can be read from `from` on: up to a byte for the slow path, or to the beginning of a word that
  /// touches one or that (where more text follows) touches the end of the copy.
  limit limit_from(std::size_t from, bool text_ends) const noexcept {
    if (plain_ && text_ends) return {size_, false};
    std::size_t end = size_;
    if (!plain_) {
      std::uint64_t keep = ~std::uint64_t{0} << from % 64;
      for (std::size_t b = from / 64; b * 64 < size_; ++b, keep = ~std::uint64_t{0}) {
        if ((other_[b] & keep) == 0) continue;
        end = b * 64 + lowest(other_[b] & keep);
        break;
      }
    }
    const bool other = end < size_;
    if (!other && text_ends) return {end, false};
    // The item that touches the end, if one does.
    std::size_t start = end;
    while (start > from && bit(inner_, start - 1)) --start;
    return {start > from && bit(starts_, start - 1) ? start - 1 : end, other};
  }

  /// Calls f(place, length) for the items in [from, stop), which begin and end there, until it returns false.
  template <class F>
  void for_each(std::size_t from, std::size_t stop, F&& f) const noexcept {
    std::uint64_t keep = ~std::uint64_t{0} << from % 64;
    for (std::size_t b = from / 64; b * 64 < stop; ++b, keep = ~std::uint64_t{0}) {
      std::uint64_t bits = starts_[b] & keep;
      if (stop - b * 64 < 64) bits &= (std::uint64_t{1} << (stop - b * 64)) - 1;
      for (; bits != 0; bits &= bits - 1) {
        const std::size_t place = b * 64 + lowest(bits);
        if (!f(place, length(place))) return;
      }
    }
  }

 private:
  struct nowhere {};
  struct masks {
    std::uint64_t word, blank, other;
  };

  template <std::size_t N>
  masks read_blocks(const char* p, char* to, bool lowercase) const noexcept {
    masks m{0, 0, 0};
    for (std::size_t i = 0; i < N; ++i) {
      const byte_block::classes c = byte_block::classify(p + i * 16, to + i * 16, lowercase);
      m.word |= std::uint64_t{c.word} << i * 16;
      m.blank |= std::uint64_t{c.blank} << i * 16;
      m.other |= std::uint64_t{c.other} << i * 16;
    }
    return m;
  }
  masks read64(std::size_t place, bool lowercase) noexcept {
    return read_blocks<4>(begin_ + place, copy_ + place, lowercase);
  }

  /// The last bytes, less than 64. Blocks overlap, so that nothing beyond the text is read.
  masks read_last(std::size_t place, bool lowercase) noexcept {
    if (place != 0) {
      const auto gone = static_cast<unsigned>(place + 64 - size_);
      const masks m = read64(size_ - 64, lowercase);
      return {m.word >> gone, m.blank >> gone, m.other >> gone};
    }
    if (size_ >= 32) return read_ends<2>(lowercase);
    if (size_ >= 16) return read_ends<1>(lowercase);
    char bytes[16] = {};
    std::memcpy(bytes, begin_, size_);
    masks m = read_blocks<1>(bytes, copy_, lowercase);
    m.other &= (std::uint64_t{1} << size_) - 1;
    return m;
  }
  template <std::size_t N>
  masks read_ends(bool lowercase) noexcept {
    const std::size_t second = size_ - N * 16;
    const masks a = read_blocks<N>(begin_, copy_, lowercase);
    const masks b = read_blocks<N>(begin_ + second, copy_ + second, lowercase);
    return {a.word | b.word << second, a.blank | b.blank << second, a.other | b.other << second};
  }

  /// The place of the lowest bit; there is one.
  static unsigned lowest(std::uint64_t bits) noexcept { return static_cast<unsigned>(std::countr_zero(bits)); }
  static bool bit(const std::uint64_t* bits, std::size_t i) noexcept { return (bits[i / 64] >> i % 64 & 1) != 0; }

  /// Bytes of the item at `place`.
  std::size_t length(std::size_t place) const noexcept {
    const std::size_t next = place + 1;
    const std::uint64_t ahead = inner_[next / 64] >> next % 64 | inner_[next / 64 + 1] << 1 << (63 - next % 64);
    const auto more = static_cast<std::size_t>(std::countr_one(ahead));
    if (more < 64) return 1 + more;
    std::size_t past = next + more;
    while (past < size_ && bit(inner_, past)) ++past;
    return past - place;
  }

  const char* begin_ = nullptr;
  std::size_t size_ = 0;
  bool plain_ = true;  ///< no byte is for the slow path
  std::uint64_t starts_[capacity / 64];
  std::uint64_t inner_[capacity / 64 + 2];
  std::uint64_t other_[capacity / 64];
  char copy_[capacity + slack];
};

}  // namespace dupq::inline DUPQ_ABI
