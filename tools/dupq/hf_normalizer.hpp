// tokenizer.json's normalizer as a list of steps, or as BERT's switches where it does no more than those.
#pragma once

#include <algorithm>
#include <dupq/text/normalizer.hpp>
#include <dupq/text/normalizer_steps.hpp>
#include <dupq/text/utf8.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hf_charsmap.hpp"
#include "json_file.hpp"

namespace dupq_tool {

/// A pattern of `Replace`: a text, or runs of characters of a set.
class replace_pattern {
 public:
  /// Reads a regular expression; what is more than a text or a repeated set is a failure that prints it.
  static std::vector<std::string> read(const json_node& regex, const std::string& content) {
    return replace_pattern(regex).steps(content);
  }

 private:
  explicit replace_pattern(const json_node& regex) : node_(regex), rest_(regex.text()) {}

  std::vector<std::string> steps(const std::string& content) {
    std::string literal;
    bool inverted = false;
    std::string set = take_atom(inverted, literal);
    if (rest_.empty() && !literal.empty()) return {"replace", literal, content};
    const std::size_t quantifier = rest_.empty() ? rest_.npos : std::string_view("+{").find(rest_[0]);
    if (!literal.empty() && quantifier == rest_.npos) {
      while (!rest_.empty()) {
        std::string more;
        take_atom(inverted, more);
        if (more.empty()) refuse();
        literal += more;
      }
      return {"replace", literal, content};
    }
    std::uint32_t least = 1, most = 1;
    if (quantifier == 0) {
      rest_.remove_prefix(1);
      most = 0;
    } else if (quantifier == 1) {
      rest_.remove_prefix(1);
      least = take_number();
      most = least;
      if (take(',')) most = !rest_.empty() && rest_[0] == '}' ? 0 : take_number();
      if (!take('}') || least == 0 || (most != 0 && most < least)) refuse();
    }
    if (!rest_.empty() || least > dupq::normalizer_steps::max_pattern) refuse();
    return {"replace_run", inverted ? "1" : "0", std::to_string(least), std::to_string(most), set, content};
  }

  [[noreturn]] void refuse() const {
    node_.fail(json::quote(node_.text()) + " is not supported, only a text or one set of characters, perhaps repeated");
  }

  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::uint32_t take_number() {
    std::uint32_t n = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9' && digits < 3; ++digits)
      n = n * 10 + static_cast<std::uint32_t>(rest_[digits] - '0');
    if (digits == 0) refuse();
    rest_.remove_prefix(digits);
    return n;
  }
  std::string take_character() {
    if (rest_.empty()) refuse();
    const char *p = rest_.data(), *const end = p + rest_.size();
    (void)dupq::unicode::decode(p, end);
    const std::string c(rest_.data(), p);
    rest_.remove_prefix(c.size());
    return c;
  }

  /// What follows a backslash: the character that it stands for; empty: white space of any kind.
  std::string take_escape() {
    const std::string c = take_character();
    constexpr std::string_view names = "ntrfv", meant = "\n\t\r\f\v";
    if (const auto i = names.find(c[0]); c.size() == 1 && i != names.npos) return std::string(1, meant[i]);
    if (c == "s") return "";
    const bool letter = (c[0] >= 'a' && c[0] <= 'z') || (c[0] >= 'A' && c[0] <= 'Z') || (c[0] >= '0' && c[0] <= '9');
    if (letter) refuse();
    return c;
  }

  /// A set as first and last characters of its ranges; `literal` is its character where it is one character.
  std::string take_atom(bool& inverted, std::string& literal) {
    if (take('[')) return take_set(inverted);
    if (take('\\')) {
      literal = take_escape();
      return literal.empty() ? white_space : literal + literal;
    }
    if (rest_.empty() || std::string_view(".^$|?*+(){}]").find(rest_[0]) != std::string_view::npos) refuse();
    literal = take_character();
    return literal + literal;
  }
  std::string take_set(bool& inverted) {
    inverted = take('^');
    std::string set;
    while (!take(']')) {
      if (rest_.empty() || rest_[0] == '[' || rest_.starts_with("&&")) refuse();
      std::string first = take('\\') ? take_escape() : take_character(), last = first;
      if (first.empty()) {
        set += white_space;
        continue;
      }
      if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        rest_.remove_prefix(1);
        if (rest_[0] == '[') refuse();
        last = take('\\') ? take_escape() : take_character();
        if (last.empty() || last < first) refuse();  // UTF-8 sorts as its characters do
      }
      set += first + last;
    }
    if (set.empty()) refuse();
    return set;
  }

