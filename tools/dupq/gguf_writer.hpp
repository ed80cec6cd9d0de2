// Builds everything of a GGUF v3 file before its tensor data: keys, values, tensor descriptions, padding.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dupq/core/gguf.hpp>
#include <dupq/core/platform.hpp>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace dupq_tool {

/// Add keys, then tensors, then take the header; the tensors' bytes follow it in the same order, each padded with zeros
/// to a multiple of the alignment; where that is not GGUF's default, 32, the key general.alignment must say so.
class gguf_writer {
 public:
  using value_type = dupq::gguf::value_type;

  explicit gguf_writer(std::size_t alignment = dupq::alignment) : alignment_(alignment) {}

  template <class T>
  requires(std::is_arithmetic_v<T>) void add(std::string_view key, T v) {
    begin_key(key, type_of<T>());
    put(keys_, v);
  }
  void add(std::string_view key, std::string_view text) {
    begin_key(key, value_type::string);
    put_text(keys_, text);
  }
  void add(std::string_view key, const char* text) { add(key, std::string_view(text)); }
  template <class T>
  requires(std::is_arithmetic_v<T>) void add(std::string_view key, std::span<const T> items) {
    begin_array(key, type_of<T>(), items.size());
    for (T v : items) put(keys_, v);
  }
  void add(std::string_view key, std::span<const std::string> items) {
    begin_array(key, value_type::string, items.size());
    for (const std::string& s : items) put_text(keys_, s);
  }
  /// A value as it stands in another file.
  void add(std::string_view key, const dupq::gguf::value& v) {
    if (v.type == value_type::array)
      begin_array(key, v.element, v.count);
    else
      begin_key(key, v.type);
    if (v.type == value_type::string) put(keys_, std::uint64_t{v.bytes.size()});
    keys_ += v.text();
  }

  /// Describes a tensor of `bytes` bytes; `extents` begin with the innermost.
  void add_tensor(std::string_view name, dupq::gguf::tensor_type type, std::span<const std::uint64_t> extents,
                  std::uint64_t bytes) {
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(extents.size()));
    for (std::uint64_t n : extents) put(tensors_, n);
    put(tensors_, static_cast<std::uint32_t>(type));
    put(tensors_, data_bytes_);
    data_bytes_ += dupq::round_up(bytes, alignment_);
    ++tensor_count_;
  }

  /// Bytes of all tensors with their padding.
  std::uint64_t data_bytes() const noexcept { return data_bytes_; }

  /// The file up to its tensor data.
  std::string header() const {
    std::string out = "GGUF";
    put(out, std::uint32_t{3});
    put(out, tensor_count_);
    put(out, key_count_);
    out += keys_;
    out += tensors_;
    out.resize(dupq::round_up(out.size(), alignment_));
    return out;
  }

 private:
  template <class T>
  static constexpr value_type type_of() noexcept {
    if constexpr (std::is_same_v<T, bool>) return value_type::boolean;
    if constexpr (std::is_same_v<T, float>) return value_type::f32;
    if constexpr (std::is_same_v<T, std::int32_t>) return value_type::i32;
    if constexpr (std::is_same_v<T, std::uint32_t>) return value_type::u32;
    if constexpr (std::is_same_v<T, std::uint64_t>) return value_type::u64;
  }
  template <class T>
  static void put(std::string& out, T v) {
    if constexpr (std::is_same_v<T, bool>)
      out += v ? '\1' : '\0';
    else
      out.append(reinterpret_cast<const char*>(&v), sizeof v);
  }
  static void put_text(std::string& out, std::string_view text) {
    put(out, std::uint64_t{text.size()});
    out += text;
  }
  void begin_key(std::string_view key, value_type type) {
    put_text(keys_, key);
    put(keys_, static_cast<std::uint32_t>(type));
    ++key_count_;
  }
  void begin_array(std::string_view key, value_type element, std::uint64_t count) {
    begin_key(key, value_type::array);
    put(keys_, static_cast<std::uint32_t>(element));
    put(keys_, count);
  }

  std::size_t alignment_;
  std::string keys_, tensors_;
  std::uint64_t key_count_ = 0, tensor_count_ = 0, data_bytes_ = 0;
};

}  // namespace dupq_tool
