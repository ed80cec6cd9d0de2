// Maps of characters (text/charsmap.hpp), put together place by place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace dupq_test {

class character_map {
 public:
  /// `root`: the place where a text begins.
  explicit character_map(std::uint32_t root) : units_(512) { units_[0] = offset(root); }

  /// After `byte` at `place` comes `next`.
  character_map& step(std::uint32_t place, unsigned char byte, std::uint32_t next) {
    return put(place ^ byte, offset(place ^ byte ^ next) | byte);
  }
  /// With `byte` at `place` a key ends.
  character_map& leaf(std::uint32_t place, unsigned char byte) {
    put(place ^ byte, offset(byte) | 1u << 8 | byte);
    return put(place, 1u << 31);
  }

  std::string bytes() const {
    const auto size = static_cast<std::uint32_t>(units_.size() * 4);
    std::string out(4 + size, '\0');
    std::memcpy(out.data(), &size, 4);
    std::memcpy(out.data() + 4, units_.data(), size);
    return out += std::string("x\0", 2);  // the one replacement
  }

 private:
  static std::uint32_t offset(std::uint32_t to) { return to << 10; }
  character_map& put(std::size_t at, std::uint32_t unit) {
    if (at >= units_.size()) units_.resize((at / 256 + 1) * 256);
    return units_[at] = unit, *this;
  }

  std::vector<std::uint32_t> units_;
};

}  // namespace dupq_test
