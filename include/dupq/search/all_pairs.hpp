// All pairs of two sets of rows, or of one set, that reach a threshold: by integers first, on all workers, in an order
// that depends on nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/platform.hpp"
#include "candidates.hpp"
#include "packed_rows.hpp"
#include "scratch_memory.hpp"
#include "search_options.hpp"
#include "strip.hpp"

namespace dupq::inline DUPQ_ABI::search_detail {

/// Matches of one task, in order; `more` where there was no room for all of them.
struct found_pairs {
  struct pair {
    std::size_t column;
    std::uint32_t row;  ///< of the strip
    float score;
  };
  std::span<pair> room{};
  std::size_t count = 0;
  bool more = false;

  bool add(std::size_t row, std::size_t column, float score) noexcept {
    if (count == room.size()) return more = true, false;
    room[count++] = {column, static_cast<std::uint32_t>(row), score};
    return true;
  }
};

/// How a search is cut. A strip of rows is compared with all columns by one worker; what it finds is kept in a list,
/// and where that is full the strip is cut into blocks so small that a list has room for all their pairs.
struct pairs_plan {
  std::size_t rows = 0, columns = 0, dim = 0, workers = 1;
  std::size_t height = block_rows;  ///< rows of a strip
  std::size_t strips = 0;           ///< compared between two times that their matches are passed on
  std::size_t parts = 0;            ///< the same of the blocks of a cut strip
  std::size_t room = 0;             ///< matches of a list

  pairs_plan(std::size_t rows_, std::size_t columns_, std::size_t dim_, std::size_t workers_) noexcept
      : rows(rows_), columns(columns_), dim(dim_), workers(workers_) {
    const std::size_t blocks = (rows + block_rows - 1) / block_rows;
    // Enough strips for workers to end together, and for the lists to hold what is found.
    height = std::clamp<std::size_t>(blocks / (16 * workers), 1, strip_rows / block_rows) * block_rows;
    strips = std::min<std::size_t>((rows + height - 1) / height, workers == 1 ? 1 : 32 * workers);
    parts = workers == 1 ? 1 : 8 * workers;
    // Lists take a sixth of what the columns take, at most, but have room for one block at least.
    const std::size_t sixth = columns * dim * sizeof(float) / 6 / ((strips + parts) * sizeof(found_pairs::pair));
    room = std::clamp<std::size_t>(sixth / (block_rows * block_rows), 1, 16) * block_rows * block_rows;
  }
  std::size_t part_columns() const noexcept { return room / block_rows; }

  std::size_t worker_bytes() const noexcept { return strip_memory::bytes(height, packed_layout(columns, dim)); }
  std::size_t list_bytes() const noexcept { return room * sizeof(found_pairs::pair); }
  std::size_t bytes() const noexcept {
    return round_up(packed_bytes(columns, dim), alignment) + workers * worker_bytes() +
           (strips + parts) * (list_bytes() + round_up(sizeof(found_pairs), alignment));
  }
};

template <class Found>
class pairs_search {
 public:
  pairs_search(const pairs_plan& plan, const packed_rows& others, std::span<const float> vectors, bool same,
               std::byte* memory, const kernels& k, const search_options& options, Found& found) noexcept
      : plan_(plan),
        others_(others),
        vectors_(vectors),
        same_(same),
        k_(k),
        filters_(filter_of(k)),
        options_(options),
        found_(found) {
    worker_memory_ = memory;
    memory += plan.workers * plan.worker_bytes();
    lists_ = reinterpret_cast<found_pairs*>(memory);
    memory += (plan.strips + plan.parts) * round_up(sizeof(found_pairs), alignment);
    for (std::size_t i = 0; i < plan.strips + plan.parts; ++i, memory += plan.list_bytes())
      *new (lists_ + i) found_pairs = {{reinterpret_cast<found_pairs::pair*>(memory), plan.room}, 0, false};
  }

