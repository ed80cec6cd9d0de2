// The texts that a model file says may be put before a text, by name, and which of them is used by default.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../text/prompted_text.hpp"
#include "../text/unicode.hpp"
#include "metadata.hpp"

namespace dupq::inline DUPQ_ABI {

/// A view of a file's keys.
class prompt_list {
 public:
  /// Errors: wrong_type, wrong_size, out_of_range for a prompt that is too long, wrong_value for one that is not UTF-8
  /// or for a default that is not there.
  static result<prompt_list> read(const gguf::file& file) noexcept {
    metadata_reader keys(file);
    prompt_list list;
    list.names_ = keys.array("dupq.prompts.names", gguf::value_type::string);
    list.texts_ = keys.array("dupq.prompts.texts", gguf::value_type::string);
    list.used_ = keys.text("dupq.prompt", "");
    if (!keys.done()) return keys.done().error();
    if (list.names_.count != list.texts_.count)
      return error(errc::wrong_size, "dupq.prompts.texts", list.names_.count, list.texts_.count);
    result<void> sound;
    list.for_each([&](std::string_view, std::string_view text) {
      if (text.size() > prompted_text::most_prompt)
        sound = error(errc::out_of_range, "dupq.prompts.texts", prompted_text::most_prompt, text.size());
      if (!is_utf8(text)) sound = error(errc::wrong_value, "dupq.prompts.texts");
    });
    if (!sound) return sound.error();
    if (!list.used_.empty() && !list.find(list.used_)) return error(errc::wrong_value, "dupq.prompt");
    return list;
  }

  std::size_t size() const noexcept { return static_cast<std::size_t>(names_.count); }
  /// The name of the default; empty: none.
  std::string_view used() const noexcept { return used_; }
  std::optional<std::string_view> find(std::string_view name) const noexcept {
    std::optional<std::string_view> found;
    for_each([&](std::string_view one, std::string_view text) {
      if (one == name) found = text;
    });
    return found;
  }
  /// Calls f(name, text) for each.
  template <class F>
  void for_each(F&& f) const {
    const std::byte *name = names_.bytes.data(), *text = texts_.bytes.data();
    for (std::uint64_t i = 0; i < names_.count; ++i) {
      const std::string_view one = take(name);  // in turn: f's arguments would be taken in any order
      f(one, take(text));
    }
  }

 private:
  static std::string_view take(const std::byte*& p) noexcept {
    const auto size = static_cast<std::size_t>(gguf::load<std::uint64_t>(p));
    const std::string_view text(reinterpret_cast<const char*>(p + 8), size);
    p += 8 + size;
    return text;
  }
  static bool is_utf8(std::string_view text) noexcept {
    for (const char *p = text.data(), *const end = p + text.size(); p != end;) {
      const char* const begin = p;
      // What is broken becomes U+FFFD, which may also be there itself.
      if (unicode::decode(p, end) == unicode::replacement && std::string_view(begin, p) != "\xEF\xBF\xBD") return false;
    }
    return true;
  }

  gguf::value names_, texts_;
  std::string_view used_;
};

}  // namespace dupq::inline DUPQ_ABI
