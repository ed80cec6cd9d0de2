// How much memory a training takes, to be said before it begins.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/core/executor.hpp>
#include <dupq/static_encoder.hpp>
#include <dupq/workspace.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

#include "format.hpp"
#include "scoring.hpp"

namespace dupq_tool {

/// Bytes that the process has in memory at a time. Pages of the base's file count, although processes share them.
struct train_memory {
  std::uint64_t trainer = 0;  ///< weights, gradients, moments, activations
  std::uint64_t base = 0;     ///< the base
  std::uint64_t weights = 0;  ///< the weights in float32
  std::uint64_t image = 0;    ///< the model of these weights, in memory
  std::uint64_t keys = 0;     ///< all of a model file but its tensors: of a table of words a good part
  std::uint64_t texts = 0;    ///< the pairs
  std::uint64_t scoring = 0;  ///< what it takes to score pairs, beside the model; 0: none are
  bool keeps_best = false;    ///< the weights of an epoch are kept while the next one is learnt
  bool piped = false;         ///< the result is kept until it is whole

  /// The most bytes at a time.
  std::uint64_t peak() const noexcept {
    constexpr std::uint64_t program = 6'000'000, output = std::uint64_t{1} << 22;  // its code and libraries; a buffer
    const std::uint64_t judging = scoring == 0 ? 0 : image + scoring, writing = (piped ? image : 0) + output;
    // The keys are put together, then copied before the tensors, then read in the file that was written.
    return program + trainer + base + texts + (keeps_best ? weights : 0) + 3 * keys + std::max(judging, writing);
  }
};

/// Bytes of pairs and of what lists them.
inline std::uint64_t bytes_of(const labelled_pairs& pairs) noexcept {
  return pairs.bytes.bytes() + pairs.labels.size() * (2 * sizeof(std::string_view) + 1);
}

/// Bytes that it takes to score these pairs: an encoder's, and the vectors of distinct texts with a table of them.
inline std::uint64_t scoring_bytes(const dupq::config& c, dupq::executor executor, const labelled_pairs& pairs,
                                   std::span<const std::size_t> rows) {
  dupq::limits limits;
  limits.text_tokens = c.max_length;
  limits.workers = executor.count();
  const std::uint64_t encoder = c.kind == dupq::model_kind::static_encoder
                                    ? dupq::static_encoder::workspace_bytes(c, limits)
                                    : dupq::workspace_bytes(c, limits);
  if (c.kind == dupq::model_kind::cross_encoder) return encoder;
  std::unordered_set<std::string_view> texts;
  for (const std::size_t row : rows) texts.insert(pairs.first[row]), texts.insert(pairs.second[row]);
  constexpr std::uint64_t entry = 96;
  return encoder + texts.size() * (c.dim() * sizeof(float) + entry);
}

/// "90.9 MB"
inline std::string megabytes(std::uint64_t bytes) { return fixed(static_cast<double>(bytes) / 1e6, 1) + " MB"; }

}  // namespace dupq_tool
