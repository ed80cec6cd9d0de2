// Pairs made from those that a training learns from: opposites, and the same in other words; see opposites.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <dupq/training/order.hpp>
#include <dupq/training/random.hpp>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "opposites.hpp"
#include "question_frames.hpp"
#include "question_words.hpp"

namespace dupq_tool {

struct made_pair {
  std::string first, second;
  bool duplicate = false;
};

/// What pairs of texts are made from.
struct pairs_to_edit {
  std::span<const std::string_view> first, second;
  std::span<const std::uint8_t> labels;
  std::span<const std::uint32_t> rows;  ///< which of them
};

/// The words of `text` that `edited` has others for.
struct word_change {
  std::string gone, come;
  std::size_t words = 0;  ///< how many of `gone`

  word_change(std::string_view text, std::string_view edited) {
    const question_words a(text), b(edited);
    const std::size_t both = std::min(a.size(), b.size());
    std::size_t before = 0, after = 0;
    while (before < both && a[before] == b[before]) ++before;
    while (after < both - before && a[a.size() - 1 - after] == b[b.size() - 1 - after]) ++after;
    words = a.size() - before - after;
    gone = lowered(a.joined(before, words));
    come = b.joined(before, b.size() - before - after);
  }
};

/// `other` with the change made to it that makes `edited` of `text`; nothing where that changes no words, or `other`
/// has them not.
inline std::optional<std::string> changed_alike(std::string_view text, std::string_view edited,
                                                std::string_view other) {
  const word_change change(text, edited);
  const question_words q(other);
  if (change.gone.empty() || change.come.empty() || q.has(lowered(change.come))) return {};
  std::optional<std::string> out;
  for (std::size_t i = 0; i < q.size(); ++i)
    if (q.match(i, change.gone) != 0) {
      if (out) return {};
      out = q.replaced(i, change.words, change.come);
    }
  return out;
}

/// Makes pairs one after another until there are enough. They follow from the texts and the seed alone.
///
/// Opposites are a question, its duplicate, or the same in other words beside one that asks another thing, which is
/// made from it. The kinds of edits are as frequent as the texts allow. Duplicates are a question in other words,
/// edited ones too, and duplicates that are both edited in the same way, so that a small change alone does not tell a
/// pair's label.
class pair_maker {
 public:
  pair_maker(const pairs_to_edit& from, std::uint64_t seed)
      : from_(from), seed_(seed), order_(from.rows.size()), edited_(from.rows.size()) {
    dupq::epoch_order(seed, 0x6F70706F73697465u, order_);  // (none of the epochs of the training)
  }

  /// Questions about two names that a question sets side by side, until there are `most` pairs.
  void make_roles(std::size_t most) {
    std::vector<std::array<std::string, 2>> names;
    for (std::size_t n = 0; n < order_.size(); ++n)
      for (const auto texts : {from_.first, from_.second})
        if (auto two = question_editor(texts[from_.rows[order_[n]]], key(n)).names()) names.push_back(std::move(*two));
    // No names twice before all have been used, and no frame twice for the same names.
    for (std::size_t round = 0; round < std::size(frames::of_two_names); ++round)
      for (std::size_t n = 0; n < names.size() && made_.size() < most; ++n) {
        const std::uint64_t k = dupq::mix(key(n) + round);
        const auto group = frames::of_two_names[(dupq::mix(key(n)) + round) % std::size(frames::of_two_names)];
        const auto& [x, y] = names[n];
        const auto one = group[k % group.size()], other = group[(k + 1 + (k >> 8) % (group.size() - 1)) % group.size()];
        const std::string question = filled(one, x, y);
        add(question, filled((k >> 16) % 4 == 0 ? other : one, y, x), false, (k >> 20 & 1) != 0);
        if ((k >> 24) % 3 == 0) {
          const auto first = frames::both_ways[k % std::size(frames::both_ways)],
                     second = frames::both_ways[(k >> 8) % std::size(frames::both_ways)];
          add(filled(first, x, y), filled(second, y, x), true, false);
        } else {
          add(question, filled(other, x, y), true, (k >> 20 & 1) != 0);
        }
      }
  }

