// Layers over bins: their weights, and their two kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "../../../core/arena.hpp"
#include "../../../core/config.hpp"
#include "../packing.hpp"
#include "bin_pass.hpp"
#include "mlp.hpp"
#include "qkv.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr int bin_hidden = 384;  ///< the width of models whose short texts go through bins

/// Whether a model's layers are ones that these kernels compute; `inner` is what its perceptron is padded to.
constexpr bool takes_bins(const config& c, int inner) noexcept {
  return c.hidden == bin_hidden && c.heads == bin_hidden / 32 && c.relative_buckets == 0 && inner % panel_columns == 0;
}

/// A layer's weights for them.
struct bin_layer {
  using qkv = qkv_tape<bin_hidden>;
  using mlp = mlp_tape<bin_hidden>;

  const half* qkv_weights = nullptr;
  const half* mlp_weights = nullptr;
  const float* vectors = nullptr;  ///< see mlp_vector

  /// Lays the weights out in `from`. With `fill`, `from` is memory of the host and they are written there; without it
  /// only the places are found. False: a weight is too large for a half.
  template <class Layer>
  bool lay_out(arena& from, const Layer& one, int inner, bool fill) noexcept {
    half* const qkv_to = from.take<half>(qkv::halves);
    half* const mlp_to = from.take<half>(mlp::halves(inner));
    float* const vectors_to = from.take<float>(6 * bin_hidden);
    qkv_weights = qkv_to, mlp_weights = mlp_to, vectors = vectors_to;
    if (!fill) return true;
    const float* const all[6] = {one.attention.output.bias,  one.attention.norm.gain,    one.attention.norm.bias,
                                 one.feed_forward.down.bias, one.feed_forward.norm.gain, one.feed_forward.norm.bias};
    for (int v = 0; v < 6; ++v)
      for (int i = 0; i < bin_hidden; ++i) vectors_to[v * bin_hidden + i] = all[v] == nullptr ? 0.0f : all[v][i];
    std::fill_n(mlp_to, mlp::halves(inner), half{0});  // columns behind the perceptron's
    const bool fits[] = {
        pack_tape(one.attention.qkv, qkv::index, qkv_to), pack_tape(one.attention.output, mlp::projection, mlp_to),
        pack_tape(one.feed_forward.up, mlp::up, mlp_to), pack_tape(one.feed_forward.down, mlp::down, mlp_to)};
    return fits[0] && fits[1] && fits[2] && fits[3];
  }
};

/// Launches a layer. `y`: null, or where the rows of the texts go, which is so in the last layer.
template <class Launch>
void launch_bin_layer(const bin_layer& weights, const float* qkv_bias, const float* up_bias, int inner, float epsilon,
                      const bin_pass& p, half* y, int processors, Launch& launch) noexcept {
  const int blocks = std::min(p.lists.pairs, std::max(processors, 1));
  using first = qkv_shape<bin_hidden>;
  using second = mlp_shape<bin_hidden>;
  qkv_args heads;
  heads.x = p.x, heads.context = p.context;
  heads.tape = weights.qkv_weights, heads.bias = qkv_bias;
  heads.tiles = p.lists.tiles, heads.first_tile = p.lists.first_tile;
  heads.pairs = p.lists.pairs, heads.scale = 1.44269504f / std::sqrt(32.0f);
  launch(&qkv_kernel<bin_hidden>, blocks, first::threads, std::size_t{first::shared_bytes}, heads);
  mlp_args rows;
  rows.context = p.context, rows.x = p.x, rows.y = y;
  rows.tape = weights.mlp_weights, rows.vectors = weights.vectors, rows.up_bias = up_bias;
  rows.rows = y == nullptr ? nullptr : p.lists.rows;
  rows.pairs = p.lists.pairs, rows.inner = inner, rows.epsilon = epsilon;
  launch(&mlp_kernel<bin_hidden>, blocks, second::threads, std::size_t{second::shared_bytes}, rows);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
