// `dupq eval --report`: what a page is made from, and the page.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "judged_model.hpp"
#include "row_source.hpp"

namespace dupq_tool::report {

struct content {
  std::string file;  ///< of the pairs
  const judged_rows& all;
  std::span<const judged_model> models;
  std::span<const model_difference> differences = {};  ///< empty where nobody asked for samples
  std::size_t samples = 0;
  bool on_grid = false;  ///< thresholds are chosen on the pairs that are judged, as the seed notebook does
};

/// One page of HTML that needs nothing else: no script, no network, no font. The same content gives the same bytes;
/// of two runs only the speeds differ.
std::string page(const content& c);

/// Checks what --report names: a page only replaces a page, never a model or a table by a slip of the hand.
inline void check_name(std::string_view path) {
  if (!has_ending(path, ".html") && !has_ending(path, ".htm"))
    throw usage_error("--report needs a file whose name ends in .html, not " + printable(path));
}

}  // namespace dupq_tool::report
