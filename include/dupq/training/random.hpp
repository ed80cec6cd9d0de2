// Random numbers of training from counters alone: which of them is used where follows from seed, step, place and
// element, never from threads, kernels or the order of work.
#pragma once

#include <cmath>
#include <cstdint>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A permutation of the 64-bit numbers whose results look random: the finalizer of splitmix64 (Steele, Lea, Flood:
/// Fast splittable pseudorandom number generators, 2014).
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

/// A permutation of the 32-bit numbers: "triple32" of C. Wellons' hash-prospector, the least biased one with three
/// multiplications. Vectors of integers compute it too.
constexpr std::uint32_t mix32(std::uint32_t x) noexcept {
  x = (x ^ x >> 17) * 0xED5AD4BBu;
  x = (x ^ x >> 11) * 0xAC4C1B51u;
  x = (x ^ x >> 15) * 0x31848BABu;
  return x ^ x >> 14;
}

/// What tells the numbers of one row apart from those of all others. `place` is where in the model, `row` which row
/// there, such as a token of the batch.
constexpr std::uint32_t random_key(std::uint64_t seed, std::uint64_t step, std::uint64_t place,
                                   std::uint64_t row) noexcept {
  constexpr std::uint64_t golden = 0x9E3779B97F4A7C15u;
  return static_cast<std::uint32_t>(mix(mix(mix(mix(seed + golden) + step + golden) + place + golden) + row) >> 32);
}
inline constexpr std::uint32_t word_step = 0x9E3779B9u;
/// Number i of those that a key stands for: 32 random bits.
constexpr std::uint32_t random_word(std::uint32_t key, std::uint32_t i) noexcept { return mix32(key + i * word_step); }

/// Dropout: each number of a row becomes 0 with a probability, else it is multiplied so that the mean stays. Number j
/// of a row has 16 bits of its own: those of word j / 32 * 16 + j % 16, the low half where j / 16 is even, else the
/// high one. It is kept where they are at least `limit`.
struct dropout_rule {
  std::uint32_t limit = 0;  ///< of 65536; 0: everything is kept
  float scale = 1;          ///< of what is kept

  constexpr dropout_rule() noexcept = default;
  /// `rate` in [0, 1)
  explicit dropout_rule(float rate) noexcept
      : limit(static_cast<std::uint32_t>(std::lround(static_cast<double>(rate) * 65536))),
        scale(static_cast<float>(1 / (1 - static_cast<double>(rate)))) {}

  constexpr bool keeps(std::uint32_t key, std::uint32_t j) const noexcept {
    const std::uint32_t word = random_word(key, j / 32 * 16 + j % 16);
    return (j / 16 % 2 == 0 ? word & 0xFFFFu : word >> 16) >= limit;
  }
};

}  // namespace dupq::inline DUPQ_ABI
