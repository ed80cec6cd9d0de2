// The first kernel of a layer: queries, keys and values of bins of 64 rows, and attention within their texts.
//
// Two warpgroups compute q, k and v of a pair of heads at a time, each for its own bin, with the same weights; two more
// attend meanwhile to the pair before.
#pragma once

#include "heads.hpp"
#include "ring.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

struct qkv_args {
  const half* x = nullptr;                    ///< bins
  half* context = nullptr;                    ///< bins
  const half* tape = nullptr;                 ///< see qkv_tape
  const float* bias = nullptr;                ///< [3][hidden]
  const std::uint32_t* tiles = nullptr;       ///< see bin_tile
  const std::uint32_t* first_tile = nullptr;  ///< [bins + 1], of each bin
  int pairs = 0;                              ///< of bins
  float scale = 0;                            ///< log2(e) / sqrt(32)
};

template <int Hidden>
struct qkv_shape {
  using tape = qkv_tape<Hidden>;
  using ring = stage_ring<6, tape::stage_bytes, 8>;
  static constexpr int threads = 512, panels = Hidden / panel_columns;
  static constexpr std::uint32_t stages = 2 * bin_bytes(Hidden);  ///< where the ring lies, behind the two bins of x
  static constexpr std::uint32_t heads = stages + ring::bytes;    ///< queries, keys and values of both
  static constexpr std::uint32_t barriers = heads + 6 * panel_bytes;
  static constexpr std::uint32_t arrivals = round_up(barriers + ring::barrier_bytes, 8);  ///< of panels
  static constexpr std::size_t shared_bytes = arrivals + 16 * panels;

  // Named barriers, of each bin's warpgroups.
  static constexpr int producers = 1, full = 3, empty = 5, consumers = 7;
};

/// Queries, keys and values, by the warpgroup of a bin.
template <int Hidden>
DUPQ_DEVICE inline void make_heads(const qkv_args& args, std::uint32_t shared, int group, int count) noexcept {
  using shape = qkv_shape<Hidden>;
  const int thread = ptx::thread_index() % 128, lane = thread % 32;
  const bool leads = thread == 0;
  typename shape::ring weights(shared + shape::stages, shared + shape::barriers, {args.tape, shape::tape::stages},
                               count * shape::tape::stages);
  if (ptx::thread_index() == 0) weights.start();
  ptx::wait_for_previous_kernel();

  const std::uint32_t bin = shared + static_cast<std::uint32_t>(group) * bin_bytes(Hidden);
  const std::uint32_t there = shared + shape::arrivals + static_cast<std::uint32_t>(group) * 8 * shape::panels;
  const std::uint32_t heads = shared + shape::heads + static_cast<std::uint32_t>(group) * 3 * panel_bytes;
  const std::uint32_t row = static_cast<std::uint32_t>(thread / 32 * 16 + lane / 4);
  const std::uint32_t even = heads + head_offset(row, static_cast<std::uint32_t>(lane % 4));
  const auto fetch = [&](int n, int panel) {
    if (!leads) return;
    const auto p = static_cast<std::uint32_t>(panel);
    const int from = 2 * (ptx::block_index() + n * ptx::block_count()) + group;
    ptx::arrive_expect(there + 8 * p, panel_bytes);
    ptx::bulk_load(bin + p * panel_bytes,
                   args.x + (static_cast<std::size_t>(from) * shape::panels + p) * (panel_bytes / 2), panel_bytes,
                   there + 8 * p);
  };
  DUPQ_GPU_ROLLED
  for (int p = 0; p < shape::panels; ++p) fetch(0, p);

  DUPQ_GPU_ROLLED
  for (int n = 0; n < count; ++n) {
    DUPQ_GPU_ROLLED
    for (int pair = 0; pair < shape::tape::pairs; ++pair) {
      const bool last = pair == shape::tape::pairs - 1 && n + 1 < count;
      float sums[96];
      const std::uint64_t a = ptx::descriptor128(bin);
      DUPQ_GPU_ROLLED
      for (int p = 0; p < shape::panels; ++p) {
        if (pair == 0) ptx::wait_barrier(there + 8 * static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(n) & 1);
        DUPQ_GPU_UNROLL
        for (std::uint32_t s = 0; s < 2; ++s) {
          const std::uint64_t b = ptx::descriptor64(weights.get());
          ptx::warpgroup_fence();
          DUPQ_GPU_UNROLL
          for (std::uint32_t q = 0; q < 2; ++q)
            ptx::warpgroup_multiply(sums, a + static_cast<std::uint32_t>(p) * (panel_bytes / 16) + s * 4 + q * 2,
                                    b + q * 2, p != 0 || s != 0 || q != 0);
          ptx::warpgroup_commit();
          if (p != 0 || s != 0) {  // the products before these are done
            ptx::warpgroup_wait<1>();
            weights.put(lane);
          }
          if (s == 0 && p != 0 && last) {
            ptx::named_barrier(shape::producers + group, 128);
            fetch(n + 1, p - 1);
          }
        }
      }
      ptx::warpgroup_wait<0>();
      weights.put(lane);
      if (last) {
        ptx::named_barrier(shape::producers + group, 128);
        fetch(n + 1, shape::panels - 1);
      }
      ptx::named_barrier(shape::empty + group, 256);
      DUPQ_GPU_UNROLL
      for (int g = 0; g < 6; ++g) {  // two heads of queries, of keys, of values
        float bias[8];
        load_floats(args.bias + g / 2 * Hidden + pair * panel_columns + g % 2 * 32 + lane % 4 * 8, bias);
        DUPQ_GPU_UNROLL
        for (int r = 0; r < 2; ++r) {
          float v[8];
          DUPQ_GPU_UNROLL
          for (int i = 0; i < 8; ++i) {
            v[i] = sums[16 * g + 4 * (i / 2) + 2 * r + i % 2] + bias[i];
            if (g < 2) v[i] *= args.scale;
          }
          ptx::store_shared4((g % 2 == 0 ? even : even ^ 64) + static_cast<std::uint32_t>(g / 2) * panel_bytes +
                                 static_cast<std::uint32_t>(r) * 1024,
                             narrow(v));
        }
      }
      ptx::named_arrive(shape::full + group, 256);
    }
  }
}

