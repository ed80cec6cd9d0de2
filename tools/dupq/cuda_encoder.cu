// The encoders of --device cuda, the only part of the tool that nvcc compiles.
#include <dupq/cuda.cuh>

#include "text_encoder.hpp"

namespace dupq_tool {

dupq::result<std::unique_ptr<text_encoder>> make_cuda_encoder(const dupq::model& m,
                                                              const dupq::encoder_options& options) {
  return make_encoder<dupq::cuda::bi_encoder, dupq::cuda::cross_encoder>(m, options);
}

dupq::result<std::unique_ptr<text_encoder>> make_cuda_cascade(const dupq::model& bi, const dupq::model& cross,
                                                              const dupq::cascade_options& options) {
  return make_cascade<dupq::cuda::bi_encoder, dupq::cuda::cross_encoder>(bi, cross, options);
}

}  // namespace dupq_tool
