// Questions made from questions: some that ask another thing though nearly all words stay, and some that ask the same
// in other words. `dupq train --augment opposites` learns from them what pairs of real questions seldom show.
//
// A rule is only used where what results is a sensible question: words from short lists (opposite_words.hpp), away from
// idioms, and names or nouns that change places where the grammar stays.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <dupq/training/random.hpp>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kinds_of_things.hpp"
#include "opposite_words.hpp"
#include "question_frames.hpp"
#include "question_words.hpp"

namespace dupq_tool {

enum class question_edit { number, negation, antonym, thing, roles };
inline constexpr std::size_t question_edits = 5;

class question_editor {
 public:
  /// Edits of one question; `key` chooses among several places and numbers.
  question_editor(std::string_view text, std::uint64_t key) : q_(text), key_(key) {
    for (std::size_t i = 0; i < q_.size() && usable_; ++i)
      for (const std::string_view idiom : idioms) usable_ &= q_.match(i, idiom) == 0;
    usable_ &= q_.size() >= 3 && q_.size() <= 30;
  }

  /// The same words but for one change, and another question.
  std::optional<std::string> opposite(question_edit edit) const {
    if (!usable_) return {};
    std::vector<std::string> found;
    if (edit == question_edit::number) numbers(found, false);
    if (edit == question_edit::negation) negations(found);
    if (edit == question_edit::antonym) replace(found, antonyms);
    if (edit == question_edit::thing) other_things(found);
    if (edit == question_edit::roles) roles(found, false);
    return chosen(found);
  }
  /// Other words, and the same question.
  std::optional<std::string> paraphrase() const {
    if (q_.size() < 3 || q_.size() > 30) return {};
    std::vector<std::string> found;
    replace(found, synonyms);
    numbers(found, true);
    roles(found, true);
    return chosen(found);
  }
  /// The same question in another frame.
  std::optional<std::string> reframed() const {
    std::vector<std::string> found;
    reframe(q_, found);
    return chosen(found);
  }
  /// The two names that a question sets side by side: "What is the difference between A and B?"
  std::optional<std::array<std::string, 2>> names() const {
    const auto both = [&](std::size_t i, std::size_t n, std::size_t j,
                          std::size_t m) -> std::optional<std::array<std::string, 2>> {
      if (!different(i, n, j, m) || !is_letter(q_[i][0]) || !is_letter(q_[j][0])) return {};
      // "magnetic and electric fields": the first name is not whole. "shares and stocks": frames are for one of each.
      if (n != m && !(q_.capital(i + n - 1) && q_.capital(j + m - 1))) return {};
      if ((q_[i + n - 1].ends_with("s") && !q_.capital(i)) || (q_[j + m - 1].ends_with("s") && !q_.capital(j)))
        return {};
      return std::array{q_.joined(i, n), q_.joined(j, m)};
    };
    for (std::size_t i = 0; i + 3 < q_.size(); ++i) {
      const bool between = q_[i] == "between";
      if (!between && q_[i] != "better" && q_[i] != "best") continue;
      const std::size_t n = noun(i + 1), j = i + 2 + n, m = noun(j);
      if (n != 0 && m != 0 && q_[j - 1] == (between ? "and" : "or") && (between || j + m == q_.size()))
        if (auto found = both(i + 1, n, j, m)) return found;
    }
    for (std::size_t i = 2; i + 1 < q_.size(); ++i) {
      constexpr std::string_view middles[] = {"or", "vs", "than", "over"};
      if (!among(q_[i], middles) || q_.ends(i - 1)) continue;
      std::size_t n = 0;
      while (n < 3 && i - n > 1 && q_.capital(i - n - 1) && (n == 0 || !q_.ends(i - n - 1))) ++n;
      const std::size_t m = noun(i + 1);
      if (n != 0 && m != 0 && q_.capital(i + 1) && q_.together(i - n, n))
        if (auto found = both(i - n, n, i + 1, m)) return found;
    }
    return {};
  }

 private:
  using list = std::vector<std::string>;

