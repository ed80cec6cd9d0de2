// Prefixes of strings, in place of std::string_view's substr and starts_with: substr can throw, and a microcontroller's
// program would link all that throwing needs.
#pragma once

#include <cstddef>
#include <string_view>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

/// The first `n` of at least `n` characters.
constexpr std::string_view first_of(std::string_view text, std::size_t n) noexcept { return {text.data(), n}; }

constexpr bool begins_with(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() && first_of(text, prefix.size()) == prefix;
}

/// What follows the first `n` of at least `n` characters.
constexpr std::string_view after(std::string_view text, std::size_t n) noexcept {
  text.remove_prefix(n);
  return text;
}

}  // namespace dupq::inline DUPQ_ABI
