// What every trainer asks of its options and of the texts of a step, and the memory that it holds.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/os.hpp"
#include "../core/texts.hpp"
#include "trainer_options.hpp"

namespace dupq::inline DUPQ_ABI {

/// Fills in `tokens` where it is 0. Errors: bad_limit, bad_fraction.
inline result<void> complete(trainer_options& o, const config& c) noexcept {
  if (o.steps == 0) return error(errc::bad_limit, "trainer_options::steps", 1, 0);
  if (o.texts == 0) return error(errc::bad_limit, "trainer_options::texts", 1, 0);
  if (!(o.dropout >= 0 && o.dropout < 1)) return error(errc::bad_fraction, "trainer_options::dropout");
  if (o.texts > limits::most_tokens)
    return error(errc::bad_limit, "trainer_options::texts", limits::most_tokens, o.texts);
  if (o.tokens == 0) o.tokens = o.texts * c.max_length;
  if (o.tokens > limits::most_tokens)
    return error(errc::bad_limit, "trainer_options::tokens", limits::most_tokens, o.tokens);
  return {};
}

/// Whether the columns of a step have a text for each pair, the third one (negatives) also none, and whether there is a
/// label for each pair, or none where `labels_optional`. Errors: too_small, wrong_size.
inline result<void> check_columns(std::span<const texts> columns, std::size_t labels, bool labels_optional) noexcept {
  const std::size_t pairs = columns[0].size();
  if (pairs == 0) return error(errc::too_small, "pairs", 1, 0);
  if (columns[1].size() != pairs) return error(errc::wrong_size, "second texts", pairs, columns[1].size());
  if (columns.size() > 2 && columns[2].size() != 0 && columns[2].size() != pairs)
    return error(errc::wrong_size, "negatives", pairs, columns[2].size());
  if (labels != pairs && !(labels_optional && labels == 0)) return error(errc::wrong_size, "labels", pairs, labels);
  return {};
}

/// Memory from the heap, given back at the end.
struct training_memory {
  void* data = nullptr;
  training_memory() noexcept = default;
  training_memory(training_memory&& other) noexcept : data(std::exchange(other.data, nullptr)) {}
  training_memory& operator=(training_memory&&) = delete;
  ~training_memory() {
    if (data != nullptr) os::release(data);
  }
};

}  // namespace dupq::inline DUPQ_ABI
