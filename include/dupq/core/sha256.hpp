// SHA-256 (FIPS 180-4), for the digests of model files and indexes.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// A digest as 64 lower-case hexadecimal digits.
struct hex_digest {
  char digits[64] = {};
  operator std::string_view() const noexcept { return {digits, sizeof digits}; }
  friend bool operator==(const hex_digest& a, std::string_view b) noexcept { return std::string_view(a) == b; }
};

class sha256 {
 public:
  void update(std::span<const std::byte> bytes) noexcept {
    total_ += bytes.size();
    while (!bytes.empty()) {
      if (filled_ == 0 && bytes.size() >= block_.size()) {
        compress(bytes.data());
        bytes = bytes.subspan(block_.size());
        continue;
      }
      const std::size_t n = std::min(block_.size() - filled_, bytes.size());
      std::copy_n(bytes.begin(), n, block_.begin() + static_cast<std::ptrdiff_t>(filled_));
      bytes = bytes.subspan(n);
      filled_ += n;
      if (filled_ == block_.size()) compress(block_.data()), filled_ = 0;
    }
  }

  /// The digest of everything so far.
  hex_digest hex() const noexcept {
    sha256 last = *this;
    const std::uint64_t bits = total_ * 8;
    std::array<std::byte, 72> tail{std::byte{0x80}};
    const std::size_t zeros = (119 - filled_) % 64;  // up to 8 bytes before the end of a block
    for (std::size_t i = 0; i < 8; ++i) tail[zeros + 1 + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
    last.update({tail.data(), zeros + 9});
    hex_digest out;
    char* next = out.digits;
    for (std::uint32_t word : last.state_)
      for (int shift = 28; shift >= 0; shift -= 4) *next++ = "0123456789abcdef"[word >> shift & 15];
    return out;
  }

 private:
  /// Fractional parts of the cube roots of the first 64 primes (4.2.2).
  static constexpr std::uint32_t constants[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

  void compress(const std::byte* block) noexcept {
    std::uint32_t w[64];
    for (std::size_t i = 0; i < 16; ++i) {
      w[i] = 0;
      for (std::size_t k = 0; k < 4; ++k) w[i] = w[i] << 8 | std::to_integer<std::uint32_t>(block[4 * i + k]);
    }
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + w[i - 7] +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t t1 =
          h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
      const std::uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::uint32_t add[8] = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state_[i] += add[i];
  }

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t total_ = 0;
};

inline hex_digest sha256_hex(std::span<const std::byte> bytes) noexcept {
  sha256 h;
  h.update(bytes);
  return h.hex();
}

}  // namespace dupq::inline DUPQ_ABI
