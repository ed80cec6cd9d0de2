// A verb's words: options and positionals, checked against what the verb knows.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "format.hpp"

namespace dupq_tool {

struct option {
  std::string_view name;  ///< with its dashes
  bool takes_value = false;
  bool repeats = false;  ///< may be given several times
};

class arguments {
 public:
  /// Options are `--name value`, `--name=value` or switches; "--" ends them, "-" alone is a positional.
  arguments(std::span<const std::string> words, std::span<const option> known, std::size_t least, std::size_t most) {
    bool options_end = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (options_end || word.size() < 2 || word[0] != '-') {
        positionals_.push_back(word);
      } else if (word == "--") {
        options_end = true;
      } else {
        const std::size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
        const std::string name = word.substr(0, equals);
        const auto o = std::find_if(known.begin(), known.end(), [&](const option& k) { return k.name == name; });
        if (o == known.end()) throw usage_error("unknown option " + printable(name));
        if (has(name) && !o->repeats) throw usage_error(name + " is given twice");
        std::string value;
        if (!o->takes_value) {
          if (equals != std::string::npos) throw usage_error(name + " takes no value");
        } else if (equals != std::string::npos) {
          value = word.substr(equals + 1);
        } else if (++i < words.size()) {
          value = words[i];
        } else {
          throw usage_error(name + " needs a value");
        }
        options_.emplace_back(name, std::move(value));
      }
    }
    if (positionals_.size() < least) throw usage_error("too few arguments");
    if (positionals_.size() > most) throw usage_error("too many arguments: " + printable(positionals_[most]));
  }

  std::size_t size() const noexcept { return positionals_.size(); }
  const std::string& operator[](std::size_t i) const { return positionals_.at(i); }

  bool has(std::string_view name) const noexcept { return find(name) != options_.end(); }
  std::optional<std::string> text(std::string_view name) const {
    const auto o = find(name);
    if (o == options_.end()) return std::nullopt;
    return o->second;
  }
  /// The values of an option that may be given several times.
  std::vector<std::string> all(std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [known, value] : options_)
      if (known == name) values.push_back(value);
    return values;
  }
  std::string needed(std::string_view name) const {
    const auto value = text(name);
    if (!value) throw usage_error(std::string(name) + " is missing");
    return *value;
  }

  /// The same without an option.
  arguments without(std::string_view name) const {
    arguments rest = *this;
    std::erase_if(rest.options_, [&](const auto& o) { return o.first == name; });
    return rest;
  }

  /// A whole number or a finite float from `low` to `high`.
  template <class T>
  std::optional<T> number(std::string_view name, T low, T high) const {
    const auto o = find(name);
    if (o == options_.end()) return std::nullopt;
    const auto value = parse_number<T>(o->second);
    if (!value || *value < low || *value > high)
      throw usage_error(std::string(name) + " cannot be " + printable(o->second));
    return value;
  }

  /// One of the names; the first one when the option is not there.
  std::size_t choice(std::string_view name, std::initializer_list<std::string_view> names) const {
    const auto o = find(name);
    if (o == options_.end()) return 0;
    const auto found = std::find(names.begin(), names.end(), o->second);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    std::string list;
    for (std::string_view n : names) (list += list.empty() ? "" : ", ") += n;
    throw usage_error(std::string(name) + " cannot be " + printable(o->second) + " (" + list + ")");
  }

  template <class T>
  static std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if constexpr (std::is_floating_point_v<T>)
      if (!std::isfinite(value)) return std::nullopt;
    return value;
  }

  static std::vector<std::string> split(std::string_view list, char separator) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0, end; begin <= list.size(); begin = end + 1) {
      end = std::min(list.find(separator, begin), list.size());
      parts.emplace_back(list.substr(begin, end - begin));
    }
    return parts;
  }

 private:
  std::vector<std::pair<std::string, std::string>>::const_iterator find(std::string_view name) const noexcept {
    return std::find_if(options_.begin(), options_.end(), [&](const auto& o) { return o.first == name; });
  }

  std::vector<std::string> positionals_;
  std::vector<std::pair<std::string, std::string>> options_;
};

}  // namespace dupq_tool
