// The CPU as a device: chooses a kernel table at run time and runs every operation through it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "../../core/executor.hpp"
#include "../device.hpp"
#include "kernels.hpp"
#include "scalar.hpp"

#if DUPQ_KERNELS_HERE
#include "lanes.hpp"
#endif

namespace dupq::inline DUPQ_ABI {

/// The tables that this CPU and operating system can run, the fastest first.
struct kernel_list {
  const kernels* tables[6]{};
  std::size_t count = 0;

  const kernels* const* begin() const noexcept { return tables; }
  const kernels* const* end() const noexcept { return tables + count; }
};

DUPQ_TABLES kernel_list available_kernels() noexcept;

#if DUPQ_KERNELS_HERE
DUPQ_TABLES kernel_list available_kernels() noexcept {
  kernel_list list;
  const auto add = [&list](const kernels& table) { list.tables[list.count++] = &table; };
#if defined(DUPQ_X86)
  // These ask XGETBV too: a CPU may have registers that the operating system does not save.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    if (__builtin_cpu_supports("avx512vnni")) {
#if defined(DUPQ_AMX)
      if (amx_kernels::supported()) add(amx_kernels::table);
#endif
      add(avx512_vnni_kernels::table);
    }
    add(avx512_kernels::table);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    if (avx_vnni_kernels::supported()) add(avx_vnni_kernels::table);
    add(avx2_kernels::table);
  }
#elif defined(DUPQ_ARM64)
  add(neon_kernels::table);
#endif
  add(scalar_kernels::table);
  return list;
}
#endif

/// The table of that name, or the fastest for an empty name; null where this CPU cannot run it.
inline const kernels* find_kernels(std::string_view name = {}) noexcept {
  for (const kernels* table : available_kernels())
    if (name.empty() || name == table->name) return table;
  return nullptr;
}

/// Meets `device`; see device.hpp for what each operation computes.
class cpu {
 public:
  using memory = host_memory;

  /// The columns of each product are divided among the workers of `shared` that are idle when it begins.
  explicit cpu(const kernels& table, const executor& shared = {}) noexcept : kernels_(&table), shared_(shared) {}

  void embed(const token_batch& batch, const table<memory>& words, const table<memory>& types,
             const table<memory>& positions, const layer_norm<memory>& norm, matrix<float> y) const noexcept;
  void apply(const linear<memory>& weight, matrix<const float> x, activation act, float* scratch,
             matrix<float> y) const noexcept {
    product(weight, x, act, nullptr, scratch, y);
  }
  void apply_residual_norm(const linear<memory>& weight, matrix<const float> x, const layer_norm<memory>& norm,
                           float* scratch, matrix<float> y) const noexcept {
    product(weight, x, activation::none, y.data, scratch, y);
    kernels_->norm(y.rows, norm.size, y.stride, norm.gain, norm.bias, norm.epsilon, y.data);
  }
  void attention(const token_batch& batch, const attention_shape& shape, matrix<const float> qkv, float* scratch,
                 matrix<float> y) const noexcept;
  void pool(const token_batch& batch, pooling mode, matrix<const float> x, matrix<float> y) const noexcept;
  void normalize(matrix<float> y) const noexcept {
    for (std::size_t r = 0; r < y.rows; ++r) {
      float length = 0;
      kernels_->dots(y.columns, y.row(r), 1, y.stride, y.row(r), &length);
      length = std::sqrt(length);
      kernels_->divide(y.columns, length > 1e-12f ? length : 1e-12f, y.row(r));
    }
  }
  static constexpr std::uint64_t scratch_floats(const config& c, std::size_t text_tokens, std::size_t rows) noexcept {
    const std::uint64_t queries = std::min(round_up(text_tokens, panel_width), query_block);
    const std::uint64_t attention = queries * (c.head_dim() + text_tokens);
    if (c.weights == weight_type::f32) return attention;
    const std::uint64_t widest = (std::uint64_t{std::max(c.hidden, c.intermediate)} + 3) / 4 * 4;
    return std::max(attention, rows * (widest + sizeof(row_scale)) / 4);
  }

 private:
  static constexpr std::size_t query_block = 48;  // queries at a time: whole panels, as many as the widest tile has
  static constexpr std::size_t widened = 256;     // numbers of a table's row at a time

  static constexpr std::size_t quantized_bytes(std::size_t inputs) noexcept { return round_up(inputs, 4); }

