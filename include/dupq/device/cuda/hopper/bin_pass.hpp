// A batch's short texts in bins: what is sent to the GPU of them, and room for their rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../../../core/arena.hpp"
#include "../ends.hpp"
#include "heads.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Lists of the bins, on the host and on the GPU. There is an even number of bins, because a
/// block takes two at a time.
struct bin_lists {
  std::uint32_t* tiles = nullptr;       ///< see bin_tile, those of a bin together
  std::uint32_t* first_tile = nullptr;  ///< [bins + 1]
  std::uint32_t* rows = nullptr;        ///< [bins][64]: the row's token, or ~0
  int pairs = 0, tile_count = 0;

  /// Whatever the texts' lengths, all bins but one are more than half full.
  static constexpr std::size_t most_bins(std::size_t tokens, std::size_t texts) noexcept {
    return round_up(std::min(texts, tokens / (bin_rows / 2) + 1), 2);
  }
  void lay_out(arena& from, std::size_t tokens, std::size_t texts) noexcept {
    tiles = from.take<std::uint32_t>(tokens / bin_tile_queries + texts);
    first_tile = from.take<std::uint32_t>(most_bins(tokens, texts) + 1);
    rows = from.take<std::uint32_t>(most_bins(tokens, texts) * bin_rows);
  }
};

/// Packs texts into bins.
class bin_packer {
 public:
  void lay_out(arena& from, std::size_t texts) noexcept {
    places_ = from.take<bin_place>(texts);
    order_ = from.take<std::uint32_t>(texts);
    next_ = from.take<std::uint32_t>(texts + 1);
  }
  /// Text t has the tokens offsets[t] .. offsets[t + 1] - 1, at most 64; the tokens learn their rows.
  void pack(std::span<const std::uint32_t> lengths, const std::uint32_t* offsets, token* tokens,
            bin_lists& to) noexcept {
    const std::size_t texts = lengths.size(),
                      used = pack_bins(lengths, {places_, texts}, {order_, texts}, {next_, texts});
    const std::size_t bins = round_up(used, 2);
    to.pairs = static_cast<int>(bins / 2);
    std::fill_n(to.rows, bins * bin_rows, ~0u);
    std::fill_n(to.first_tile, bins + 1, 0u);
    for (std::size_t t = 0; t < texts; ++t)
      to.first_tile[places_[t].bin + 1] += (lengths[t] + bin_tile_queries - 1) / bin_tile_queries;
    for (std::size_t b = 0; b < bins; ++b) to.first_tile[b + 1] += to.first_tile[b];
    to.tile_count = static_cast<int>(to.first_tile[bins]);
    for (std::size_t b = 0; b < used; ++b) next_[b] = to.first_tile[b];
    for (std::size_t i = 0; i < texts; ++i) {  // the longest first, so that a bin's warps share its tiles evenly
      const std::uint32_t t = order_[i], row = places_[t].row, bin = places_[t].bin;
      for (std::uint32_t first = 0; first < lengths[t]; first += bin_tile_queries)
        to.tiles[next_[bin]++] = bin_tile{row, row + lengths[t], row + first}.packed();
      for (std::uint32_t k = 0; k < lengths[t]; ++k) {
        to.rows[bin * bin_rows + row + k] = offsets[t] + k;
        tokens[offsets[t] + k].bin_row = bin * bin_rows + row + k + 1;
      }
    }
  }

 private:
  bin_place* places_ = nullptr;
  std::uint32_t* order_ = nullptr;
  std::uint32_t* next_ = nullptr;
};

/// The bins of a pass, in the GPU's memory.
struct bin_pass {
  bin_lists lists;
  half* x = nullptr;        ///< bins
  half* context = nullptr;  ///< bins

  void lay_out_room(arena& from, std::size_t tokens, std::size_t texts, int columns) noexcept {
    const std::size_t halves = bin_lists::most_bins(tokens, texts) * bin_rows * static_cast<std::size_t>(columns);
    x = from.take<half>(halves), context = from.take<half>(halves);
  }
};

}  // namespace dupq::inline DUPQ_ABI::gpu
