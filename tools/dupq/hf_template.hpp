// tokenizer.json's post_processor: the special tokens that it puts around a text and a pair.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "json_file.hpp"

namespace dupq_tool {

/// Supported are single texts as [CLS] A [SEP], and pairs as [CLS] A [SEP] B [SEP] with B of type 1, or, for MPNet and
/// all tokenizers but WordPiece, as <s> A </s></s> B </s>.
class hf_template {
 public:
  hf_template(const json_node& post, bool mpnet) : post_(post), mpnet_(mpnet), type_(post.text_or("type", "")) {
    if (type_ == (mpnet_ ? "RobertaProcessing" : "BertProcessing")) {
      const auto id = [&](const char* key) {
        const auto items = post.at(key).items();
        if (items.size() != 2) post.at(key).fail("a token and its id are expected");
        return items[1].count();
      };
      cls_ = id("cls"), sep_ = id("sep");
    } else if (type_ == "TemplateProcessing") {
      if (const auto items = post.at("single").items(); items.size() == 3) {
        const auto first = items[0].get("SpecialToken"), last = items[2].get("SpecialToken");
        if (first && last) cls_ = special_id(*first), sep_ = special_id(*last);
      }
      if (flat("pair") != (mpnet_ ? "cls A sep sep B sep " : "cls0 A0 sep0 B1 sep1 ")) wrong_ = "pair";
      if (flat("single") != (mpnet_ ? "cls A sep " : "cls0 A0 sep0 ")) wrong_ = "single";
    } else {
      wrong_ = "type";
    }
  }

  bool supported() const { return !wrong_; }
  void require_supported() const {
    if (!wrong_) return;
    const json_node node = post_.at(*wrong_);
    node.fail(*wrong_ == "type" ? json::quote(type_) + " is not supported" : "not supported");
  }
  std::uint32_t cls() const { return cls_; }
  std::uint32_t sep() const { return sep_; }

 private:
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
      text += (mpnet_ ? "" : std::to_string(row)) + " ";
    }
    return text;
  }

  json_node post_;
  bool mpnet_;
  std::string type_;
  std::optional<std::string> wrong_;  ///< the key that says something else
  std::uint32_t cls_ = 0, sep_ = 0;
};

}  // namespace dupq_tool
