// Strings one behind the other, as a segment keeps its texts and ids: where each ends, then their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/gguf_types.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

/// A view of bytes that anybody may have written: each string is checked when it is asked for.
class strings {
 public:
  strings() noexcept = default;
  /// Of at least 8 * count bytes.
  strings(std::span<const std::byte> bytes, std::size_t count, std::string_view what) noexcept
      : ends_(bytes.data()), all_(bytes.subspan(8 * count)), what_(what) {}

  /// Errors: damaged.
  result<std::string_view> at(std::size_t i) const noexcept {
    const std::uint64_t begin = i == 0 ? 0 : end_of(i - 1), end = end_of(i);
    if (begin > end || end > all_.size()) return error(errc::damaged, what_);
    return std::string_view(reinterpret_cast<const char*>(all_.data()) + begin, static_cast<std::size_t>(end - begin));
  }

 private:
  std::uint64_t end_of(std::size_t i) const noexcept { return gguf::load<std::uint64_t>(ends_ + 8 * i); }

  const std::byte* ends_ = nullptr;
  std::span<const std::byte> all_;
  std::string_view what_;
};

}  // namespace dupq::inline DUPQ_ABI::index_detail
