// A segment of an index: a GGUF file that never changes, with the vectors, texts and ids of some rows.
//
// Tensors: vectors, f32 [rows][dim]; packed, their integer form (packed_rows.hpp); texts and ids, strings; order, i32,
// the rows in the order of their ids. Opening one reads its keys; everything else is looked at when it is asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../core/error.hpp"
#include "../core/file.hpp"
#include "../core/gguf.hpp"
#include "../search/packed_rows.hpp"
#include "identity.hpp"
#include "keys.hpp"
#include "strings.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

/// Rows that one segment may have.
inline constexpr std::uint64_t most_rows = std::uint64_t{1} << 30;

/// A view of a segment's bytes, which must outlive it.
class segment_view {
 public:
  segment_view() noexcept = default;

  /// Errors: all that is wrong with a file, wrong_model for a segment of another index.
  static result<segment_view> parse(std::span<const std::byte> bytes, const index_model& model,
                                    std::uint64_t rows) noexcept {
    const auto file = gguf::file::parse(bytes);
    if (!file) return file.error();
    if (const auto right = check_kind(*file); !right) return right.error();
    const auto digest = read_text(*file, "dupq.index.model");
    if (!digest) return digest.error();
    if (*digest != model.digest) return error(errc::wrong_model, "dupq.index.model");
    using gguf::tensor_type;
    if (rows == 0 || rows > most_rows) return error(errc::out_of_range, "rows", most_rows, rows);
    const auto vectors = read_tensor<float>(*file, "vectors", tensor_type::f32, model.dim, rows);
    if (!vectors) return vectors.error();
    const auto packed = read_tensor<std::byte>(*file, "packed", tensor_type::i8,
                                               packed_bytes(static_cast<std::size_t>(rows), model.dim), 1);
    if (!packed) return packed.error();
    // Kernels like their rows at multiples of 64, where every writer puts them.
    const auto address = reinterpret_cast<std::uintptr_t>(packed->data());
    if (address % alignment != 0) return error(errc::misaligned, "packed", alignment, address % alignment);
    const search_detail::packed_layout layout(static_cast<std::size_t>(rows), model.dim);
    if (search_detail::head_of({nullptr, packed->data()}).sketch != layout.sketch)
      return error(errc::damaged, "packed");
    const auto order = read_tensor<std::int32_t>(*file, "order", tensor_type::i32, rows, 1);
    if (!order) return order.error();
    segment_view s;
    s.rows_ = {vectors->data(), packed->data(), static_cast<std::size_t>(rows), model.dim, model.similarity};
    s.order_ = *order;
    const auto texts = read_strings(*file, "texts", s.size());
    if (!texts) return texts.error();
    s.texts_ = *texts;
    const auto ids = read_strings(*file, "ids", s.size());
    if (!ids) return ids.error();
    s.ids_ = *ids;
    return s;
  }

  std::size_t size() const noexcept { return rows_.rows; }
  const packed_rows& rows() const noexcept { return rows_; }
  std::span<const float> vector(std::size_t row) const noexcept { return {rows_.vectors + row * rows_.dim, rows_.dim}; }
  result<std::string_view> text(std::size_t row) const noexcept { return texts_.at(row); }
  result<std::string_view> id(std::size_t row) const noexcept { return ids_.at(row); }

  /// The row with that id, or size(). Errors: damaged.
  result<std::size_t> find(std::string_view id) const noexcept {
    std::size_t low = 0, high = size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const auto row = static_cast<std::uint32_t>(order_[middle]);
      if (row >= size()) return error(errc::damaged, "order");
      const auto here = ids_.at(row);
      if (!here) return here.error();
      if (*here == id) return std::size_t{row};
      if (*here < id)
        low = middle + 1;
      else
        high = middle;
    }
    return size();
  }

 private:
  static result<strings> read_strings(const gguf::file& file, std::string_view name, std::size_t count) noexcept {
    const auto t = file.tensor(name);
    if (!t) return error(errc::missing_tensor, name);
    if (t->type != gguf::tensor_type::i8) return error(errc::wrong_type, name);
    const std::uint64_t least = 8 * std::uint64_t{count};
    if (t->bytes.size() < least) return error(errc::too_small, name, least, t->bytes.size());
    return strings(t->bytes, count, name == "ids" ? "ids" : "texts");  // a name that outlives the file
  }

  packed_rows rows_;
  std::span<const std::int32_t> order_;
  strings texts_, ids_;
};

}  // namespace dupq::inline DUPQ_ABI::index_detail