  void product(const linear<memory>& weight, matrix<const float> x, activation act, const float* residual,
               float* scratch, matrix<float> y) const noexcept {
    gemm_output to;
    to.c = y.data, to.c_stride = y.stride, to.m = x.rows, to.n = weight.outputs;
    to.bias = weight.bias, to.residual = residual, to.act = act;
    if (weight.bytes == nullptr) {
      gemm_args g{to};
      g.a = x.data, g.a_stride = x.stride;
      g.b = weight.panels, g.panel_stride = weight.inputs * panel_width;
      g.k = weight.inputs;
      return share(kernels_->gemm, g);
    }
    // The bytes come first, since a tile register takes three times as long to load what is not aligned to 64 bytes.
    const std::size_t width = quantized_bytes(weight.inputs);
    auto* const quantized = reinterpret_cast<std::uint8_t*>(scratch);
    auto* const row_scales = reinterpret_cast<row_scale*>(quantized + x.rows * width);
    kernels_->quantize(x.rows, weight.inputs, x.stride, x.data, weight.factors, quantized, row_scales);
    gemm8_args g{to};
    g.a = quantized, g.a_scales = row_scales;
    g.b = weight.bytes, g.scales = weight.scales, g.sums = weight.sums, g.groups = width / 4;
    share(kernels_->gemm8, g);
  }
  /// A product, or each worker's share of its panels. What a column comes to does not depend on the others.
  template <class Args>
  void share(void (*kernel)(const Args&) noexcept, const Args& g) const noexcept {
    constexpr std::size_t least = 6;  // panels: waking another thread for fewer costs more than it saves
    const std::size_t panels = (g.n + panel_width - 1) / panel_width, most = panels / least;
    const std::size_t parts = most < 2 ? 1 : std::min(shared_.available(), most);
    if (parts < 2) return kernel(g);
    shared_.run(parts, [&](std::size_t part, std::size_t) {
      const float_environment ieee;
      kernel(g.panels(panels * part / parts, panels * (part + 1) / parts));
    });
  }

  /// `n` numbers of a row from `column` on: themselves where they are stored as floats, else widened into `buffer`.
  const float* look_up(const table<memory>& t, std::size_t row, std::size_t column, std::size_t n,
                       float* buffer) const noexcept {
    const std::byte* const stored = t.rows + row * t.row_bytes + stored_bytes(t.format, column);
    if (t.format == row_format::f32) return reinterpret_cast<const float*>(stored);
    kernels_->widen(stored, t.format, n, buffer);
    return buffer;
  }

  const kernels* kernels_;
  executor shared_;
};

inline void cpu::embed(const token_batch& batch, const table<memory>& words, const table<memory>& types,
                       const table<memory>& positions, const layer_norm<memory>& norm, matrix<float> y) const noexcept {
  float buffers[3][widened];
  for (std::size_t column = 0; column < norm.size; column += widened) {
    const std::size_t n = std::min(widened, norm.size - column);
    const float* type = types.count == 0 ? nullptr : look_up(types, 0, column, n, buffers[1]);
    for (std::size_t t = 0; t < batch.tokens; ++t) {
      const auto word = static_cast<std::size_t>(batch.ids[t]), position = static_cast<std::size_t>(batch.positions[t]);
      if (batch.types != nullptr && type != nullptr) type = look_up(types, batch.types[t], column, n, buffers[1]);
      kernels_->add_rows(n, look_up(words, word, column, n, buffers[0]), type,
                         look_up(positions, position, column, n, buffers[2]), y.row(t) + column);
    }
  }
  kernels_->norm(batch.tokens, norm.size, y.stride, norm.gain, norm.bias, norm.epsilon, y.data);
}

// Queries are the lanes: the products and the softmax then run over whole panels, without a sum across lanes.
inline void cpu::attention(const token_batch& batch, const attention_shape& shape, matrix<const float> qkv,
                           float* scratch, matrix<float> y) const noexcept {
  const std::size_t hidden = shape.heads * shape.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  for (std::size_t t = 0; t < batch.texts; ++t) {
    const std::size_t begin = batch.offsets[t], keys = batch.offsets[t + 1] - begin;
    for (std::size_t first = 0; first < keys; first += query_block) {
      const std::size_t queries = std::min(query_block, keys - first), padded = round_up(queries, panel_width);
      float* const query_panels = scratch;
      float* const scores = scratch + padded * shape.head_dim;  // [keys][padded]
      for (std::size_t head = 0; head < shape.heads; ++head) {
        const float* const q = qkv.row(begin) + head * shape.head_dim;
        kernels_->transpose(queries, shape.head_dim, qkv.stride, q + first * qkv.stride, query_panels);
        gemm_args g;
        g.a = q + hidden, g.a_stride = qkv.stride;  // the keys
        g.b = query_panels, g.panel_stride = shape.head_dim * panel_width;
        g.c = scores, g.c_stride = padded;
        g.m = keys, g.n = padded, g.k = shape.head_dim;
        kernels_->gemm(g);
        const float* const bias =
            shape.relative == nullptr ? nullptr : shape.relative + head * (2 * shape.span - 1) + shape.span - 1 + first;
        kernels_->softmax(keys, queries, padded, scale, bias, scores);
        g.a = scores, g.a_stride = 1, g.a_step = padded;
        g.b = q + 2 * hidden, g.panel_stride = panel_width, g.b_stride = qkv.stride;  // the values, where they lie
        g.c = y.row(begin + first) + head * shape.head_dim, g.c_stride = y.stride;
        g.m = queries, g.n = shape.head_dim, g.k = keys;
        kernels_->gemm(g);
      }
    }
  }
}

inline void cpu::pool(const token_batch& batch, pooling mode, matrix<const float> x, matrix<float> y) const noexcept {
  for (std::size_t t = 0; t < batch.texts; ++t) {
    const std::size_t rows = batch.offsets[t + 1] - batch.offsets[t];
    const float* const first = x.row(batch.offsets[t]);
    float* to = y.row(t);
    if (mode.cls) std::copy_n(first, x.columns, to), to += x.columns;
    if (mode.max) kernels_->max(rows, x.columns, x.stride, first, to), to += x.columns;
    if (mode.mean) kernels_->mean(rows, x.columns, x.stride, first, to);
  }
}

static_assert(device<cpu>);

}  // namespace dupq::inline DUPQ_ABI
