// Builds the short names of keys and tensors without allocating.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// name_buffer("blk.", 3, ".attn_q.weight") is "blk.3.attn_q.weight". Holds 63 characters.
class name_buffer {
 public:
  template <class... Parts>
  explicit name_buffer(const Parts&... parts) noexcept {
    (append(parts), ...);
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
