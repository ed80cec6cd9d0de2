// Tensors that a checkpoint does not have and a model file needs, made of those that it has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "safetensors.hpp"

namespace dupq_tool {

/// Makes such tensors and owns them; pointers to them stay valid. The tensors that they are made of must outlive them.
class made_tensors {
 public:
  using tensor = safetensors::tensor;

  /// A table without its first rows.
  const tensor* rows_from(const tensor& table, std::uint64_t first) {
    tensor& t = add(table);
    const std::uint64_t row = table.bytes.size() / table.shape[0];
    t.bytes = table.bytes.subspan(static_cast<std::size_t>(first * row));
    t.shape.first[0] -= first;
    t.elements = t.shape[0] * t.shape[1];
    return &t;
  }
  /// A table in which all rows are the first one.
  const tensor* first_row_repeated(const tensor& table) {
    tensor& t = add(table);
    const std::size_t row = table.bytes.size() / static_cast<std::size_t>(table.shape[0]);
    std::vector<std::byte> rows;
    for (std::uint64_t i = 0; i < table.shape[0]; ++i)
      rows.insert(rows.end(), table.bytes.begin(), table.bytes.begin() + static_cast<std::ptrdiff_t>(row));
    t.bytes = keep(std::move(rows));
    return &t;
  }
  /// Zeros of a shape; messages name the file that `beside` comes from.
  const tensor* zeros(std::string_view name, std::initializer_list<std::uint64_t> shape, const tensor& beside) {
    tensor& t = add(beside);
    t.name = name;
    t.type = "F32";
    reshape(t, shape);
    t.bytes = keep(std::vector<std::byte>(static_cast<std::size_t>(4 * t.elements)));
    return &t;
  }
  /// Row `a` less row `b` of a tensor of two rows, or of two numbers.
  const tensor* difference(const tensor& two, std::initializer_list<std::uint64_t> shape, std::uint32_t a,
                           std::uint32_t b) {
    tensor& t = add(two);
    t.type = "F64";
    reshape(t, shape);
    const auto n = static_cast<std::size_t>(t.elements);
    std::vector<float> from(n), minus(n);
    two.read(a * n, from);
    two.read(b * n, minus);
    std::vector<std::byte> bytes(8 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(from[i]) - static_cast<double>(minus[i]);
      std::memcpy(bytes.data() + 8 * i, &d, sizeof d);
    }
    t.bytes = keep(std::move(bytes));
    return &t;
  }

 private:
  struct made {
    tensor view;
    std::vector<std::byte> bytes;
  };

  tensor& add(const tensor& like) {
    all_.push_back(std::make_unique<made>());
    return all_.back()->view = like;
  }
  /// The bytes of the tensor that was added last.
  std::span<const std::byte> keep(std::vector<std::byte>&& bytes) { return all_.back()->bytes = std::move(bytes); }
  static void reshape(tensor& t, std::initializer_list<std::uint64_t> shape) {
    t.shape = {};
    t.elements = 1;
    for (const std::uint64_t extent : shape) t.shape.first[t.shape.count++] = extent, t.elements *= extent;
  }

  std::vector<std::unique_ptr<made>> all_;
};

}  // namespace dupq_tool