/// Attention over them, by another warpgroup.
template <int Hidden>
DUPQ_DEVICE inline void attend_heads(const qkv_args& args, std::uint32_t shared, int group, int count) noexcept {
  using shape = qkv_shape<Hidden>;
  const int thread = ptx::thread_index() % 128, lane = thread % 32;
  const int warp = ptx::uniform(thread / 32);
  const std::uint32_t queries = shared + shape::heads + static_cast<std::uint32_t>(group) * 3 * panel_bytes;
  const head_panels panels{queries, queries + panel_bytes, queries + 2 * panel_bytes};
  ptx::named_arrive(shape::empty + group, 256);
  ptx::wait_for_previous_kernel();
  DUPQ_GPU_ROLLED
  for (int n = 0; n < count; ++n) {
    const int bin = 2 * (ptx::block_index() + n * ptx::block_count()) + group;
    const auto begin = static_cast<int>(ptx::load_constant(args.first_tile + bin));
    const auto end = static_cast<int>(ptx::load_constant(args.first_tile + bin + 1));
    DUPQ_GPU_ROLLED
    for (int pair = 0; pair < shape::tape::pairs; ++pair) {
      ptx::named_barrier(shape::full + group, 256);
      DUPQ_GPU_ROLLED
      for (int t = begin + warp; t < end; t += 4)
        attend(panels, bin_tile::of(ptx::load_constant(args.tiles + t)), lane);
      ptx::named_barrier(shape::consumers + group, 128);
      ptx::words4 chunks[4];
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 4; ++i) {
        const auto chunk = static_cast<std::uint32_t>(i * 128 + thread);
        chunks[i] = ptx::load_shared4(queries + head_offset(chunk / 8, chunk % 8));
      }
      if (n + 1 < count || pair + 1 < shape::tape::pairs) ptx::named_arrive(shape::empty + group, 256);
      half* const to = args.context + (static_cast<std::size_t>(bin) * shape::panels + static_cast<std::size_t>(pair)) *
                                          (panel_bytes / 2);
      DUPQ_GPU_UNROLL
      for (int i = 0; i < 4; ++i) {
        const auto chunk = static_cast<std::uint32_t>(i * 128 + thread);
        ptx::store_global4(to + swizzled128(chunk / 8, chunk % 8) / 2, chunks[i]);
      }
    }
  }
}

/// Blocks: up to `pairs`. Shared memory: qkv_shape<Hidden>::shared_bytes. sm_90a; nothing elsewhere.
template <int Hidden>
DUPQ_KERNEL(qkv_shape<Hidden>::threads, 1)
qkv_kernel(qkv_args args) {
#if DUPQ_WARPGROUPS
  using shape = qkv_shape<Hidden>;
  const int thread = ptx::thread_index(), warpgroup = ptx::uniform(thread / 128);
  const int count = (args.pairs - ptx::block_index() + ptx::block_count() - 1) / ptx::block_count();
  const std::uint32_t shared = ptx::shared_base();
  if (thread == 0) {
    typename shape::ring(shared + shape::stages, shared + shape::barriers, {}, 0).init();
    DUPQ_GPU_UNROLL
    for (std::uint32_t i = 0; i < 2 * shape::panels; ++i) ptx::init_barrier(shared + shape::arrivals + 8 * i, 1);
    ptx::fence_barriers();
  }
  ptx::block_barrier();
  ptx::launch_next_kernel();
  if (warpgroup < 2) {
    ptx::more_registers<144>();
    make_heads<Hidden>(args, shared, warpgroup, count);
  } else {
    ptx::fewer_registers<112>();
    attend_heads<Hidden>(args, shared, warpgroup - 2, count);
  }
#endif
}

}  // namespace dupq::inline DUPQ_ABI::gpu
