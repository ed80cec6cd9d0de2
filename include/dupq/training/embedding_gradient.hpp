// The gradients of the embedding tables. Of the words only those of the batch have one: a list of rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/arena.hpp"
#include "../core/config.hpp"
#include "cpu/kernels.hpp"
#include "parameters.hpp"
#include "training_batch.hpp"

namespace dupq::inline DUPQ_ABI {

/// The rows of the table of words that a batch has a gradient for, in ascending order.
class word_gradients {
 public:
  void lay_out(arena& from, const config& c, std::uint64_t tokens) noexcept {
    hidden_ = c.hidden, words_ = c.vocabulary;
    order_ = from.take<std::uint64_t>(tokens);
    begins_ = from.take<std::uint32_t>(tokens + 1);
    rows_ = from.take<float>(tokens * c.hidden);
    row_of_ = from.take<std::int32_t>(c.vocabulary);
    used_ = from.take<std::uint8_t>(c.vocabulary);
  }
  /// Forgets all gradients. The rows that count as used are those whose moments are not 0: `words` may come from a
  /// checkpoint.
  void reset(const parameter& words) noexcept {
    count_ = 0;
    std::fill_n(row_of_, words_, -1);
    for (std::size_t w = 0; w < words_; ++w) {
      bool moved = false;
      for (std::size_t i = w * hidden_; i < (w + 1) * hidden_; ++i)
        moved |= words.first[i] != 0 || words.second[i] != 0;  // NOLINT: exactly 0
      used_[w] = moved ? 1 : 0;
    }
  }

  /// Which rows: those of the batch's tokens but `pad`, whose row is no parameter in PyTorch.
  void find(const token_batch& batch, std::int32_t pad) noexcept {
    for (std::size_t j = 0; j < count_; ++j) row_of_[id(j)] = -1;
    count_ = 0;
    std::size_t n = 0;
    for (std::size_t t = 0; t < batch.tokens; ++t)
      if (batch.ids[t] != pad)
        order_[n++] = std::uint64_t{static_cast<std::uint32_t>(batch.ids[t])} << 32 | static_cast<std::uint32_t>(t);
    std::sort(order_, order_ + n);
    for (std::size_t i = 0; i < n; ++i) {
      if (i != 0 && order_[i] >> 32 == order_[i - 1] >> 32) continue;
      begins_[count_] = static_cast<std::uint32_t>(i);
      const auto word = static_cast<std::size_t>(order_[i] >> 32);
      row_of_[word] = static_cast<std::int32_t>(count_++);
    }
    begins_[count_] = static_cast<std::uint32_t>(n);
  }
  /// Row j: the sum of its tokens' gradients, [tokens][hidden], in their order.
  void add_up(std::size_t j, const training_kernels& k, const float* gradient) noexcept {
    float* const to = rows_ + j * hidden_;
    std::copy_n(gradient + token(begins_[j]) * hidden_, hidden_, to);
    for (std::uint32_t i = begins_[j] + 1; i < begins_[j + 1]; ++i)
      k.add_to(hidden_, gradient + token(i) * hidden_, to);
  }

  std::size_t count() const noexcept { return count_; }
  const float* row(std::size_t j) const noexcept { return rows_ + j * hidden_; }
  /// The gradient of a word's row, or null.
  const float* of_word(std::size_t word) const noexcept {
    return row_of_[word] < 0 ? nullptr : row(static_cast<std::size_t>(row_of_[word]));
  }
  /// All rows' gradients, zeros where a word has none, to [words][hidden].
  void write(std::span<float> to) const noexcept {
    for (std::size_t w = 0; w < words_; ++w) {
      const float* const row = of_word(w);
      for (std::size_t i = 0; i < hidden_; ++i) to[w * hidden_ + i] = row == nullptr ? 0.0f : row[i];
    }
  }
  /// Whether a word's row has had a gradient: if not, its moments are 0.
  std::uint8_t& used(std::size_t word) noexcept { return used_[word]; }

 private:
  std::size_t id(std::size_t j) const noexcept { return static_cast<std::size_t>(order_[begins_[j]] >> 32); }
  std::size_t token(std::uint32_t i) const noexcept { return static_cast<std::uint32_t>(order_[i]); }

  std::size_t hidden_ = 0, words_ = 0, count_ = 0;
  std::uint64_t* order_ = nullptr;  ///< word and token
  std::uint32_t* begins_ = nullptr;
  float* rows_ = nullptr;
  std::int32_t* row_of_ = nullptr;
  std::uint8_t* used_ = nullptr;
};

/// The gradient of a table whose row of token t is rows[t], from that of the tokens; rows that equal `skipped` have
/// none.
template <class Row>
void table_gradient(const parameter& table, const training_kernels& k, const Row* rows, std::size_t tokens,
                    std::ptrdiff_t skipped, const float* gradient) noexcept {
  const std::size_t n = table.columns;
  std::fill_n(table.gradient, table.size(), 0.0f);
  for (std::size_t t = 0; t < tokens; ++t)
    if (static_cast<std::ptrdiff_t>(rows[t]) != skipped)
      k.add_to(n, gradient + t * n, table.gradient + static_cast<std::size_t>(rows[t]) * n);
}

}  // namespace dupq::inline DUPQ_ABI
