// The labels of a classifier: how many there are, and which of two says that texts are duplicates.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// One label, or two of which `positive` means duplicates.
struct hf_labels {
  std::uint32_t count = 1;
  std::uint32_t positive = 0;
  std::string note;  ///< what was taken for granted; empty: nothing
};

namespace label_detail {

/// A name's words, in small letters: "not_duplicate", "notDuplicate" and "Not duplicate" have the same two.
inline std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  const auto is = [](char c, char low, char high) { return c >= low && c <= high; };
  bool small = false;
  for (const char c : name) {
    const bool capital = is(c, 'A', 'Z');
    if (capital && small) words.emplace_back();
    small = is(c, 'a', 'z');
    if (capital || small || is(c, '0', '9'))
      words.back() += static_cast<char>(capital ? c - 'A' + 'a' : c);
    else
      words.emplace_back();
  }
  std::erase(words, "");
  return words;
}

enum class meaning { none, duplicates, different };

/// What a label's name says, if anything.
inline meaning meaning_of(std::string_view name) {
  constexpr std::string_view same[] = {"duplicate",   "duplicates", "duplicated", "paraphrase",
                                       "paraphrases", "equivalent", "same",       "similar",
                                       "identical",   "match",      "yes",        "true"};
  constexpr std::string_view other[] = {"different", "distinct", "dissimilar", "inequivalent", "unrelated", "false"};
  constexpr std::string_view denials[] = {"not", "no", "non", "un", "isnt"};
  const auto among = [](const auto& list, std::string_view word) {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
  };
  bool said = false, denied = false;
  for (const std::string& word : words_of(name)) {
    if (among(other, word)) return meaning::different;
    denied = denied || among(denials, word);
    said = said || among(same, word);
    for (const std::string_view denial : denials)  // written in one: "nonduplicate"
      if (word.starts_with(denial) && among(same, std::string_view(word).substr(denial.size()))) said = denied = true;
  }
  if (denied) return meaning::different;
  return said ? meaning::duplicates : meaning::none;
}

/// The names of labels 0, 1, ... as id2label has them.
inline std::vector<std::string> names_of(const json_node& id2label) {
  std::vector<std::string> names(id2label.names().size());
  for (std::size_t i = 0; i < names.size(); ++i)
    if (const auto name = id2label.get(std::to_string(i)); name && name->is_text()) names[i] = name->text();
  return names;
}

}  // namespace label_detail

/// Reads id2label, else num_labels, else it is the 2 that transformers assumes. `wanted` is the user's choice among two
/// labels: a name or a number.
inline hf_labels read_labels(const json_node& json, const std::optional<std::string>& wanted) {
  using namespace label_detail;
  const auto named = json.get("id2label");
  const auto count = json.get("num_labels");
  const std::vector<std::string> names = named ? names_of(*named) : std::vector<std::string>();
  const std::size_t labels = named ? names.size() : count ? count->count() : 2;
  if (named && count && count->count() != labels)
    count->fail(std::to_string(count->count()) + " contradicts the " + std::to_string(labels) + " names of id2label");
  const std::string where = json.where() + ": " + (count && !named ? "num_labels" : "id2label") + ": ";
  const std::string some = std::to_string(labels) + (labels == 1 ? " label" : " labels");
  if (labels != 1 && labels != 2) throw failure(where + some + ", a cross-encoder for duplicates has one or two");
  if (labels == 1) {
    if (wanted) throw failure(where + some + ": --positive-label is for models with two");
    return {};
  }
  if (wanted) {
    const auto found = std::find(names.begin(), names.end(), *wanted);
    if (found != names.end()) return {2, static_cast<std::uint32_t>(found - names.begin()), ""};
    if (*wanted != "0" && *wanted != "1")
      throw failure(where + "no label is named " + json::quote(*wanted) + " (--positive-label)");
    return {2, static_cast<std::uint32_t>((*wanted)[0] - '0'), ""};
  }
  // Nameless: the benchmarks that people fine-tune on have 1 for duplicates.
  const auto nameless = [](const std::string& name) { return name == "LABEL_0" || name == "LABEL_1"; };
  if (names.empty() || std::all_of(names.begin(), names.end(), nameless))
    return {2, 1, where + "the labels have no names: 1 is taken to mean duplicates (--positive-label)"};
  const meaning first = meaning_of(names[0]), second = meaning_of(names[1]);
  if (first == second || (first != meaning::duplicates && second != meaning::duplicates))
    throw failure(where + json::quote(names[0]) + " or " + json::quote(names[1]) +
                  ": say which means duplicates, with --positive-label");
  return {2, first == meaning::duplicates ? 0u : 1u, ""};
}

}  // namespace dupq_tool
