// Whether the code that a GPU runs is the one for sm_90a: nothing but the code itself knows, since a program may hold
// code for sm_90 alone, which runs on the same GPUs and has no warpgroups.
#pragma once

#include "../primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

struct probe_args {
  std::uint32_t* answer = nullptr;  ///< becomes 1 or 0
};

/// Blocks: 1.
template <int Threads>
DUPQ_KERNEL(Threads, 1)
probe_kernel(probe_args args) {
  if (ptx::thread_index() == 0) ptx::store_global(args.answer, DUPQ_WARPGROUPS);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
