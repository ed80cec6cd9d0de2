// What few checkpoints ask for: a prompt before a text, means that are weighted, modes in another order, vectors that
// are cut or go through a linear layer, other similarities than the cosine, other activations and heads than BERT's,
// normalisers of several steps, tokenizers other than WordPiece. It is a table of functions so that a program without
// such models need not contain them: model::open brings it along, model::load takes it as an option.
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
#include "../device/cpu/activations.hpp"
#include "../device/cpu/cpu.hpp"
#include "../text/general_text.hpp"
#include "../text/prompted_text.hpp"
#include "../text/wordpiece.hpp"
#include "encoder_options.hpp"
#include "metadata.hpp"
#include "prompts.hpp"
#include "static_table.hpp"
#include "subword_keys.hpp"
#include "tokenizer_keys.hpp"
#include "weight_checks.hpp"

namespace dupq::inline DUPQ_ABI {

/// What an encoder puts before each text (of a pair: before the first), and what that means for the pooling.
struct prompt_use {
  std::string_view text;
  std::size_t unpooled = 0;  ///< tokens at a text's beginning that the pooling leaves out
  bool pools = false;        ///< whether rare_settings::pool takes the place of a device's own pooling
};

struct rare_settings {
  /// Fills in what the file says of them, and takes the table of kernels that it needs in the place of `table`.
  result<void> (*read)(const gguf::file& file, config& c, const kernels*& table) noexcept;
  /// The prompt that the options name ("": none), or the model's default, for texts of up to `text_tokens`.
  result<prompt_use> (*prompt)(const gguf::file& file, const config& c, const tokenizer& words,
                               const encoder_options& options, std::size_t text_tokens) noexcept;
  tokenizer::encoding (*encode)(const tokenizer& words, const prompted_text& text, std::span<std::int32_t> ids,
                                special_tokens mode) noexcept;
  tokenizer::encoding (*encode_pair)(const tokenizer& words, const prompted_text& a, std::string_view b,
                                     std::span<std::int32_t> ids, special_tokens mode) noexcept;
  /// y is [texts][dim]: the vectors, pooled, through a linear layer, normalised and cut. `room` has pooled_dim floats
  /// and one a token, or as many as that layer's outputs.
  void (*pool)(const kernels& table, const config& c, const gguf::file& file, const token_batch& batch,
               std::size_t unpooled, const matrix<float>& x, float* room, const matrix<float>& y) noexcept;
  other_tokenizers tokenizers;
  /// Whether the table of a static model (static_table.hpp) is sound.
  result<void> (*check_static)(const gguf::file& file, const config& c, bool finite) noexcept;
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

/// The linear layer after the pooling: floats in panels, which only packed files have, used where they lie.
struct dense_weights {
  const float *weight = nullptr, *bias = nullptr;
};

/// Errors: missing_tensor, wrong_type, wrong_dimensions, wrong_size, not_aligned.
inline result<dense_weights> find_dense(const gguf::file& file, const config& c) noexcept {
  const std::size_t panels = (c.dense_dim + panel_width - 1) / panel_width;
  const auto floats = [&](std::string_view name, std::size_t n, std::size_t dimensions) -> result<const float*> {
    gguf::tensor_place anywhere;
    const auto t = file.tensor(name, anywhere);
    if (!t) return error(errc::missing_tensor, name);
    if (t->type != gguf::tensor_type::f32) return error(errc::wrong_type, name, 0, static_cast<std::uint64_t>(t->type));
    if (t->dimensions != dimensions) return error(errc::wrong_dimensions, name, dimensions, t->dimensions);
    if (t->elements() != n) return error(errc::wrong_size, name, n, t->elements());
    const auto* const values = reinterpret_cast<const float*>(t->bytes.data());
    if (reinterpret_cast<std::uintptr_t>(values) % sizeof(float) != 0)
      return error(errc::not_aligned, name, sizeof(float));
    return values;
  };
  const auto weight = floats("dense.weight", panels * panel_width * c.pooled_dim(), 3);
  const auto bias = floats("dense.bias", c.dense_dim, 1);
  if (!weight) return weight.error();
  if (!bias) return bias.error();
  return dense_weights{*weight, *bias};
}

/// Its outputs must find room, see rare_settings::pool.
inline result<void> read_dense(const gguf::file& file, config& c) noexcept {
  metadata_reader keys(file);
  static constexpr std::string_view activations[] = {"identity", "tanh"};
  const std::uint64_t room = std::uint64_t{8} * c.hidden, pooled = c.pooled_dim();
  c.dense_dim = keys.integer("dupq.dense.outputs", 0, static_cast<std::uint32_t>(room - std::min(room, pooled)), 0);
  c.dense_tanh = keys.choice("dupq.dense.activation", activations) == 1;
  c.normalize_pooled = keys.boolean("dupq.dense.normalize_before", false);
  if (!keys.done() || c.dense_dim == 0) return keys.done();
  const auto found = find_dense(file, c);
  if (!found) return found.error();
  std::size_t where = 0;
  const std::size_t weights = round_up(c.dense_dim, panel_width) * c.pooled_dim();
  if (!all_finite(reinterpret_cast<const std::byte*>(found->weight), row_format::f32, weights, where))
    return error(errc::not_finite, "dense.weight", 0, where);
  if (!all_finite(reinterpret_cast<const std::byte*>(found->bias), row_format::f32, c.dense_dim, where))
    return error(errc::not_finite, "dense.bias", 0, where);
  return {};
}

/// How many floats of a vector are kept (0: all), and what a score is.
inline result<std::uint32_t> read_kept(const gguf::file& file, config& c) noexcept {
  metadata_reader keys(file);
  const std::uint32_t kept = keys.integer("dupq.truncate_dim", 0, 0x7FFFFFFF, 0);
  c.pool_prompt = keys.boolean("dupq.pool_prompt", true);
  const std::string_view like = keys.text("dupq.similarity", name(similarity::cosine));
  if (!keys.done()) return keys.done().error();
  std::uint32_t kind = 0;
  while (kind < 4 && name(static_cast<similarity>(kind)) != like) ++kind;
  if (kind == 4) return error(errc::wrong_value, "dupq.similarity");
  c.similarity = static_cast<similarity>(kind);
  return kept;
}

inline result<void> read(const gguf::file& file, config& c, const kernels*& table) noexcept {
  metadata_reader keys(file);
  const std::string_view modes = keys.text("dupq.pooling", "none");
  if (c.pooling.modes() == 0 && c.kind == model_kind::bi_encoder) {
    const auto sequence = parse_sequence(modes);
    if (!sequence) return error(errc::wrong_value, "dupq.pooling");
    c.pooling.sequence = *sequence;
  }
  if (!keys.done()) return keys.done().error();
  const auto kept = read_kept(file, c);
  if (!kept) return kept.error();
  static constexpr std::string_view heads[] = {name(head_activation::tanh), name(head_activation::gelu),
                                               name(head_activation::relu)};
  c.head_activation = static_cast<head_activation>(keys.choice("dupq.head_activation", heads));
  static constexpr std::string_view hidden[] = {name(hidden_activation::gelu), name(hidden_activation::gelu_tanh),
                                                name(hidden_activation::relu)};
  c.hidden_activation = static_cast<hidden_activation>(keys.choice("dupq.hidden_activation", hidden));
  // A head's GELU is the exact one, which the other's table does not have.
  if (c.hidden_activation != hidden_activation::gelu && c.head_activation == head_activation::gelu)
    keys.fail(errc::unsupported, "dupq.hidden_activation");
  if (!keys.done()) return keys.done().error();
  table = &table_with(c.hidden_activation, *table);
  if (const auto done = read_dense(file, c); !done) return done.error();
  c.keep(*kept);
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
  use.pools = c.pooling.sequence != 0 || use.unpooled != 0 || c.dim() != c.pooled_dim() || c.dense_dim != 0;
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

inline void pool(const kernels& k, const config& c, const gguf::file& file, const token_batch& batch,
                 std::size_t unpooled, const matrix<float>& x, float* room, const matrix<float>& y) noexcept {
  std::uint32_t modes = c.pooling.sequence;
  if (modes == 0) {
    std::uint32_t shift = 0;
    for (const auto& [wanted, mode] : {std::pair{c.pooling.cls, pooling_mode::cls},
                                       {c.pooling.max, pooling_mode::max},
                                       {c.pooling.mean, pooling_mode::mean}})
      if (wanted) modes |= static_cast<std::uint32_t>(mode) << shift, shift += 4;
  }
  const std::size_t dim = c.pooled_dim();
  linear<host_memory> dense;
  if (c.dense_dim != 0) {
    const auto found = find_dense(file, c);
    if (!found) return;  // there was one when the model was opened
    dense.panels = found->weight, dense.bias = found->bias, dense.inputs = dim, dense.outputs = c.dense_dim;
  }
  for (std::size_t t = 0; t < batch.texts; ++t) {
    const matrix<const float> own(x.row(batch.offsets[t]), batch.offsets[t + 1] - batch.offsets[t], x.columns,
                                  x.stride);
    float* to = room;
    for (std::uint32_t rest = modes; rest != 0; rest >>= 4, to += x.columns)
      pool_mode(k, static_cast<pooling_mode>(rest & 15), own, own.rows, unpooled, room + dim, to);
    matrix<float> vector(room, 1, dim);
    if (c.dense_dim != 0) {
      if (c.normalize_pooled) cpu(k).normalize(vector);
      const matrix<float> outputs(room + dim, 1, c.dense_dim);
      cpu(k).apply(dense, vector, c.dense_tanh ? activation::tanh : activation::none, nullptr, outputs);
      vector = outputs;
    }
    if (c.normalize) cpu(k).normalize(vector);
    std::copy_n(vector.data, y.columns, y.row(t));
  }
}

inline result<void> check_static(const gguf::file& file, const config& c, bool finite) noexcept {
  const auto table = static_table::read(file, c, true, finite);
  return table ? result<void>() : table.error();
}

inline result<void> read_static(const gguf::file& file, config& c, const kernels*&) noexcept {
  const auto kept = read_kept(file, c);
  if (!kept) return kept.error();
  c.keep(*kept);
  const auto prompts = prompt_list::read(file);
  return prompts ? result<void>() : prompts.error();
}
inline result<void> no_steps(const normalizer_steps&, arena&) noexcept {
  return error(errc::unsupported, normalizer_steps::key);
}
inline result<std::optional<tokenizer>> no_subwords(const gguf::file&, arena&) noexcept {
  return error(errc::unsupported, "tokenizer.ggml.model");
}
inline constexpr text_extension no_extension{no_steps, nullptr, nullptr};

}  // namespace rare

/// Of static models whose tokenizer is WordPiece with BERT's own normaliser, for small programs: others are refused.
inline constexpr rare_settings static_settings{
    rare::read_static, rare::prompt, rare::encode, rare::encode_pair, nullptr, {&rare::no_extension, rare::no_subwords},
    rare::check_static};
/// All of them.
inline constexpr rare_settings all_settings{rare::read,        rare::prompt, rare::encode,
                                            rare::encode_pair, rare::pool,   {&general_text, subword_reader::read},
                                            rare::check_static};

}  // namespace dupq::inline DUPQ_ABI
