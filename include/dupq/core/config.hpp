// A model in numbers (`config`) and what a workspace is sized for (`limits`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

enum class architecture : std::uint8_t { bert, mpnet, static_table };
/// A static encoder is a bi-encoder without layers: see static_encoder.hpp.
enum class model_kind : std::uint8_t { bi_encoder, cross_encoder, static_encoder };
/// How the matrices are stored and multiplied: as floats, or as 8-bit integers with exact integer sums.
enum class weight_type : std::uint8_t { f32, int8 };
enum class score_activation : std::uint8_t { identity, sigmoid };
/// What stands between the two products of each layer: the exact GELU, its form with a tanh, or max(x, 0).
enum class hidden_activation : std::uint8_t { gelu, gelu_tanh, relu };
/// What stands between the two products of a cross-encoder's head.
enum class head_activation : std::uint8_t { tanh, gelu, relu };

/// How two vectors are compared, as sentence_transformers' similarity_pairwise has it: distances are negative.
enum class similarity : std::uint8_t { cosine, dot, euclidean, manhattan };

/// Ways to make one vector of a text's token vectors; `weightedmean` weighs them by their places, 1, 2, 3, ...
enum class pooling_mode : std::uint8_t { cls = 1, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken };

/// How token vectors become one text vector. Several modes are concatenated in the order cls, max, mean,
/// as sentence_transformers.models.Pooling does.
struct pooling {
  bool cls = false;
  bool max = false;
  bool mean = false;
  /// Other modes, or another order, instead of the three above: four bits a pooling_mode, the first one lowest.
  std::uint32_t sequence = 0;

  static constexpr std::size_t most_modes = 8;
  constexpr std::size_t modes() const noexcept {
    std::size_t n = std::size_t{cls} + std::size_t{max} + std::size_t{mean};
    for (std::uint32_t rest = sequence; rest != 0; rest >>= 4) ++n;
    return n;
  }
  friend constexpr bool operator==(pooling, pooling) = default;
};

/// The dimensions and switches of one model; everything that shapes are derived from.
struct config {
  dupq::architecture architecture = dupq::architecture::bert;
  model_kind kind = model_kind::bi_encoder;
  dupq::hidden_activation hidden_activation = dupq::hidden_activation::gelu;
  dupq::head_activation head_activation = dupq::head_activation::tanh;  ///< cross-encoders
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t intermediate = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t positions = 0;         ///< rows of the position table
  std::uint32_t position_offset = 0;   ///< the first token's row: 0 for BERT, 2 for MPNet
  std::uint32_t token_types = 0;       ///< rows of the token-type table; 0: there is none
  std::uint32_t relative_buckets = 0;  ///< rows of MPNet's relative attention bias; 0: there is none
  weight_type weights = weight_type::f32;
  std::uint32_t max_length = 0;  ///< tokens of one text or pair, special tokens included
  float norm_epsilon = 0;
  dupq::pooling pooling{};         ///< bi-encoders
  bool normalize = false;          ///< bi-encoders: vectors have length 1
  bool normalize_pooled = false;   ///< bi-encoders: what goes into the layer of dense_dim has length 1
  bool dense_tanh = false;         ///< bi-encoders: what comes out of it goes through tanh
  std::uint32_t dense_dim = 0;     ///< bi-encoders: outputs of a linear layer after the pooling; 0: there is none
  std::uint32_t truncate_dim = 0;  ///< bi-encoders: floats of a vector where they are not pooled_dim(); see keep
  dupq::similarity similarity = dupq::similarity::cosine;  ///< bi-encoders: what a score is
  bool pool_prompt = true;  ///< bi-encoders: whether a prompt's tokens count in the pooling
  score_activation activation = score_activation::identity;  ///< cross-encoders

  /// Floats of one text's vector.
  constexpr std::size_t dim() const noexcept { return truncate_dim != 0 ? truncate_dim : pooled_dim(); }
  /// Floats of a vector as the pooling makes it.
  constexpr std::size_t pooled_dim() const noexcept { return pooling.modes() * hidden; }
  /// Floats of a vector before it is truncated.
  constexpr std::size_t whole_dim() const noexcept { return dense_dim != 0 ? dense_dim : pooled_dim(); }
  /// Keeps the first `n` floats of a vector, after all else; all where it has no more, or for 0.
  constexpr void keep(std::uint32_t n) noexcept { truncate_dim = n != 0 && n < whole_dim() ? n : dense_dim; }
  constexpr std::size_t head_dim() const noexcept { return heads == 0 ? 0 : hidden / heads; }
};

/// What an encoder's workspace is sized for. Any number of texts is encoded in chunks of at most this size.
struct limits {
  std::size_t text_tokens = 0;    ///< longest text or pair in tokens, the rest is cut; 0: the model's max_length
  std::size_t packed_tokens = 0;  ///< tokens of one forward pass, at least text_tokens; 0: chosen for the caches
  std::size_t texts = 64;         ///< texts of one forward pass
  std::size_t workers = 1;        ///< forward passes at a time

  /// The greatest values that text_tokens, packed_tokens and texts, or workers, may have.
  static constexpr std::size_t most_tokens = std::size_t{1} << 24, most_workers = 4096;
};

constexpr std::string_view name(architecture a) noexcept {
  return a == architecture::bert ? "bert" : a == architecture::mpnet ? "mpnet" : "static";
}
constexpr std::string_view name(model_kind k) noexcept {
  return k == model_kind::bi_encoder      ? "bi_encoder"
         : k == model_kind::cross_encoder ? "cross_encoder"
                                          : "static_encoder";
}
constexpr std::string_view name(score_activation a) noexcept {
  return a == score_activation::identity ? "identity" : "sigmoid";
}
constexpr std::string_view name(hidden_activation a) noexcept {
  constexpr std::string_view names[3] = {"gelu", "gelu_tanh", "relu"};
  return names[static_cast<std::size_t>(a)];
}
constexpr std::string_view name(head_activation a) noexcept {
  constexpr std::string_view names[3] = {"tanh", "gelu", "relu"};
  return names[static_cast<std::size_t>(a)];
}
constexpr std::string_view name(weight_type t) noexcept { return t == weight_type::f32 ? "f32" : "int8"; }
constexpr std::string_view name(similarity s) noexcept {
  constexpr std::string_view names[4] = {"cosine", "dot", "euclidean", "manhattan"};
  return names[static_cast<std::size_t>(s)];
}
constexpr std::string_view name(pooling_mode m) noexcept {
  constexpr std::string_view names[6] = {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
  return names[static_cast<std::size_t>(m) - 1];
}
/// Names of the poolings without a sequence. The index is the sum of 4 for cls, 2 for max and 1 for mean.
inline constexpr std::string_view pooling_names[8] = {"none", "mean",     "max",     "max+mean",
                                                      "cls",  "cls+mean", "cls+max", "cls+max+mean"};
constexpr std::string_view name(pooling p) noexcept {
  return pooling_names[(p.cls ? 4u : 0u) + (p.max ? 2u : 0u) + (p.mean ? 1u : 0u)];
}

}  // namespace dupq::inline DUPQ_ABI
