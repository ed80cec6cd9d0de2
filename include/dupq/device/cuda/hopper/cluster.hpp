// Kernels whose blocks work in clusters: their arguments say so.
#pragma once

#include "../../../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Blocks of a cluster, for a kernel with such arguments.
template <class Args>
constexpr int cluster_of() noexcept {
  if constexpr (requires { Args::cluster; })
    return Args::cluster;
  else
    return 1;
}

}  // namespace dupq::inline DUPQ_ABI::gpu
