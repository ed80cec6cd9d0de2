// What the code is that a GPU runs: nothing but the code itself knows. A program may hold code for sm_90 alone, which
// runs on the same GPUs as that for sm_90a and has no warpgroups; or for sm_80 alone, compiled for a newer GPU when it
// is loaded, whose kernels do not wait for each other themselves.
#pragma once

#include "../primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

enum code_bits : std::uint32_t { code_has_warpgroups = 1, code_waits = 2 };

struct probe_args {
  std::uint32_t* answer = nullptr;  ///< becomes code_bits
};

/// Blocks: 1.
template <int Threads>
DUPQ_KERNEL(Threads, 1)
probe_kernel(probe_args args) {
  if (ptx::thread_index() == 0)
    ptx::store_global(args.answer,
                      (DUPQ_WARPGROUPS ? code_has_warpgroups : 0u) | (ptx::waits_for_kernels() ? code_waits : 0u));
}

}  // namespace dupq::inline DUPQ_ABI::gpu
