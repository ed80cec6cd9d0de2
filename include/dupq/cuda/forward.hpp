// The forward pass as a list of kernels: one for the embedding, five for each layer (two for the texts that go through
// bins), one at the end. Who launches them is left open, so that the emulator runs the very same list.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../core/config.hpp"
#include "../device/cuda/attention.hpp"
#include "../device/cuda/ends.hpp"
#include "../device/cuda/rows.hpp"
#include "weights.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// One batch in the GPU's memory: what is sent there, room, and the result.
struct pass {
  const token* tokens = nullptr;           ///< [token_count]
  const query_tile* tiles = nullptr;       ///< [tile_count]
  const std::uint32_t* offsets = nullptr;  ///< [texts + 1]
  const std::uint32_t* places = nullptr;   ///< [texts]: where a text's result goes; null: in order
  int token_count = 0, tile_count = 0, texts = 0;
  int rows = 0;  ///< so many tokens, the first ones, go through the layers as rows; the others in bins
  bin_pass bins;
  half* x = nullptr;        ///< [tokens][width]
  half* qkv = nullptr;      ///< [tokens][qkv]
  half* context = nullptr;  ///< [tokens][context]; the columns beyond the heads' were set to 0 once
  half* inner = nullptr;    ///< [tokens][inner]
  float* sums = nullptr;    ///< [tokens][width]: only for few texts
  float* out = nullptr;     ///< [texts][dim], or [texts] logits

  void lay_out_sent(arena& from, std::size_t most_tokens, std::size_t most_texts) noexcept {
    tokens = from.take<token>(most_tokens);
    tiles = from.take<query_tile>(most_tiles(most_tokens, most_texts));
    offsets = from.take<std::uint32_t>(most_texts + 1);
  }
  /// What is sent as well where short texts go through bins.
  void lay_out_bins_sent(arena& from, std::size_t most_tokens, std::size_t most_texts) noexcept {
    places = from.take<std::uint32_t>(most_texts);
    bins.lists.lay_out(from, most_tokens, most_texts);
  }
  void lay_out_room(arena& from, const shapes& s, std::size_t most_tokens) noexcept {
    if (s.wide) most_tokens = round_up(most_tokens, std::size_t{wide_rows});
    const auto take = [&](int columns) { return from.take<half>(most_tokens * static_cast<std::size_t>(columns)); };
    if (s.wide) bins.x = take(s.width);
    x = take(s.width), qkv = take(s.qkv), context = take(s.few_rows ? 0 : s.context), inner = take(s.inner);
    sums = from.take<float>(s.few_rows ? most_tokens * static_cast<std::size_t>(s.width) : 0);
  }
  static constexpr std::size_t most_tiles(std::size_t tokens, std::size_t texts) noexcept {
    return tokens / tile_queries + texts;
  }
};

/// The tiles of queries of a batch; returns their number.
inline int make_tiles(const std::uint32_t* offsets, std::size_t texts, query_tile* tiles) noexcept {
  int count = 0;
  for (std::size_t t = 0; t < texts; ++t)
    for (std::uint32_t first = offsets[t]; first < offsets[t + 1]; first += tile_queries)
      tiles[count++] = {offsets[t], offsets[t + 1], first, 0};
  return count;
}

/// Launches everything in order; launch(kernel, blocks, threads, bytes of shared memory, arguments) for each kernel.
/// The number of the GPU's processors decides how small tiles are; results do not depend on it.
template <class Launch>
class forward_pass {
 public:
  forward_pass(const packed_model& m, const shapes& s, const config& c, const pass& p, int processors,
               Launch& launch) noexcept
      : m_(m), s_(s), c_(c), p_(p), processors_(processors), launch_(launch) {}

  void run() noexcept {
    embed();
    for (std::uint32_t i = 0; p_.bins.lists.pairs != 0 && i < c_.layers; ++i)
      launch_bin_layer(m_.layers[i].bins, m_.layers[i].qkv.bias, m_.layers[i].up.bias, s_.inner, c_.norm_epsilon,
                       p_.bins, i + 1 == c_.layers ? p_.x : nullptr, processors_, launch_);
    for (std::uint32_t i = 0; p_.rows != 0 && i < c_.layers; ++i) {
      if (s_.wide)
        wide_layer(m_.layers[i], i + 1 == c_.layers);
      else
        layer(m_.layers[i]);
    }
    finish();
  }

