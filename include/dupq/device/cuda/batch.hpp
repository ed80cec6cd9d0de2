// A batch on its way to the GPU: tokens of whole texts, end to end, in memory of the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../../core/config.hpp"
#include "forward.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

class host_batch {
 public:
  /// Takes room for as many tokens and texts as `l` allows.
  void lay_out(arena& from, const limits& l) noexcept {
    limits_ = l;
    tokens_ = from.take<token>(l.packed_tokens);
    tiles_ = from.take<query_tile>(pass::most_tiles(l.packed_tokens, l.texts));
    offsets_ = from.take<std::uint32_t>(l.texts + 1);
  }
  bool fits(std::size_t tokens) const noexcept {
    return texts_ < limits_.texts && token_count_ + tokens <= limits_.packed_tokens;
  }
  /// Adds a text. The first `first_segment` tokens are of type 0, the others of type 1.
  void add(std::span<const std::int32_t> ids, std::size_t first_segment, const config& c, std::int32_t pad) noexcept {
    std::uint32_t position = c.position_offset;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      // MPNet counts only tokens other than padding, which a user's text may spell out; they take the row before.
      const bool skipped = c.position_offset != 0 && ids[i] == pad;
      const bool second = i >= first_segment && c.token_types > 1;
      tokens_[token_count_ + i] = {static_cast<std::uint32_t>(ids[i]), skipped ? c.position_offset - 1 : position,
                                   second ? 1u : 0u, 0};
      position += skipped ? 0 : 1;
    }
    token_count_ += ids.size();
    offsets_[0] = 0;
    offsets_[++texts_] = static_cast<std::uint32_t>(token_count_);
  }
  void finish() noexcept { tile_count_ = make_tiles(offsets_, texts_, tiles_); }
  /// Adds tiles without queries and texts without tokens. What lies behind the last token is left as it was.
  void fill_up(std::size_t tiles, std::size_t texts) noexcept {
    std::fill(tiles_ + tile_count_, tiles_ + tiles, query_tile{});
    std::fill(offsets_ + texts_ + 1, offsets_ + texts + 1, static_cast<std::uint32_t>(token_count_));
  }
  void clear() noexcept { token_count_ = texts_ = 0; }

  std::span<const token> tokens() const noexcept { return {tokens_, token_count_}; }
  std::span<const query_tile> tiles() const noexcept { return {tiles_, static_cast<std::size_t>(tile_count_)}; }
  std::span<const std::uint32_t> offsets() const noexcept { return {offsets_, texts_ + 1}; }
  std::size_t texts() const noexcept { return texts_; }

 private:
  limits limits_;
  token* tokens_ = nullptr;
  query_tile* tiles_ = nullptr;
  std::uint32_t* offsets_ = nullptr;
  std::size_t token_count_ = 0, texts_ = 0;
  int tile_count_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