  std::optional<std::string> chosen(list& found) const {
    if (found.empty()) return {};
    return std::move(found[static_cast<std::size_t>(random(0) % found.size())]);
  }
  std::uint64_t random(std::uint64_t n) const { return dupq::mix(key_ + (n + 1) * 0x9E3779B97F4A7C15u); }

  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }
  static bool among(std::string_view word, std::span<const std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
  }
  bool first_is(std::initializer_list<std::string_view> words) const {
    return std::ranges::find(words, q_[0]) != words.end();
  }
  /// One that is answered with yes or no.
  bool yes_or_no() const {
    return first_is({"is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "should", "has",
                     "have", "had", "am", "may", "might"});
  }

  // ---- words for words

  bool allows(const word_pair& pair, std::size_t i, std::size_t n) const {
    const std::string_view next = q_.ends(i + n - 1) ? std::string_view() : q_[i + n];
    if (pair.rule == word_rule::wh) return !yes_or_no();
    if (pair.rule == word_rule::before_ing) return next.size() > 4 && next.ends_with("ing");
    if (pair.rule == word_rule::weight) {
      constexpr std::string_view things[] = {"weight", "fat", "muscle", "followers", "confidence", "money", "height"};
      return among(next, things);
    }
    if (pair.rule == word_rule::after_people) return i > 0 && among(q_[i - 1], actors);
    // What a question begins with is not looked for in its middle.
    constexpr std::string_view openings[] = {"how", "what", "who", "is there any way to"};
    const std::string_view first = pair.a.substr(0, pair.a.find(' '));
    return i == 0 || pair.a.find(' ') == std::string_view::npos || !among(first, openings);
  }
  void replace(list& found, std::span<const word_pair> pairs) const {
    for (const word_pair& pair : pairs)
      for (std::size_t i = 0; i < q_.size(); ++i) {
        const auto try_one = [&](std::string_view from, std::string_view to) {
          const std::size_t n = q_.match(i, from);
          if (n != 0 && allows(pair, i, n) && !q_.has(lowered(to))) found.push_back(q_.replaced(i, n, to));
        };
        // There are so many best things that the worst ones would crowd out all other opposites.
        if ((pair.a == "best" || pair.b == "with") && random(i + 200) % 4 != 0) continue;
        try_one(lowered(pair.a), pair.b);
        if (pair.rule != word_rule::forward) try_one(lowered(pair.b), pair.a);
      }
  }

  /// Another thing of its kind, where no third one of the kind is named beside it.
  void other_things(list& found) const {
    for (const auto kind : things::kinds) {
      std::size_t named = 0, at = 0, which = 0;
      for (std::size_t i = 1; i < q_.size(); ++i)
        for (std::size_t k = 0; k < kind.size(); ++k)
          if (q_[i] == lowered(kind[k])) ++named, at = i, which = k;
      if (named != 1) continue;
      const std::size_t other = (which + 1 + random(at) % (kind.size() - 1)) % kind.size();
      // Part of a longer name: "the US Apple store", "New Year".
      const bool name = q_.capital(at) && ((q_.capital(at - 1) && at > 1) || (q_.capital(at + 1) && !q_.ends(at)) ||
                                           kind[which][0] >= 'a');
      if (!name) found.push_back(q_.replaced(at, 1, kind[other]));
    }
  }

  // ---- numbers: another one, or the same one as a word