  /// Edited questions, until there are `most` pairs: rare kinds of edits are looked for first, then what is still
  /// missing comes from the frequent ones.
  void make_edits(std::size_t most) {
    for (const frequency which : {rare, few, any}) {
      few_ = which == few ? most / 500 : most;
      for (std::size_t n = 0; n < order_.size() && made_.size() < most; ++n) make_edit(n, which == rare);
    }
  }

  std::vector<made_pair> made() && { return std::move(made_); }

 private:
  enum frequency { rare, few, any };

  std::uint64_t key(std::size_t n) const { return dupq::mix(seed_ + 0x9E3779B97F4A7C15u * (n + 1)); }

  void add(std::string a, std::string b, bool duplicate, bool turned) {
    if (turned) std::swap(a, b);
    if (a == b) return;
    made_.push_back({std::move(a), std::move(b), duplicate});
    same_ += duplicate ? 1 : 0;
  }

  bool too_often(std::size_t kind, std::string_view text, std::string_view opposite) {
    if (static_cast<question_edit>(kind) != question_edit::antonym) return false;
    const word_change change(text, opposite);
    const auto at = changes_.find(change.gone + '\n' + change.come);
    return at != changes_.end() && at->second >= few_;
  }

  void make_edit(std::size_t n, bool roles) {
    if (edited_[n]) return;
    const std::uint32_t row = from_.rows[order_[n]];
    const std::uint64_t k = key(n);
    const bool second = k % 2 != 0, duplicate = from_.labels[row] != 0;
    const std::string_view text = second ? from_.second[row] : from_.first[row];
    const std::string_view other = second ? from_.first[row] : from_.second[row];
    const question_editor editor(text, k);
    std::optional<std::string> opposite;
    std::size_t kind = question_edits;
    for (std::size_t e = 0; e < question_edits; ++e) {
      if ((static_cast<question_edit>(e) == question_edit::roles) != roles) continue;
      if (kind != question_edits && used_[e] >= used_[kind]) continue;
      auto found = editor.opposite(static_cast<question_edit>(e));
      if (found && !too_often(e, text, *found)) opposite = std::move(found), kind = e;
    }
    if (!opposite) return;
    ++used_[kind];
    edited_[n] = true;
    if (const word_change change(text, *opposite); !roles) ++changes_[change.gone + '\n' + change.come];
    const std::uint64_t choice = k >> 8 & 7;
    const bool turned = (k >> 16 & 1) != 0, words = kind != static_cast<std::size_t>(question_edit::negation) && !roles;
    auto in_other_words = editor.reframed();
    if (!in_other_words || choice % 4 == 3) {
      if (auto found = editor.paraphrase()) in_other_words = std::move(found);
    }
    if (duplicate && choice < 2)
      add(std::string(other), *opposite, false, turned);
    else if (in_other_words && choice < 4)
      add(*in_other_words, *opposite, false, turned);
    else
      add(std::string(text), *opposite, false, turned);
    if (same_ * 5 >= made_.size() * 2) return;
    if (duplicate && words)
      if (auto alike = changed_alike(text, *opposite, other)) return add(*opposite, *alike, true, !turned);
    const question_editor edited(*opposite, k >> 1);
    auto again = edited.reframed();
    if (!again) again = edited.paraphrase();
    if (again && choice % 2 == 0)
      add(*opposite, *again, true, !turned);
    else if (in_other_words)
      add(std::string(text), *in_other_words, true, !turned);
  }

  pairs_to_edit from_;
  std::uint64_t seed_;
  std::vector<std::uint32_t> order_;
  std::vector<bool> edited_;                    ///< questions that have been, in that order
  std::map<std::string, std::size_t> changes_;  ///< how often words were replaced by others
  std::size_t few_ = 0;
  std::array<std::size_t, question_edits> used_{};
  std::size_t same_ = 0;
  std::vector<made_pair> made_;
};

/// Up to `most` pairs, about two of five of which are duplicates; a quarter is about two names, if there are any.
inline std::vector<made_pair> make_opposites(const pairs_to_edit& from, std::size_t most, std::uint64_t seed) {
  pair_maker maker(from, seed);
  maker.make_roles(most / 4);
  maker.make_edits(most);
  auto made = std::move(maker).made();
  if (made.size() > most) made.resize(most);
  return made;
}

}  // namespace dupq_tool
