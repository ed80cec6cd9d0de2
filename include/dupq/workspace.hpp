// The memory of an encoder: its size is known beforehand, at compile time if need be, and it is taken once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "core/arena.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "core/os.hpp"
#include "device/cpu/cpu.hpp"
#include "model/batch.hpp"
#include "model/encoder_options.hpp"

namespace dupq::inline DUPQ_ABI {

/// Lays out one batch for each worker; null pointers where the arena only counts.
template <device D>
constexpr batch<D>* lay_out_workers(arena& from, const config& c, const limits& l) noexcept {
  batch<D>* const workers = from.take<batch<D>>(l.workers);
  for (std::size_t w = 0; w < l.workers; ++w) {
    batch<D> one;
    one.lay_out(from, c, l);
    if (workers != nullptr) ::new (static_cast<void*>(workers + w)) batch<D>(one);
  }
  return workers;
}

/// Bytes of workspace that an encoder takes for a model and limits; the same for every kernel table. Where no address
/// space has so many it is arena::impossible, which is too large for an array, and `make` answers bad_limit.
template <device D = cpu>
constexpr std::size_t workspace_bytes(const config& c, const limits& l = {}) noexcept {
  const limits all = resolve(l, c);
  if (std::max({all.text_tokens, all.packed_tokens, all.texts}) > limits::most_tokens) return arena::impossible;
  if (all.workers > limits::most_workers) return arena::impossible;
  arena counter;
  lay_out_workers<D>(counter, c, all);
  return counter.used();
}

/// The workers' batches and the memory below them: the caller's, or owned.
template <device D>
class workspace {
 public:
  /// Over the caller's bytes, aligned to `alignment`; `l` is resolved.
  static result<workspace> over(const config& c, const limits& l, std::span<std::byte> bytes) noexcept {
    const std::size_t needed = workspace_bytes<D>(c, l);
    if (needed == arena::impossible) return error(errc::bad_limit, "limits");
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0)
      return error(errc::not_aligned, "workspace", alignment,
                   reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment);
    if (bytes.size() < needed) return error(errc::too_small, "workspace", needed, bytes.size());
    workspace w;
    arena from(bytes);
    w.workers_ = lay_out_workers<D>(from, c, l);
    w.count_ = l.workers;
    return result<workspace>(std::move(w));  // nvcc does not move by itself here
  }
  /// Over memory from the heap.
  static result<workspace> allocate(const config& c, const limits& l) noexcept {
    const std::size_t needed = workspace_bytes<D>(c, l);
    if (needed == arena::impossible) return error(errc::bad_limit, "limits");
    void* const owned = os::allocate(needed);
    if (owned == nullptr) return error(errc::out_of_memory, "workspace", needed);
    auto w = over(c, l, {static_cast<std::byte*>(owned), needed});
    w->owned_ = owned;
    w->release_ = os::release;
    return w;
  }

  /// What has been moved from has no workers.
  workspace(workspace&& other) noexcept { swap(other); }
  workspace& operator=(workspace&& other) noexcept {
    workspace moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~workspace() {
    if (owned_ != nullptr) release_(owned_);
  }

  batch<D>& operator[](std::size_t worker) noexcept { return workers_[worker]; }
  std::size_t size() const noexcept { return count_; }

 private:
  workspace() noexcept = default;

  void swap(workspace& other) noexcept {
    std::swap(workers_, other.workers_);
    std::swap(count_, other.count_);
    std::swap(owned_, other.owned_);
    std::swap(release_, other.release_);
  }

  batch<D>* workers_ = nullptr;
  std::size_t count_ = 0;
  void* owned_ = nullptr;
  void (*release_)(void*) noexcept = nullptr;  // a pointer, so that programs that own nothing need no heap
};

}  // namespace dupq::inline DUPQ_ABI
