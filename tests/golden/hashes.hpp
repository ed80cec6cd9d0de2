// The bits of the golden models' results, as every build on every machine has them. Needs nothing but the core
// language: freestanding programs include it too.
#pragma once

#include <cstdint>
#include <cstring>

namespace golden {

/// FNV-1a of floats' bytes.
class hash {
 public:
  void add(float value) noexcept {
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    for (const unsigned char b : bytes) value_ = (value_ ^ b) * 1099511628211u;
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037u;
};

/// A model of this folder, converted with `dupq convert --type`, and the hash of its vectors of texts.txt or, of a
/// cross-encoder, of its logits of pairs.txt.
struct known_bits {
  const char* model;
  const char* type;
  bool cross;
  std::uint64_t hash;
};
inline constexpr known_bits known[] = {
    {"bert", "f32", false, 0x0c6bbebcae6e76e3u},   {"bert_pooled", "f32", false, 0x507cac1b53b173e9u},
    {"mpnet", "f32", false, 0x0be7bf04b344e278u},  {"cross", "f32", true, 0x01d3eeaf74a24d47u},
    {"bert", "int8", false, 0x3f3d2636ce4cba83u},  {"bert_pooled", "int8", false, 0x8814df01b2cbd135u},
    {"mpnet", "int8", false, 0x5dac24df8de3cb6bu}, {"cross", "int8", true, 0x3901943564a78b7eu}};

}  // namespace golden
