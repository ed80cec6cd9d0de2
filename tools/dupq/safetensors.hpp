// Reads a safetensors file: a u64 header length, a JSON header of names, types, shapes and byte ranges, then the data.
//
// The header is read piece by piece and kept in a few bytes a tensor, because a file may have a large one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "half.hpp"
#include "json_reader.hpp"

namespace dupq_tool::safetensors {

/// The extents of a tensor. Of more than four, which no weight of ours has, only their number is kept.
struct extents {
  std::uint64_t first[4] = {};
  std::size_t count = 0;

  std::uint64_t operator[](std::size_t i) const noexcept { return first[i]; }
  bool operator==(std::span<const std::uint64_t> other) const noexcept {
    return count <= 4 && std::equal(first, first + count, other.begin(), other.end());
  }
};

struct tensor {
  std::string_view name, type;          ///< the type as the file has it: "F32", "F16", "BF16", "F64", "I64" ...
  const std::string* source = nullptr;  ///< the file's name
  extents shape;
  std::uint64_t elements = 1;
  std::span<const std::byte> bytes;

  /// Whether `read` can decode it.
  bool is_real() const noexcept { return type == "F32" || type == "F16" || type == "BF16" || type == "F64"; }

  /// Decodes elements [first, first + out.size()) of a real tensor.
  void read(std::uint64_t first, std::span<float> out) const noexcept {
    if (type == "F32") return decode<float>(first, out, [](float v) { return v; });
    if (type == "F64") return decode<double>(first, out, [](double v) { return static_cast<float>(v); });
    if (type == "F16") return decode<std::uint16_t>(first, out, from_half);
    decode<std::uint16_t>(first, out, from_bfloat16);
  }

