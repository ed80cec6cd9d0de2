// Byte-pair encoding of a short word, which most words are that are no token: the same merges as bpe_merger's, with
// less to read between one and the next.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "../core/platform.hpp"
#include "bpe_table.hpp"
#include "word_builder.hpp"

namespace dupq::inline DUPQ_ABI {

/// A word of up to `most` bytes, 8 or 16: the tokens that are left are bits, so that a token's neighbours are found
/// without reading memory, and the least rank is found as in a tournament.
template <std::size_t most>
class short_bpe_word {
 public:
  short_bpe_word(const bpe& merges, std::string_view word) noexcept : merges_(merges) {
    std::fill_n(ranks_, most, none);
    unsigned char letters[most];
    std::size_t n = 0;
    for (const char c : word) {
      const std::int32_t id = merges.byte_token(static_cast<unsigned char>(c));
      ids_[n] = static_cast<std::uint32_t>(id), letters[n] = bpe::letter_of(c);
      n += id >= 0 ? 1 : 0;  // a byte that has no token is left out
    }
    for (std::size_t i = 0; i + 1 < n; ++i)
      keep(i, merges.knows_letters(letters[i], letters[i + 1]) ? merges.find_letters(letters[i], letters[i + 1])
                                                               : merges.find(ids_[i], ids_[i + 1]));
    left_ = (std::uint32_t{1} << n) - 1;
  }

  /// Merges all, the lowest rank first and of equal ones the leftmost, and gives out the tokens.
  void give_out(token_sink& out) noexcept {
    for (std::uint64_t least; (least = least_rank()) != none;) merge(least % most);
    for (; left_ != 0; left_ &= left_ - 1) out.push(static_cast<std::int32_t>(ids_[lowest(left_)]));
  }

 private:
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  static std::size_t lowest(std::uint32_t bits) noexcept { return static_cast<std::size_t>(std::countr_zero(bits)); }

  std::uint64_t least_rank() const noexcept {
    std::uint64_t least[4];
    for (std::size_t i = 0; i < 4; ++i) {
      least[i] = std::min(ranks_[i], ranks_[i + 4]);
      if constexpr (most == 16) least[i] = std::min(least[i], std::min(ranks_[i + 8], ranks_[i + 12]));
    }
    return std::min(std::min(least[0], least[1]), std::min(least[2], least[3]));
  }

  /// The token at a place, which has a merge, with the next one.
  void merge(std::size_t at) noexcept {
    std::uint32_t after = left_ >> at >> 1;
    const std::size_t gone = at + 1 + lowest(after);
    ids_[at] = made_[at];
    ranks_[at] = ranks_[gone] = none;
    left_ &= ~(std::uint32_t{1} << gone), after &= after - 1;
    if (after != 0) keep(at, merges_.find(ids_[at], ids_[at + 1 + lowest(after)]));
    const std::uint32_t before = left_ & ((std::uint32_t{1} << at) - 1);
    if (before == 0) return;
    const auto last = static_cast<std::size_t>(std::bit_width(before)) - 1;
    keep(last, merges_.find(ids_[last], ids_[at]));
  }

  void keep(std::size_t at, bpe::merge m) noexcept {
    ranks_[at] = m.rank == bpe::no_merge ? none : std::uint64_t{m.rank} * most + at;
    made_[at] = m.id;
  }

  const bpe& merges_;
  std::uint32_t left_;         ///< a bit for each token, at the place of its first byte
  std::uint64_t ranks_[most];  ///< of its merge with the next one, and below it the place
  std::uint32_t ids_[most];
  std::uint32_t made_[most];  ///< what that merge makes
};

}  // namespace dupq::inline DUPQ_ABI
