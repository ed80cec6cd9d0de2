// The training kernels of every instruction set, and which go with a table of kernels.
#pragma once

#include <string_view>

#include "../../device/cpu/cpu.hpp"
#include "kernels.hpp"

#if DUPQ_TRAINING_KERNELS_HERE
#include "../../device/cpu/lanes.hpp"

#if defined(DUPQ_X86)

#define DUPQ_KERNELS avx512_kernels
#define DUPQ_ISA DUPQ_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE
namespace dupq::inline DUPQ_ABI::avx512_kernels {
DUPQ_LANE f32x16 root(f32x16 v) noexcept { return {_mm512_sqrt_ps(v.all)}; }
}  // namespace dupq::inline DUPQ_ABI::avx512_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#define DUPQ_KERNELS avx2_kernels
#define DUPQ_ISA DUPQ_TARGET("avx2,fma")
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE
namespace dupq::inline DUPQ_ABI::avx2_kernels {
DUPQ_LANE f32x16 root(f32x16 v) noexcept { return {_mm256_sqrt_ps(v.low), _mm256_sqrt_ps(v.high)}; }
}  // namespace dupq::inline DUPQ_ABI::avx2_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#elif defined(DUPQ_ARM64)

#define DUPQ_KERNELS neon_kernels
#define DUPQ_ISA
#define DUPQ_LANE DUPQ_ISA DUPQ_ALWAYS_INLINE
namespace dupq::inline DUPQ_ABI::neon_kernels {
DUPQ_LANE f32x16 root(f32x16 v) noexcept {
  return each([&](std::size_t i) { return vsqrtq_f32(v.quarter[i]); });
}
}  // namespace dupq::inline DUPQ_ABI::neon_kernels
#include "kernels.inl"
#undef DUPQ_KERNELS
#undef DUPQ_LANE
#undef DUPQ_ISA

#endif
#endif

namespace dupq::inline DUPQ_ABI {

/// The training kernels that go with a table of kernels. Those with instructions for 8-bit integers have no others.
DUPQ_TABLES const training_kernels& training_of(const kernels& table) noexcept;

#if DUPQ_TRAINING_KERNELS_HERE
DUPQ_TABLES const training_kernels& training_of(const kernels& table) noexcept {
  [[maybe_unused]] const std::string_view name = table.name;
#if defined(DUPQ_X86)
  if (name.starts_with("avx512")) return avx512_kernels::training_table;
  if (name.starts_with("avx")) return avx2_kernels::training_table;
#elif defined(DUPQ_ARM64)
  if (name == neon_kernels::table.name) return neon_kernels::training_table;
#endif
  return scalar_kernels::training_table;
}
#endif

}  // namespace dupq::inline DUPQ_ABI
