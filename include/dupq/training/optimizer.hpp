// One step of AdamW over all parameters, in pieces that workers take, and the length of all gradients together.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "../core/arena.hpp"
#include "../core/executor.hpp"
#include "adamw.hpp"
#include "embedding_gradient.hpp"
#include "parameters.hpp"

namespace dupq::inline DUPQ_ABI {

class optimizer {
 public:
  void lay_out(arena& from, const config& c, std::uint64_t tokens, std::span<const parameter> all) noexcept {
    word_sums_ = from.take<double>(tokens);
    // What a model has, whether or not its list is there yet: each tensor ends with a piece that is not whole,
    // and pieces of words may be half as large as others.
    const std::uint64_t d = c.hidden;
    const std::uint64_t numbers = (c.vocabulary + c.positions + c.token_types + 16) * d + c.relative_buckets * c.heads +
                                  c.layers * (4 * d * d + 2 * d * c.intermediate + 9 * d + c.intermediate) + d * d;
    const std::uint64_t most = 2 * numbers / piece_size + parameters::most(c) + 1;
    pieces_ = from.take<piece>(most);
    sums_ = from.take<double>(most);
    if (pieces_ == nullptr) return;
    for (const parameter& p : all) {
      // A piece of the table of words has whole rows, because each row has a gradient of its own or none.
      const std::size_t whole =
          p.gradient == nullptr ? std::max<std::size_t>(piece_size / p.columns, 1) * p.columns : piece_size;
      for (std::size_t begin = 0; begin < p.size(); begin += whole)
        ::new (static_cast<void*>(pieces_ + count_++)) piece{&p, begin, std::min(whole, p.size() - begin)};
    }
  }

  /// The length of all gradients together, in double: sums of squares of pieces, in order. NaN or infinite where one
  /// is.
  double norm(const training_kernels& k, const executor& workers, const word_gradients& words) noexcept {
    const std::size_t rows = words.count(), row_tasks = (rows + rows_a_task - 1) / rows_a_task;
    workers.run(count_ + row_tasks, [&](std::size_t task, std::size_t) {
      const float_environment ieee;
      if (task < count_) {
        const piece& one = pieces_[task];
        sums_[task] = one.of->gradient == nullptr ? 0.0 : k.squares(one.count, one.of->gradient + one.begin);
        return;
      }
      const std::size_t begin = (task - count_) * rows_a_task;
      for (std::size_t j = begin; j < std::min(rows, begin + rows_a_task); ++j)
        word_sums_[j] = k.squares(pieces_[0].of->columns, words.row(j));
    });
    const float_environment ieee;
    double sum = 0;
    for (std::size_t j = 0; j < rows; ++j) sum += word_sums_[j];
    for (std::size_t i = 0; i < count_; ++i) sum += sums_[i];
    return std::sqrt(sum);
  }

  /// Step t (from 1) at learning rate `rate`.
  void step(const training_kernels& k, const executor& workers, const adamw_options& options, double rate,
            std::uint64_t t, double gradient_norm, word_gradients& words) noexcept {
    const adamw_factors decaying = adamw_at(options, rate, t, gradient_norm, true);
    const adamw_factors lasting = adamw_at(options, rate, t, gradient_norm, false);
    workers.run(count_, [&](std::size_t task, std::size_t) {
      const float_environment ieee;
      const piece& one = pieces_[task];
      const parameter& p = *one.of;
      const adamw_factors& f = p.decays ? decaying : lasting;
      if (p.gradient != nullptr)
        return k.adamw(one.count, f, p.gradient + one.begin, p.values + one.begin, p.first + one.begin,
                       p.second + one.begin);
      const std::size_t n = p.columns;
      for (std::size_t word = one.begin / n; word < (one.begin + one.count) / n; ++word) {
        const float* const gradient = words.of_word(word);
        float* const values = p.values + word * n;
        if (gradient == nullptr && words.used(word) == 0) {  // no gradient and no moments: only the decay changes it
          k.multiply(n, f.decay, values);
          continue;
        }
        words.used(word) = 1;
        k.adamw(n, f, gradient, values, p.first + word * n, p.second + word * n);
      }
    });
  }

 private:
  static constexpr std::size_t piece_size = 1u << 15, rows_a_task = 32;
  struct piece {
    const parameter* of;
    std::size_t begin, count;
  };
  piece* pieces_ = nullptr;
  double *sums_ = nullptr, *word_sums_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace dupq::inline DUPQ_ABI
