// tokenizer.json's post_processor: the special tokens that it puts around a text and a pair.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json_file.hpp"

namespace dupq_tool {

/// Supported are single texts as [CLS] A [SEP], and pairs with one separator or two between them: [CLS] A [SEP] B [SEP]
/// or <s> A </s></s> B </s>.
class hf_template {
 public:
  enum class form {
    bert,   ///< one separator, and B is of type 1
    mpnet,  ///< two separators
    any,    ///< one or two, for models without token types
  };

  /// Keys of tokenizer.json that change no id: what is said of tokens that are not put around a text, and the places in
  /// the text that tokens come from.
  static constexpr std::array<std::string_view, 10> harmless{"post_processor.special_tokens",
                                                             "post_processor.special_tokens.*",
                                                             "post_processor.add_prefix_space",
                                                             "post_processor.trim_offsets",
                                                             "post_processor.use_regex",
                                                             "post_processor.processors.special_tokens",
                                                             "post_processor.processors.special_tokens.*",
                                                             "post_processor.processors.add_prefix_space",
                                                             "post_processor.processors.trim_offsets",
                                                             "post_processor.processors.use_regex"};

  hf_template(const json_node& post, form wanted)
      : post_(rules_of(post)), form_(wanted), type_(post_.text_or("type", "")) {
    if (type_ == "TemplateProcessing")
      read_template();
    else
      read_processing();
  }
  bool supported() const { return !wrong_; }
  void require_supported() const {
    if (!wrong_) return;
    const json_node node = post_.at(*wrong_);
    node.fail(*wrong_ == "type" ? json::quote(type_) + " is not supported" : "not supported");
  }
  std::uint32_t cls() const { return cls_; }
  std::uint32_t sep() const { return sep_; }
  /// Between the texts of a pair.
  std::uint32_t separators() const { return separators_; }

 private:
  /// Of several in a row, the one that puts tokens around a text: ByteLevel only moves the places that tokens have.
  static json_node rules_of(const json_node& post) {
    if (post.text_or("type", "") != "Sequence") return post;
    std::vector<json_node> rules;
    for (const json_node& one : post.at("processors").items())
      if (one.text_or("type", "") != "ByteLevel") rules.push_back(one);
    return rules.size() == 1 ? rules[0] : post;
  }

  void read_processing() {
    separators_ = type_ == "BertProcessing" ? 1 : type_ == "RobertaProcessing" ? 2 : 0;
    if (separators_ == 0 || (form_ != form::any && separators_ != (form_ == form::bert ? 1u : 2u))) {
      wrong_ = "type";
      return;
    }
    const auto id = [&](const char* key) {
      const auto items = post_.at(key).items();
      if (items.size() != 2) post_.at(key).fail("a token and its id are expected");
      return items[1].count();
    };
    cls_ = id("cls"), sep_ = id("sep");
  }
  void read_template() {
    if (const auto items = post_.at("single").items(); items.size() == 3) {
      const auto first = items[0].get("SpecialToken"), last = items[2].get("SpecialToken");
      if (first && last) cls_ = special_id(*first), sep_ = special_id(*last);
    }
    const std::string pair = flat("pair");
    const bool typed = form_ == form::bert;
    if (pair == (typed ? "cls0 A0 sep0 B1 sep1 " : "cls A sep B sep ")) separators_ = 1;
    if (!typed && pair == "cls A sep sep B sep ") separators_ = 2;
    if (separators_ == 0 || (form_ == form::mpnet && separators_ != 2)) wrong_ = "pair";
    if (flat("single") != (typed ? "cls0 A0 sep0 " : "cls A sep ")) wrong_ = "single";
  }

  std::uint32_t special_id(const json_node& special) const {
    const auto ids = post_.at("special_tokens").at(special.at("id").text()).at("ids").items();
    return ids.size() == 1 ? ids[0].count() : 0xFFFFFFFF;
  }
  /// A sequence in words, with token types where the model has any.
  std::string flat(const char* key) const {
    std::string text;
    for (const json_node& item : post_.at(key).items()) {
      const auto special = item.get("SpecialToken");
      const json_node part = special ? *special : item.at("Sequence");
      const std::uint32_t id = special ? special_id(part) : 0;
      const std::uint32_t row = part.at("type_id").count();
      text += !special ? part.at("id").text() : id == cls_ ? "cls" : id == sep_ ? "sep" : "other";
      text += (form_ == form::bert ? std::to_string(row) : "") + " ";
    }
    return text;
  }

  json_node post_;
  form form_;
  std::string type_;
  std::optional<std::string> wrong_;  ///< the key that says something else
  std::uint32_t cls_ = 0, sep_ = 0, separators_ = 0;
};

}  // namespace dupq_tool
