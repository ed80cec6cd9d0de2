// The bytes of the tensors of a model file, made from a checkpoint's rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <dupq/core/platform.hpp>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "failure.hpp"
#include "half.hpp"
#include "json.hpp"
#include "quantize.hpp"
#include "tensor_layout.hpp"

namespace dupq_tool {

/// Receives a tensor's bytes piece by piece.
using byte_sink = std::function<void(std::span<const std::byte>)>;

/// Produces the bytes of a tensor, one row or panel at a time; a weight that is not finite, or too large for the stored
/// type, is a failure that names the file and the tensor.
class tensor_writer {
 public:
  tensor_writer(const output_tensor& tensor, const byte_sink& sink)
      : tensor_(tensor), sink_(sink), row_(tensor.columns) {}

  void run() {
    switch (tensor_.form) {
      case tensor_form::rows:
        for (std::uint64_t r = 0; r < tensor_.rows; ++r) {
          read_row(r);
          put(row_);
        }
        return;
      case tensor_form::panels:
        return put_panels<float>(1, [&](std::uint64_t r) {
          read_row(r);
          return std::span<const float>(row_);
        });
      case tensor_form::groups:
        return put_panels<std::int8_t>(group_width, [&](std::uint64_t r) { return tensor_.integers->row(r); });
      case tensor_form::scales: return put(tensor_.integers->scales);
      case tensor_form::biases: return put(tensor_.integers->biases);
      case tensor_form::factors: return put(tensor_.integers->factors);
      case tensor_form::sums: {
        std::vector<std::int32_t> sums(tensor_.rows);
        for (std::uint64_t r = 0; r < tensor_.rows; ++r) {
          const auto row = tensor_.integers->row(r);
          sums[r] = std::accumulate(row.begin(), row.end(), std::int32_t{0});
        }
        return sink_(std::as_bytes(std::span(sums)));
      }
    }
  }

 private:
  /// Element (o, i) of a panel goes to [i / group][o][i % group].
  template <class T, class Row>
  void put_panels(std::uint64_t group, Row&& row) {
    std::vector<T> panel(panel_width * ((tensor_.columns + group - 1) / group * group));
    for (std::uint64_t first = 0; first < tensor_.rows; first += panel_width) {
      std::fill(panel.begin(), panel.end(), T{});
      const std::uint64_t used = std::min(panel_width, tensor_.rows - first);
      for (std::uint64_t o = 0; o < used; ++o) {
        const std::span<const T> values = row(first + o);
        for (std::uint64_t i = 0; i < values.size(); ++i)
          panel[(i / group * panel_width + o) * group + i % group] = values[i];
      }
      put(panel);
    }
  }

  /// Reads row r of the parts, which stand one below the other; a vector's parts stand side by side in its only row.
  void read_row(std::uint64_t r) {
    std::uint64_t begin = r * tensor_.columns;
    std::span<float> rest(row_);
    for (const output_tensor::part p : tensor_.parts) {
      if (begin >= p->elements) {
        begin -= p->elements;
        continue;
      }
      const auto n = std::min<std::uint64_t>(rest.size(), p->elements - begin);
      p->read(begin, rest.first(n));
      check(*p, begin, rest.first(n));
      rest = rest.subspan(n);
      begin = 0;
      if (rest.empty()) return;
    }
  }

  void check(const safetensors::tensor& part, std::uint64_t first, std::span<const float> values) const {
    using dupq::gguf::tensor_type;
    const bool half = tensor_.type == tensor_type::f16, blocks = tensor_.type == tensor_type::q8_0;
    const float too_large = half ? 65520.0f : blocks ? 65520.0f * 127.0f : std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::abs(values[i]) < too_large) continue;  // not of a NaN either
      throw failure(*part.source + ": tensor " + json::quote(part.name) + ": element " + std::to_string(first + i) +
                    (!std::isfinite(values[i]) ? " is not finite"
                     : half                    ? " is too large for f16"
                                               : " is too large for q8_0"));
    }
  }

  void put(std::span<const std::int8_t> values) { sink_(std::as_bytes(values)); }
  void put(std::span<const float> values) {
    using dupq::gguf::tensor_type;
    if (tensor_.type == tensor_type::f32) return sink_(std::as_bytes(values));
    if (tensor_.type == tensor_type::q8_0) {
      for (std::size_t i = 0; i < values.size(); i += q8_0_values)
        sink_(quantize_block(values.subspan(i).first<q8_0_values>()));
      return;
    }
    half_.resize(values.size());
    std::transform(values.begin(), values.end(), half_.begin(), to_half);
    sink_(std::as_bytes(std::span(half_)));
  }

  const output_tensor& tensor_;
  const byte_sink& sink_;
  std::vector<float> row_;
  std::vector<std::uint16_t> half_;
};

/// The bytes of all tensors, each padded.
inline void produce(const std::vector<output_tensor>& tensors, tensor_layout layout, const byte_sink& sink) {
  constexpr std::byte zeros[dupq::alignment]{};
  for (const output_tensor& t : tensors) {
    tensor_writer(t, sink).run();
    sink({zeros, dupq::round_up(t.bytes(), alignment_of(layout)) - t.bytes()});
  }
}

}  // namespace dupq_tool
