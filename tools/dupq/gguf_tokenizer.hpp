// A tokenizer as keys of a model file: llama.cpp's first, then our own.
#pragma once

#include <cstdint>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/text/normalizer_steps.hpp>
#include <dupq/text/vocabulary.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "failure.hpp"
#include "hf_tokenizer.hpp"
#include "json.hpp"

namespace dupq_tool {

inline constexpr std::string_view word_mark = "\xE2\x96\x81";  ///< U+2581

inline bool is_bracketed(std::string_view piece) noexcept {
  return piece.size() > 2 && piece.front() == '[' && piece.back() == ']';
}

/// A piece in the form that GGUF vocabularies have: U+2581 begins a word, "##" is dropped, "[...]" stays.
inline std::string gguf_piece(const std::string& piece) {
  if (piece.starts_with("##")) return piece.substr(2);
  return is_bracketed(piece) ? piece : std::string(word_mark) + piece;
}

/// The format's types of tokens.
enum class token_type : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5 };

/// The vocabulary in the file's form, which cannot say everything: a piece that would be read as another is refused.
/// Rows without a piece have names in brackets, which no word of a text has: an added token's, or "[PAD7]".
inline std::vector<std::string> gguf_vocabulary(const hf_tokenizer& t) {
  std::vector<std::string> out;
  for (const std::string& piece : t.pieces) {
    out.push_back(piece.empty() ? "" : gguf_piece(piece));
    const std::string& rest = out.back();
    const bool marked = rest.size() > word_mark.size() && rest.starts_with(word_mark);
    if (piece.starts_with("##") && (marked || is_bracketed(rest)))
      throw failure(t.source + ": the piece " + json::quote(piece) + " is not supported");
  }
  const std::unordered_set<std::string> taken(out.begin(), out.end());
  const auto name_row = [&](std::size_t id, std::string name) {
    if (!is_bracketed(name)) name = "[" + name + "]";
    while (taken.contains(name)) name = "[" + name + "]";
    out[id] = name;
  };
  for (const added_token& a : t.added)
    if (out[a.id].empty()) name_row(a.id, a.content);
  for (std::size_t id = 0; id < out.size(); ++id)
    if (out[id].empty()) name_row(id, "PAD" + std::to_string(id));
  return out;
}

inline std::vector<std::int32_t> token_types(const hf_tokenizer& t) {
  std::vector<std::int32_t> out;
  const auto number = [](token_type type) { return static_cast<std::int32_t>(type); };
  for (const std::string& piece : t.pieces)
    out.push_back(number(piece.empty() ? token_type::unused : token_type::normal));
  for (const added_token& a : t.added) out[a.id] = number(a.special ? token_type::control : token_type::user_defined);
  out[t.unk] = number(token_type::unknown);
  return out;
}

/// The vocabulary's hash table, so that nothing is left to do when the file is opened.
inline void add_vocabulary_index(dupq::gguf::writer& out, const std::vector<std::string>& tokens) {
  const std::string payload = string_list(tokens);
  std::vector<std::uint32_t> offsets(tokens.size());
  std::vector<std::uint64_t> table(dupq::vocabulary::table_size(tokens.size()));
  const auto bytes = std::as_bytes(std::span(payload));
  if (const auto done = dupq::vocabulary::build_index(bytes, tokens.size(), offsets, table); !done)
    throw failure(done.error());
  out.add("dupq.vocab.offsets", std::span<const std::uint32_t>(offsets));
  out.add("dupq.vocab.table", std::span<const std::uint64_t>(table));
}

/// The tokenizer, with its vocabulary indexed.
inline void add_tokenizer_keys(dupq::gguf::writer& out, const hf_tokenizer& t, const hf_folder& folder) {
  const std::vector<std::string> tokens = gguf_vocabulary(t);
  std::vector<std::string> contents;
  std::vector<std::uint32_t> ids, flags;
  for (const added_token& a : t.added) {
    contents.push_back(a.content);
    ids.push_back(a.id);
    flags.push_back((a.is_normalized() ? 1u : 0u) | (a.lstrip ? 2u : 0u) | (a.rstrip ? 4u : 0u) |
                    (a.single_word ? 8u : 0u));
  }

  out.add("tokenizer.ggml.model", "bert");
  out.add("tokenizer.ggml.tokens", tokens);
  out.add("tokenizer.ggml.token_type", std::span<const std::int32_t>(token_types(t)));
  out.add("tokenizer.ggml.token_type_count", folder.config.token_types);
  out.add("tokenizer.ggml.unknown_token_id", t.unk);
  out.add("tokenizer.ggml.seperator_token_id", t.sep);  // the format's own spelling
  out.add("tokenizer.ggml.padding_token_id", t.pad);
  out.add("tokenizer.ggml.cls_token_id", t.cls);
  if (t.mask) out.add("tokenizer.ggml.mask_token_id", *t.mask);
  out.add("tokenizer.ggml.bos_token_id", t.cls);
  out.add("tokenizer.ggml.eos_token_id", t.sep);
  out.add("tokenizer.ggml.normalizer.lowercase", t.lowercase);
  out.add("tokenizer.ggml.normalizer.strip_accents", t.strip_accents);

  out.add("dupq.tokenizer.lowercase", t.lowercase);
  out.add("dupq.tokenizer.strip_accents", t.strip_accents);
  out.add("dupq.tokenizer.split_cjk", t.split_cjk);
  out.add("dupq.tokenizer.clean_text", t.clean_text);
  if (!t.steps.empty()) out.add(dupq::normalizer_steps::key, t.steps);
  out.add("dupq.tokenizer.max_word_chars", t.max_word_chars);
  out.add("dupq.tokenizer.pair_separators", t.pair_separators);
  out.add("dupq.tokenizer.added_tokens", contents);
  out.add("dupq.tokenizer.added_ids", std::span<const std::uint32_t>(ids));
  out.add("dupq.tokenizer.added_flags", std::span<const std::uint32_t>(flags));
  add_vocabulary_index(out, tokens);
}

}  // namespace dupq_tool
