// The first kernel where one text at a time counts: fetches what the host left in its own memory, which the GPU reads
// across the bus, so that no copy has to be launched and the kernels behind find it in their memory.
#pragma once

#include "../primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Arrays of 16-byte chunks.
struct receive_args {
  static constexpr int arrays = 3;
  const void* from[arrays] = {};
  void* to[arrays] = {};
  int chunks[arrays] = {};

  constexpr int all() const noexcept { return chunks[0] + chunks[1] + chunks[2]; }
};

inline constexpr int receive_threads = 128;

/// A chunk a thread, so that all are on their way at a time. Blocks: all chunks / Threads, rounded up.
template <int Threads>
DUPQ_KERNEL(Threads, 1)
receive_kernel(receive_args args) {
  ptx::launch_next_kernel();
  ptx::wait_for_previous_kernel();
  int chunk = ptx::block_index() * Threads + ptx::thread_index();
  DUPQ_GPU_UNROLL
  for (int a = 0; a < receive_args::arrays; ++a) {
    if (chunk >= 0 && chunk < args.chunks[a])
      ptx::store_global4(static_cast<char*>(args.to[a]) + 16 * chunk,
                         ptx::load_global4(static_cast<const char*>(args.from[a]) + 16 * chunk));
    chunk -= args.chunks[a];
  }
}

}  // namespace dupq::inline DUPQ_ABI::gpu
