// What a loss is: a number that training makes small, and its gradient with respect to what a model gave.
//
// A new loss is one struct that meets one of the two concepts below; see losses.hpp.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>

#include "../core/matrix.hpp"

namespace dupq::inline DUPQ_ABI {

/// The vectors of a batch as the model gives them, each matrix [pairs][dim]. `negatives` has as many rows or none;
/// `labels` holds a number a pair, 1 for duplicates and 0 for others, and is empty where a loss takes none.
struct vector_batch {
  matrix<const float> first;
  matrix<const float> second;
  matrix<const float> negatives;
  std::span<const float> labels;
};

/// d loss / d vector, in the shapes of the batch. A loss writes them whole.
struct vector_gradients {
  matrix<float> first;
  matrix<float> second;
  matrix<float> negatives;
};

// clang-format off
/// A loss of vectors. `l(batch, gradients, scratch)` returns the loss of a batch of at least one pair and writes its
/// gradients; `scratch` has at least L::scratch_doubles(pairs, dim) numbers, whose contents do not matter. A vector that
/// is not finite makes the loss NaN or infinite.
template <class L>
concept vector_loss = requires(const L l, const vector_batch& batch, const vector_gradients& gradients,
                               std::span<double> scratch, std::size_t n) {
  { l(batch, gradients, scratch) } noexcept -> std::same_as<double>;
  { L::scratch_doubles(n, n) } noexcept -> std::same_as<std::size_t>;
};

/// A loss of a cross-encoder's logits. `l(logits, labels, gradients, scratch)`: spans of [pairs], at least one; `scratch`
/// has at least L::scratch_doubles(pairs, 1) numbers.
template <class L>
concept logit_loss = requires(const L l, std::span<const float> logits, std::span<const float> labels,
                              std::span<float> gradients, std::span<double> scratch, std::size_t n) {
  { l(logits, labels, gradients, scratch) } noexcept -> std::same_as<double>;
  { L::scratch_doubles(n, n) } noexcept -> std::same_as<std::size_t>;
};
// clang-format on

}  // namespace dupq::inline DUPQ_ABI
