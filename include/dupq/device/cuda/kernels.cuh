// The kernels as CUDA functions: each runs its template on the machine of PTX.
#pragma once

#include "attention.hpp"
#include "classifier.hpp"
#include "embedding.hpp"
#include "pooling.hpp"
#include "product.hpp"
#include "product_norm.hpp"
#include "ptx.cuh"

namespace dupq::inline DUPQ_ABI::gpu {

/// `Kernel` is one of the templates above. Launch with Kernel::threads threads and its bytes of shared memory.
template <class Kernel, class Task>
__global__ void __launch_bounds__(Kernel::threads) run_kernel(const __grid_constant__ Task task) {
  Kernel::template run<ptx>(task);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
