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
    {"bert", "f32", false, 277924248537782742u},     {"bert_pooled", "f32", false, 12582236357204795491u},
    {"mpnet", "f32", false, 6685550101723583888u},   {"cross", "f32", true, 4804812420347678285u},
    {"bert", "int8", false, 10990882137171987392u},  {"bert_pooled", "int8", false, 12994113117377786067u},
    {"mpnet", "int8", false, 17944032145063406344u}, {"cross", "int8", true, 4592185129507868776u}};

}  // namespace golden
