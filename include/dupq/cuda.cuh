// The umbrella header for .cu files: everything, and the encoders on an NVIDIA GPU (sm_75 and later).
//
//   auto encoder = dupq::cuda::bi_encoder::make(*model);
//   if (!encoder) return dupq::print_error(encoder.error());
//   encoder->encode(questions, vectors);
//
// Texts in, vectors or scores out, as on the CPU, in half precision with sums of floats. Give `make` an executor, so
// that tokenizing keeps up with the GPU. Where one question at a time counts, limits.texts = 2 makes an
// encoder whose passes are CUDA graphs of other kernels, which are made for few texts: as exact, but not the same bits.
#pragma once

#if defined(__CUDACC__)
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675  // "#pragma GCC unroll" is for the host's compiler
#pragma nv_diag_suppress 554   // the conversion to a const matrix of one that is const already
#pragma nv_diag_suppress 186   // unsigned numbers in templates that ask whether they are negative
#endif

#include "bi_encoder.hpp"
#include "cross_encoder.hpp"
#include "cuda/encoders.hpp"
#include "device/cuda/runtime.cuh"
#include "dupq.hpp"

namespace dupq::inline DUPQ_ABI::cuda {

/// Which GPU an encoder runs on.
struct place {
  int device = -1;                ///< -1: the one that is current when the encoder is made
  cudaStream_t stream = nullptr;  ///< calls begin after the work that is in this stream
};

/// An encoder that opens its GPU by itself. Its memory is taken once, when it is made; calls return when their results
/// are there.
template <class Encoder>
class opened : public Encoder {
 public:
  /// limits.packed_tokens 0 and the default limits.texts become what keeps a large GPU busy. Errors: wrong_kind,
  /// bad_limit, out_of_memory, unsupported, out_of_range, no_gpu, gpu_failed.
  static result<opened> make(const model& m, const encoder_options& options = {}, place where = {}) noexcept {
    auto runtime = gpu::cuda_runtime::open(where.device, where.stream);
    if (!runtime) return runtime.error();
    auto made = Encoder::make(m, options, std::move(*runtime));
    if (!made) return made.error();
    return opened(std::move(*made));
  }
  static result<opened> make(model&&, const encoder_options& = {}, place = {}) = delete;

 private:
  explicit opened(Encoder&& e) noexcept : Encoder(std::move(e)) {}
};

/// The encoders on an NVIDIA GPU.
using bi_encoder = opened<gpu::bi_encoder<gpu::cuda_runtime>>;
using cross_encoder = opened<gpu::cross_encoder<gpu::cuda_runtime>>;

}  // namespace dupq::inline DUPQ_ABI::cuda

#if defined(__CUDACC__)
#pragma nv_diagnostic pop
#endif
