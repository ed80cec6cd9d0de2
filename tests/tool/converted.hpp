// A converted model file opened by a test, and the checkpoint's values to compare it with.
#pragma once

#include <doctest/doctest.h>

#include <dupq/core/gguf.hpp>
#include <string>
#include <vector>

#include "convert.hpp"
#include "tool/model_folder.hpp"

namespace dupq_tool {

/// A converted file, parsed.
struct converted {
  dupq::mapped_file mapped;
  dupq::gguf::file file;

  explicit converted(const model_folder& folder, const convert_options& options = {})
      : mapped(open(folder, options)), file(*dupq::gguf::file::parse(mapped.bytes())) {}

  static dupq::mapped_file open(const model_folder& folder, const convert_options& options) {
    const convert_summary summary = folder.convert(options);
    dupq::mapped_file mapped = open_folder_file(folder.output());
    CHECK(mapped.bytes().size() == summary.bytes);
    return mapped;
  }
  std::string text(const char* key) const {
    const auto v = file.find(key);
    REQUIRE_MESSAGE(v.has_value(), key);
    return std::string(v->text());
  }
  std::uint32_t number(const char* key) const {
    const auto v = file.find(key);
    REQUIRE_MESSAGE(v.has_value(), key);
    REQUIRE(v->type == dupq::gguf::value_type::u32);
    return dupq::gguf::load<std::uint32_t>(v->bytes.data());
  }
  bool flag(const char* key) const {
    const auto v = file.find(key);
    REQUIRE_MESSAGE(v.has_value(), key);
    return v->bytes[0] == std::byte{1};
  }
  /// A tensor's values; panels are put back into rows.
  std::vector<float> values(const std::string& name, std::size_t rows = 0) const {
    const auto t = file.tensor(name);
    REQUIRE_MESSAGE(t.has_value(), name);
    std::vector<float> stored(t->elements());
    for (std::size_t i = 0; i < stored.size(); ++i)
      stored[i] = t->type == dupq::gguf::tensor_type::f32
                      ? dupq::gguf::load<float>(t->bytes.data() + 4 * i)
                      : from_half(dupq::gguf::load<std::uint16_t>(t->bytes.data() + 2 * i));
    if (t->dimensions != 3) return stored;
    CHECK(t->extent[0] == 16);
    CHECK(t->extent[2] == (rows + 15) / 16);
    const std::size_t columns = t->extent[1];
    std::vector<float> out(t->extent[2] * 16 * columns);
    for (std::size_t panel = 0; panel < t->extent[2]; ++panel)
      for (std::size_t i = 0; i < columns; ++i)
        for (std::size_t o = 0; o < 16; ++o)
          out[(panel * 16 + o) * columns + i] = stored[(panel * columns + i) * 16 + o];
    for (std::size_t i = rows * columns; i < out.size(); ++i)
      if (out[i] != 0.0f) FAIL(name, ": padding is not zero");
    out.resize(rows * columns);
    return out;
  }
};

/// The checkpoint's values, one tensor after the other.
inline std::vector<float> values(const safetensors::file& file, std::vector<std::string> names) {
  std::vector<float> out;
  for (const std::string& name : names) {
    const safetensors::tensor* t = file.find(name);
    REQUIRE_MESSAGE(t != nullptr, name);
    std::vector<float> part(t->elements);
    t->read(0, part);
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

}  // namespace dupq_tool
