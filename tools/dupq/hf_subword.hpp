// tokenizer.json's Unigram model: pieces, their scores, what becomes of unknown characters.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <dupq/core/model_limits.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hf_vocabulary.hpp"
#include "json_file.hpp"

namespace dupq_tool {

enum class tokenizer_kind { wordpiece, unigram, bpe };

/// A Unigram model in numbers.
struct hf_unigram {
  std::vector<double> scores;             ///< by id
  std::vector<std::int32_t> byte_pieces;  ///< ids of "<0x00>" to "<0xFF>", -1 where there is none; empty: not used
  std::vector<std::string> cut;           ///< the pre-tokenizer in a model file's words
  std::uint32_t longest = 1;              ///< bytes of the longest piece
};

inline void check_piece(const json_node& vocab, std::string_view piece) {
  if (piece.size() > dupq::model_limits::piece_bytes)
    vocab.fail("token " + json::quote(std::string(piece.substr(0, 40))) + "...: longer than " +
               std::to_string(dupq::model_limits::piece_bytes) + " bytes");
}

/// Reads `model`; the pieces go into `vocabulary`. Returns the id of the unknown piece.
inline std::uint32_t read_unigram(const json_node& model, hf_vocabulary& vocabulary, hf_unigram& out) {
  const json_node vocab = model.at("vocab");
  const auto* entries = vocab.raw().as<json::array>();
  if (entries == nullptr) vocab.fail("an array of tokens and scores is expected");
  if (entries->empty()) vocab.fail("no tokens");
  if (entries->size() > dupq::model_limits::vocabulary)
    vocab.fail(std::to_string(entries->size()) + " tokens, at most " + std::to_string(dupq::model_limits::vocabulary) +
               " are supported");
  for (const json::value& entry : *entries) {
    const auto id = static_cast<std::uint32_t>(out.scores.size());
    const auto* pair = entry.as<json::array>();
    const auto* piece = pair != nullptr && pair->size() == 2 ? (*pair)[0].as<std::string>() : nullptr;
    if (piece == nullptr) vocab.fail("entry " + std::to_string(id) + ": a token and its score are expected");
    const json::value& score = (*pair)[1];
    if (const auto* real = score.as<double>())
      out.scores.push_back(*real);
    else if (const auto* whole = score.as<std::int64_t>())
      out.scores.push_back(static_cast<double>(*whole));
    else
      vocab.fail("token " + json::quote(*piece) + ": its score is no number");
    if (!std::isfinite(out.scores.back())) vocab.fail("token " + json::quote(*piece) + ": its score is not finite");
    check_piece(vocab, *piece);
    out.longest = std::max(out.longest, static_cast<std::uint32_t>(piece->size()));
    vocabulary.set_piece(*piece, id);
  }
  vocabulary.count_as(static_cast<std::uint32_t>(entries->size()));
  const auto unknown = model.get("unk_id");
  if (!unknown) model.fail("unk_id: missing, a text with unknown characters could not be read");
  const std::uint32_t id = unknown->count();
  if (id >= entries->size()) unknown->fail(std::to_string(id) + " names no token");
  if (model.flag_or("byte_fallback", false)) {
    for (int byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      const auto piece = vocabulary.piece(name);
      out.byte_pieces.push_back(piece ? static_cast<std::int32_t>(*piece) : -1);
    }
  }
  return id;
}

}  // namespace dupq_tool
