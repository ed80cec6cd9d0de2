// Reads a GGUF v3 model file from bytes: validates everything once, then answers by name. Nothing is copied or
// allocated.
//
// Layout: magic, version, counts; key/value pairs; tensor descriptions; padding; tensor data. All little-endian, and
// nothing but the tensor data is aligned. See the GGUF specification in ggml's repository (docs/gguf.md).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "error.hpp"
#include "model_limits.hpp"

static_assert(std::endian::native == std::endian::little, "dupq: model files are little-endian");

namespace dupq::inline DUPQ_ABI::gguf {

enum class value_type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
enum class tensor_type : std::uint32_t { f32 = 0, f16 = 1, q8_0 = 8, i8 = 24, i32 = 26 };

/// Reads a T at any address.
template <class T>
T load(const std::byte* p) noexcept {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// Bytes of one scalar; 0 for strings and arrays.
constexpr std::size_t scalar_size(value_type t) noexcept {
  switch (t) {
    case value_type::u8:
    case value_type::i8:
    case value_type::boolean: return 1;
    case value_type::u16:
    case value_type::i16: return 2;
    case value_type::u32:
    case value_type::i32:
    case value_type::f32: return 4;
    case value_type::u64:
    case value_type::i64:
    case value_type::f64: return 8;
    case value_type::string:
    case value_type::array: break;
  }
  return 0;
}

/// A key's value. `bytes` is the payload: a scalar's bytes, a string's characters, an array's elements (a string
/// element is its u64 length and its characters).
struct value {
  value_type type{};
  value_type element{};     ///< of an array
  std::uint64_t count = 0;  ///< of an array
  std::span<const std::byte> bytes;

  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

struct tensor {
  std::string_view name;
  tensor_type type{};
  std::uint32_t dimensions = 0;
  std::uint64_t extent[4] = {1, 1, 1, 1};  ///< innermost (contiguous) first
  std::span<const std::byte> bytes;

  std::uint64_t elements() const noexcept { return extent[0] * extent[1] * extent[2] * extent[3]; }
};

/// Bytes of a row of `n` elements, 0 for a type that is not read or a row that is no whole number of blocks.
constexpr std::uint64_t row_bytes(tensor_type t, std::uint64_t n) noexcept {
  switch (t) {
    case tensor_type::f32:
    case tensor_type::i32: return n * 4;
    case tensor_type::f16: return n * 2;
    case tensor_type::i8: return n;
    case tensor_type::q8_0: return n % 32 == 0 ? n / 32 * 34 : 0;  // a half-precision scale and 32 signed bytes
  }
  return 0;
}

/// Limits that no real model comes near; they bound the work that a hostile file can ask for.
inline constexpr std::uint64_t max_keys = 256, max_tensors = model_limits::file_tensors,
                               max_name = model_limits::file_name, max_elements = model_limits::file_elements;

/// A validated view of a model file's bytes, which must outlive it.
class file {
 public:
  static result<file> parse(std::span<const std::byte> bytes) noexcept;

  std::optional<value> find(std::string_view key) const noexcept;
  std::optional<gguf::tensor> tensor(std::string_view name) const noexcept;

  /// Calls f(key, value) in the file's order.
  template <class F>
  void for_each_key(F&& f) const {
    for (std::uint64_t i = 0; i < keys_; ++i) {
      std::string_view key;
      const value v = key_value(i, key);
      f(key, v);
    }
  }
  /// Calls f(tensor) in the file's order.
  template <class F>
  void for_each_tensor(F&& f) const {
    cursor c{bytes_, tensors_at_};
    for (std::uint64_t i = 0; i < tensors_; ++i) {
      gguf::tensor t;
      (void)c.tensor_info(t, bytes_, data_at_, alignment_);
      f(t);
    }
  }

  std::uint64_t key_count() const noexcept { return keys_; }
  std::uint64_t tensor_count() const noexcept { return tensors_; }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::size_t data_offset() const noexcept { return data_at_; }        ///< where the tensor data begins
  std::size_t tensors_offset() const noexcept { return tensors_at_; }  ///< where the tensor descriptions begin
  std::size_t data_alignment() const noexcept { return alignment_; }

 private:
  static constexpr std::size_t header_bytes = 24;

  /// Reads forward; every method fails rather than pass the end.
  struct cursor {
    std::span<const std::byte> bytes;
    std::size_t at;

    result<void> take(std::uint64_t n, std::span<const std::byte>& out) noexcept {
      if (n > bytes.size() - at) return error(errc::truncated, {}, at + n, bytes.size());
      out = bytes.subspan(at, static_cast<std::size_t>(n));
      at += static_cast<std::size_t>(n);
      return {};
    }
    template <class T>
    result<void> number(T& out) noexcept {
      std::span<const std::byte> raw;
      if (const auto done = take(sizeof(T), raw); !done) return done;
      out = load<T>(raw.data());
      return {};
    }
    result<void> string(std::span<const std::byte>& out) noexcept {
      std::uint64_t n = 0;
      if (const auto done = number(n); !done) return done;
      return take(n, out);
    }
    result<void> name(std::string_view& out) noexcept {
      std::span<const std::byte> raw;
      const std::size_t begin = at;
      if (const auto done = string(raw); !done) return done;
      out = {reinterpret_cast<const char*>(raw.data()), raw.size()};
      bool printable = !out.empty() && out.size() <= max_name;
      for (char c : out) printable = printable && c > ' ' && c < 127;
      if (!printable) return error(errc::bad_key, {}, 0, begin);
      return {};
    }
    /// Where `end` is known, an array is not walked again.
    result<void> key_value(std::string_view& key, value& v, std::size_t end = 0) noexcept;
    result<void> tensor_info(gguf::tensor& t, std::span<const std::byte> all, std::size_t data_at,
                             std::size_t align) noexcept;
  };

  result<void> check_keys() noexcept;
  result<void> check_tensors() noexcept;
  value key_value(std::uint64_t i, std::string_view& key) const noexcept;

  std::span<const std::byte> bytes_;
  std::uint64_t keys_ = 0, tensors_ = 0;
  std::size_t key_at_[max_keys + 1] =
      {};  // where each key begins, and the last ends: walking long arrays again is slow
  std::size_t tensors_at_ = 0, data_at_ = 0, alignment_ = 32;
};

inline result<void> file::cursor::key_value(std::string_view& key, value& v, std::size_t end) noexcept {
  if (const auto done = name(key); !done) return done;
  const auto fail = [&](errc code, std::uint64_t found) { return error(code, key, 0, found); };
  std::uint32_t type = 0;
  if (const auto done = number(type); !done) return done;
  if (type > static_cast<std::uint32_t>(value_type::f64)) return fail(errc::wrong_type, type);
  v = {};
  v.type = static_cast<value_type>(type);
  const auto named = [&](const result<void>& done) -> result<void> {
    if (done) return done;
    return error(done.error().code, key, done.error().expected, done.error().found);
  };
  if (v.type == value_type::string) return named(string(v.bytes));
  if (v.type != value_type::array) {
    if (const auto done = named(take(scalar_size(v.type), v.bytes)); !done) return done;
    if (v.type == value_type::boolean && load<std::uint8_t>(v.bytes.data()) > 1) return fail(errc::wrong_value, 2);
    return {};
  }
  std::uint32_t element = 0;
  if (const auto done = named(number(element)); !done) return done;
  if (const auto done = named(number(v.count)); !done) return done;
  if (element > static_cast<std::uint32_t>(value_type::f64) || element == static_cast<std::uint32_t>(value_type::array))
    return fail(errc::wrong_type, element);
  v.element = static_cast<value_type>(element);
  if (end != 0) return take(end - at, v.bytes);
  if (v.element != value_type::string) {
    if (v.count > bytes.size()) return error(errc::truncated, key, v.count, bytes.size());
    return named(take(v.count * scalar_size(v.element), v.bytes));
  }
  const std::size_t begin = at;
  std::span<const std::byte> item;
  for (std::uint64_t i = 0; i < v.count; ++i)
    if (const auto done = named(string(item)); !done) return done;
  v.bytes = bytes.subspan(begin, at - begin);
  return {};
}

inline result<void> file::cursor::tensor_info(gguf::tensor& t, std::span<const std::byte> all, std::size_t data_at,
                                              std::size_t align) noexcept {
  t = {};
  if (const auto done = name(t.name); !done) return done;
  const auto fail = [&](errc code, std::uint64_t expected, std::uint64_t found) {
    return error(code, t.name, expected, found);
  };
  if (const auto done = number(t.dimensions); !done) return done;
  if (t.dimensions < 1 || t.dimensions > 4) return fail(errc::wrong_dimensions, 4, t.dimensions);
  std::uint64_t elements = 1;
  for (std::uint32_t d = 0; d < t.dimensions; ++d) {
    if (const auto done = number(t.extent[d]); !done) return done;
    if (t.extent[d] == 0 || t.extent[d] > max_elements / elements)
      return fail(errc::out_of_range, max_elements, t.extent[d]);
    elements *= t.extent[d];
  }
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
  if (const auto done = number(type); !done) return done;
  if (const auto done = number(offset); !done) return done;
  t.type = static_cast<tensor_type>(type);
  if (data_at == 0) return {};  // first pass: where the data begins is not known yet
  const std::uint64_t size = row_bytes(t.type, t.extent[0]) * (elements / t.extent[0]);
  if (size == 0) return fail(errc::wrong_type, 0, type);
  if (offset % align != 0) return fail(errc::misaligned, align, offset);
  const std::uint64_t room = all.size() - data_at;
  if (offset > room || size > room - offset)
    return fail(errc::truncated, offset > max_elements * 8 ? offset : data_at + offset + size, all.size());
  t.bytes = all.subspan(data_at + static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
  return {};
}

inline value file::key_value(std::uint64_t i, std::string_view& key) const noexcept {
  value v;
  cursor c{bytes_, key_at_[i]};
  (void)c.key_value(key, v, key_at_[i + 1]);
  return v;
}

inline std::optional<value> file::find(std::string_view key) const noexcept {
  for (std::uint64_t i = 0; i < keys_; ++i) {
    std::string_view name;
    const value v = key_value(i, name);
    if (name == key) return v;
  }
  return {};
}

inline std::optional<gguf::tensor> file::tensor(std::string_view name) const noexcept {
  cursor c{bytes_, tensors_at_};
  for (std::uint64_t i = 0; i < tensors_; ++i) {
    gguf::tensor t;
    (void)c.tensor_info(t, bytes_, data_at_, alignment_);
    if (t.name == name) return t;
  }
  return {};
}

inline result<void> file::check_keys() noexcept {
  cursor c{bytes_, header_bytes};
  for (std::uint64_t i = 0; i < keys_; ++i) {
    std::string_view key;
    value v;
    key_at_[i] = c.at;
    if (const auto done = c.key_value(key, v); !done) return done;
    key_at_[i + 1] = c.at;
    for (std::uint64_t j = 0; j < i; ++j) {
      std::string_view earlier;
      (void)cursor{bytes_, key_at_[j]}.name(earlier);
      if (earlier == key) return error(errc::duplicate_key, key);
    }
  }
  tensors_at_ = c.at;
  return {};
}

inline result<void> file::check_tensors() noexcept {
  cursor first{bytes_, tensors_at_};
  for (std::uint64_t i = 0; i < tensors_; ++i) {
    gguf::tensor t;
    if (const auto done = first.tensor_info(t, bytes_, 0, alignment_); !done) return done;
  }
  data_at_ = round_up(first.at, alignment_);
  if (data_at_ > bytes_.size()) return error(errc::truncated, {}, data_at_, bytes_.size());
  cursor c{bytes_, tensors_at_};
  const std::byte* furthest = bytes_.data() + data_at_;
  for (std::uint64_t i = 0; i < tensors_; ++i) {
    gguf::tensor t, other;
    if (const auto done = c.tensor_info(t, bytes_, data_at_, alignment_); !done) return done;
    const std::byte* const begin = t.bytes.data();
    const std::byte* const end = begin + t.bytes.size();
    const bool in_order = begin >= furthest;  // as every writer lays them out: nothing before can overlap
    if (in_order) furthest = end;
    cursor before{bytes_, tensors_at_};
    for (std::uint64_t j = 0; j < i; ++j) {
      (void)before.tensor_info(other, bytes_, data_at_, alignment_);
      if (other.name == t.name) return error(errc::duplicate_key, t.name);
      if (!in_order && other.bytes.data() < end && begin < other.bytes.data() + other.bytes.size())
        return error(errc::overlapping, t.name);
    }
    if (!in_order && end > furthest) furthest = end;
  }
  return {};
}

inline result<file> file::parse(std::span<const std::byte> bytes) noexcept {
  file f;
  f.bytes_ = bytes;
  if (bytes.size() < 4 || load<std::uint32_t>(bytes.data()) != 0x46554747u) return error(errc::not_gguf);  // "GGUF"
  if (bytes.size() < header_bytes) return error(errc::truncated, {}, header_bytes, bytes.size());
  const auto version = load<std::uint32_t>(bytes.data() + 4);
  if (version != 3) return error(errc::unsupported_version, {}, 3, version);
  f.tensors_ = load<std::uint64_t>(bytes.data() + 8);
  f.keys_ = load<std::uint64_t>(bytes.data() + 16);
  if (f.keys_ > max_keys) return error(errc::out_of_range, "number of keys", max_keys, f.keys_);
  if (f.tensors_ > max_tensors) return error(errc::out_of_range, "number of tensors", max_tensors, f.tensors_);
  if (const auto done = f.check_keys(); !done) return done.error();
  if (const auto a = f.find("general.alignment")) {
    if (a->type != value_type::u32) return error(errc::wrong_type, "general.alignment");
    const auto n = load<std::uint32_t>(a->bytes.data());
    if (!std::has_single_bit(n) || n < 8 || n > 65536) return error(errc::wrong_value, "general.alignment", 64, n);
    f.alignment_ = n;
  }
  if (const auto done = f.check_tensors(); !done) return done.error();
  return f;
}

}  // namespace dupq::inline DUPQ_ABI::gguf
