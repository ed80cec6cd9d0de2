// A model in numbers (`config`) and what a workspace is sized for (`limits`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "platform.hpp"

namespace dupq::inline DUPQ_ABI {

enum class architecture : std::uint8_t { bert, mpnet };
enum class model_kind : std::uint8_t { bi_encoder, cross_encoder };
/// How the matrices are stored and multiplied: as floats, or as 8-bit integers with exact integer sums.
enum class weight_type : std::uint8_t { f32, int8 };
enum class score_activation : std::uint8_t { identity, sigmoid };

/// How token vectors become one text vector. Several modes are concatenated in the order cls, max, mean,
/// as sentence_transformers.models.Pooling does.
struct pooling {
  bool cls = false;
  bool max = false;
  bool mean = false;

  constexpr std::size_t modes() const noexcept { return std::size_t{cls} + std::size_t{max} + std::size_t{mean}; }
  friend constexpr bool operator==(pooling, pooling) = default;
};

/// The dimensions and switches of one model; everything that shapes are derived from.
struct config {
  dupq::architecture architecture = dupq::architecture::bert;
  model_kind kind = model_kind::bi_encoder;
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
  dupq::pooling pooling{};                                   ///< bi-encoders
  bool normalize = false;                                    ///< bi-encoders: vectors have length 1
  score_activation activation = score_activation::identity;  ///< cross-encoders

  /// Floats of one text's vector.
  constexpr std::size_t dim() const noexcept { return pooling.modes() * hidden; }
  constexpr std::size_t head_dim() const noexcept { return heads == 0 ? 0 : hidden / heads; }
};

/// What an encoder's workspace is sized for. Any number of texts is encoded in chunks of at most this size.
struct limits {
  std::size_t text_tokens = 0;    ///< longest text or pair in tokens, the rest is cut; 0: the model's max_length
  std::size_t packed_tokens = 0;  ///< tokens of one forward pass, at least text_tokens; 0: chosen for the caches
  std::size_t texts = 64;         ///< texts of one forward pass
  std::size_t workers = 1;        ///< forward passes at a time
};

constexpr std::string_view name(architecture a) noexcept { return a == architecture::bert ? "bert" : "mpnet"; }
constexpr std::string_view name(model_kind k) noexcept {
  return k == model_kind::bi_encoder ? "bi_encoder" : "cross_encoder";
}
constexpr std::string_view name(score_activation a) noexcept {
  return a == score_activation::identity ? "identity" : "sigmoid";
}
constexpr std::string_view name(weight_type t) noexcept { return t == weight_type::f32 ? "f32" : "int8"; }
/// "mean", "cls+max+mean", ...
constexpr std::string_view name(pooling p) noexcept {
  constexpr std::string_view names[8] = {"none", "mean",     "max",     "max+mean",
                                         "cls",  "cls+mean", "cls+max", "cls+max+mean"};
  return names[(p.cls ? 4u : 0u) + (p.max ? 2u : 0u) + (p.mean ? 1u : 0u)];
}

}  // namespace dupq::inline DUPQ_ABI
