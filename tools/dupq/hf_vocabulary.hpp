// The tokens of a checkpoint and their ids, as the `tokenizers` library numbers them: the pieces of words, and what is
// added to them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dupq_tool {

/// A token that is cut out of a text before its words are looked up.
struct added_token {
  std::string content;
  std::uint32_t id = 0;
  std::optional<bool> normalized;  ///< looked for in the normalised text; not said: unless it is special
  bool lstrip = false, rstrip = false, single_word = false, special = false;

  bool is_normalized() const { return normalized.value_or(!special); }
  bool same_but_id(const added_token& o) const {
    return content == o.content && is_normalized() == o.is_normalized() && lstrip == o.lstrip && rstrip == o.rstrip &&
           single_word == o.single_word && special == o.special;
  }
};

class hf_vocabulary {
 public:
  /// A piece; one that is there already gets the new id, as in a vocabulary's list the last line of several counts.
  void set_piece(const std::string& piece, std::uint32_t id) { ids_[piece] = id; }

  /// Adds tokens: one that is a piece or is added already keeps its id, with the new flags; others get the next ids.
  void add(const std::vector<added_token>& tokens) {
    std::uint32_t next = size();
    if (!added_.empty() && added_.rbegin()->first >= next) next = added_.rbegin()->first + 1;
    for (added_token token : tokens) {
      if (token.content.empty()) continue;
      const auto known = find(token.content);
      token.id = known ? *known : next++;
      added_ids_[token.content] = token.id;
      added_[token.id] = token;
    }
  }

  /// The number of different pieces, or the one that count_as() set: new tokens get ids from there on.
  std::uint32_t size() const { return std::max(static_cast<std::uint32_t>(ids_.size()), counted_); }
  /// Sets that number for a list in which pieces stand twice and each time count (Unigram).
  void count_as(std::uint32_t pieces) { counted_ = pieces; }
  std::optional<std::uint32_t> piece(const std::string& text) const { return look(ids_, text); }
  /// An added token, or else a piece.
  std::optional<std::uint32_t> find(const std::string& text) const {
    const auto added = look(added_ids_, text);
    return added ? added : piece(text);
  }
  const std::unordered_map<std::string, std::uint32_t>& pieces() const { return ids_; }
  const std::map<std::uint32_t, added_token>& added() const { return added_; }  ///< by id
  bool has_added(const added_token& token) const {
    return std::any_of(added_.begin(), added_.end(), [&](const auto& a) { return a.second.same_but_id(token); });
  }
  bool has_added(const std::string& content) const { return added_ids_.contains(content); }

 private:
  using numbers = std::unordered_map<std::string, std::uint32_t>;
  static std::optional<std::uint32_t> look(const numbers& in, const std::string& text) {
    const auto at = in.find(text);
    return at == in.end() ? std::nullopt : std::optional(at->second);
  }

  numbers ids_, added_ids_;
  std::uint32_t counted_ = 0;
  std::map<std::uint32_t, added_token> added_;
};

}  // namespace dupq_tool