  void numbers(list& found, bool same) const {
    for (std::size_t i = 1; i < q_.size(); ++i) {
      const std::string_view word = q_[i];
      if (const auto at = std::ranges::find(number_words, word); at != std::end(number_words)) {
        const auto index = static_cast<std::size_t>(at - std::begin(number_words));
        if (same) found.push_back(q_.replaced(i, 1, std::to_string(index + 2)));
        constexpr std::string_view all_of_them[] = {"the", "these", "those", "between", "my", "any", "last", "of"};
        if (!same && !among(q_[i - 1], all_of_them))
          found.push_back(q_.replaced(i, 1, number_words[(index + 1 + random(i) % 8) % 9]));
        continue;
      }
      const std::size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
      constexpr std::string_view units[] = {"",   "kg", "km",  "cm",  "gb", "mb", "mg",
                                            "ml", "k",  "lbs", "mph", "%",  "am", "pm"};
      constexpr std::string_view names[] = {"top", "part", "chapter", "web", "catch"};  // (and Web 2.0 has a dot)
      if (digits == 0 || digits > 4 || word[0] == '0' || !among(word.substr(digits), units) || among(q_[i - 1], names))
        continue;
      std::uint64_t n = 0;
      for (const char c : word.substr(0, digits)) n = n * 10 + static_cast<std::uint64_t>(c - '0');
      if (n < 2) continue;
      if (same) {
        if (n <= 10 && digits == word.size() && !q_.capital(i - 1))
          found.push_back(q_.replaced(i, 1, number_words[n - 2]));
        continue;
      }
      const std::string other = std::to_string(another(i, n, word.substr(digits)));
      if (!q_.has(other)) found.push_back(q_.replaced(i, 1, other + q_.joined(i, 1).substr(digits)));
    }
  }
  /// A number that may stand for n at word i: ages, versions, years and hours move a little, amounts more.
  std::uint64_t another(std::size_t i, std::uint64_t n, std::string_view unit) const {
    const std::uint64_t by = random(i);
    if (unit == "am" || unit == "pm") return n % 11 + 1;
    if (n >= 1500 && n <= 2100 && n % 100 != 0) return n - 1 - by % 20;
    constexpr std::string_view ages[] = {"year", "years", "yr", "yrs", "months", "month", "years'", "th"};
    constexpr std::string_view before[] = {"am", "age", "turn", "turning", "aged", "i'm"};
    if (q_.capital(i - 1)) return n > 3 && by % 2 == 0 ? n - 1 : n + 1;
    if (among(q_[i + 1], ages) || among(q_[i - 1], before)) return n + 1 + by % 9;
    if (n % 100 == 0) return n + 100 * (1 + by % 5);
    return by % 3 == 0 ? n * 10 : by % 3 == 1 ? n * 2 : n + 1 + by / 3 % 3;
  }

  // ---- negation: only where it turns what is asked ("Is it not safe?" asks for the same as "Is it safe?")

  bool negated() const {
    for (std::size_t i = 0; i < q_.size(); ++i)
      if (q_[i].ends_with("n't") || q_[i].ends_with("n\xE2\x80\x99t") || q_[i] == "not" || q_[i] == "never" ||
          q_[i] == "no" || q_[i] == "cannot")
        return true;
    return false;
  }
  void negations(list& found) const {
    if (q_[0] == "why") {
      const bool before = negated() || q_.has("only") || q_.has("few");
      for (const word_pair& pair : negated_auxiliaries) {
        if (q_[1] == pair.a && !before) found.push_back(q_.replaced(1, 1, pair.b));
        if (q_[1] == pair.b) found.push_back(q_.replaced(1, 1, pair.a));
      }
      for (std::size_t i = 2; i < q_.size(); ++i)
        if (q_[i] == "not" && q_.together(i, 2) && !q_[1].ends_with("n't") && !among(q_[i - 1], function_words))
          found.push_back(q_.replaced(i, 1, ""));
    }
    if (negated()) return;
    constexpr std::string_view subjects[] = {"i", "you", "we", "one", "people", "someone", "everyone"};
    if (first_is({"what", "which", "who"}))
      for (std::size_t i = 1; i + 2 < q_.size(); ++i)
        if (q_[i] == "should" && among(q_[i + 1], subjects) && q_.together(i, 3))
          found.push_back(q_.replaced(i + 1, 1, q_.joined(i + 1, 1) + " not"));
    constexpr std::string_view verbs[] = {"take", "eat", "drink", "use",  "delete", "block", "go",     "sleep", "study",
                                          "get",  "buy", "pay",   "quit", "join",   "leave", "change", "keep",  "work"};
    constexpr std::string_view plural[] = {"i", "you", "we", "they", "people"};
    for (std::size_t i = 1; i + 2 < q_.size(); ++i) {
      if (q_[i] == "if" && among(q_[i + 1], plural) && among(q_[i + 2], verbs) && q_.together(i, 3))
        found.push_back(q_.replaced(i + 2, 1, "don't " + q_.joined(i + 2, 1)));
      if (q_[i] == "who" && q_[i + 1] == "are" && q_.together(i, 3)) found.push_back(q_.replaced(i + 1, 1, "are not"));
    }
    if (!yes_or_no())
      for (std::size_t i = 1; i + 2 < q_.size(); ++i)
        if (q_[i] == "able" && q_[i + 1] == "to") found.push_back(q_.replaced(i, 1, "unable"));
  }

