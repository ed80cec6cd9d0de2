// Reads a safetensors file: a u64 header length, a JSON header of names, types, shapes and byte ranges, then the data.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "failure.hpp"
#include "half.hpp"
#include "json.hpp"

namespace dupq_tool::safetensors {

struct tensor {
  std::string name, type;  ///< "F32", "F16", "BF16", "I64" ...
  std::vector<std::uint64_t> shape;
  std::uint64_t elements = 1;
  std::span<const std::byte> bytes;

  /// Whether `read` can decode it.
  bool is_real() const noexcept { return type == "F32" || type == "F16" || type == "BF16"; }

  /// Decodes elements [first, first + out.size()) of a real tensor.
  void read(std::uint64_t first, std::span<float> out) const noexcept {
    if (out.empty()) return;
    if (type == "F32") {
      std::memcpy(out.data(), bytes.data() + first * 4, out.size_bytes());
      return;
    }
    const std::byte* p = bytes.data() + first * 2;
    for (float& f : out) {
      std::uint16_t v;
      std::memcpy(&v, p, 2);
      f = type[0] == 'B' ? from_bfloat16(v) : from_half(v);
      p += 2;
    }
  }
};

/// The header of a file, checked whole; it views the file's bytes, which must outlive it.
class file {
 public:
  /// Failures name `source` and the tensor or the byte.
  file(std::span<const std::byte> bytes, std::string source) : source_(std::move(source)) {
    constexpr std::uint64_t longest = 100'000'000;  // as the format's own reader allows
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) fail("ends within its 8-byte header length");
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > longest || length > bytes.size() - sizeof length)
      fail("a header of " + std::to_string(length) + " bytes does not fit a file of " + std::to_string(bytes.size()));
    const auto header = bytes.subspan(sizeof length, static_cast<std::size_t>(length));
    data_ = bytes.subspan(sizeof length + static_cast<std::size_t>(length));
    const json::value root =
        json::parse({reinterpret_cast<const char*>(header.data()), header.size()}, source_ + ": header");
    const auto* members = root.as<json::object>();
    if (members == nullptr) fail("header: an object is expected");
    for (const auto& [name, description] : *members)
      if (name != "__metadata__") add(name, description);
    check_ranges();
    for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
  }

  const std::vector<tensor>& tensors() const noexcept { return tensors_; }
  const std::string& source() const noexcept { return source_; }
  const tensor* find(const std::string& name) const noexcept {
    const auto at = index_.find(name);
    return at == index_.end() ? nullptr : &tensors_[at->second];
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw failure(source_ + ": " + what); }
  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    fail("tensor " + json::quote(name) + ": " + what);
  }

  /// Bytes of an element, 0 for an unknown type.
  static std::uint64_t element_size(std::string_view type) noexcept {
    struct size {
      std::string_view type;
      std::uint64_t bytes;
    };
    constexpr size sizes[] = {{"F32", 4},  {"F16", 2}, {"BF16", 2},    {"F64", 8},     {"I64", 8},    {"I32", 4},
                              {"I16", 2},  {"I8", 1},  {"U64", 8},     {"U32", 4},     {"U16", 2},    {"U8", 1},
                              {"BOOL", 1}, {"C64", 8}, {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1}};
    for (const size& s : sizes)
      if (s.type == type) return s.bytes;
    return 0;
  }

  std::uint64_t whole(const std::string& name, const char* what, const json::value& v) const {
    const auto* n = v.as<std::int64_t>();
    if (n == nullptr || *n < 0) fail(name, std::string(what) + ": a whole number is expected");
    return static_cast<std::uint64_t>(*n);
  }

  void add(const std::string& name, const json::value& description) {
    const json::value* const type = description.find("dtype");
    const json::value* const shape = description.find("shape");
    const json::value* const range = description.find("data_offsets");
    if (type == nullptr || type->as<std::string>() == nullptr) fail(name, "dtype: a string is expected");
    if (shape == nullptr || shape->as<json::array>() == nullptr) fail(name, "shape: an array is expected");
    if (range == nullptr || range->as<json::array>() == nullptr || range->as<json::array>()->size() != 2)
      fail(name, "data_offsets: two numbers are expected");
    tensor t;
    t.name = name;
    t.type = *type->as<std::string>();
    const std::uint64_t size = element_size(t.type);
    if (size == 0) fail(name, "dtype " + json::quote(t.type) + " is not known");
    for (const json::value& extent : *shape->as<json::array>()) {
      const std::uint64_t n = whole(name, "shape", extent);
      if (n != 0 && t.elements > (std::uint64_t{1} << 48) / n) fail(name, "shape: too large");
      t.elements *= n;
      t.shape.push_back(n);
    }
    const json::array& ends = *range->as<json::array>();
    const std::uint64_t begin = whole(name, "data_offsets", ends[0]), end = whole(name, "data_offsets", ends[1]);
    if (begin > end || end > data_.size())
      fail(name, "data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "] lie outside the " +
                     std::to_string(data_.size()) + " bytes of data");
    if (end - begin != t.elements * size)
      fail(name, "data_offsets hold " + std::to_string(end - begin) + " bytes, its shape needs " +
                     std::to_string(t.elements * size));
    t.bytes = data_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    tensors_.push_back(std::move(t));
  }

  /// The ranges must tile the data: no byte shared, none left over.
  void check_ranges() {
    std::sort(tensors_.begin(), tensors_.end(), [](const tensor& a, const tensor& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    std::size_t at = 0;
    for (const tensor& t : tensors_) {
      const auto begin = static_cast<std::size_t>(t.bytes.data() - data_.data());
      if (begin < at) fail(t.name, "shares bytes with another tensor");
      if (begin > at)
        fail(t.name, "bytes " + std::to_string(at) + " to " + std::to_string(begin) + " before it belong to no tensor");
      at += t.bytes.size();
    }
    if (at != data_.size()) fail("the last " + std::to_string(data_.size() - at) + " bytes belong to no tensor");
  }

  std::string source_;
  std::span<const std::byte> data_;
  std::vector<tensor> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace dupq_tool::safetensors
