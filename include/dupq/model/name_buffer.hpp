// Builds the short names of keys and tensors without allocating.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// name_buffer::in_layer(3, "attn_q") is "blk.3.attn_q", and with ".weight" behind it "blk.3.attn_q.weight". Holds 63
/// characters.
class name_buffer {
 public:
  explicit name_buffer(std::string_view name, const char* rest = "") noexcept {
    append(name);
    append(rest);
  }
  static name_buffer in_layer(std::uint32_t n, const char* rest) noexcept {
    name_buffer name("blk.");
    name.append(n);
    name.append(".");
    name.append(rest);
    return name;
  }
  operator std::string_view() const noexcept { return {text_, size_}; }

 private:
  void append(std::string_view part) noexcept {
    for (char c : part)
      if (size_ < sizeof text_) text_[size_++] = c;
  }
  void append(std::uint32_t n) noexcept {
    if (n >= 10) append(n / 10);
    const char digit = static_cast<char>('0' + n % 10);
    append(std::string_view(&digit, 1));
  }

  char text_[63];
  std::uint8_t size_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
