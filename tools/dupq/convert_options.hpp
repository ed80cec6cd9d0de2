// What a conversion is asked for, and what it says of its result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/config.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tensor_layout.hpp"

namespace dupq_tool {

struct convert_options {
  weight_type type = weight_type::f32;
  tensor_layout layout = tensor_layout::packed;
  std::optional<std::string> positive_label{};  ///< which of a classifier's two labels means duplicates: name or number
  std::optional<std::uint32_t> dim{};           ///< static models: so many numbers of each row are kept
  std::optional<std::string> prompt{};  ///< goes before every text; empty: nothing does, whatever the folder says
};

struct convert_summary {
  dupq::model_kind kind{};
  std::uint32_t layers = 0;
  std::size_t tokens = 0;          ///< rows of the vocabulary
  std::uint64_t bytes = 0;         ///< of the model file
  std::vector<std::string> notes;  ///< what the folder says and transformers does not follow
};

}  // namespace dupq_tool
