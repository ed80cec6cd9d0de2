// memcpy for any number of bytes, also none.
#pragma once

#include <cstddef>
#include <cstring>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// `std::memcpy` must not be given null pointers, not even for no bytes, and the pointer of an empty text or span may
/// be null.
inline void copy_bytes(void* to, const void* from, std::size_t n) noexcept {
  if (n != 0) std::memcpy(to, from, n);
}

}  // namespace dupq::inline DUPQ_ABI
