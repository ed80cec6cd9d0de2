// A bump allocator over the caller's bytes, and its twin that only counts: both walk the same layout code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Hands out 64-byte aligned arrays. Without memory it hands out null pointers and counts, so that one function
/// lays a structure out and says how many bytes it takes.
class arena {
 public:
  constexpr arena() noexcept = default;
  /// `bytes` must be aligned to `alignment`.
  explicit arena(std::span<std::byte> bytes) noexcept : bytes_(bytes.data()), size_(bytes.size()) {}

  /// What `used` says of a layout that no address space can hold. Real sizes are multiples of `alignment`, this is
  /// none.
  static constexpr std::size_t impossible = ~std::size_t{0};

  /// An array of `n` T, uninitialised; null when only counting or when the bytes do not suffice. (64 bits also where
  /// sizes have 32: products of sizes are too large there, not wrong.)
  template <class T>
  constexpr T* take(std::uint64_t n) noexcept {
    const std::size_t begin = used_;
    const std::size_t room = begin < impossible - alignment ? impossible - alignment - begin : 0;
    used_ = n <= room / sizeof(T) ? begin + round_up(static_cast<std::size_t>(n) * sizeof(T), alignment) : impossible;
    if (bytes_ == nullptr || used_ > size_) return nullptr;
    return reinterpret_cast<T*>(bytes_ + begin);
  }

  constexpr bool has_memory() const noexcept { return bytes_ != nullptr; }
  constexpr std::size_t used() const noexcept { return used_; }
  constexpr bool fits() const noexcept { return used_ <= size_; }

 private:
  std::byte* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
