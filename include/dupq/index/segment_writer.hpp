// Writes a segment of an index, piece by piece: it may be larger than memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "../core/error.hpp"
#include "../core/gguf_writer.hpp"
#include "../core/heap_list.hpp"
#include "../core/new_file.hpp"
#include "../search/packed_rows.hpp"
#include "digests.hpp"
#include "identity.hpp"
#include "keys.hpp"
#include "segment.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

/// Writes a segment of rows, which are asked for with
///   rows.size()      std::size_t, at least 1
///   rows.vector(i)   const float*, model.dim of them
///   rows.text(i), rows.id(i)   std::string_view
/// Errors: cannot_write, out_of_memory; exists_already where two rows have one id.
template <class Rows>
class segment_writer {
 public:
  segment_writer(const char* path, const index_model& model, const Rows& rows, const pack_options& options) noexcept
      : path_(path), model_(model), rows_(rows), options_(options) {
    options_.similarity = model.similarity;
  }

  result<void> run() noexcept {
    const std::size_t n = rows_.size();
    if (n > most_rows) return error(errc::out_of_range, "rows of a segment", most_rows, n).in(path_);
    if (const auto done = sort(); !done) return done;
    std::uint64_t text_bytes = 0, id_bytes = 0;
    for (std::size_t i = 0; i < n; ++i) text_bytes += rows_.text(i).size(), id_bytes += rows_.id(i).size();

    gguf::writer file;
    file.add("general.architecture", architecture);
    file.add("general.alignment", static_cast<std::uint32_t>(alignment));
    file.add("dupq.index.version", version);
    file.add("dupq.index.model", model_.digest);
    const std::uint64_t vectors[] = {model_.dim, n}, packed[] = {packed_bytes(n, model_.dim)}, order[] = {n},
                        texts[] = {8 * n + text_bytes}, ids[] = {8 * n + id_bytes};
    using gguf::tensor_type;
    file.add_tensor("vectors", tensor_type::f32, vectors, 4 * vectors[0] * n);
    file.add_tensor("packed", tensor_type::i8, packed, packed[0]);
    file.add_tensor("order", tensor_type::i32, order, 4 * n);
    file.add_tensor("ids", tensor_type::i8, ids, ids[0]);
    file.add_tensor("texts", tensor_type::i8, texts, texts[0]);
    const std::uint64_t digests[] = {digests_bytes};
    file.add_tensor(digests_name, tensor_type::i8, digests, digests_bytes);
    const auto header = file.header();
    if (!header) return header.error().in(path_);

    auto made = new_file::create(path_);
    if (!made) return made.error();
    digested_file out(std::move(*made));
    if (const auto done = write_part(out, header->items()); !done) return done;
    if (const auto done = write_vectors(out); !done) return done;
    if (const auto done = write_packed(out); !done) return done;
    if (const auto done = write_part(out, std::as_bytes(order_.items())); !done) return done;
    if (const auto done = write_strings(out, [&](std::size_t i) { return rows_.id(i); }); !done) return done;
    if (const auto done = write_strings(out, [&](std::size_t i) { return rows_.text(i); }); !done) return done;
    return out.finish();
  }

  /// The rows in the order of their ids; after `run`.
  std::span<const std::int32_t> order() const noexcept { return order_.items(); }

 private:
  static constexpr std::size_t piece_rows = std::size_t{1} << 12;  ///< a multiple of a panel's

