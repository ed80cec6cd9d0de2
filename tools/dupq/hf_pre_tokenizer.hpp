// tokenizer.json's pre_tokenizer for Unigram, in the words of a model file (text/pre_tokenizer.hpp).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json_file.hpp"

namespace dupq_tool {

class hf_pre_tokenizer {
 public:
  /// Without one, a text is one word.
  static std::vector<std::string> read(const std::optional<json_node>& node) {
    hf_pre_tokenizer out;
    if (node) out.add(*node);
    return std::move(out.words_);
  }

 private:
  void add(const json_node& node) {
    const std::string& type = node.at("type").text();
    if (type == "Sequence") {
      for (const json_node& part : node.at("pretokenizers").items()) add(part);
      return;
    }
    if (marked_) node.at("type").fail(json::quote(type) + " is not supported after Metaspace");
    if (type == "WhitespaceSplit") {
      words_.push_back("whitespace_split");
    } else if (type == "Whitespace") {
      words_.push_back("whitespace");
    } else if (type == "Punctuation") {
      if (const std::string how = node.text_or("behavior", "Isolated"); how != "Isolated")
        node.at("behavior").fail(json::quote(how) + " is not supported, only \"Isolated\"");
      words_.push_back("punctuation");
    } else if (type == "Digits") {
      words_.push_back("digits");
      if (node.flag_or("individual_digits", false)) words_.push_back("single_digits");
    } else if (type == "Metaspace") {
      add_metaspace(node);
    } else {
      node.at("type").fail(json::quote(type) + " is not supported");
    }
  }

  void add_metaspace(const json_node& node) {
    marked_ = true;
    if (const json_node mark = node.at("replacement"); mark.text() != "\xE2\x96\x81")
      mark.fail(json::quote(mark.text()) + " is not supported, only \"\xE2\x96\x81\"");
    (void)node.get("str_rep");
    const auto older = node.get("add_prefix_space");
    std::string scheme = node.text_or("prepend_scheme", older && !older->flag() ? "never" : "always");
    if (scheme != "always" && scheme != "first" && scheme != "never")
      node.at("prepend_scheme").fail(json::quote(scheme) + " is not supported");
    if (older && !older->flag() && scheme != "never") older->fail("false contradicts prepend_scheme");
    words_.push_back("metaspace_" + scheme);
    if (node.flag_or("split", true)) words_.push_back("split_marks");
  }

  std::vector<std::string> words_;
  bool marked_ = false;
};

}  // namespace dupq_tool
