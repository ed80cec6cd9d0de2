// Reads the keys of an index's files, which anybody may have written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

inline constexpr std::uint32_t version = 1;
inline constexpr std::string_view architecture = "dupq-index";

/// A string. Errors: missing_key, wrong_type.
inline result<std::string_view> read_text(const gguf::file& file, std::string_view key) noexcept {
  const auto v = file.find(key);
  if (!v) return error(errc::missing_key, key);
  if (v->type != gguf::value_type::string) return error(errc::wrong_type, key);
  return v->text();
}

/// A number of at least `least` and at most `most`. Errors: missing_key, wrong_type, out_of_range.
inline result<std::uint64_t> read_number(const gguf::file& file, std::string_view key, std::uint64_t least,
                                         std::uint64_t most) noexcept {
  const auto v = file.find(key);
  if (!v) return error(errc::missing_key, key);
  if (v->type != gguf::value_type::u64) return error(errc::wrong_type, key);
  const auto n = gguf::load<std::uint64_t>(v->bytes.data());
  if (n < least || n > most) return error(errc::out_of_range, key, n < least ? least : most, n);
  return n;
}

/// An array of numbers. Errors: missing_key, wrong_type, wrong_size.
inline result<std::span<const std::byte>> read_numbers(const gguf::file& file, std::string_view key,
                                                       std::uint64_t count) noexcept {
  const auto v = file.find(key);
  if (!v) return error(errc::missing_key, key);
  if (v->type != gguf::value_type::array || v->element != gguf::value_type::u64) return error(errc::wrong_type, key);
  if (v->count != count) return error(errc::wrong_size, key, count, v->count);
  return v->bytes;
}

inline result<dupq::similarity> read_similarity(const gguf::file& file) noexcept {
  constexpr std::string_view key = "dupq.index.similarity";
  const auto text = read_text(file, key);
  if (!text) return text.error();
  for (const auto s : {similarity::cosine, similarity::dot, similarity::euclidean, similarity::manhattan})
    if (name(s) == *text) return s;
  return error(errc::unsupported, key);
}

/// That a file is one of an index, of this version. Errors: also wrong_value, unsupported_version.
inline result<void> check_kind(const gguf::file& file) noexcept {
  const auto kind = read_text(file, "general.architecture");
  if (!kind || *kind != architecture) return error(errc::unsupported, "no file of an index");
  const auto v = file.find("dupq.index.version");
  if (!v) return error(errc::missing_key, "dupq.index.version");
  if (v->type != gguf::value_type::u32) return error(errc::wrong_type, "dupq.index.version");
  const auto found = gguf::load<std::uint32_t>(v->bytes.data());
  if (found != version) return error(errc::wrong_value, "dupq.index.version", version, found);
  return {};
}

/// Numbers of a tensor that lies where they can be read. Errors: missing_tensor, wrong_type, wrong_shape, misaligned.
template <class T>
result<std::span<const T>> read_tensor(const gguf::file& file, std::string_view name, gguf::tensor_type type,
                                       std::uint64_t inner, std::uint64_t outer) noexcept {
  const auto t = file.tensor(name);
  if (!t) return error(errc::missing_tensor, name);
  if (t->type != type) return error(errc::wrong_type, name);
  if (t->extent[0] != inner) return error(errc::wrong_shape, name, inner, t->extent[0]);
  if (t->extent[1] != outer) return error(errc::wrong_shape, name, outer, t->extent[1]);
  if (t->extent[2] != 1 || t->extent[3] != 1) return error(errc::wrong_dimensions, name, 2, t->dimensions);
  const auto address = reinterpret_cast<std::uintptr_t>(t->bytes.data());
  if (address % alignof(T) != 0) return error(errc::misaligned, name, alignof(T), address % alignof(T));
  return std::span<const T>(reinterpret_cast<const T*>(t->bytes.data()), t->bytes.size() / sizeof(T));
}

}  // namespace dupq::inline DUPQ_ABI::index_detail
