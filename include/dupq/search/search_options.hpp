// What searches are asked, and what they answer.
#pragma once

#include <cstddef>
#include <span>

#include "../core/call_options.hpp"
#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/executor.hpp"
#include "../core/platform.hpp"
#include "../device/cpu/cpu.hpp"

namespace dupq::inline DUPQ_ABI {

/// Two vectors whose similarity reaches the threshold, by their rows.
struct match {
  std::size_t first = 0;
  std::size_t second = 0;
  float score = 0;
};

struct search_options {
  float threshold = 0.75f;
  /// What a score is: a model's config().similarity, for which the threshold must be meant.
  dupq::similarity similarity = dupq::similarity::cosine;
  const dupq::kernels* kernels = nullptr;  ///< null: the fastest of this CPU; every table gives the same scores
  /// Compares blocks side by side. `found` is called on the calling thread, in the same order for any executor.
  dupq::executor executor{};
  /// Called on the calling thread now and then; comparisons are counted in blocks of rows. Returning false ends the
  /// search with errc::cancelled.
  callback<bool(std::size_t done, std::size_t total)> on_progress{};
  /// Scratch memory for searches among all rows, aligned to 64: search_bytes() of it. Where there is less it comes from
  /// the heap for the time of the call, and where there is none there either, the search is slower.
  std::span<std::byte> memory{};
};

namespace search_detail {

/// `vectors` are whole rows of `dim` numbers.
inline result<void> check_rows(std::span<const float> vectors, std::size_t dim, const char* name = "vectors") noexcept {
  const std::size_t whole = dim == 0 ? 0 : vectors.size() / dim * dim;
  if (vectors.size() != whole) return error(errc::wrong_size, name, whole, vectors.size());
  return {};
}

}  // namespace search_detail

}  // namespace dupq::inline DUPQ_ABI
