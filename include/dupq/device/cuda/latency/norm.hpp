// The last norm, for which no layer is left that would apply it.
#pragma once

#include "../numbers.hpp"
#include "linear.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr int norm_warps = 4;

/// x = norm(sums), of which few_linear_args has all. Chunks: `width` in chunks of 256 columns, rounded up. A warp a
/// row; blocks: rows / norm_warps.
template <int Chunks>
DUPQ_KERNEL(32 * norm_warps, 1)
norm_kernel(few_linear_args args) {
  const int lane = ptx::thread_index() % 32;
  const int row = ptx::block_index() * norm_warps + ptx::uniform(ptx::thread_index() / 32);
  const auto place = [&](int c) {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(args.width) +
           static_cast<std::size_t>(256 * c + 8 * lane);
  };
  const auto inside = [&](int c) { return 256 * c + 8 * lane < args.width; };
  ptx::launch_next_kernel();
  float gain[Chunks][8] = {}, bias[Chunks][8] = {}, v[Chunks][8] = {}, mean = 0.0f, variance = 0.0f;
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c)
    if (inside(c)) {
      load_floats<true>(args.gain + 256 * c + 8 * lane, gain[c]);
      load_floats<true>(args.bias + 256 * c + 8 * lane, bias[c]);
    }
  ptx::wait_for_previous_kernel();
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) {
    if (!inside(c)) continue;
    DUPQ_GPU_UNROLL
    for (int k = 0; k < 2; ++k) {
      const ptx::words4 four = ptx::load_global4(args.sums + place(c) + 4 * k);
      DUPQ_GPU_UNROLL
      for (int e = 0; e < 4; ++e) v[c][4 * k + e] = ptx::as_float(four.w[e]);
    }
  }
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) DUPQ_GPU_UNROLL
  for (int e = 0; e < 8; ++e) mean += v[c][e];
  const float part = 1.0f / static_cast<float>(args.size);
  mean = warp_sum(mean) * part;
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) DUPQ_GPU_UNROLL
  for (int e = 0; e < 8; ++e)
    if (256 * c + 8 * lane + e < args.size) variance += (v[c][e] - mean) * (v[c][e] - mean);
  const float inverse = ptx::fast_rsqrt(warp_sum(variance) * part + args.epsilon);
  DUPQ_GPU_UNROLL
  for (int c = 0; c < Chunks; ++c) {
    if (!inside(c)) continue;
    DUPQ_GPU_UNROLL
    for (int e = 0; e < 8; ++e) v[c][e] = (v[c][e] - mean) * inverse * gain[c][e] + bias[c][e];
    ptx::store_global4(args.x + place(c), narrow(v[c]));
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
