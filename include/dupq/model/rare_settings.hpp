// What few checkpoints ask for: a prompt before a text, means that are weighted, modes in another order, vectors that
// are cut, other similarities than the cosine, other heads than BERT's, normalisers of several steps, tokenizers other
// than WordPiece. It is a table of functions so that a program without such models need not contain them: model::open
// brings it along, model::load takes it as an option.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "../core/config.hpp"
#include "../core/error.hpp"
#include "../core/gguf.hpp"
#include "../device/cpu/cpu.hpp"
#include "../text/general_text.hpp"
#include "../text/prompted_text.hpp"
#include "../text/wordpiece.hpp"
#include "encoder_options.hpp"
#include "metadata.hpp"
#include "prompts.hpp"
#include "subword_keys.hpp"
#include "tokenizer_keys.hpp"

namespace dupq::inline DUPQ_ABI {

/// What an encoder puts before each text (of a pair: before the first), and what that means for the pooling.
struct prompt_use {
  std::string_view text;
  std::size_t unpooled = 0;  ///< tokens at a text's beginning that the pooling leaves out
  bool pools = false;        ///< whether rare_settings::pool takes the place of a device's own pooling
};

struct rare_settings {
  /// Fills in what the file says of them.
  result<void> (*read)(const gguf::file& file, config& c) noexcept;
  /// The prompt that the options name ("": none), or the model's default, for texts of up to `text_tokens`.
  result<prompt_use> (*prompt)(const gguf::file& file, const config& c, const tokenizer& words,
                               const encoder_options& options, std::size_t text_tokens) noexcept;
  tokenizer::encoding (*encode)(const tokenizer& words, const prompted_text& text, std::span<std::int32_t> ids,
                                special_tokens mode) noexcept;
  tokenizer::encoding (*encode_pair)(const tokenizer& words, const prompted_text& a, std::string_view b,
                                     std::span<std::int32_t> ids, special_tokens mode) noexcept;
  /// y is [texts][dim]: the vectors, pooled, normalised and cut. `room` has pooled_dim floats and one a token.
  void (*pool)(const kernels& table, const config& c, const token_batch& batch, std::size_t unpooled,
               const matrix<float>& x, float* room, const matrix<float>& y) noexcept;
  other_tokenizers tokenizers;
};

namespace rare {

inline std::optional<std::uint32_t> parse_sequence(std::string_view text) noexcept {
  std::uint32_t sequence = 0;
  for (std::uint32_t shift = 0; shift < 4 * pooling::most_modes; shift += 4) {
    const std::size_t end = std::min(text.find('+'), text.size());
    std::uint32_t mode = 1;
    while (mode <= 6 && name(static_cast<pooling_mode>(mode)) != text.substr(0, end)) ++mode;
    if (mode > 6) return {};
    sequence |= mode << shift;
    if (end == text.size()) return sequence;
    text.remove_prefix(end + 1);
  }
  return {};
}

inline result<void> read(const gguf::file& file, config& c) noexcept {
  metadata_reader keys(file);
  const std::string_view modes = keys.text("dupq.pooling", "none");
  if (c.pooling.modes() == 0 && c.kind == model_kind::bi_encoder) {
    const auto sequence = parse_sequence(modes);
    if (!sequence) return error(errc::wrong_value, "dupq.pooling");
    c.pooling.sequence = *sequence;
  }
  c.truncate_dim = keys.integer("dupq.truncate_dim", 0, 0x7FFFFFFF, 0);
  c.pool_prompt = keys.boolean("dupq.pool_prompt", true);
  const std::string_view like = keys.text("dupq.similarity", name(similarity::cosine));
  if (!keys.done()) return keys.done().error();
  std::uint32_t kind = 0;
  while (kind < 4 && name(static_cast<similarity>(kind)) != like) ++kind;
  if (kind == 4) return error(errc::wrong_value, "dupq.similarity");
  c.similarity = static_cast<similarity>(kind);
  static constexpr std::string_view heads[] = {name(head_activation::tanh), name(head_activation::gelu),
                                               name(head_activation::relu)};
  c.head_activation = static_cast<head_activation>(keys.choice("dupq.head_activation", heads));
  if (!keys.done()) return keys.done().error();
  const auto prompts = prompt_list::read(file);
  return prompts ? result<void>() : prompts.error();
}

inline result<prompt_use> prompt(const gguf::file& file, const config& c, const tokenizer& words,
                                 const encoder_options& options, std::size_t text_tokens) noexcept {
  const auto list = prompt_list::read(file);
  if (!list) return list.error();
  prompt_use use;
  const std::string_view wanted = options.prompt.value_or(list->used());
  if (!wanted.empty()) {
    const auto text = list->find(wanted);
    if (!text) return error(errc::missing_key, wanted);
    use.text = *text;
  }
  // As sentence-transformers counts them: those of the prompt alone, with the special token before it.
  if (!c.pool_prompt && !use.text.empty())
    use.unpooled = words.count(use.text, text_tokens, options.special_tokens) - 1;
  use.pools = c.pooling.sequence != 0 || use.unpooled != 0 || c.dim() != c.pooled_dim();
  return use;
}

inline tokenizer::encoding encode(const tokenizer& words, const prompted_text& text, std::span<std::int32_t> ids,
                                  special_tokens mode) noexcept {
  return words.encode(text, ids.size(), ids, mode);
}
inline tokenizer::encoding encode_pair(const tokenizer& words, const prompted_text& a, std::string_view b,
                                       std::span<std::int32_t> ids, special_tokens mode) noexcept {
  return words.encode_pair(a, b, ids.size(), ids, mode);
}

/// One mode of one text, of whose `tokens` rows the first `unpooled` are left out. `weights` has room for a float a
/// token.
inline void pool_mode(const kernels& k, pooling_mode mode, matrix<const float> x, std::size_t tokens,
                      std::size_t unpooled, float* weights, float* to) noexcept {
  const std::size_t n = x.columns, rows = tokens - std::min(tokens, unpooled);
  const float* const first = x.row(tokens - rows);
  if (rows == 0) {  // all of it is prompt: what sentence-transformers makes of that
    if (mode == pooling_mode::cls)
      std::copy_n(x.row(0), n, to);
    else
      std::fill_n(to, n, mode == pooling_mode::max ? -HUGE_VALF : 0.0f);
    return;
  }
  switch (mode) {
    case pooling_mode::cls: std::copy_n(first, n, to); return;
    case pooling_mode::lasttoken: std::copy_n(x.row(tokens - 1), n, to); return;
    case pooling_mode::max: return k.max(rows, n, x.stride, first, to);
    case pooling_mode::mean: return k.mean(rows, n, x.stride, first, to);
    case pooling_mode::mean_sqrt_len_tokens:
      k.mean(rows, n, x.stride, first, to);
      return k.divide(n, 1.0f / std::sqrt(static_cast<float>(rows)), to);
    case pooling_mode::weightedmean: break;
  }
  float sum = 0;  // exact: whole numbers
  for (std::size_t r = 0; r < rows; ++r) sum += weights[r] = static_cast<float>(tokens - rows + r + 1);
  gemm_args g;
  g.a = weights, g.a_stride = rows;
  g.b = first, g.panel_stride = panel_width, g.b_stride = x.stride;  // the rows, where they lie
  g.c = to, g.c_stride = n;
  g.m = 1, g.n = n, g.k = rows;
  k.gemm(g);
  k.divide(n, sum, to);
}

inline void pool(const kernels& k, const config& c, const token_batch& batch, std::size_t unpooled,
                 const matrix<float>& x, float* room, const matrix<float>& y) noexcept {
  std::uint32_t modes = c.pooling.sequence;
  if (modes == 0) {
    std::uint32_t shift = 0;
    for (const auto& [wanted, mode] : {std::pair{c.pooling.cls, pooling_mode::cls},
                                       {c.pooling.max, pooling_mode::max},
                                       {c.pooling.mean, pooling_mode::mean}})
      if (wanted) modes |= static_cast<std::uint32_t>(mode) << shift, shift += 4;
  }
  const std::size_t dim = c.pooled_dim();
  for (std::size_t t = 0; t < batch.texts; ++t) {
    const matrix<const float> own(x.row(batch.offsets[t]), batch.offsets[t + 1] - batch.offsets[t], x.columns,
                                  x.stride);
    float* to = room;
    for (std::uint32_t rest = modes; rest != 0; rest >>= 4, to += x.columns)
      pool_mode(k, static_cast<pooling_mode>(rest & 15), own, own.rows, unpooled, room + dim, to);
    if (c.normalize) cpu(k).normalize(matrix<float>(room, 1, dim));
    std::copy_n(room, y.columns, y.row(t));
  }
}

}  // namespace rare

/// All of them.
inline constexpr rare_settings all_settings{rare::read,        rare::prompt, rare::encode,
                                            rare::encode_pair, rare::pool,   {&general_text, subword_reader::read}};

}  // namespace dupq::inline DUPQ_ABI
