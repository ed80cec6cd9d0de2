// A real GPU, for the tests that the emulator runs as well; and what all of them need to say of one.
#pragma once

#include <doctest/doctest.h>

#include <dupq/cuda.cuh>

/// The current GPU, which may pretend to have another number of processors.
class gpu_runtime : public dupq::gpu::cuda_runtime {
 public:
  gpu_runtime(dupq::gpu::cuda_runtime&& r, int processors)
      : dupq::gpu::cuda_runtime(std::move(r)), processors_(processors) {}
  int processors() const noexcept { return processors_ < 0 ? dupq::gpu::cuda_runtime::processors() : processors_; }

 private:
  int processors_;
};

inline gpu_runtime gpu(unsigned /*seed*/, int processors = -1) {
  auto r = dupq::gpu::cuda_runtime::open(-1, nullptr);
  if (!r) dupq::print_error(r.error());
  REQUIRE(r);
  return {std::move(*r), processors};
}
