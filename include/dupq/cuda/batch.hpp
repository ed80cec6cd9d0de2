// A batch on its way to the GPU: tokens of whole texts, end to end, in memory of the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/config.hpp"
#include "forward.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

class host_batch {
 public:
  /// Takes room for as many tokens and texts as `l` allows. Where short texts go through bins, they gather at the end
  /// of the memory, the last one first, until the batch is finished.
  void lay_out(arena& from, const limits& l, const shapes& s) noexcept {
    limits_ = l, bins_ = s.bins, wide_ = s.wide;
    tokens_ = from.take<token>(l.packed_tokens);
    tiles_ = from.take<query_tile>(pass::most_tiles(l.packed_tokens, l.texts));
    offsets_ = from.take<std::uint32_t>(l.texts + 1);
    lengths_ = from.take<std::uint32_t>(l.texts);
    places_ = from.take<std::uint32_t>(l.texts);
    if (!bins_) return;
    lists_.lay_out(from, l.packed_tokens, l.texts);
    packer_.lay_out(from, l.texts);
  }
  bool fits(std::size_t tokens) const noexcept {
    return texts() < limits_.texts && long_.tokens + short_.tokens + tokens <= limits_.packed_tokens;
  }
  /// Adds a text. The first `first_segment` tokens are of type 0, the others of type 1.
  void add(std::span<const std::int32_t> ids, std::size_t first_segment, const config& c, std::int32_t pad) noexcept {
    const bool goes_by_bins = bins_ && ids.size() <= bin_rows;
    const auto number = static_cast<std::uint32_t>(texts());
    counts& kind = goes_by_bins ? short_ : long_;
    kind.tokens += ids.size(), ++kind.texts;
    token* const to = tokens_ + (goes_by_bins ? limits_.packed_tokens - short_.tokens : long_.tokens - ids.size());
    const std::size_t at = goes_by_bins ? limits_.texts - short_.texts : long_.texts - 1;
    lengths_[at] = static_cast<std::uint32_t>(ids.size()), places_[at] = number;
    std::uint32_t position = c.position_offset;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      // MPNet counts only tokens other than padding, which a user's text may spell out; they take the row before.
      const bool skipped = c.position_offset != 0 && ids[i] == pad;
      const bool second = i >= first_segment && c.token_types > 1;
      to[i] = {static_cast<std::uint32_t>(ids[i]), skipped ? c.position_offset - 1 : position, second ? 1u : 0u, 0};
      position += skipped ? 0 : 1;
    }
  }
  void finish() noexcept {
    // Behind the long texts come the short ones.
    std::copy_n(tokens_ + limits_.packed_tokens - short_.tokens, short_.tokens, tokens_ + long_.tokens);
    std::copy_n(lengths_ + limits_.texts - short_.texts, short_.texts, lengths_ + long_.texts);
    std::copy_n(places_ + limits_.texts - short_.texts, short_.texts, places_ + long_.texts);
    offsets_[0] = 0;
    for (std::size_t t = 0; t < texts(); ++t) offsets_[t + 1] = offsets_[t] + lengths_[t];
    tile_count_ = make_tiles(offsets_, long_.texts, tiles_);
    for (std::size_t i = 0; wide_ && i < long_.tokens; ++i) tokens_[i].bin_row = static_cast<std::uint32_t>(i + 1);
    if (bins_) packer_.pack({lengths_ + long_.texts, short_.texts}, offsets_ + long_.texts, tokens_, lists_);
  }
  /// Adds tiles without queries and texts without tokens, until there are as many as a recorded graph has. What lies
  /// behind the last token is left as it was.
  void fill_up(std::size_t tiles, std::size_t texts_in_all) noexcept {
    std::fill(tiles_ + tile_count_, tiles_ + tiles, query_tile{});
    std::fill(offsets_ + texts() + 1, offsets_ + texts_in_all + 1, offsets_[texts()]);
  }
  void clear() noexcept { long_ = short_ = {}; }

  std::span<const token> tokens() const noexcept { return {tokens_, long_.tokens + short_.tokens}; }
  std::span<const query_tile> tiles() const noexcept { return {tiles_, static_cast<std::size_t>(tile_count_)}; }
  std::span<const std::uint32_t> offsets() const noexcept { return {offsets_, texts() + 1}; }
  std::size_t texts() const noexcept { return long_.texts + short_.texts; }
  /// How many tokens, the first ones, do not go through bins.
  std::size_t rows() const noexcept { return long_.tokens; }
  /// Where bins are: each text's number, and the lists of its bins.
  std::span<const std::uint32_t> places() const noexcept { return {places_, texts()}; }
  const bin_lists& lists() const noexcept { return lists_; }

 private:
  struct counts {
    std::size_t tokens = 0, texts = 0;
  };
  limits limits_;
  bool bins_ = false, wide_ = false;
  token* tokens_ = nullptr;
  query_tile* tiles_ = nullptr;
  std::uint32_t* offsets_ = nullptr;
  std::uint32_t* lengths_ = nullptr;
  std::uint32_t* places_ = nullptr;
  counts long_, short_;
  int tile_count_ = 0;
  bin_lists lists_;
  bin_packer packer_;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
