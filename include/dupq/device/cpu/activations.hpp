// Tables of kernels for models whose inner layers have another activation than the exact GELU. Each is a table of
// kernels.hpp that does something else where a product says `activation::gelu`; a program without such models does not
// contain them.
#pragma once

#include <cstddef>
#include <string_view>

#include "../../core/config.hpp"
#include "cpu.hpp"

namespace dupq::inline DUPQ_ABI {

/// The table for a model with that activation.
DUPQ_TABLES const kernels& table_with(hidden_activation act, const kernels& table) noexcept;

#if DUPQ_KERNELS_HERE
namespace scalar_kernels {

template <hidden_activation Act>
void activate_rows(std::size_t rows, std::size_t n, std::size_t stride, float* x) noexcept {
  for (; rows != 0; --rows, x += stride)
    for (std::size_t i = 0; i < n; ++i)
      x[i] = Act == hidden_activation::gelu_tanh ? formulas::gelu_tanh(x[i]) : x[i] > 0.0f ? x[i] : 0.0f;
}

}  // namespace scalar_kernels

/// Base, with Activate in the place of the GELU. Such products have no residual.
template <const kernels& Base, void (*Activate)(std::size_t, std::size_t, std::size_t, float*) noexcept>
struct with_activation {
  static constexpr kernels make() noexcept {
    kernels table = Base;
    table.gemm = run<gemm_args, &kernels::gemm>;
    table.gemm8 = run<gemm8_args, &kernels::gemm8>;
    return table;
  }

 private:
  template <class Args, void (*kernels::*Product)(const Args&) noexcept>
  static void run(const Args& g) noexcept {
    if (g.act != activation::gelu) return (Base.*Product)(g);
    Args plain = g;
    plain.act = activation::none;
    (Base.*Product)(plain);
    Activate(g.m, g.n, g.c_stride, g.c);
  }
};

template <const kernels& Base, void (*Activate)(std::size_t, std::size_t, std::size_t, float*) noexcept>
inline constexpr kernels activation_table = with_activation<Base, Activate>::make();

template <hidden_activation Act>
const kernels& table_with(const kernels& table) noexcept {
  [[maybe_unused]] const std::string_view name = table.name;
#if defined(DUPQ_X86)
#if defined(DUPQ_AMX)
  if (name == amx_kernels::table.name) return activation_table<amx_kernels::table, avx512_kernels::activate_rows<Act>>;
#endif
  if (name == avx512_vnni_kernels::table.name)
    return activation_table<avx512_vnni_kernels::table, avx512_kernels::activate_rows<Act>>;
  if (name == avx512_kernels::table.name)
    return activation_table<avx512_kernels::table, avx512_kernels::activate_rows<Act>>;
  if (name == avx_vnni_kernels::table.name)
    return activation_table<avx_vnni_kernels::table, avx2_kernels::activate_rows<Act>>;
  if (name == avx2_kernels::table.name) return activation_table<avx2_kernels::table, avx2_kernels::activate_rows<Act>>;
#elif defined(DUPQ_ARM64)
  if (name == neon_kernels::table.name) return activation_table<neon_kernels::table, neon_kernels::activate_rows<Act>>;
#endif
  return activation_table<scalar_kernels::table, scalar_kernels::activate_rows<Act>>;
}

DUPQ_TABLES const kernels& table_with(hidden_activation act, const kernels& table) noexcept {
  switch (act) {
    case hidden_activation::gelu_tanh: return table_with<hidden_activation::gelu_tanh>(table);
    case hidden_activation::relu: return table_with<hidden_activation::relu>(table);
    case hidden_activation::gelu: break;
  }
  return table;
}
#endif

}  // namespace dupq::inline DUPQ_ABI
