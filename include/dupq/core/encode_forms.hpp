// The short forms of a bi-encoder's `encode`, the same on every device: one text, a list in braces, and vectors that
// the call makes.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "error.hpp"
#include "texts.hpp"

namespace dupq::inline DUPQ_ABI {

/// `Encoder`, which is derived from it, has encode(texts, floats) and dim().
template <class Encoder>
class encode_forms {
 public:
  /// One text's vector to `out`, dim() floats.
  result<void> encode(std::string_view text, std::span<float> out) noexcept {
    return self().encode(texts(std::span(&text, 1)), out);
  }
  result<void> encode(std::initializer_list<std::string_view> list, std::span<float> out) noexcept {
    return self().encode(texts(list), out);
  }

  /// The vectors, one behind the other. They are on the heap: std::bad_alloc where it is full.
  result<std::vector<float>> encode(texts list) {
    std::vector<float> vectors(list.size() * self().dim());
    if (const auto done = self().encode(list, vectors); !done) return done.error();
    return result<std::vector<float>>(std::move(vectors));
  }
  result<std::vector<float>> encode(std::initializer_list<std::string_view> list) { return encode(texts(list)); }
  result<std::vector<float>> encode(std::string_view text) { return encode(texts(std::span(&text, 1))); }

 private:
  Encoder& self() noexcept { return static_cast<Encoder&>(*this); }
};

}  // namespace dupq::inline DUPQ_ABI
