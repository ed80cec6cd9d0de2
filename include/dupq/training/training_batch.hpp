// The texts of one step: tokens packed end to end, and cut into blocks of texts that are worked on at the same time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "../device/device.hpp"
#include "trainable_device.hpp"

namespace dupq::inline DUPQ_ABI {

/// Some consecutive texts of a batch. Where blocks end follows from the texts alone, since sums over the tokens of a
/// batch are made a block at a time.
struct training_block {
  std::size_t first_text = 0, first_token = 0;
  text_block texts;
};

class training_batch {
 public:
  /// A block is complete when it has so many tokens: enough to hide the streaming of weights, few enough for the
  /// caches.
  static constexpr std::size_t block_tokens = 64;

  void lay_out(arena& from, std::size_t texts, std::size_t tokens, std::size_t text_tokens) noexcept {
    most_texts_ = texts, most_tokens_ = tokens, text_tokens_ = text_tokens;
    ids_ = from.take<std::int32_t>(std::uint64_t{tokens} + text_tokens);
    positions_ = from.take<std::int32_t>(tokens);
    types_ = from.take<std::uint8_t>(tokens);
    offsets_ = from.take<std::uint32_t>(std::uint64_t{texts} + 1);
    block_offsets_ = from.take<std::uint32_t>(2 * std::uint64_t{texts});
    blocks_ = from.take<training_block>(texts);
  }
  /// Tokens of the longest block of texts of up to so many tokens.
  static std::size_t longest_block(std::size_t tokens, std::size_t text_tokens) noexcept {
    return std::min(tokens, block_tokens - 1 + text_tokens);
  }

  std::span<std::int32_t> next() noexcept { return {ids_ + tokens_, text_tokens_}; }
  /// Takes the tokens that were written to next(); false where they do not fit. Positions are as in model/batch.hpp.
  bool add(std::size_t tokens, std::size_t first_segment, const config& c, std::int32_t pad) noexcept {
    if (texts_ == most_texts_ || tokens > most_tokens_ - tokens_) return false;
    auto position = static_cast<std::int32_t>(c.position_offset);
    for (std::size_t i = 0; i < tokens; ++i) {
      const bool skipped = c.position_offset != 0 && ids_[tokens_ + i] == pad;
      positions_[tokens_ + i] = skipped ? static_cast<std::int32_t>(c.position_offset) - 1 : position++;
      types_[tokens_ + i] = i < first_segment || c.token_types < 2 ? 0 : 1;
    }
    tokens_ += tokens;
    ++texts_;
    offsets_[0] = 0;
    offsets_[texts_] = static_cast<std::uint32_t>(tokens_);
    return true;
  }
  void cut_into_blocks() noexcept {
    count_ = 0;
    std::uint32_t* to = block_offsets_;
    for (std::size_t t = 0; t < texts_;) {
      training_block& b = *::new (static_cast<void*>(blocks_ + count_++)) training_block;
      b.first_text = t, b.first_token = offsets_[t];
      b.texts.offsets = to;
      *to++ = 0;
      for (std::size_t tokens = 0; t < texts_ && tokens < block_tokens; ++t, ++b.texts.texts)
        *to++ = static_cast<std::uint32_t>(tokens = offsets_[t + 1] - b.first_token);
    }
  }
  void clear() noexcept { tokens_ = texts_ = count_ = 0; }

  std::span<const training_block> blocks() const noexcept { return {blocks_, count_}; }
  token_batch view() const noexcept { return {ids_, positions_, types_, offsets_, texts_, tokens_}; }
  std::size_t texts() const noexcept { return texts_; }
  std::size_t tokens() const noexcept { return tokens_; }
  std::size_t most_texts() const noexcept { return most_texts_; }
  std::size_t most_tokens() const noexcept { return most_tokens_; }
  std::size_t text_tokens() const noexcept { return text_tokens_; }

 private:
  std::size_t most_texts_ = 0, most_tokens_ = 0, text_tokens_ = 0;
  std::int32_t *ids_ = nullptr, *positions_ = nullptr;
  std::uint8_t* types_ = nullptr;
  std::uint32_t *offsets_ = nullptr, *block_offsets_ = nullptr;
  training_block* blocks_ = nullptr;
  std::size_t texts_ = 0, tokens_ = 0, count_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
