// A model file's normaliser as tokenizer.json has it: what hf_normalizer.hpp reads.
#pragma once

#include <cstdint>
#include <dupq/text/normalizer_steps.hpp>
#include <dupq/text/unicode.hpp>
#include <dupq/text/wordpiece.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "json.hpp"

namespace dupq_tool {

namespace export_detail {

inline json::object bert_normalizer(bool clean, bool cjk, bool accents, bool lowercase) {
  return {{"type", "BertNormalizer"},
          {"clean_text", clean},
          {"handle_chinese_chars", cjk},
          {"strip_accents", accents},
          {"lowercase", lowercase}};
}

/// A run of characters of a set as a regular expression.
inline std::string run_of(const dupq::normalizer_step& step) {
  std::string set = step.inverted ? "[^" : "[";
  const auto take = [&](const char*& p) {
    const char *const begin = p, *const end = step.pattern.data() + step.pattern.size();
    (void)dupq::unicode::decode(p, end);
    const bool mark = p == begin + 1 && std::string_view("\\]^-[&").find(*begin) != std::string_view::npos;
    return (mark ? "\\" : "") + std::string(begin, p);
  };
  for (const char *p = step.pattern.data(), *const end = p + step.pattern.size(); p != end;) {
    const std::string low = take(p), high = take(p);
    set += low == high ? low : low + '-' + high;
  }
  set += ']';
  if (step.least == 1 && step.most == 0) return set + '+';
  if (step.least == 1 && step.most == 1) return set;
  if (step.most == step.least) return set + '{' + std::to_string(step.least) + '}';
  return set + '{' + std::to_string(step.least) + ',' + (step.most == 0 ? "" : std::to_string(step.most)) + '}';
}

inline json::object replacement(const char* kind, std::string pattern, std::string_view content) {
  return {
      {"type", "Replace"}, {"pattern", json::object{{kind, std::move(pattern)}}}, {"content", std::string(content)}};
}

inline json::object step_of(const dupq::normalizer_step& step) {
  using enum dupq::step_kind;
  const auto plain = [](const char* type) { return json::object{{"type", type}}; };
  const auto strip = [](bool left) {
    return json::object{{"type", "Strip"}, {"strip_left", left}, {"strip_right", !left}};
  };
  switch (step.kind) {
    case clean_text: return bert_normalizer(true, false, false, false);
    case split_cjk: return bert_normalizer(false, true, false, false);
    case strip_marks: return bert_normalizer(false, false, true, false);  // it decomposes first, as is done by then
    case strip_accents: return plain("StripAccents");
    case lowercase: return plain("Lowercase");
    case nfd: return plain("NFD");
    case nfkd: return plain("NFKD");
    case nfc: return plain("NFC");
    case nfkc: return plain("NFKC");
    case nmt: return plain("Nmt");
    case strip_left: return strip(true);
    case strip_right: return strip(false);
    case prepend: return {{"type", "Prepend"}, {"prepend", std::string(step.text)}};
    case replace: return replacement("String", std::string(step.pattern), step.text);
    case replace_run: return replacement("Regex", run_of(step), step.text);
    case precompiled: throw failure("a normalizer of the type Precompiled cannot be exported");
  }
  return {};
}

}  // namespace export_detail

inline json::value export_normalizer(const dupq::tokenizer_options& options) {
  const dupq::normalization& n = options.normal;
  if (options.steps.empty())
    return export_detail::bert_normalizer(n.clean_text, n.split_cjk, n.strip_accents, n.lowercase);
  json::array steps;
  bool decomposed = false;
  options.steps.for_each([&](const dupq::normalizer_step& step) {
    // BERT's accents are two steps here and one there, which brings the first along.
    if (step.kind == dupq::step_kind::strip_marks && decomposed) steps.pop_back();
    decomposed = step.kind == dupq::step_kind::nfd;
    steps.emplace_back(export_detail::step_of(step));
  });
  return json::object{{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

}  // namespace dupq_tool
