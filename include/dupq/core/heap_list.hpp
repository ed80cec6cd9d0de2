// A growing array on the heap without exceptions, for what writes: whoever is out of memory is told so.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "os.hpp"
#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// Elements one behind the other, aligned to `alignment`. What adds elements is false where there is no memory, and
/// then nothing has changed.
template <class T>
class heap_list {
 public:
  heap_list() noexcept = default;
  heap_list(heap_list&& other) noexcept { swap(other); }
  heap_list& operator=(heap_list&& other) noexcept {
    heap_list moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~heap_list() {
    clear();
    if (data_ != nullptr) os::release(data_);
  }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T& back() noexcept { return data_[size_ - 1]; }
  std::span<T> items() noexcept { return {data_, size_}; }
  std::span<const T> items() const noexcept { return {data_, size_}; }

  [[nodiscard]] bool push(T&& item) noexcept {
    if (!reserve(size_ + 1)) return false;
    ::new (static_cast<void*>(data_ + size_)) T(std::move(item));
    ++size_;
    return true;
  }
  [[nodiscard]] bool append(const T* from, std::size_t n) noexcept requires std::is_trivially_copyable_v<T> {
    if (n == 0) return true;
    if (n > SIZE_MAX - size_ || !reserve(size_ + n)) return false;
    std::memcpy(static_cast<void*>(data_ + size_), from, n * sizeof(T));
    size_ += n;
    return true;
  }
  /// New elements are zeros.
  [[nodiscard]] bool resize(std::size_t n) noexcept requires std::is_trivially_copyable_v<T> {
    if (!reserve(n)) return false;
    if (n > size_) std::memset(static_cast<void*>(data_ + size_), 0, (n - size_) * sizeof(T));
    size_ = n;
    return true;
  }
  [[nodiscard]] bool reserve(std::size_t n) noexcept {
    if (n <= room_) return true;
    const std::size_t room = std::max<std::size_t>(n, room_ + room_ / 2 + 16 / sizeof(T));
    if (room > SIZE_MAX / 2 / sizeof(T)) return false;
    T* const larger = static_cast<T*>(os::allocate(room * sizeof(T)));
    if (larger == nullptr) return false;
    for (std::size_t i = 0; i < size_; ++i) {
      ::new (static_cast<void*>(larger + i)) T(std::move(data_[i]));
      data_[i].~T();
    }
    if (data_ != nullptr) os::release(data_);
    data_ = larger;
    room_ = room;
    return true;
  }
  void pop() noexcept { data_[--size_].~T(); }
  void clear() noexcept {
    if constexpr (std::is_trivially_destructible_v<T>) size_ = 0;
    while (size_ != 0) pop();
  }
  void swap(heap_list& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0, room_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
