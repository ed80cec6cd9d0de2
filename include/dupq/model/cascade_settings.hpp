// What a bi-encoder's file says of the cross-encoder that helps it out: `dupq calibrate --cascade` writes it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "../cascade_band.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "metadata.hpp"

namespace dupq::inline DUPQ_ABI {

/// A view of a file's keys dupq.cascade.*, which change nothing where there is no cascade.
struct cascade_settings {
  cascade_band band;
  std::string_view name;    ///< of the cross-encoder that the band was chosen for, for people
  std::string_view digest;  ///< of its tensors

  static constexpr const char *lower_key = "dupq.cascade.lower", *upper_key = "dupq.cascade.upper",
                              *threshold_key = "dupq.cascade.threshold", *name_key = "dupq.cascade.name",
                              *digest_key = "dupq.cascade.digest";

  /// Errors: missing_key, wrong_type, not_finite; wrong_value for thresholds that are not in order.
  static result<cascade_settings> read(const gguf::file& file) noexcept {
    metadata_reader keys(file);
    cascade_settings all;
    const auto number = [&](const char* key) {
      const auto x = keys.number(key);
      if (!x) keys.fail(errc::missing_key, key);
      return x.value_or(0.0f);
    };
    all.band = {number(lower_key), number(upper_key), number(threshold_key)};
    all.name = keys.text(name_key, "");
    all.digest = keys.text(digest_key, {});
    if (!keys.done()) return keys.done().error();
    if (!(all.band.lower <= all.band.upper)) return error(errc::wrong_value, upper_key);
    if (!all.band.sound()) return error(errc::wrong_value, threshold_key);
    return all;
  }

  /// Whether a file is that of the cross-encoder. Errors: missing_key where it has no digest, wrong_model, with (the
  /// tails of) the names of the right one and of `file_name`.
  result<void> check(const gguf::file& cross, std::string_view file_name) const noexcept {
    const auto theirs = metadata_reader(cross).text("dupq.digest", "");
    if (theirs.empty()) return error(errc::missing_key, "dupq.digest");
    if (theirs == digest) return {};
    char both[60];
    std::size_t n = 0;
    const auto put = [&](std::string_view part) {
      constexpr std::size_t most = 27;
      for (const char c : part.size() > most ? part.substr(part.size() - most) : part) both[n++] = c;
    };
    put(name), put(", not "), put(file_name);
    return error(errc::wrong_model, {both, n});
  }
};

}  // namespace dupq::inline DUPQ_ABI
