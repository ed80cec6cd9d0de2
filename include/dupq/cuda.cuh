// The umbrella header for .cu files: everything, and the encoders on an NVIDIA GPU (sm_75 and later).
//
//   auto encoder = dupq::basic_bi_encoder<dupq::cuda>::make(*model);
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

namespace dupq::inline DUPQ_ABI {

/// Where an encoder runs. Its memory is taken once, when it is made; calls return when their results are there.
struct cuda {
  static constexpr bool whole_models = true;

  int device = -1;                ///< -1: the one that is current when the encoder is made
  cudaStream_t stream = nullptr;  ///< calls begin after the work that is in this stream
};

/// limits.packed_tokens 0 and the default limits.texts become what keeps a large GPU busy.
template <>
class basic_bi_encoder<cuda> : public gpu::bi_encoder<gpu::cuda_runtime> {
 public:
  /// Errors: wrong_kind, bad_limit, out_of_memory, unsupported, out_of_range, no_gpu,
  /// gpu_failed.
  static result<basic_bi_encoder> make(const model& m, const encoder_options& options = {}, cuda where = {}) noexcept {
    auto runtime = gpu::cuda_runtime::open(where.device, where.stream);
    if (!runtime) return runtime.error();
    auto made = gpu::bi_encoder<gpu::cuda_runtime>::make(m, options, std::move(*runtime));
    if (!made) return made.error();
    return basic_bi_encoder(std::move(*made));
  }
  static result<basic_bi_encoder> make(model&&, const encoder_options& = {}, cuda = {}) = delete;

 private:
  explicit basic_bi_encoder(gpu::bi_encoder<gpu::cuda_runtime>&& e) noexcept
      : gpu::bi_encoder<gpu::cuda_runtime>(std::move(e)) {}
};

template <>
class basic_cross_encoder<cuda> : public gpu::cross_encoder<gpu::cuda_runtime> {
 public:
  /// Errors: wrong_kind, bad_limit, out_of_memory, unsupported, out_of_range, no_gpu,
  /// gpu_failed.
  static result<basic_cross_encoder> make(const model& m, const encoder_options& options = {},
                                          cuda where = {}) noexcept {
    auto runtime = gpu::cuda_runtime::open(where.device, where.stream);
    if (!runtime) return runtime.error();
    auto made = gpu::cross_encoder<gpu::cuda_runtime>::make(m, options, std::move(*runtime));
    if (!made) return made.error();
    return basic_cross_encoder(std::move(*made));
  }
  static result<basic_cross_encoder> make(model&&, const encoder_options& = {}, cuda = {}) = delete;

 private:
  explicit basic_cross_encoder(gpu::cross_encoder<gpu::cuda_runtime>&& e) noexcept
      : gpu::cross_encoder<gpu::cuda_runtime>(std::move(e)) {}
};

}  // namespace dupq::inline DUPQ_ABI

#if defined(__CUDACC__)
#pragma nv_diagnostic pop
#endif
