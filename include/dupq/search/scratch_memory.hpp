// Memory for the time of a search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/os.hpp"
#include "../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::search_detail {

/// Memory of the caller's, where it is enough and aligned, or from the heap for as long as this lives; there may be
/// none.
class scratch_memory {
 public:
  scratch_memory(std::span<std::byte> given, std::size_t needed) noexcept {
    if (given.size() >= needed && reinterpret_cast<std::uintptr_t>(given.data()) % alignment == 0)
      data_ = given.data();
    else
      data_ = owned_ = static_cast<std::byte*>(os::allocate(needed));
  }
  ~scratch_memory() {
    if (owned_ != nullptr) os::release(owned_);
  }
  scratch_memory(const scratch_memory&) = delete;
  scratch_memory& operator=(const scratch_memory&) = delete;

  std::byte* data() const noexcept { return data_; }

 private:
  std::byte* data_ = nullptr;
  std::byte* owned_ = nullptr;
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
