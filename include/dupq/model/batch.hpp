// Texts on their way through a model: tokenized, packed end to end, and run when the workspace is full.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../text/wordpiece.hpp"
#include "transformer.hpp"

namespace dupq::inline DUPQ_ABI {

/// `l` with its zeros filled in for a model.
constexpr limits resolve(limits l, const config& c) noexcept {
  constexpr std::size_t cache_friendly = 192;  // tokens: enough to hide the streaming of weights, few enough for L2
  if (l.text_tokens == 0) l.text_tokens = c.max_length;
  if (l.packed_tokens == 0) l.packed_tokens = std::max(l.text_tokens, cache_friendly);
  return l;
}

/// One worker's tokens and buffers.
template <device D>
class batch {
 public:
  constexpr void lay_out(arena& from, const config& c, const limits& l) noexcept {
    limits_ = l;
    // A text is tokenized behind the packed ones, before it is known whether it still fits.
    ids_ = from.take<std::int32_t>(std::uint64_t{l.packed_tokens} + l.text_tokens);
    positions_ = from.take<std::int32_t>(l.packed_tokens);
    if (c.kind == model_kind::cross_encoder) types_ = from.take<std::uint8_t>(l.packed_tokens);
    offsets_ = from.take<std::uint32_t>(std::uint64_t{l.texts} + 1);
    buffers_.lay_out(from, c, l);
  }

  /// Where the next text's tokens go; there is room for limits().text_tokens.
  std::span<std::int32_t> next() noexcept { return {ids_ + tokens_, limits_.text_tokens}; }
  /// True if a text of `tokens` still fits.
  bool fits(std::size_t tokens) const noexcept {
    return texts_ < limits_.texts && tokens_ + tokens <= limits_.packed_tokens;
  }
  /// Takes the tokens that were written to next(). `first_segment` of them are of type 0, the others of type 1.
  void add(std::size_t tokens, std::size_t first_segment, const config& c, std::int32_t pad) noexcept {
    std::int32_t position = static_cast<std::int32_t>(c.position_offset);
    for (std::size_t i = 0; i < tokens; ++i) {
      // MPNet counts only tokens other than padding, which a user's text may spell out; they take the row before.
      const bool skipped = c.position_offset != 0 && ids_[tokens_ + i] == pad;
      positions_[tokens_ + i] = skipped ? static_cast<std::int32_t>(c.position_offset) - 1 : position++;
      if (types_ != nullptr) types_[tokens_ + i] = i < first_segment || c.token_types < 2 ? 0 : 1;
    }
    tokens_ += tokens;
    ++texts_;
    offsets_[0] = 0;
    offsets_[texts_] = static_cast<std::uint32_t>(tokens_);
  }
  token_batch view() const noexcept { return {ids_, positions_, types_, offsets_, texts_, tokens_}; }
  /// Empties the batch; `kept` tokens that were written to next() move to the front.
  void clear(std::size_t kept) noexcept {
    std::memmove(ids_, ids_ + tokens_, kept * sizeof *ids_);
    tokens_ = texts_ = 0;
  }
  const activations<D>& buffers() const noexcept { return buffers_; }
  const limits& sizes() const noexcept { return limits_; }
  std::size_t texts() const noexcept { return texts_; }

  std::uint64_t truncated = 0;  ///< texts that were cut so far
  bool alone = false;           ///< the other workers have nothing to do and may help with each product

 private:
  limits limits_;
  std::int32_t* ids_ = nullptr;
  std::int32_t* positions_ = nullptr;
  std::uint8_t* types_ = nullptr;
  std::uint32_t* offsets_ = nullptr;
  activations<D> buffers_;
  std::size_t tokens_ = 0, texts_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