  /// The characters of White_Space.
  static constexpr const char* white_space =
      "\t\r  \xC2\x85\xC2\x85\xC2\xA0\xC2\xA0\xE1\x9A\x80\xE1\x9A\x80\xE2\x80\x80\xE2\x80\x8A\xE2\x80\xA8\xE2\x80\xA9"
      "\xE2\x80\xAF\xE2\x80\xAF\xE2\x81\x9F\xE2\x81\x9F\xE3\x80\x80\xE3\x80\x80";

  const json_node& node_;
  std::string_view rest_;
};

/// The steps of a normalizer, in the words of a model file.
class hf_normalizer {
 public:
  hf_normalizer() = default;
  /// BERT's own.
  explicit hf_normalizer(const dupq::normalization& n) {
    if (n.clean_text) add({"clean_text"});
    if (n.split_cjk) add({"split_cjk"});
    if (n.strip_accents) add({"nfd"}), add({"strip_marks"});
    if (n.lowercase) add({"lowercase"});
  }
  /// The normalizer of tokenizer.json; without one, texts stay as they are.
  explicit hf_normalizer(const std::optional<json_node>& node) {
    if (node) read(*node, 0);
  }

  /// What do_lower_case does in sentence-transformers: a step before all others, where no other is one of its own.
  void lowercase_before() {
    if (!own_lowercase_) steps_.insert(steps_.begin(), {"lowercase"});
  }

  /// BERT's switches, where its steps are no others than these can ask for.
  std::optional<dupq::normalization> switches() const {
    dupq::normalization n{false, false, false, false};
    std::size_t i = 0;
    const auto next = [&](const char* name) { return i < steps_.size() && steps_[i][0] == name ? ++i : 0; };
    n.lowercase = next("lowercase");  // lower case first or last, the result is the same
    n.clean_text = next("clean_text");
    n.split_cjk = next("split_cjk");
    if (next("nfd")) {
      if (!next("strip_marks")) return {};
      n.strip_accents = true;
    }
    n.lowercase = next("lowercase") || n.lowercase;
    return i == steps_.size() ? std::optional(n) : std::nullopt;
  }
  /// All words of all steps.
  std::vector<std::string> words() const {
    std::vector<std::string> out;
    for (const auto& step : steps_) out.insert(out.end(), step.begin(), step.end());
    return out;
  }
  bool has(std::string_view name) const {
    return std::any_of(steps_.begin(), steps_.end(), [&](const auto& step) { return step[0] == name; });
  }

 private:
  void add(std::vector<std::string> step) { steps_.push_back(std::move(step)); }

  void read(const json_node& node, int depth) {
    const std::string& type = node.at("type").text();
    constexpr std::pair<const char*, const char*> plain[] = {{"NFC", "nfc"},   {"NFD", "nfd"},
                                                             {"NFKC", "nfkc"}, {"NFKD", "nfkd"},
                                                             {"Nmt", "nmt"},   {"StripAccents", "strip_accents"}};
    for (const auto& [theirs, ours] : plain)
      if (type == theirs) return add({ours});
    if (type == "Sequence") {
      for (const json_node& step : node.at("normalizers").items()) read(step, depth + 1);
    } else if (type == "Lowercase") {
      own_lowercase_ = own_lowercase_ || depth < 2;
      add({"lowercase"});
    } else if (type == "BertNormalizer") {
      const bool lowercase = node.at("lowercase").flag();
      const hf_normalizer own(dupq::normalization{node.at("clean_text").flag(), node.at("handle_chinese_chars").flag(),
                                                  node.flag_or("strip_accents", lowercase), lowercase});
      steps_.insert(steps_.end(), own.steps_.begin(), own.steps_.end());
    } else if (type == "Strip") {
      if (node.at("strip_left").flag()) add({"strip_left"});
      if (node.at("strip_right").flag()) add({"strip_right"});
    } else if (type == "Prepend") {
      if (const std::string& text = node.at("prepend").text(); !text.empty()) add({"prepend", text});
    } else if (type == "Replace") {
      read_replace(node);
    } else if (type == "Precompiled") {
      add({"precompiled", hf_charsmap::read(node.at("precompiled_charsmap"))});
    } else {
      node.at("type").fail(json::quote(type) + " is not supported");
    }
  }

  void read_replace(const json_node& node) {
    const std::string& content = node.at("content").text();
    const json_node pattern = node.at("pattern");
    if (const auto regex = pattern.get("Regex")) return add(replace_pattern::read(*regex, content));
    const json_node text = pattern.at("String");
    const std::size_t size = dupq::normalizer_steps::characters(text.text());
    if (size == 0 || size > dupq::normalizer_steps::max_pattern)
      text.fail(json::quote(text.text()) + ": from 1 to " + std::to_string(dupq::normalizer_steps::max_pattern) +
                " characters are supported");
    add({"replace", text.text(), content});
  }

  std::vector<std::vector<std::string>> steps_;
  bool own_lowercase_ = false;
};

}  // namespace dupq_tool
