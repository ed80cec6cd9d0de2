// The end of a cross-encoder's head for few texts: its dense layer, which streams most of the weights, is a linear
// layer with a norm before it and shared by many blocks like the others.
#pragma once

#include "../layouts.hpp"
#include "../numbers.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// logits[text] = classifier . pooled[first token of the text] + its bias.
struct few_head_args {
  const half* pooled = nullptr;            ///< [rows][stride]: tanh of the dense layer
  const float* classifier = nullptr;       ///< [width], 0 from the model's hidden size on
  const float* classifier_bias = nullptr;  ///< one number
  const std::uint32_t* offsets = nullptr;  ///< [texts + 1]
  float* logits = nullptr;                 ///< [texts]
  int stride = 0, width = 0;
};

/// A warp a text. Blocks: texts; Threads: 32. No shared memory.
template <int Threads>
DUPQ_KERNEL(Threads, 1)
few_head_kernel(few_head_args args) {
  constexpr int chunks = 4;  // of 256 columns: the widest row
  const int lane = ptx::thread_index(), text = ptx::block_index();
  const auto inside = [&](int c) { return 256 * c + 8 * lane < args.width; };
  float by[chunks][8] = {};
  DUPQ_GPU_UNROLL
  for (int c = 0; c < chunks; ++c)
    if (inside(c)) load_floats(args.classifier + 256 * c + 8 * lane, by[c]);
  const float bias = ptx::as_float(ptx::load_constant(args.classifier_bias));
  ptx::wait_for_previous_kernel();
  ptx::launch_next_kernel();
  const half* const row = args.pooled + static_cast<std::size_t>(ptx::load_global(args.offsets + text)) *
                                            static_cast<std::size_t>(args.stride);
  float sum = 0.0f;
  DUPQ_GPU_UNROLL
  for (int c = 0; c < chunks; ++c) {
    if (!inside(c)) continue;
    float v[8];
    widen(ptx::load_global4(row + 256 * c + 8 * lane), v);
    DUPQ_GPU_UNROLL
    for (int e = 0; e < 8; ++e) sum += v[e] * by[c][e];
  }
  sum = warp_sum(sum);
  if (lane == 0) ptx::store_global(args.logits + text, ptx::as_bits(sum + bias));
}

}  // namespace dupq::inline DUPQ_ABI::gpu