  result<void> run() {
    const std::size_t blocks = block_count(plan_.rows), across = block_count(plan_.columns);
    total_ = same_ ? blocks * (blocks + 1) / 2 : blocks * across;
    for (std::size_t row = 0; row < plan_.rows;) {
      const std::size_t left = (plan_.rows - row + plan_.height - 1) / plan_.height;
      const std::size_t strips = std::min(plan_.strips, left);
      options_.executor.run(strips, [&](std::size_t i, std::size_t worker) {
        const std::size_t begin = row + i * plan_.height;
        compare(worker, begin, std::min(plan_.rows, begin + plan_.height), first_column(begin), plan_.columns,
                lists_[i]);
      });
      for (std::size_t i = 0; i < strips; ++i, row += plan_.height) {
        const std::size_t end = std::min(plan_.rows, row + plan_.height);
        bool more = lists_[i].more ? cut(row, end) : pass_on(lists_[i], row, end);
        if (!more) return {};
        for (std::size_t r = row; r < end; r += block_rows) done_ += across - first_column(r) / block_rows;
        if (!go_on()) return error(errc::cancelled, "search");
      }
    }
    return {};
  }

 private:
  static std::size_t block_count(std::size_t rows) noexcept { return (rows + block_rows - 1) / block_rows; }
  /// The first column of the block of columns with which a block of rows is compared.
  std::size_t first_column(std::size_t row) const noexcept { return same_ ? row / block_rows * block_rows : 0; }
  bool go_on() const { return !options_.on_progress || options_.on_progress(done_, total_) || done_ == total_; }

  void compare(std::size_t worker, std::size_t begin, std::size_t end, std::size_t first, std::size_t last,
               found_pairs& to) const noexcept {
    const float_environment ieee;
    to.count = 0, to.more = false;
    strip left(k_, filters_,
               strip_memory(worker_memory_ + worker * plan_.worker_bytes(), plan_.height,
                            packed_layout(plan_.columns, plan_.dim)));
    left.fill(vectors_.data() + begin * plan_.dim, end - begin, others_);
    left.set_thresholds([&](std::size_t) { return options_.threshold; });
    const auto from = [&](std::size_t r) { return same_ ? begin + r + 1 : std::size_t{0}; };
    left.compare(
        others_, first / panel_width, (last + panel_width - 1) / panel_width, chunk_panels,
        [&](std::size_t r, std::size_t c, const std::uint16_t* masks) {
          return for_candidates(left, filters_, others_, r, c, masks, from,
                                [&](std::size_t row, std::size_t column, float score) {
                                  return !(score >= options_.threshold) || to.add(row, column, score);
                                });
        },
        [] {});
  }
  /// What was found of rows begin..end-1, one block of rows after the other.
  bool pass_on(const found_pairs& list, std::size_t begin, std::size_t end) {
    const auto pairs = list.room.first(list.count);
    for (std::size_t r = begin; r < end; r += block_rows)
      for (const auto& p : pairs)
        if ((begin + p.row) / block_rows == r / block_rows && !found_(match{begin + p.row, p.column, p.score}))
          return false;
    return true;
  }
  /// A strip with more matches than a list has room for: block by block, some of them at a time.
  bool cut(std::size_t begin, std::size_t end) {
    found_pairs* const lists = lists_ + plan_.strips;
    const std::size_t width = plan_.part_columns();
    for (std::size_t r = begin; r < end; r += block_rows) {
      const std::size_t rows_end = std::min(end, r + block_rows);
      for (std::size_t c = first_column(r); c < plan_.columns;) {
        const std::size_t parts = std::min(plan_.parts, (plan_.columns - c + width - 1) / width);
        options_.executor.run(parts, [&](std::size_t i, std::size_t worker) {
          const std::size_t first = c + i * width;
          compare(worker, r, rows_end, first, std::min(plan_.columns, first + width), lists[i]);
        });
        for (std::size_t i = 0; i < parts; ++i, c += width)
          if (!pass_on(lists[i], r, rows_end)) return false;
      }
    }
    return true;
  }

  const pairs_plan& plan_;
  const packed_rows& others_;
  std::span<const float> vectors_;
  bool same_;
  const kernels& k_;
  const filter_kernels& filters_;
  const search_options& options_;
  Found& found_;
  std::byte* worker_memory_ = nullptr;
  found_pairs* lists_ = nullptr;
  std::size_t done_ = 0, total_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::search_detail
