// An index as its manifest has it at one moment: the mapped segments and which of their rows are removed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "../core/error.hpp"
#include "../core/file.hpp"
#include "../core/heap_list.hpp"
#include "../model.hpp"
#include "folder.hpp"
#include "identity.hpp"
#include "manifest.hpp"
#include "segment.hpp"

namespace dupq::inline DUPQ_ABI::index_detail {

/// A segment that is mapped.
struct open_segment {
  mapped_file file;
  segment_view view;
  manifest_entry entry;  ///< `removed` refers to the manifest's bytes, or to `changed`
  heap_list<std::uint64_t> changed;
  std::size_t first_row = 0;  ///< the number of its first row in the index

  bool removed(std::size_t row) const noexcept {
    return !entry.removed.empty() && (entry.removed[row / 64] >> row % 64 & 1) != 0;
  }
};

struct state {
  file_path folder;
  mapped_file manifest;
  manifest_head head;
  heap_list<open_segment> segments;

  std::size_t rows() const noexcept {
    return segments.empty() ? 0 : segments[segments.size() - 1].first_row + segments[segments.size() - 1].view.size();
  }
  std::size_t size() const noexcept {
    std::size_t n = 0;
    for (const open_segment& s : segments) n += static_cast<std::size_t>(s.entry.rows - s.entry.removed_rows);
    return n;
  }
  /// The segment of a row below rows().
  const open_segment& segment_of(std::size_t row) const noexcept {
    const open_segment* const after = std::upper_bound(
        segments.begin(), segments.end(), row, [](std::size_t r, const open_segment& s) { return r < s.first_row; });
    return after[-1];
  }

  /// Errors: wrong_model, with both names.
  result<void> check_model(const model& m, std::string_view name) const noexcept {
    const hex_digest digest = index_digest(m);
    const auto same = check_same_model(head.model, {name, digest, m.dim(), m.config().similarity});
    return same ? same : same.error().in(folder);
  }
  /// The row with that id that is not removed, or rows(). Errors: damaged.
  result<std::size_t> find(std::string_view id) const noexcept {
    for (const open_segment& s : segments) {
      const auto row = s.view.find(id);
      if (!row) return row.error().in(file_path(folder, s.entry.number));
      if (*row != s.view.size() && !s.removed(*row)) return s.first_row + *row;
    }
    return rows();
  }

  /// Maps a segment whose first row gets that number.
  result<open_segment> map(const manifest_entry& e, std::size_t first_row) const noexcept {
    const file_path path(folder, e.number);
    auto file = mapped_file::open(path.text());
    if (!file) return file.error();
    const auto view = segment_view::parse(file->bytes(), head.model, e.rows);
    if (!view) return view.error().in(path);
    if (e.rows > SIZE_MAX / 2 - first_row) return error(errc::out_of_memory, "rows", e.rows).in(path);
    return result<open_segment>(open_segment{std::move(*file), *view, e, {}, first_row});
  }
  /// The same, and puts it behind the others.
  result<void> add(const manifest_entry& e) noexcept {
    auto segment = map(e, rows());
    if (!segment) return segment.error();
    if (!segments.push(std::move(*segment))) return error(errc::out_of_memory, "segments").in(folder);
    return {};
  }

  /// Reads the manifest and maps all segments. Errors: all that is wrong with a file.
  result<void> open() noexcept {
    if (!folder.whole()) return error(errc::no_such_file).in(folder);
    const file_path path(folder, manifest_name);
    auto bytes = mapped_file::read(path.text());
    if (!bytes) return bytes.error();
    manifest = std::move(*bytes);
    const auto view = manifest_view::parse(manifest.bytes());
    if (!view) return view.error().in(path);
    head = view->head();
    segments.clear();
    gguf::tensor_place place;
    for (std::size_t i = 0; i < head.segments; ++i) {
      const auto entry = view->segment(i, place);
      if (!entry) return entry.error().in(path);
      if (const auto done = add(*entry); !done) return done;
    }
    return {};
  }
};

}  // namespace dupq::inline DUPQ_ABI::index_detail
