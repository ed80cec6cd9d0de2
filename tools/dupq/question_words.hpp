// A question as words that can be replaced and exchanged, with its punctuation and capitals kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace dupq_tool {

inline std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Words are what stands between spaces, less the punctuation around it.
class question_words {
 public:
  explicit question_words(std::string_view text) {
    constexpr std::string_view spaces = " \t\r\n", opening = "\"'([{", closing = "?.,!;:\"')]}";
    for (std::size_t at = 0; (at = text.find_first_not_of(spaces, at)) < text.size();) {
      const std::size_t end = std::min(text.find_first_of(spaces, at), text.size());
      std::string_view whole = text.substr(at, end - at);
      at = end;
      const std::size_t first = std::min(whole.find_first_not_of(opening), whole.size());
      const std::size_t last = std::max(whole.find_last_not_of(closing) + 1, first);
      words_.push_back({std::string(whole.substr(0, first)), std::string(whole.substr(first, last - first)),
                        std::string(whole.substr(last)), lowered(whole.substr(first, last - first))});
    }
  }

  std::size_t size() const noexcept { return words_.size(); }
  /// In small letters; nothing beyond the last word.
  std::string_view operator[](std::size_t i) const noexcept {
    return i < words_.size() ? std::string_view(words_[i].low) : std::string_view();
  }
  bool capital(std::size_t i) const noexcept { return i < size() && is_capital(words_[i].core); }
  /// Whether words i .. i + n - 1 are there, with nothing between them.
  bool together(std::size_t i, std::size_t n) const noexcept {
    if (n == 0 || i + n > size()) return false;
    for (std::size_t k = 0; k < n; ++k)
      if (words_[i + k].core.empty() || (k + 1 < n && !words_[i + k].after.empty()) ||
          (k > 0 && !words_[i + k].before.empty()))
        return false;
    return true;
  }
  /// Punctuation that follows word i.
  bool ends(std::size_t i) const noexcept { return i + 1 >= size() || !words_[i].after.empty(); }

  /// How many words at i are those of `phrase` (in small letters); 0: others.
  std::size_t match(std::size_t i, std::string_view phrase) const {
    std::size_t n = 0;
    for (std::size_t at = 0; at <= phrase.size(); ++n) {
      const std::size_t end = std::min(phrase.find(' ', at), phrase.size());
      if ((*this)[i + n] != phrase.substr(at, end - at)) return 0;
      at = end + 1;
    }
    return together(i, n) ? n : 0;
  }
  bool has(std::string_view phrase) const {
    for (std::size_t i = 0; i < size(); ++i)
      if (match(i, phrase) != 0) return true;
    return false;
  }

  /// The question with words i .. i + n - 1 replaced; with nothing, if `with` is empty. A capital stays one.
  std::string replaced(std::size_t i, std::size_t n, std::string_view with) const {
    std::vector<word> all = words_;
    std::string core(with);
    if (!core.empty() && is_capital(all[i].core) && core[0] >= 'a' && core[0] <= 'z')
      core[0] = static_cast<char>(core[0] - 'a' + 'A');
    put(all, i, n, core);
    return text(all);
  }
  /// The question with words i .. i + n - 1 and j .. j + m - 1, which come later, in each other's place.
  std::string exchanged(std::size_t i, std::size_t n, std::size_t j, std::size_t m) const {
    std::vector<word> all = words_;
    const std::string first = joined(i, n), second = joined(j, m);
    put(all, j, m, first);
    put(all, i, n, second);
    return text(all);
  }

  /// Words i .. i + n - 1 as they are written.
  std::string joined(std::size_t i, std::size_t n) const {
    std::string out;
    for (std::size_t k = i; k < i + n; ++k) out += (k == i ? "" : " ") + words_[k].core;
    return out;
  }

 private:
  struct word {
    std::string before, core, after, low;
  };
  static bool is_capital(std::string_view core) noexcept { return !core.empty() && core[0] >= 'A' && core[0] <= 'Z'; }

  static void put(std::vector<word>& all, std::size_t i, std::size_t n, const std::string& core) {
    all[i].core = core;
    all[i].after = all[i + n - 1].after;
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(i);
    all.erase(at + 1, at + static_cast<std::ptrdiff_t>(n));
  }
  static std::string text(const std::vector<word>& all) {
    std::string out;
    for (const word& w : all) {
      const std::string whole = w.before + w.core + w.after;
      if (!whole.empty()) (out += out.empty() ? "" : " ") += whole;
    }
    return out;
  }

  std::vector<word> words_;
};

}  // namespace dupq_tool