  result<void> sort() noexcept {
    if (!order_.resize(rows_.size())) return error(errc::out_of_memory, "order", 4 * rows_.size()).in(path_);
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::int32_t>(i);
    const auto id = [&](std::int32_t row) { return rows_.id(static_cast<std::size_t>(row)); };
    std::sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) { return id(a) < id(b); });
    for (std::size_t i = 1; i < order_.size(); ++i)
      if (id(order_[i - 1]) == id(order_[i])) return error(errc::exists_already, id(order_[i]));
    return {};
  }

  static result<void> write_part(digested_file& out, std::span<const std::byte> bytes) noexcept {
    if (const auto done = out.write(bytes); !done) return done;
    return out.end_part();
  }

  result<void> write_vectors(digested_file& out) noexcept {
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (const auto done = out.write(std::as_bytes(std::span(rows_.vector(i), model_.dim))); !done) return done;
    return out.end_part();
  }

  /// The head and the sketches stand before the rows' panels and are known when all rows have been packed: the sketches
  /// are kept until then, and the panels, three times as large, are made twice.
  result<void> write_packed(digested_file& out) noexcept {
    using namespace search_detail;
    const float_environment ieee;
    const packed_layout layout(rows_.size(), model_.dim);
    const kernels& k = options_.kernels == nullptr ? *find_kernels() : *options_.kernels;
    packer to(layout, options_.similarity, k);
    const std::size_t sketch_bytes = layout.whole() - layout.sketches();
    if (!sketches_.resize(sketch_bytes) || !basis_.resize(layout.sketch * layout.dim))
      return error(errc::out_of_memory, "sketches", sketch_bytes).in(path_);
    if (layout.sketch != 0) {
      heap_list<float> scratch;
      const std::size_t floats = sketch_basis::scratch_floats(layout.dim);
      if (!scratch.resize(floats)) return error(errc::out_of_memory, "sketches", floats * sizeof(float)).in(path_);
      to.find_basis([&](std::size_t i) { return rows_.vector(i); }, options_.executor, scratch.data(), basis_.data());
    }
    for (const bool write : {false, true}) {
      if (write) {
        const packed_head head = to.head();
        if (const auto done = out.write(std::as_bytes(std::span(&head, 1))); !done) return done;
        if (const auto done = out.write(std::as_bytes(basis_.items())); !done) return done;
        if (const auto done = out.write(sketches_.items()); !done) return done;
      }
      for (std::size_t begin = 0; begin < rows_.size(); begin += piece_rows) {
        const auto bytes = pack(to, layout, begin, std::min(piece_rows, rows_.size() - begin));
        if (!bytes) return bytes.error().in(path_);
        if (write)
          if (const auto done = out.write(*bytes); !done) return done;
      }
    }
    return out.end_part();
  }

  /// The panels of some rows; their sketches go to where they are kept.
  result<std::span<const std::byte>> pack(search_detail::packer& to, const search_detail::packed_layout& layout,
                                          std::size_t begin, std::size_t count) noexcept {
    using namespace search_detail;
    const std::size_t dim = model_.dim, panels = (count + panel_width - 1) / panel_width;
    vectors_.clear();
    bool there = vectors_.reserve(count * dim) && packed_.resize(panels * panel_stride(dim));
    for (std::size_t i = begin; there && i < begin + count; ++i) there = vectors_.append(rows_.vector(i), dim);
    if (!there) return error(errc::out_of_memory, "packed", panels * panel_stride(dim));
    options_.executor.run(panels, [&](std::size_t p, std::size_t) {
      const float_environment ieee;
      std::byte* const sketch =
          layout.sketch == 0 ? nullptr : sketches_.data() + (begin / panel_width + p) * panel_stride(layout.sketch);
      to.pack(vectors_.data() + p * panel_width * dim, std::min(panel_width, count - p * panel_width),
              packed_.data() + p * panel_stride(dim), sketch);
    });
    return std::span<const std::byte>(packed_.data(), panels * panel_stride(dim));
  }

  template <class At>
  result<void> write_strings(digested_file& out, const At& at) noexcept {
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      end += at(i).size();
      if (const auto done = out.write(std::as_bytes(std::span(&end, 1))); !done) return done;
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string_view text = at(i);
      if (const auto done = out.write(std::as_bytes(std::span(text.data(), text.size()))); !done) return done;
    }
    return out.end_part();
  }

  const char* path_;
  const index_model& model_;
  const Rows& rows_;
  pack_options options_;
  heap_list<std::int32_t> order_;
  heap_list<float> vectors_;
  heap_list<std::byte> packed_;
  heap_list<std::byte> sketches_;
  heap_list<float> basis_;
};

}  // namespace dupq::inline DUPQ_ABI::index_detail
