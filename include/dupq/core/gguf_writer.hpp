// Builds everything of a GGUF v3 file before its tensor data: keys, values, tensor descriptions, padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "error.hpp"
#include "gguf_types.hpp"
#include "heap_list.hpp"
#include "platform.hpp"
#include "texts.hpp"

namespace dupq::inline DUPQ_ABI::gguf {

/// Add keys, then tensors, then take the header; the tensors' bytes follow it in the same order, each padded with zeros
/// to a multiple of the alignment; where that is not GGUF's default, 32, the key general.alignment must say so. Where
/// memory runs out, `header` says so.
class writer {
 public:
  explicit writer(std::size_t alignment = dupq::alignment) noexcept : alignment_(alignment) {}

  template <class T>
  requires(std::is_arithmetic_v<T>) void add(std::string_view key, T v) noexcept {
    begin_key(key, type_of<T>());
    put(keys_, v);
  }
  void add(std::string_view key, std::string_view text) noexcept {
    begin_key(key, value_type::string);
    put_text(keys_, text);
  }
  void add(std::string_view key, const char* text) noexcept { add(key, std::string_view(text)); }
  template <class T>
  requires(std::is_arithmetic_v<T>) void add(std::string_view key, std::span<const T> items) noexcept {
    begin_array(key, type_of<T>(), items.size());
    for (T v : items) put(keys_, v);
  }
  void add(std::string_view key, const texts& items) noexcept {
    begin_array(key, value_type::string, items.size());
    for (std::size_t i = 0; i < items.size(); ++i) put_text(keys_, items[i]);
  }
  /// A value as it stands in another file.
  void add(std::string_view key, const value& v) noexcept {
    if (v.type == value_type::array)
      begin_array(key, v.element, v.count);
    else
      begin_key(key, v.type);
    if (v.type == value_type::string) put(keys_, std::uint64_t{v.bytes.size()});
    put_bytes(keys_, v.bytes.data(), v.bytes.size());
  }

  /// Describes a tensor of `bytes` bytes; `extents` begin with the innermost.
  void add_tensor(std::string_view name, tensor_type type, std::span<const std::uint64_t> extents,
                  std::uint64_t bytes) noexcept {
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(extents.size()));
    for (std::uint64_t n : extents) put(tensors_, n);
    put(tensors_, static_cast<std::uint32_t>(type));
    put(tensors_, data_bytes_);
    data_bytes_ += (bytes + alignment_ - 1) / alignment_ * alignment_;
    ++tensor_count_;
  }

  /// Bytes of all tensors with their padding.
  std::uint64_t data_bytes() const noexcept { return data_bytes_; }

  /// The file up to its tensor data. Errors: out_of_memory.
  result<heap_list<std::byte>> header() const noexcept {
    heap_list<std::byte> out;
    const std::size_t size = round_up(24 + keys_.size() + tensors_.size(), alignment_);
    if (!complete_ || !out.reserve(size)) return error(errc::out_of_memory, "header", size);
    const std::uint32_t start[] = {0x46554747u, 3};  // "GGUF", version 3
    const std::uint64_t counts[] = {tensor_count_, key_count_};
    bool done = out.append(reinterpret_cast<const std::byte*>(start), sizeof start) &&
                out.append(reinterpret_cast<const std::byte*>(counts), sizeof counts);
    done = done && out.append(keys_.data(), keys_.size()) && out.append(tensors_.data(), tensors_.size());
    if (!done || !out.resize(size)) return error(errc::out_of_memory, "header", size);
    return result<heap_list<std::byte>>(std::move(out));
  }

 private:
  using buffer = heap_list<std::byte>;

  template <class T>
  static constexpr value_type type_of() noexcept {
    if constexpr (std::is_same_v<T, double>) return value_type::f64;
    if constexpr (std::is_same_v<T, bool>) return value_type::boolean;
    if constexpr (std::is_same_v<T, float>) return value_type::f32;
    if constexpr (std::is_same_v<T, std::int32_t>) return value_type::i32;
    if constexpr (std::is_same_v<T, std::uint32_t>) return value_type::u32;
    if constexpr (std::is_same_v<T, std::uint64_t>) return value_type::u64;
  }
  void put_bytes(buffer& out, const void* from, std::size_t size) noexcept {
    complete_ = out.append(static_cast<const std::byte*>(from), size) && complete_;
  }
  template <class T>
  void put(buffer& out, T v) noexcept {
    if constexpr (std::is_same_v<T, bool>)
      put(out, static_cast<std::uint8_t>(v));
    else
      put_bytes(out, &v, sizeof v);
  }
  void put_text(buffer& out, std::string_view text) noexcept {
    put(out, std::uint64_t{text.size()});
    put_bytes(out, text.data(), text.size());
  }
  void begin_key(std::string_view key, value_type type) noexcept {
    put_text(keys_, key);
    put(keys_, static_cast<std::uint32_t>(type));
    ++key_count_;
  }
  void begin_array(std::string_view key, value_type element, std::uint64_t count) noexcept {
    begin_key(key, value_type::array);
    put(keys_, static_cast<std::uint32_t>(element));
    put(keys_, count);
  }

  std::size_t alignment_;
  buffer keys_, tensors_;
  std::uint64_t key_count_ = 0, tensor_count_ = 0, data_bytes_ = 0;
  bool complete_ = true;
};

}  // namespace dupq::inline DUPQ_ABI::gguf
