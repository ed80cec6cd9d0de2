// Sixteen bytes of text at once: which of them are letters and digits, white space, or not plain ASCII.
//
// As a vector on x86-64, where every CPU has SSE2, elsewhere as two 64-bit integers; tests compare both with a table.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {
namespace byte_block {

inline constexpr std::size_t size = 16;

/// One bit for each byte, the first byte's lowest. A byte that is in none of the masks is punctuation.
struct classes {
  std::uint32_t word;   ///< letters and digits
  std::uint32_t blank;  ///< space, tab, line feed, carriage return
  std::uint32_t other;  ///< other control characters, and all that is not ASCII
};

/// The same by the kinds of characters that GPT-2 tells apart. A byte that is in none of the masks is white space other
/// than a space.
struct kinds {
  std::uint32_t letter, digit, space;
  std::uint32_t mark;  ///< ASCII that is neither of these nor white space
  std::uint32_t high;  ///< not ASCII

  friend bool operator==(const kinds&, const kinds&) noexcept = default;
};

/// The portable form.
namespace integers {

inline constexpr std::uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

/// For bytes below 128: the highest bit of each byte of the result is set where that byte of `x` is at least `least`.
constexpr std::uint64_t at_least(std::uint64_t x, unsigned least) noexcept {
  return (x + ones * (0x80 - least)) & tops;
}
constexpr std::uint64_t within(std::uint64_t x, unsigned first, unsigned last) noexcept {
  return at_least(x, first) & ~at_least(x, last + 1);
}
/// Gathers the highest bit of each of the 8 bytes into the lowest 8 bits.
constexpr std::uint32_t gather(std::uint64_t tops_only) noexcept {
  return static_cast<std::uint32_t>((tops_only >> 7) * 0x0102040810204080u >> 56);
}

inline classes classify8(const char* from, char* to, bool lowercase) noexcept {
  std::uint64_t x;
  std::memcpy(&x, from, sizeof x);
  const std::uint64_t ascii = ~x & tops;
  const std::uint64_t low = x & ~tops;
  const std::uint64_t letter = within(low | ones * 0x20, 'a', 'z') & ascii;
  const std::uint64_t digit = within(low, '0', '9') & ascii;
  const std::uint64_t blank = (within(low, '\t', '\n') | within(low, '\r', '\r') | within(low, ' ', ' ')) & ascii;
  const std::uint64_t print = within(low, 0x21, 0x7E) & ascii;
  if (lowercase) x |= letter >> 2;
  std::memcpy(to, &x, sizeof x);
  return {gather(letter | digit), gather(blank), gather(~(print | blank) & tops)};
}

inline classes classify(const char* from, char* to, bool lowercase) noexcept {
  const classes a = classify8(from, to, lowercase), b = classify8(from + 8, to + 8, lowercase);
  return {a.word | b.word << 8, a.blank | b.blank << 8, a.other | b.other << 8};
}

inline kinds kinds_of8(const char* from) noexcept {
  std::uint64_t x;
  std::memcpy(&x, from, sizeof x);
  const std::uint64_t ascii = ~x & tops, low = x & ~tops;
  const std::uint64_t letter = within(low | ones * 0x20, 'a', 'z') & ascii;
  const std::uint64_t digit = within(low, '0', '9') & ascii;
  const std::uint64_t space = within(low, ' ', ' ') & ascii;
  const std::uint64_t mark = ascii & ~(letter | digit | space | within(low, '\t', '\r'));
  return {gather(letter), gather(digit), gather(space), gather(mark), gather(x & tops)};
}

inline kinds kinds_of(const char* from) noexcept {
  const kinds a = kinds_of8(from), b = kinds_of8(from + 8);
  return {a.letter | b.letter << 8, a.digit | b.digit << 8, a.space | b.space << 8, a.mark | b.mark << 8,
          a.high | b.high << 8};
}

inline std::uint32_t equal8(const char* from, char byte) noexcept {
  std::uint64_t x;
  std::memcpy(&x, from, sizeof x);
  x ^= ones * static_cast<unsigned char>(byte);
  return gather(~(((x & ~tops) + ~tops) | x) & tops);
}

inline std::uint32_t equal(const char* from, char byte) noexcept {
  return equal8(from, byte) | equal8(from + 8, byte) << 8;
}

}  // namespace integers

#if defined(DUPQ_X86)
namespace vectors {

using u8x16 = unsigned char __attribute__((vector_size(16)));
using s8x16 = char __attribute__((vector_size(16)));

template <class V>
inline std::uint32_t gather(V v) noexcept {
  return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb128(std::bit_cast<s8x16>(v)));
}

inline classes classify(const char* from, char* to, bool lowercase) noexcept {
  u8x16 x;
  std::memcpy(&x, from, sizeof x);
  const auto letter = ((x | 0x20) - 'a') < 26;
  const auto digit = (x - '0') < 10;
  const auto blank = (x == ' ') | (x == '\t') | (x == '\n') | (x == '\r');
  const auto print = (x - 0x21) < 0x5E;
  const auto fold = static_cast<unsigned char>(lowercase ? 0x20 : 0);
  const u8x16 lower = x | (reinterpret_cast<u8x16>(letter) & fold);
  std::memcpy(to, &lower, sizeof lower);
  return {gather(letter | digit), gather(blank), gather(~(print | blank))};
}

inline kinds kinds_of(const char* from) noexcept {
  u8x16 x;
  std::memcpy(&x, from, sizeof x);
  const auto letter = ((x | 0x20) - 'a') < 26;
  const auto digit = (x - '0') < 10;
  const auto space = x == ' ';
  const auto high = x >= 0x80;
  const auto mark = ~(letter | digit | space | high | ((x - '\t') < 5));
  return {gather(letter), gather(digit), gather(space), gather(mark), gather(x)};
}

inline std::uint32_t equal(const char* from, char byte) noexcept {
  u8x16 x;
  std::memcpy(&x, from, sizeof x);
  return gather(x == static_cast<unsigned char>(byte));
}

}  // namespace vectors
using vectors::classify, vectors::equal, vectors::kinds_of;
#else
using integers::classify, integers::equal, integers::kinds_of;
#endif

/// The first place in [p, end) that has the byte `a` or `b`; `end` where none has.
inline const char* find_either(const char* p, const char* end, char a, char b) noexcept {
  if (end - p >= static_cast<std::ptrdiff_t>(size)) {
    for (const char* const last = end - size;; p = last - p < static_cast<std::ptrdiff_t>(size) ? last : p + size) {
      const std::uint32_t found = equal(p, a) | equal(p, b);
      if (found != 0) return p + std::countr_zero(found);
      if (p == last) return end;
    }
  }
  while (p < end && *p != a && *p != b) ++p;
  return p;
}

}  // namespace byte_block
}  // namespace dupq::inline DUPQ_ABI
