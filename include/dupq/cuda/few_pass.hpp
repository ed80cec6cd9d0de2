// The forward pass of few texts as a list of kernels: four a layer, which wait as little as they can. They read
// and write the host's memory, so that no copies have to be launched beside them.
#pragma once

#include "../device/cuda/latency/attention.hpp"
#include "../device/cuda/latency/head.hpp"
#include "../device/cuda/latency/linear.hpp"
#include "../device/cuda/latency/norm.hpp"
#include "../device/cuda/latency/receive.hpp"
#include "forward.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Launches everything in order, as forward_pass does. p.token_count is a multiple of 16; tiles and texts
/// that only fill the lists up have no queries and no tokens. Weights are laid out for few rows (shapes::few_rows).
template <class Launch>
class few_pass {
 public:
  few_pass(const packed_model& m, const shapes& s, const config& c, const pass& p, Launch& launch) noexcept
      : m_(m), s_(s), c_(c), p_(p), launch_(launch), ends_(m, s, c, p, 0, launch) {}

  /// `sent` is what the host has written.
  void run(const receive_args& sent) noexcept {
    launch_(&receive_kernel<receive_threads>, (sent.all() + receive_threads - 1) / receive_threads, receive_threads,
            std::size_t{0}, sent);
    ends_.embed();
    for (std::uint32_t i = 0; i < c_.layers; ++i) {
      const packed_layer& one = m_.layers[i];
      few_linear_args qkv = to_halves(one.qkv, p_.qkv, s_.qkv);
      if (i == 0)
        go(&few_linear_kernel<false>, qkv);
      else
        go_normed<activation::none>(qkv, m_.layers[i - 1].norm);
      attend(one.output);
      few_linear_args up = to_halves(one.up, p_.inner, s_.inner);
      go_normed<activation::gelu>(up, one.attention_norm);
      few_linear_args down = with_x(one.down);
      down.from = p_.inner, down.from_stride = s_.inner;
      go(&few_linear_kernel<true>, down);
    }
    const packed_norm& last = m_.layers[c_.layers - 1].norm;
    if (c_.kind == model_kind::cross_encoder) {
      head(last);
    } else {
      last_norm(last);
      ends_.pool();
    }
  }

 private:
  few_linear_args with_x(const packed_linear& by) const noexcept {
    few_linear_args args;
    args.by = by, args.x = p_.x, args.sums = p_.sums, args.width = s_.width, args.size = s_.size;
    args.epsilon = c_.norm_epsilon;
    return args;
  }
  few_linear_args to_halves(const packed_linear& by, half* y, int stride) const noexcept {
    few_linear_args args = with_x(by);
    args.from = p_.x, args.from_stride = s_.width, args.y = y, args.y_stride = stride;
    return args;
  }
  void go(void (*kernel)(few_linear_args), const few_linear_args& args) noexcept {
    launch_(kernel, few_blocks(p_.token_count, args.by.outputs), unit_threads, std::size_t{unit_shared_bytes}, args);
  }
  template <activation Act>
  void go_normed(few_linear_args& args, const packed_norm& by) noexcept {
    args.gain = by.gain, args.bias = by.bias;
    switch (units_of(s_.width)) {
      case 1: return go(&norm_linear_kernel<1, Act>, args);
      case 2: return go(&norm_linear_kernel<2, Act>, args);
      default: return go(&norm_linear_kernel<3, Act>, args);
    }
  }
  void attend(const packed_linear& by) noexcept {
    few_attention_args args;
    args.of = ends_.attention();
    args.by = by, args.x = p_.x, args.sums = p_.sums, args.width = s_.width;
    const auto go_attend = [&](void (*kernel)(few_attention_args), int warps) {
      launch_(kernel, p_.tile_count * (by.outputs / unit_columns), 32 * warps, std::size_t{unit_shared_bytes}, args);
    };
    switch (s_.heads.dims()) {
      case 32: return go_attend(&few_attention_kernel<32>, head_warps<32>);
      case 64: return go_attend(&few_attention_kernel<64>, head_warps<64>);
      default: return go_attend(&few_attention_kernel<128>, head_warps<128>);
    }
  }
  void head(const packed_norm& by) noexcept {
    few_linear_args dense = to_halves(m_.dense, p_.qkv, s_.qkv);
    go_normed<activation::tanh>(dense, by);
    const few_head_args args{p_.qkv, m_.classifier, m_.classifier_bias, p_.offsets, p_.out, s_.qkv, s_.width};
    launch_(&few_head_kernel<32>, p_.texts, 32, std::size_t{0}, args);
  }
  void last_norm(const packed_norm& by) noexcept {
    few_linear_args args = with_x({});
    args.gain = by.gain, args.bias = by.bias;
    const auto go_norm = [&](void (*kernel)(few_linear_args)) {
      launch_(kernel, p_.token_count / norm_warps, 32 * norm_warps, std::size_t{0}, args);
    };
    switch ((s_.width + 255) / 256) {
      case 1: return go_norm(&norm_kernel<1>);
      case 2: return go_norm(&norm_kernel<2>);
      case 3: return go_norm(&norm_kernel<3>);
      default: return go_norm(&norm_kernel<4>);
    }
  }

  const packed_model& m_;
  const shapes& s_;
  const config& c_;
  const pass& p_;
  Launch& launch_;
  forward_pass<Launch> ends_;
};

}  // namespace dupq::inline DUPQ_ABI::gpu
