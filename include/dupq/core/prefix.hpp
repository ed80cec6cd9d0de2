// Prefixes of strings without std::string_view::substr and what calls it: their code can throw, and a program for a
// small machine would link what that needs.
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