  // ---- roles: names or nouns that change places

  /// Words of a name or a noun with what belongs to it, at most three beside an article; 0: there is none.
  std::size_t noun(std::size_t i) const {
    const bool article = q_[i] == "a" || q_[i] == "an" || q_[i] == "the";
    std::size_t n = article ? 1 : 0;
    const std::size_t most = n + 3;
    for (; n < most && i + n < q_.size(); ++n) {
      if (q_[i + n].empty() || among(q_[i + n], function_words) || among(q_[i + n], deeds)) break;
      if (q_[i + n].ends_with("ly")) return 0;
      if (q_.ends(i + n)) {
        ++n;
        break;
      }
    }
    if (n == (article ? 1u : 0u) || !q_.together(i, n)) return 0;
    // Cut off by length alone, and not by what follows: it may go on.
    return q_.ends(i + n - 1) || among(q_[i + n], function_words) || among(q_[i + n], deeds) ? n : 0;
  }
  bool different(std::size_t i, std::size_t n, std::size_t j, std::size_t m) const {
    return n != 0 && m != 0 && lowered(q_.joined(i, n)) != lowered(q_.joined(j, m));
  }
  /// What comes second is followed by nothing or by a function word: else it may be a part of something larger.
  void exchange(list& found, std::size_t i, std::size_t n, std::size_t j, std::size_t m) const {
    const bool whole =
        j + m == q_.size() || (!q_.ends(j + m - 1) && among(q_[j + m], function_words) && q_[j + m] != "of");
    if (whole && different(i, n, j, m)) found.push_back(q_.exchanged(i, n, j, m));
  }

