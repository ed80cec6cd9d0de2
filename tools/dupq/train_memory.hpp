// How much memory a training takes, to be said before it begins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/core/executor.hpp>
#include <dupq/workspace.hpp>
#include <string>

#include "format.hpp"

namespace dupq_tool {

struct train_memory {
  std::uint64_t trainer = 0;  ///< weights, gradients, moments, activations
  std::uint64_t base = 0;     ///< the base
  std::uint64_t image = 0;    ///< the weights in float32
  std::uint64_t texts = 0;
  bool judges = false;      ///< the model is run over validation pairs
  bool keeps_best = false;  ///< the weights of an epoch are kept while the next one is learnt

  /// The most bytes at a time.
  std::uint64_t peak(const dupq::config& c, dupq::executor executor) const noexcept {
    std::uint64_t all = trainer + base + texts;
    if (!judges) return all;
    dupq::limits limits;
    limits.text_tokens = c.max_length;
    limits.workers = executor.count();
    all += image + dupq::workspace_bytes(c, limits);
    return keeps_best ? all + image : all;
  }
};

/// "90.9 MB"
inline std::string megabytes(std::uint64_t bytes) { return fixed(static_cast<double>(bytes) / 1e6, 1) + " MB"; }

}  // namespace dupq_tool
