// Global memory: the arrays that kernels may touch. Accesses beyond them, or to what another block of the same launch
// writes, are problems.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace emulator {

/// What a kernel may do with an array.
enum class use { read, write };
/// How a kernel gets at it. Constant: through the read-only cache, so no kernel may write it. Bulk: a copy that does
/// not see what threads of the same launch have written.
enum class way { read, write, constant, bulk };

class global_memory {
 public:
  struct array {
    std::size_t bytes = 0;
    use allowed = use::read;
    std::vector<std::uint64_t> writers, readers;  ///< of each word: launch * 2^20 + block, or `many` for readers
  };

  static global_memory& all() {
    static global_memory memory;
    return memory;
  }

  void add(const void* at, std::size_t bytes, use allowed) {
    array a{bytes, allowed, std::vector<std::uint64_t>(bytes / 4 + 1), std::vector<std::uint64_t>(bytes / 4 + 1)};
    arrays_[reinterpret_cast<std::uintptr_t>(at)] = std::move(a);
  }
  void remove(const void* at) { arrays_.erase(reinterpret_cast<std::uintptr_t>(at)); }

  /// As if a kernel before all others had written an array.
  void written(const void* at) {
    auto& writers = arrays_.at(reinterpret_cast<std::uintptr_t>(at)).writers;
    writers.assign(writers.size(), 1);
  }

  /// Null, or what is wrong with an access by `block` of launch number `launch`. `early`: the kernels before it may
  /// still run.
  const char* check(const void* at, std::size_t bytes, way how, std::uint64_t launch, std::uint64_t block, bool early) {
    const bool write = how == way::write;
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    if (address % bytes != 0 && address % 16 != 0) return "a misaligned access to global memory";
    auto next = arrays_.upper_bound(address);
    if (next == arrays_.begin()) return "an access beyond global arrays";
    auto& [begin, a] = *--next;
    if (address + bytes > begin + a.bytes) return "an access beyond a global array";
    if (write && a.allowed == use::read) return "a write to a constant array";
    if (write && early) return "a write before it waits for the kernel before this one";
    const std::uint64_t self = (launch << 20) + block + 1, many = (launch << 20) + 0xFFFFF;
    for (std::size_t word = (address - begin) / 4; word < (address - begin + bytes + 3) / 4; ++word) {
      std::uint64_t &writer = a.writers[word], &reader = a.readers[word];
      if (how == way::constant && writer != 0) return "a load through the read-only cache of what a kernel wrote";
      if (how == way::bulk && writer >> 20 == launch) return "a bulk copy of what the same launch wrote";
      if (early && writer != 0) return "a read of what a kernel before this one wrote, before it waits for it";
      if (writer >> 20 == launch && writer != self) return "two blocks touch the same global word, one writes it";
      if (write) {
        if (reader >> 20 == launch && reader != self) return "a block writes a global word that another has read";
        writer = self;
      } else {
        reader = reader >> 20 == launch && reader != self ? many : self;
      }
    }
    return nullptr;
  }

 private:
  std::map<std::uintptr_t, array> arrays_;
};

/// An array that kernels may touch, aligned to 256 bytes.
template <class T>
class buffer {
 public:
  explicit buffer(std::size_t n, use allowed = use::write) : size_(n), bytes_(new std::byte[n * sizeof(T) + 256]) {
    data_ = reinterpret_cast<T*>((reinterpret_cast<std::uintptr_t>(bytes_.get()) + 255) / 256 * 256);
    std::memset(static_cast<void*>(data_), 0xFF, n * sizeof(T));  // NaN
    global_memory::all().add(data_, n * sizeof(T), allowed);
  }
  buffer(const std::vector<T>& values, use allowed = use::read) : buffer(values.size(), allowed) {
    std::memcpy(static_cast<void*>(data_), values.data(), values.size() * sizeof(T));
  }
  buffer(buffer&& other) noexcept : size_(other.size_), bytes_(std::move(other.bytes_)), data_(other.data_) {
    other.data_ = nullptr;
  }
  buffer& operator=(buffer&&) = delete;
  ~buffer() {
    if (data_ != nullptr) global_memory::all().remove(data_);
  }

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) const { return data_[i]; }
  std::vector<T> copy() const { return {data_, data_ + size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
  T* data_ = nullptr;
};

}  // namespace emulator
