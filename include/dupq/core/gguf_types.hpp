// The values and tensors of a GGUF file, and how many bytes they take.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "platform.hpp"

static_assert(std::endian::native == std::endian::little, "dupq: model files are little-endian");

namespace dupq::inline DUPQ_ABI::gguf {

enum class value_type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
enum class tensor_type : std::uint32_t { f32 = 0, f16 = 1, q8_0 = 8, i8 = 24, i32 = 26, bf16 = 30 };

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
    case tensor_type::f16:
    case tensor_type::bf16: return n * 2;
    case tensor_type::i8: return n;
    case tensor_type::q8_0: return n % 32 == 0 ? n / 32 * 34 : 0;  // a half-precision scale and 32 signed bytes
  }
  return 0;
}

}  // namespace dupq::inline DUPQ_ABI::gguf
