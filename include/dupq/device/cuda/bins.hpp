// Packs texts into bins of 64 rows, so that a block can own whole texts: the longest first, each where it fits best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "../../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr std::uint32_t bin_rows = 64;

/// Where a text lies: rows row .. row + length - 1 of a bin.
struct bin_place {
  std::uint32_t bin, row;
};

/// Places texts of 1 to 64 tokens; returns the number of bins. Texts of one length keep their order, so the places
/// depend on nothing but the lengths. `places` has a place for each text; nothing is allocated: bins are kept by what
/// they have left, in lists through `next`, which has an entry for each text (there are no more bins than texts).
inline std::size_t pack_bins(std::span<const std::uint32_t> lengths, std::span<bin_place> places,
                             std::span<std::uint32_t> order, std::span<std::uint32_t> next) noexcept {
  constexpr std::uint32_t none = ~0u;
  std::uint32_t starts[bin_rows + 2] = {};  // of each length in `order`, the longest first
  for (const std::uint32_t n : lengths) ++starts[bin_rows - n + 1];
  for (std::uint32_t i = 0; i <= bin_rows; ++i) starts[i + 1] += starts[i];
  for (std::uint32_t t = 0; t < lengths.size(); ++t) order[starts[bin_rows - lengths[t]]++] = t;

  std::uint32_t with_room[bin_rows + 1];  // first bin that has so many rows left; the fullest that fits is taken
  for (std::uint32_t& list : with_room) list = none;
  std::size_t bins = 0;
  for (const std::uint32_t t : order.first(lengths.size())) {
    const std::uint32_t n = lengths[t];
    std::uint32_t room = n;
    while (room <= bin_rows && with_room[room] == none) ++room;
    std::uint32_t bin;
    if (room > bin_rows) {
      bin = static_cast<std::uint32_t>(bins++);
      room = bin_rows;
    } else {
      bin = with_room[room];
      with_room[room] = next[bin];
    }
    places[t] = {bin, bin_rows - room};
    next[bin] = with_room[room - n];
    with_room[room - n] = bin;
  }
  return bins;
}

}  // namespace dupq::inline DUPQ_ABI::gpu
