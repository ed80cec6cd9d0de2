// What an encoder is made with, on whichever device.
#pragma once

#include <optional>
#include <string_view>

#include "../core/config.hpp"
#include "../core/executor.hpp"
#include "../text/wordpiece.hpp"

namespace dupq::inline DUPQ_ABI {

/// What an encoder is made with.
struct encoder_options {
  dupq::limits limits{};
  dupq::executor executor{};  ///< runs batches side by side; limits.workers is raised to its number of workers
  /// Whether "[SEP]" in a text becomes the special token, as Hugging Face's tokenizers do, or stays text.
  dupq::special_tokens special_tokens = special_tokens::parse;
  /// The name of one of the model's prompts, which are put before a text (of a pair: before the first); "": none.
  /// Without a name it is the model's default.
  std::optional<std::string_view> prompt{};
};

}  // namespace dupq::inline DUPQ_ABI
