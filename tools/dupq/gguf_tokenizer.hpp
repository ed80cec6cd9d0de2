// A tokenizer as keys of a model file: llama.cpp's first, then our own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/text/bpe_text.hpp>
#include <dupq/text/normalizer_steps.hpp>
#include <dupq/text/pre_tokenizer.hpp>
#include <dupq/text/unigram.hpp>
#include <dupq/text/vocabulary.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "hf_tokenizer.hpp"
#include "json.hpp"
#include "piece_trie_builder.hpp"

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

/// The vocabulary of a tokenizer that is not WordPiece, as it is; rows without a piece have made-up names.
inline std::vector<std::string> subword_vocabulary(const hf_tokenizer& t) {
  std::vector<std::string> out = t.pieces;
  for (const added_token& a : t.added)
    if (out[a.id].empty()) out[a.id] = a.content;
  for (std::size_t id = 0; id < out.size(); ++id)
    if (out[id].empty()) out[id] = "[PAD" + std::to_string(id) + "]";
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

/// Where each token of the list begins.
inline void add_offsets(dupq::gguf::writer& out, const hf_tokenizer& t, const std::vector<std::string>& tokens) {
  std::vector<std::uint32_t> offsets;
  std::uint64_t place = 0;
  for (const std::string& token : tokens) {
    offsets.push_back(static_cast<std::uint32_t>(place));
    place += 8 + token.size();
  }
  if (place > 0xFFFFFFFFu) throw failure(t.source + ": model.vocab: larger than 4 GB");
  out.add("dupq.vocab.offsets", std::span<const std::uint32_t>(offsets));
}

/// The merges of a byte-level BPE model, and the words that need none when they are read.
inline void add_bpe(dupq::gguf::writer& out, const hf_tokenizer& t) {
  const hf_bpe& model = t.bpe;
  const auto put = [&](bool done) {
    if (!done) throw failure(t.source + ": model.merges: their table cannot be built");
  };
  std::vector<std::uint64_t> merges(2 * dupq::key_slots::count_for(model.merges.size()), 0);
  for (std::size_t i = 0; i < merges.size(); i += 2) merges[i] = dupq::bpe::no_pair;
  for (std::uint32_t rank = 0; rank < model.merges.size(); ++rank) {
    const auto& m = model.merges[rank];
    put(dupq::bpe::put_merge(merges, std::uint64_t{m.left} << 32 | m.right, {rank, m.made}));
  }
  std::vector<std::uint64_t> words(2 * dupq::key_slots::count_for(t.pieces.size()), 0);
  const auto as_bytes = [](const auto& v) { return std::as_bytes(std::span(v)); };
  const auto view = dupq::bpe::view(as_bytes(model.bytes), as_bytes(merges), as_bytes(words), t.pieces.size());
  if (!view) throw failure(view.error());
  for (std::uint32_t id = 0; id < t.pieces.size(); ++id) {
    const auto bytes = t.pieces[id].empty() ? std::nullopt : byte_alphabet::bytes(t.pieces[id]);
    if (!bytes || bytes->empty()) continue;
    const bool whole = dupq::bpe_builder::is_whole(*view, *bytes, id);
    const bool blank = bytes->front() == ' ';
    const std::string_view rest = std::string_view(*bytes).substr(blank);
    if (rest.size() > dupq::piece_key::capacity) {
      if (model.whole_words && !whole)
        throw failure(t.source + ": model.ignore_merges: the token " + json::quote(t.pieces[id]) +
                      " is not what its merges make, which is not supported for long ones");
    } else if (whole || model.whole_words) {
      put(dupq::word_slots::put(words, dupq::piece_key::of(rest, blank), id));
    }
  }
  out.add(dupq::bpe::bytes_key, std::span<const std::int32_t>(model.bytes));
  std::vector<std::uint64_t> filter(dupq::bpe::filter_for(model.merges.size()), 0);
  for (const auto& m : model.merges) dupq::bpe::put_filter(filter, std::uint64_t{m.left} << 32 | m.right);
  out.add(dupq::bpe::merges_key, std::span<const std::uint64_t>(merges));
  out.add(dupq::bpe::filter_key, std::span<const std::uint64_t>(filter));
  out.add(dupq::bpe::words_key, std::span<const std::uint64_t>(words));
  out.add(dupq::bpe_model::prefix_key, model.prefix_space);
  out.add(dupq::bpe_model::split_key, model.split);
}

/// What spares looking for the paths of most words: words that are one piece, and marks that no piece joins to what
/// stands before them (unigram::settings).
inline void add_unigram_words(dupq::gguf::writer& out, const hf_tokenizer& t, std::span<const std::uint64_t> trie,
                              std::span<const double> scores, const std::vector<bool>& special) {
  dupq::unigram::settings s;
  s.unknown = static_cast<std::int32_t>(t.unk), s.longest = t.unigram.longest;
  s.byte_pieces = std::as_bytes(std::span(t.unigram.byte_pieces));
  const auto view = dupq::unigram::view(std::as_bytes(trie), std::as_bytes(scores), scores.size(), s);
  if (!view) throw failure(view.error());
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7F'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  std::vector<std::pair<dupq::piece_key, std::uint32_t>> words;
  bool joined[2][128] = {};
  std::int32_t ids[2];
  for (std::uint32_t id = 0; id < t.pieces.size(); ++id) {
    const std::string& piece = t.pieces[id];
    for (std::size_t i = 1; i < piece.size(); ++i)
      if ((is_letter(piece[i - 1]) || is_digit(piece[i - 1])) && static_cast<unsigned char>(piece[i]) < 0x80)
        joined[is_digit(piece[i - 1])][static_cast<std::size_t>(piece[i])] = true;
    if (!piece.starts_with(word_mark) || special[id]) continue;
    const std::string_view word = std::string_view(piece).substr(word_mark.size());
    if (word.empty() || word.size() > dupq::piece_key::capacity || !std::all_of(word.begin(), word.end(), is_plain))
      continue;
    dupq::token_sink sink{ids, 1, 2, 2};
    dupq::unigram_path(*view, true, sink).add(word_mark, word);
    if (sink.count == 1 && ids[0] == static_cast<std::int32_t>(id))
      words.push_back({dupq::piece_key::of(word, false), id});
  }
  if (words.empty()) return;
  std::vector<std::uint64_t> table(2 * dupq::key_slots::count_for(words.size()), 0), breaks(4, 0);
  for (const auto& [key, id] : words)
    if (!dupq::word_slots::put(table, key, id)) return;  // paths are found without it
  for (std::size_t digit : {0u, 1u})
    for (std::size_t c = '!'; c <= '~'; ++c) {
      const char mark = static_cast<char>(c);
      if (!joined[digit][c] && !is_letter(mark) && !is_digit(mark))
        breaks[2 * digit + c / 64] |= std::uint64_t{1} << c % 64;
    }
  out.add(dupq::unigram::words_key, std::span<const std::uint64_t>(table));
  out.add(dupq::unigram::breaks_key, std::span<const std::uint64_t>(breaks));
}

/// The pieces of a Unigram model, how they are found, and what is done to a text before.
inline void add_unigram(dupq::gguf::writer& out, const hf_tokenizer& t, const std::vector<std::string>& tokens) {
  std::vector<bool> special(t.pieces.size());
  for (const added_token& a : t.added) special[a.id] = a.special;
  std::vector<dupq::piece_trie_builder::entry> entries;
  for (std::uint32_t id = 0; id < t.pieces.size(); ++id)
    if (!t.pieces[id].empty() && id < t.unigram.scores.size()) entries.push_back({t.pieces[id], id, special[id]});
  std::vector<double> scores = t.unigram.scores;
  // Rows without a piece are never found; a score that is one of the others changes nothing.
  scores.resize(tokens.size(), scores.front());
  out.add("tokenizer.ggml.scores", std::span<const float>(std::vector<float>(scores.begin(), scores.end())));
  out.add(dupq::unigram::scores_key, std::span<const double>(scores));
  out.add(dupq::unigram::longest_key, t.unigram.longest);
  const std::vector<std::uint64_t> trie = build_piece_trie(entries);
  out.add(dupq::piece_trie::key, std::span<const std::uint64_t>(trie));
  add_unigram_words(out, t, trie, scores, special);
  if (!t.unigram.byte_pieces.empty())
    out.add(dupq::unigram::bytes_key, std::span<const std::int32_t>(t.unigram.byte_pieces));
  if (!t.unigram.cut.empty()) out.add(dupq::pre_tokenizer::key, t.unigram.cut);
}

/// The tokenizer, with its vocabulary indexed.
inline void add_tokenizer_keys(dupq::gguf::writer& out, const hf_tokenizer& t, const hf_folder& folder) {
  const bool wordpiece = t.kind == tokenizer_kind::wordpiece;
  const std::vector<std::string> tokens = wordpiece ? gguf_vocabulary(t) : subword_vocabulary(t);
  std::vector<std::string> contents;
  std::vector<std::uint32_t> ids, flags;
  for (const added_token& a : t.added) {
    contents.push_back(a.content);
    ids.push_back(a.id);
    flags.push_back((a.is_normalized() ? 1u : 0u) | (a.lstrip ? 2u : 0u) | (a.rstrip ? 4u : 0u) |
                    (a.single_word ? 8u : 0u));
  }

  out.add("tokenizer.ggml.model", wordpiece ? "bert" : t.kind == tokenizer_kind::bpe ? "gpt2" : "t5");
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
  if (wordpiece) return add_vocabulary_index(out, tokens);
  add_offsets(out, t, tokens);
  if (t.kind == tokenizer_kind::bpe)
    add_bpe(out, t);
  else
    add_unigram(out, t, tokens);
}

}  // namespace dupq_tool