  /// `same`: those that ask the same with names exchanged.
  void roles(list& found, bool same) const {
    const bool both_ways = q_.has("difference") || q_.has("differences") || q_.has("distance") || q_.has("far") ||
                           q_.has("similarities") || q_.has("between");
    if (same == both_ways) from_to(found);
    if (same) {
      if (both_ways) pair_around(found, "between", "and");
      pair_around(found, "better", "or");
      named_choice(found);
      return;
    }
    converted(found);
    compared(found);
    preferred(found);
    done_to(found);
  }
  /// "between A and B", "which is better: A or B"
  void pair_around(list& found, std::string_view before, std::string_view middle) const {
    for (std::size_t i = 1; i + 3 < q_.size(); ++i) {
      if (q_[i] != before) continue;
      const std::size_t n = noun(i + 1);
      if (n != 0 && q_[i + 1 + n] == middle) exchange(found, i + 1, n, i + 2 + n, noun(i + 2 + n));
    }
  }
  void from_to(list& found) const {
    constexpr std::string_view moves[] = {"convert",   "transfer",   "switch",       "move",
                                          "migrate",   "translate",  "shift",        "moving",
                                          "switching", "converting", "transferring", "migrating"};
    bool moved = false;
    for (std::size_t i = 0; i + 3 < q_.size(); ++i) {
      moved |= among(q_[i], moves);
      const std::size_t n = q_[i] == "from" ? noun(i + 1) : 0, to = i + 1 + n;
      if (n == 0 || q_[to] != "to" || q_.ends(to - 1) || q_[i + 1] == "time" || q_[i + 1] == "scratch") continue;
      const std::size_t m = noun(to + 1);
      if (moved || (q_.capital(i + 1) && q_.capital(to + 1))) exchange(found, i + 1, n, to + 1, m);
    }
  }
  void converted(list& found) const {
    for (std::size_t i = 0; i + 3 < q_.size(); ++i) {
      if (q_[i] != "convert" && q_[i] != "translate") continue;
      const std::size_t n = noun(i + 1), to = i + 1 + n;
      if (n != 0 && (q_[to] == "to" || q_[to] == "into")) exchange(found, i + 1, n, to + 1, noun(to + 1));
    }
  }
  /// "Why is A better than B?"
  void compared(list& found) const {
    constexpr std::string_view be[] = {"is", "are", "was", "were"};
    const std::size_t begin = among(q_[0], be) ? 1 : q_[0] == "why" && among(q_[1], be) ? 2 : 0;
    if (begin == 0) return;
    constexpr std::string_view no_comparisons[] = {"other", "rather", "either", "never", "whether", "another"};
    for (std::size_t i = begin + 2; i + 1 < q_.size(); ++i) {
      if (q_[i] != "than") continue;
      std::size_t end = i - 1;  // of what is compared: before "better", "more useful"
      if (end > begin + 1 && (q_[end - 1] == "more" || q_[end - 1] == "less")) {
        --end;
      } else if (among(q_[end], no_comparisons) || !q_[end].ends_with("er") || q_[end].size() < 5) {
        if (q_[end] != "worse") continue;
      }
      if (end > begin && (q_[end - 1] == "so" || q_[end - 1] == "much" || q_[end - 1] == "considered")) --end;
      const std::size_t n = end - begin;
      bool plain = n <= 4 && q_.together(begin, n) && !q_.ends(i);
      for (std::size_t k = begin; k < end; ++k) plain &= !among(q_[k], function_words) && !q_[k].ends_with("ly");
      const std::size_t m = noun(i + 1);
      if (plain && m != 0 && q_[end - 1].ends_with("s") == q_[i + m].ends_with("s"))
        exchange(found, begin, n, i + 1, m);
    }
  }
  /// "Should I learn Java or Python?": names alone, whose ends are seen.
  void named_choice(list& found) const {
    for (std::size_t i = 2; i + 1 < q_.size(); ++i) {
      if ((q_[i] != "or" && q_[i] != "vs") || q_.ends(i) || q_.ends(i - 1)) continue;
      std::size_t n = 0;
      while (n < 3 && i - n > 1 && q_.capital(i - n - 1) && (n == 0 || !q_.ends(i - n - 1))) ++n;
      const std::size_t m = noun(i + 1);
      if (n != 0 && m != 0 && q_.capital(i + 1) && q_.together(i - n, n)) exchange(found, i - n, n, i + 1, m);
    }
  }
  /// "Why do people prefer A over B?"
  void preferred(list& found) const {
    constexpr std::string_view verbs[] = {"prefer", "choose", "pick", "chose", "choosing", "preferred"};
    for (std::size_t i = 1; i + 3 < q_.size(); ++i) {
      const std::size_t n = among(q_[i], verbs) ? noun(i + 1) : 0;
      if (n != 0 && q_[i + 1 + n] == "over") exchange(found, i + 1, n, i + 2 + n, noun(i + 2 + n));
    }
  }
  /// "Can A sue B?" and "What do A think of B?"
  void done_to(list& found) const {
    constexpr std::string_view any[] = {"can", "could", "will", "would", "should", "did", "do", "does"};
    const std::size_t begin = among(q_[0], any) ? 1 : first_is({"why", "how", "what"}) && among(q_[1], any) ? 2 : 0;
    if (begin == 0) return;
    const std::size_t n = noun(begin), deed = begin + n;
    if (n == 0 || !among(q_[deed], deeds)) return;
    const bool thought = q_[deed] == "think" || q_[deed] == "feel";
    if (thought && q_[deed + 1] != "of" && q_[deed + 1] != "about") return;
    const std::size_t other = deed + (thought ? 2 : 1), m = noun(other);
    if (m == 0) return;
    const bool names = q_.capital(begin) && q_.capital(other);
    const bool alike = among(q_[deed - 1], actors) && among(q_[other + m - 1], actors);
    if (!names && !alike && !among(q_[deed], effects)) return;
    // "do" and "does" want the number that they have.
    const bool agrees = q_[begin - 1] == "do" || q_[begin - 1] == "does";
    if (agrees && q_[deed - 1].ends_with("s") != q_[other + m - 1].ends_with("s")) return;
    exchange(found, begin, n, other, m);
  }

  question_words q_;
  std::uint64_t key_;
  bool usable_ = true;
};

}  // namespace dupq_tool
