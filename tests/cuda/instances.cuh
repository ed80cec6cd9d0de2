// Every kernel that the models need: 384 and 768 wide, heads of 32 and 64.
#pragma once

#include <dupq/device/cuda/kernels.cuh>

namespace dupq_test {

namespace gpu = dupq::gpu;

struct kernel {
  const char* name;
  const void* function;
};

template <class Kernel, class Task>
const void* function() {
  return reinterpret_cast<const void*>(&gpu::run_kernel<Kernel, Task>);
}

template <unsigned Hidden>
void list(kernel*& to) {
  using dupq::activation;
  *to++ = {"embedding", function<gpu::embedding<Hidden>, gpu::embedding_task>()};
  *to++ = {"product", function<gpu::product<384, activation::none>, gpu::product_task>()};
  *to++ = {"product_gelu", function<gpu::product<384, activation::gelu>, gpu::product_task>()};
  *to++ = {"product_tanh", function<gpu::product<384, activation::tanh>, gpu::product_task>()};
  *to++ = {"product_norm", function<gpu::product_norm<Hidden>, gpu::product_norm_task>()};
  *to++ = {"attention", function<gpu::attention<Hidden / 12, false>, gpu::attention_task>()};
  *to++ = {"attention_relative", function<gpu::attention<Hidden / 12, true>, gpu::attention_task>()};
  *to++ = {"pooling", function<gpu::pooling<Hidden>, gpu::pooling_task>()};
  *to++ = {"classifier", function<gpu::classifier<Hidden>, gpu::classifier_task>()};
}

/// Fills and returns the list's length.
inline int list_all(kernel* to) {
  kernel* const first = to;
  list<384>(to), list<768>(to);
  return static_cast<int>(to - first);
}

}  // namespace dupq_test
