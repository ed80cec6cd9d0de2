// What a device must do to run the models: the weights it reads and its operations, each with its formula.
//
// `reference` is the judge of correctness, `cpu` the fast one; a layer is a template over the device and written once.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "../core/config.hpp"
#include "../core/matrix.hpp"

namespace dupq::inline DUPQ_ABI {

/// Outputs of one panel: weights lie as [outputs / 16][inputs][16] floats, so that every instruction set reads them
/// in place. Missing outputs of the last panel are 0.
inline constexpr std::size_t panel_width = 16;

enum class activation : std::uint8_t { none, gelu, tanh };

/// y = x W^T + b: `outputs` x `inputs`, in panels. There are either `panels`; or `halves`, which are the same in half
/// precision, at any address, for GPUs alone (see model_options); or, for 8-bit integers, `bytes`, `scales` and `sums`:
/// bytes lie as [outputs / 16][inputs / 4][16][4], and a weight is its byte times its output's scale.
template <class Memory>
struct linear {
  const float* panels = nullptr;
  const std::byte* halves = nullptr;
  const std::int8_t* bytes = nullptr;  ///< within [-64, 64]
  const float* scales = nullptr;       ///< [outputs]
  const std::int32_t* sums = nullptr;  ///< [outputs], of the bytes of an output
  const float* factors = nullptr;      ///< [inputs], each input times its own before it becomes a byte; or null
  const float* bias = nullptr;         ///< [outputs]
  std::size_t outputs = 0;
  std::size_t inputs = 0;
};

/// y = (x - mean(x)) / sqrt(var(x) + epsilon) * gain + bias, over a row.
template <class Memory>
struct layer_norm {
  const float* gain = nullptr;
  const float* bias = nullptr;
  std::size_t size = 0;
  float epsilon = 0;
};

enum class row_format : std::uint8_t {
  f32,
  f16,
  bf16,  ///< the upper half of a float
  q8_0,  ///< ggml's: blocks of a half-precision scale and 32 signed bytes
};

/// A table of vectors, such as the words': rows are looked up and widened to floats, without rounding.
template <class Memory>
struct table {
  const std::byte* rows = nullptr;
  row_format format = row_format::f32;
  std::size_t count = 0;      ///< rows
  std::size_t row_bytes = 0;  ///< from a row to the next
};

/// Texts packed end to end without padding: the tokens of text t are offsets[t] .. offsets[t + 1] - 1.
struct token_batch {
  const std::int32_t* ids = nullptr;
  const std::int32_t* positions = nullptr;  ///< rows of the position table
  const std::uint8_t* types = nullptr;      ///< rows of the token-type table; null: all 0
  const std::uint32_t* offsets = nullptr;   ///< texts + 1
  std::size_t texts = 0;
  std::size_t tokens = 0;
};

/// Attention within each text. `relative` (MPNet; null otherwise) is [heads][2 * span - 1], and readable for another
/// panel: the bias of key k for query q is relative[head][q - k + span - 1].
struct attention_shape {
  std::size_t heads = 0;
  std::size_t head_dim = 0;
  const float* relative = nullptr;
  std::size_t span = 0;
};

// clang-format off
/// The operations. `x`, `y` are [tokens][...] unless said otherwise; `Memory` is where a device's floats live.
template <class D>
concept device = requires(const D d, token_batch batch, table<typename D::memory> words, layer_norm<typename D::memory> norm,
                          linear<typename D::memory> weight, matrix<float, typename D::memory> y,
                          matrix<const float, typename D::memory> x, attention_shape shape, float* scratch,
                          pooling mode, activation act) {
  // y = norm((words[id] + types[type]) + positions[position]); a table without rows adds nothing
  { d.embed(batch, words, words, words, norm, y) } noexcept;
  // y = act(x W^T + b)
  { d.apply(weight, x, act, scratch, y) } noexcept;
  // y = norm((x W^T + b) + y)
  { d.apply_residual_norm(weight, x, norm, scratch, y) } noexcept;
  // for each head: softmax(q k^T / sqrt(head_dim) + relative) v; x is [tokens][3 * hidden]: q, k, v
  { d.attention(batch, shape, x, scratch, y) } noexcept;
  // y is [texts][modes * hidden]: first token, maximum, mean, those that `mode` has, in this order
  { d.pool(batch, mode, x, y) } noexcept;
  // each row y = y / max(|y|, 1e-12)
  { d.normalize(y) } noexcept;
  // floats of `scratch` that the operations need for a model over texts of up to n tokens and batches of up to m rows
  { D::scratch_floats(config{}, std::size_t{}, std::size_t{}) } -> std::same_as<std::uint64_t>;
};
// clang-format on

}  // namespace dupq::inline DUPQ_ABI