  // ---- few_pass uses these, too ----
  void embed() noexcept {
    const embed_args args{m_.words,  m_.types,       m_.positions, m_.embedding_norm.gain, m_.embedding_norm.bias,
                          p_.tokens, p_.x,           p_.bins.x,    p_.token_count,         s_.width,
                          s_.size,   c_.norm_epsilon};
    const int blocks = (p_.token_count + embed_warps - 1) / embed_warps;
    const auto go = [&](auto kernel) { launch_(kernel, blocks, 32 * embed_warps, std::size_t{0}, args); };
    switch ((s_.width + 255) / 256) {
      case 1: return go(&embed_kernel<1>);
      case 2: return go(&embed_kernel<2>);
      case 3: return go(&embed_kernel<3>);
      default: return go(&embed_kernel<4>);
    }
  }
  void finish() noexcept {
    if (c_.kind == model_kind::cross_encoder)
      head();
    else
      pool();
  }
  void pool() noexcept {
    pool_args args;
    args.x = p_.x, args.offsets = p_.offsets, args.places = p_.places, args.y = p_.out;
    args.size = s_.size, args.stride = s_.width, args.mode = c_.pooling, args.normalize = c_.normalize;
    launch_(&pool_kernel<pool_threads>, p_.texts, pool_threads, pool_shared_bytes, args);
  }
  attention_args attention() const noexcept {
    attention_args args;
    args.qkv = p_.qkv, args.y = p_.context, args.tiles = p_.tiles;
    args.tile_count = p_.tile_count, args.heads = s_.heads.heads;
    args.stride = s_.qkv, args.y_stride = s_.context, args.y_bins = s_.wide;
    args.scale = 1.44269504f / std::sqrt(static_cast<float>(s_.heads.head_dim));
    args.relative = m_.relative, args.span = static_cast<int>(c_.max_length);
    return args;
  }

 private:
  void layer(const packed_layer& one) noexcept {
    apply<activation::none>(one.qkv, p_.x, s_.width, p_.qkv, s_.qkv);
    attend();
    norm(one.output, p_.context, s_.context, one.attention_norm);
    apply<activation::gelu>(one.up, p_.x, s_.width, p_.inner, s_.inner);
    norm(one.down, p_.inner, s_.inner, one.norm);
  }
  /// Rows lie in bins, but for queries, keys and values, and for the result of the last layer.
  void wide_layer(const packed_layer& one, bool last) noexcept {
    half* const x = p_.bins.x;
    const auto wide_norm = [&](const packed_linear& by, const half* from, const packed_norm& n, half* to, int stride) {
      launch_wide_norm(by, from, x, n.gain, n.bias, c_.norm_epsilon, to, stride, p_.rows, processors_, launch_);
    };
    launch_wide<wide_end::plain>(one.qkv, x, p_.qkv, s_.qkv, p_.rows, processors_, launch_);
    attend();
    wide_norm(one.output, p_.context, one.attention_norm, x, 0);
    launch_wide<wide_end::gelu>(one.up, x, p_.inner, 0, p_.rows, processors_, launch_);
    wide_norm(one.down, p_.inner, one.norm, last ? p_.x : x, last ? s_.width : 0);
  }
  template <activation Act>
  void apply(const packed_linear& by, const half* x, int x_stride, half* y, int y_stride) noexcept {
    const linear_args args{by, x, y, p_.rows, x_stride, y_stride};
    const int blocks = linear_blocks<large_tile>(p_.rows, by.outputs);
    if (blocks >= processors_)
      launch_(&linear_kernel<large_tile, Act>, blocks, large_tile::threads, std::size_t{large_tile::ring_bytes}, args);
    else
      launch_(&linear_kernel<small_tile, Act>, linear_blocks<small_tile>(p_.rows, by.outputs), small_tile::threads,
              std::size_t{small_tile::ring_bytes}, args);
  }
  void attend() noexcept {
    const attention_args args = attention();
    const auto go = [&](auto kernel) {
      launch_(kernel, attention_blocks(p_.tile_count, args.heads), 32 * attention_warps, std::size_t{0}, args);
    };
    switch (s_.heads.dims()) {
      case 32: return go(&attention_kernel<32>);
      case 64: return go(&attention_kernel<64>);
      default: return go(&attention_kernel<128>);
    }
  }
  void norm(const packed_linear& by, const half* x, int x_stride, const packed_norm& n) noexcept {
    const linear_norm_args args{{by, x, p_.x, p_.rows, x_stride, s_.width}, n.gain, n.bias, s_.size, c_.norm_epsilon};
    by_width([&]<int Width>() { row_kernel<Width>(&linear_norm_kernel<Width>, p_.rows, args); });
  }
  void head() noexcept {
    const head_args args{m_.dense,  m_.classifier, m_.classifier_bias, p_.x,    p_.offsets,
                         p_.places, p_.out,        p_.texts,           s_.width};
    by_width([&]<int Width>() { row_kernel<Width>(&head_kernel<Width>, p_.texts, args); });
  }
  template <int Width, class Args>
  void row_kernel(void (*kernel)(Args), int rows, const Args& args) noexcept {
    launch_(kernel, (rows + row_tile<Width>::rows - 1) / row_tile<Width>::rows, row_tile<Width>::threads,
            row_shared_bytes<Width>(), args);
  }
  template <class F>
  void by_width(F&& call) noexcept {
    switch (s_.width) {
      case 128: return call.template operator()<128>();
      case 256: return call.template operator()<256>();
      case 384: return call.template operator()<384>();
      case 512: return call.template operator()<512>();
      case 768: return call.template operator()<768>();
      default: return call.template operator()<1024>();
    }
  }

  const packed_model& m_;
  const shapes& s_;
  const config& c_;
  const pass& p_;
  int processors_;
  Launch& launch_;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