 private:
  template <class Stored, class Widen>
  void decode(std::uint64_t first, std::span<float> out, Widen&& widen) const noexcept {
    const std::byte* p = bytes.data() + first * sizeof(Stored);
    for (float& f : out) {
      Stored v;
      std::memcpy(&v, p, sizeof v);
      f = widen(v);
      p += sizeof v;
    }
  }
};

/// The header of a file, checked whole; it views the file's bytes, which must outlive it.
class file {
 public:
  /// Failures name `source` and the tensor or the byte.
  file(std::span<const std::byte> bytes, std::string source)
      : source_(std::make_unique<const std::string>(std::move(source))) {
    constexpr std::uint64_t longest = 100'000'000;  // as the format's own reader allows
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) fail("ends within its 8-byte header length");
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > longest || length > bytes.size() - sizeof length)
      fail("a header of " + std::to_string(length) + " bytes does not fit a file of " + std::to_string(bytes.size()));
    const auto header = bytes.subspan(sizeof length, static_cast<std::size_t>(length));
    data_ = bytes.subspan(sizeof length + static_cast<std::size_t>(length));
    read_header({reinterpret_cast<const char*>(header.data()), header.size()});
    std::sort(tensors_.begin(), tensors_.end(), [](const tensor& a, const tensor& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    index();
    check_ranges();
  }

  /// In the order of their bytes.
  const std::vector<tensor>& tensors() const noexcept { return tensors_; }
  const std::string& source() const noexcept { return *source_; }
  const tensor* find(std::string_view name) const noexcept {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [&](std::uint32_t i, std::string_view n) { return tensors_[i].name < n; });
    return at == by_name_.end() || tensors_[*at].name != name ? nullptr : &tensors_[*at];
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw failure(*source_ + ": " + what); }
  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    fail("tensor " + json::quote(name) + ": " + what);
  }

  struct element_type {
    std::string_view name;
    std::uint64_t bytes;
  };
  /// An element's type; null for an unknown one.
  static const element_type* find_type(std::string_view name) noexcept {
    static constexpr element_type all[] = {{"F32", 4},     {"F16", 2},    {"BF16", 2}, {"F64", 8}, {"I64", 8},
                                           {"I32", 4},     {"I16", 2},    {"I8", 1},   {"U64", 8}, {"U32", 4},
                                           {"U16", 2},     {"U8", 1},     {"BOOL", 1}, {"C64", 8}, {"F8_E5M2", 1},
                                           {"F8_E4M3", 1}, {"F8_E8M0", 1}};
    const auto* const found =
        std::find_if(std::begin(all), std::end(all), [&](const auto& t) { return t.name == name; });
    return found == std::end(all) ? nullptr : found;
  }

  void read_header(std::string_view text) {
    const std::string where = *source_ + ": header";
    json::reader reader(text, where);
    reader.blanks();
    if (reader.peek() != '{') reader.peek() < 0 ? reader.fail("ends too early") : fail("header: an object is expected");
    constexpr std::size_t shortest_description = 48;
    tensors_.reserve(text.size() / shortest_description + 1);  // growing would need all of it twice
    reader.for_each_member([&] {
      std::string storage;
      std::string_view name = reader.string(storage);
      reader.need(':');
      if (name == "__metadata__") return reader.skip();
      if (name.data() == storage.data()) name = escaped_.emplace_back(std::move(storage));
      add(name, reader);
    });
    reader.finish();
  }

  std::uint64_t whole(std::string_view name, const char* what, json::reader& reader) const {
    const auto bad = [&] { fail(name, std::string(what) + ": a whole number is expected"); };
    if (!reader.is_number()) bad();
    const json::number n = reader.number();
    if (!n.whole || n.integer < 0) bad();
    return static_cast<std::uint64_t>(n.integer);
  }
  template <class F>
  void for_each_number(std::string_view name, const char* what, json::reader& reader, F&& f) const {
    if (reader.peek() != '[') fail(name, std::string(what) + ": an array is expected");
    reader.for_each_item([&] { f(whole(name, what, reader)); });
  }

  /// Reads a tensor's description.
  void add(std::string_view name, json::reader& reader) {
    tensor t;
    t.name = name;
    t.source = source_.get();
    std::uint64_t size = 0, ends[2] = {};
    std::optional<std::size_t> dimensions, numbers;
    if (reader.peek() != '{') fail(name, "an object is expected");
    reader.for_each_member([&] {
      std::string storage;
      const std::string key(reader.string(storage));
      const auto once = [&](bool before) {
        if (before) fail(name, key + " appears twice");
      };
      reader.need(':');
      if (key == "dtype") {
        once(size != 0);
        if (reader.peek() != '"') fail(name, "dtype: a string is expected");
        const std::string_view type = reader.string(storage);
        const element_type* const known = find_type(type);
        if (known == nullptr) fail(name, "dtype " + json::quote(type) + " is not known");
        t.type = known->name;
        size = known->bytes;
      } else if (key == "shape") {
        once(dimensions.has_value());
        dimensions = 0;
        for_each_number(name, "shape", reader, [&](std::uint64_t n) {
          if (n != 0 && t.elements > (std::uint64_t{1} << 48) / n) fail(name, "shape: too large");
          t.elements *= n;
          if (*dimensions < 4) t.shape.first[*dimensions] = n;
          ++*dimensions;
        });
      } else if (key == "data_offsets") {
        once(numbers.has_value());
        numbers = 0;
        for_each_number(name, "data_offsets", reader, [&](std::uint64_t n) {
          if (*numbers < 2) ends[*numbers] = n;
          ++*numbers;
        });
      } else {
        reader.skip(1);
      }
    });
    if (size == 0) fail(name, "dtype: missing");
    if (!dimensions) fail(name, "shape: missing");
    if (numbers.value_or(0) != 2) fail(name, "data_offsets: two numbers are expected");
    t.shape.count = *dimensions;
    const auto [begin, end] = ends;
    if (begin > end || end > data_.size())
      fail(name, "data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "] lie outside the " +
                     std::to_string(data_.size()) + " bytes of data");
    if (end - begin != t.elements * size)
      fail(name, "data_offsets hold " + std::to_string(end - begin) + " bytes, its shape needs " +
                     std::to_string(t.elements * size));
    t.bytes = data_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    tensors_.push_back(t);
  }

  /// The ranges must tile the data: no byte shared, none left over.
  void check_ranges() const {
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

  void index() {
    by_name_.resize(tensors_.size());
    std::iota(by_name_.begin(), by_name_.end(), 0u);
    std::sort(by_name_.begin(), by_name_.end(),
              [&](std::uint32_t a, std::uint32_t b) { return tensors_[a].name < tensors_[b].name; });
    for (std::size_t i = 1; i < by_name_.size(); ++i)
      if (tensors_[by_name_[i]].name == tensors_[by_name_[i - 1]].name)
        fail(tensors_[by_name_[i]].name, "is described twice");
  }

  std::unique_ptr<const std::string> source_;  // tensors point to it
  std::span<const std::byte> data_;
  std::vector<tensor> tensors_;
  std::vector<std::uint32_t> by_name_;
  std::deque<std::string> escaped_;  ///< names that the header does not have as they are
};

}  // namespace dupq_tool::safetensors
