// Launches the products of models 768 wide.
#pragma once

#include <algorithm>
#include <cstddef>

#include "../../../core/config.hpp"
#include "../linear.hpp"
#include "wide.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Whether a model's products are ones that these kernels compute; `inner` is what its perceptron is padded to.
constexpr bool takes_wide(const config& c, int inner) noexcept {
  return c.hidden == 2 * wide_outputs && c.head_dim() == 64 && inner % wide_outputs == 0 &&
         wide_shape::shared_bytes(inner) <= most_shared_bytes;
}

/// The order of weights for them, as pack_linear wants it.
struct wide_order {
  constexpr std::size_t operator()(int output, int input, int inputs) const noexcept {
    return wide_tape::index(output, input, inputs);
  }
};

/// y = act(x W^T + b): x is bins, and so is y where y_stride is 0.
template <wide_end End, class Launch>
void launch_wide(const packed_linear& by, const half* x, half* y, int y_stride, int rows, int processors,
                 Launch& launch) noexcept {
  wide_args args;
  args.x = x, args.weights = by.weights, args.bias = by.bias, args.y = y;
  args.inputs = by.inputs, args.outputs = by.outputs, args.rows = rows, args.y_stride = y_stride;
  launch(&wide_kernel<End>, std::min(args.tiles(), std::max(processors, 1)), wide_shape::threads,
         std::size_t{wide_shape::shared_bytes(by.outputs)}, args);
}

/// y = norm(x W^T + b + residual): x and the residual are bins, and so is y where y_stride is 0.
template <class Launch>
void launch_wide_norm(const packed_linear& by, const half* x, const half* residual, const float* gain,
                      const float* bias, float epsilon, half* y, int y_stride, int rows, int processors,
                      Launch& launch) noexcept {
  wide_norm_args args;
  args.x = x, args.weights = by.weights, args.bias = by.bias, args.y = y;
  args.inputs = by.inputs, args.outputs = by.outputs, args.rows = rows, args.y_stride = y_stride;
  args.residual = residual, args.gain = gain, args.norm_bias = bias, args.epsilon = epsilon;
  launch(&wide_norm_kernel<wide_end::norm>, std::min(args.tiles(), std::max(processors / 2 * 2, 2)),
         wide_shape::threads, std::size_t{wide_shape::norm_shared_bytes}, args);
}

}  // namespace dupq::inline DUPQ_ABI::gpu
