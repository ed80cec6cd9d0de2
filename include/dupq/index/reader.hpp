// Searches an index on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "../core/error.hpp"
#include "../core/executor.hpp"
#include "../model.hpp"
#include "../search/nearest.hpp"
#include "digests.hpp"
#include "identity.hpp"
#include "state.hpp"

namespace dupq::inline DUPQ_ABI {

struct index_search_options {
  const dupq::kernels* kernels = nullptr;  ///< null: the fastest of this CPU; every table gives the same scores
  dupq::executor executor{};
};

/// Some of an index's rows, which lie one behind the other.
struct index_rows {
  packed_rows rows;
  std::size_t first = 0;                   ///< the number of its first row in the index
  std::span<const std::uint64_t> removed;  ///< a bit a row; empty: none is removed
};

/// An index as it is when it is opened: writers change nothing of it, whatever they do meanwhile. Rows are numbered in
/// the order in which their texts were added, removed ones included. Nothing is allocated after `open`, and any number
/// of threads may search at a time. As with a model that is mapped, whoever writes over a segment's file or cuts it
/// short ends the programs that read it; no writer of an index does.
class index_reader {
 public:
  /// Errors: all that can be wrong with a file, with its name.
  static result<index_reader> open(std::string_view folder) noexcept {
    index_reader reader{index_detail::file_path(folder)};
    std::uint64_t changes = ~std::uint64_t{0};
    for (;;) {
      const auto done = reader.state_.open();
      if (done) return result<index_reader>(std::move(reader));
      // A segment may have gone because the index has been changed since its manifest was read.
      if (done.error().code != errc::no_such_file || reader.state_.head.changes == changes) return done.error();
      changes = reader.state_.head.changes;
    }
  }

  /// Texts that are not removed.
  std::size_t size() const noexcept { return state_.size(); }
  /// All rows, removed ones included.
  std::size_t rows() const noexcept { return state_.rows(); }
  std::size_t dim() const noexcept { return model().dim; }
  /// The model that made its vectors. Names and digest live as long as the reader.
  const index_model& model() const noexcept { return state_.head.model; }
  /// Changes that were made to the index since it was created.
  std::uint64_t changes() const noexcept { return state_.head.changes; }
  /// Errors: wrong_model, with both names.
  result<void> check_model(const dupq::model& m, std::string_view name) const noexcept {
    return state_.check_model(m, name);
  }

  /// The row of the text with that id, or rows(). Errors: damaged.
  result<std::size_t> find(std::string_view wanted) const noexcept { return state_.find(wanted); }

  /// Reads all of the index, and compares it with the digests that its segments have. Errors: damaged, with the file
  /// and the part of it; missing_tensor where nothing is damaged, but a segment was written before there were digests.
  result<void> verify() const noexcept {
    result<void> all;
    for (const index_detail::open_segment& s : state_.segments) {
      const auto file = gguf::file::parse(s.file.bytes());
      const auto done = file ? index_detail::verify_segment(*file) : result<void>(file.error());
      if (done) continue;
      const error wrong = done.error().in(index_detail::file_path(state_.folder, s.entry.number));
      if (wrong.code != errc::missing_tensor) return wrong;
      if (all) all = wrong;
    }
    return all;
  }

  std::size_t segment_count() const noexcept { return state_.segments.size(); }
  index_rows segment(std::size_t i) const noexcept {
    const index_detail::open_segment& s = state_.segments[i];
    return {s.view.rows(), s.first_row, s.entry.removed};
  }
  std::uint64_t file_bytes() const noexcept {
    std::uint64_t n = state_.manifest.bytes().size();
    for (const index_detail::open_segment& s : state_.segments) n += s.file.bytes().size();
    return n;
  }

  // Of a row below rows():
  bool removed(std::size_t row) const noexcept {
    const index_detail::open_segment& s = state_.segment_of(row);
    return s.removed(row - s.first_row);
  }
  std::span<const float> vector(std::size_t row) const noexcept {
    const index_detail::open_segment& s = state_.segment_of(row);
    return s.view.vector(row - s.first_row);
  }
  /// Errors: damaged.
  result<std::string_view> text(std::size_t row) const noexcept {
    const index_detail::open_segment& s = state_.segment_of(row);
    return named(s.view.text(row - s.first_row), s);
  }
  result<std::string_view> id(std::size_t row) const noexcept {
    const index_detail::open_segment& s = state_.segment_of(row);
    return named(s.view.id(row - s.first_row), s);
  }

  /// The rows that are most alike to one vector of dim() numbers, `room` of them or fewer, which score `threshold` or
  /// more: best first, equal scores in the order of rows. They are written to `room`. Errors: wrong_size.
  result<std::span<const neighbour>> search(std::span<const float> query, std::span<neighbour> room,
                                            float threshold = -std::numeric_limits<float>::infinity(),
                                            const index_search_options& options = {}) const noexcept {
    best_neighbours best(room, threshold);
    if (const auto done = search(query, {&best, 1}, options); !done) return done.error();
    return best.sorted();
  }
  /// The same for queries [best.size()][dim()], together. Errors: wrong_size.
  result<void> search(std::span<const float> queries, std::span<best_neighbours> best,
                      const index_search_options& options = {}) const noexcept {
    if (queries.size() != best.size() * dim())
      return error(errc::wrong_size, "queries", std::uint64_t{best.size()} * dim(), queries.size());
    for (const index_detail::open_segment& s : state_.segments) {
      const nearest_options rows{.kernels = options.kernels,
                                 .executor = options.executor,
                                 .first_row = s.first_row,
                                 .removed = s.entry.removed};
      if (const auto done = find_nearest(queries, s.view.rows(), rows, best); !done) return done;
    }
    return {};
  }

 private:
  explicit index_reader(const index_detail::file_path& folder) noexcept { state_.folder = folder; }

  result<std::string_view> named(result<std::string_view> text, const index_detail::open_segment& s) const noexcept {
    if (!text) return text.error().in(index_detail::file_path(state_.folder, s.entry.number));
    return text;
  }

  index_detail::state state_;
};

}  // namespace dupq::inline DUPQ_ABI
