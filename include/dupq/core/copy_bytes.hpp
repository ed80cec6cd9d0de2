// Copies of as many bytes as it turns out at run time: of none, too, where there may be no memory to copy from or to.
#pragma once

#include <cstddef>
#include <cstring>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// `std::memcpy`, which must not be given null pointers, not even for no bytes: an empty text or span has nothing else.
inline void copy_bytes(void* to, const void* from, std::size_t n) noexcept {
  if (n != 0) std::memcpy(to, from, n);
}

}  // namespace dupq::inline DUPQ_ABI
