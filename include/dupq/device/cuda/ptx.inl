// The primitives as PTX; what each does stands in primitives.hpp.
//
// Every access to memory is volatile, so that the compiler keeps their order. An instruction that an architecture does
// not have is a trap there: kernels that need it are not launched on it.
#pragma once

#include "primitives.hpp"

#if defined(__CUDA_ARCH__)
#define DUPQ_ARCH __CUDA_ARCH__
#else
#define DUPQ_ARCH 0
#endif

namespace dupq::inline DUPQ_ABI::ptx {

DUPQ_DEVICE inline int thread_index() noexcept { return static_cast<int>(threadIdx.x); }
DUPQ_DEVICE inline int block_index() noexcept { return static_cast<int>(blockIdx.x); }
DUPQ_DEVICE inline int block_count() noexcept { return static_cast<int>(gridDim.x); }
DUPQ_DEVICE inline int uniform(int value) noexcept { return __shfl_sync(~0u, value, 0); }

DUPQ_DEVICE inline void block_barrier() noexcept { __syncthreads(); }
DUPQ_DEVICE inline void named_barrier(int id, int threads) noexcept {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
DUPQ_DEVICE inline void named_arrive(int id, int threads) noexcept {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
DUPQ_DEVICE inline void warp_barrier() noexcept { __syncwarp(); }

DUPQ_DEVICE inline float shuffle_xor(float value, int mask) noexcept { return __shfl_xor_sync(~0u, value, mask); }
DUPQ_DEVICE inline int shuffle_xor(int value, int mask) noexcept { return __shfl_xor_sync(~0u, value, mask); }

DUPQ_DEVICE inline std::uint32_t load_global(const void* from) noexcept {
  std::uint32_t v;
  asm volatile("ld.global.u32 %0, [%1];" : "=r"(v) : "l"(__cvta_generic_to_global(from)));
  return v;
}
DUPQ_DEVICE inline words4 load_global4(const void* from) noexcept {
  words4 v;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
               : "l"(__cvta_generic_to_global(from)));
  return v;
}
DUPQ_DEVICE inline std::uint32_t load_constant(const void* from) noexcept {
  std::uint32_t v;
  asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(v) : "l"(__cvta_generic_to_global(from)));
  return v;
}
DUPQ_DEVICE inline words4 load_constant4(const void* from) noexcept {
  words4 v;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
               : "l"(__cvta_generic_to_global(from)));
  return v;
}
DUPQ_DEVICE inline words4 load_ahead4(const void* from) noexcept { return load_global4(from); }
DUPQ_DEVICE inline void store_global(void* to, std::uint32_t value) noexcept {
  asm volatile("st.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(to)), "r"(value) : "memory");
}
DUPQ_DEVICE inline void store_global4(void* to, const words4& v) noexcept {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(v.w[0]), "r"(v.w[1]),
               "r"(v.w[2]), "r"(v.w[3])
               : "memory");
}

DUPQ_DEVICE inline std::uint32_t shared_base() noexcept {
  extern __shared__ __align__(1024) unsigned char dupq_shared_memory[];
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(dupq_shared_memory));
}
DUPQ_DEVICE inline std::uint32_t load_shared(std::uint32_t from) noexcept {
  std::uint32_t v;
  asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(from) : "memory");
  return v;
}
DUPQ_DEVICE inline words4 load_shared4(std::uint32_t from) noexcept {
  words4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.w[0]), "=r"(v.w[1]), "=r"(v.w[2]), "=r"(v.w[3])
               : "r"(from)
               : "memory");
  return v;
}
DUPQ_DEVICE inline void store_shared(std::uint32_t to, std::uint32_t value) noexcept {
  asm volatile("st.shared.u32 [%0], %1;" ::"r"(to), "r"(value) : "memory");
}
DUPQ_DEVICE inline void store_shared4(std::uint32_t to, const words4& v) noexcept {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.w[0]), "r"(v.w[1]), "r"(v.w[2]), "r"(v.w[3])
               : "memory");
}
DUPQ_DEVICE inline std::uint32_t add_shared(std::uint32_t at, std::uint32_t value) noexcept {
  std::uint32_t v;
  asm volatile("atom.acq_rel.cta.shared.add.u32 %0, [%1], %2;" : "=r"(v) : "r"(at), "r"(value) : "memory");
  return v;
}

DUPQ_DEVICE inline void load_matrices(std::uint32_t (&r)[4], std::uint32_t row) noexcept {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(row)
               : "memory");
}
DUPQ_DEVICE inline void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t row) noexcept {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(row)
               : "memory");
}
DUPQ_DEVICE inline std::uint32_t transpose_matrix(std::uint32_t fragment) noexcept {
  std::uint32_t v;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(v) : "r"(fragment));
  return v;
}
DUPQ_DEVICE inline void multiply(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                 std::uint32_t b1) noexcept {
#if DUPQ_ARCH >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%8}, {%0, %1, %2, %3};\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%6, %7}, {%9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

DUPQ_DEVICE inline void copy_async(std::uint32_t to, const void* from) noexcept {
#if DUPQ_ARCH >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(__cvta_generic_to_global(from)) : "memory");
#else
  store_shared4(to, load_global4(from));
#endif
}
DUPQ_DEVICE inline void commit_copies() noexcept {
#if DUPQ_ARCH >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int Pending>
__device__ inline void wait_copies() noexcept {
#if DUPQ_ARCH >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

DUPQ_DEVICE inline void wait_for_previous_kernel() noexcept {
#if DUPQ_ARCH >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DUPQ_DEVICE inline void launch_next_kernel() noexcept {
#if DUPQ_ARCH >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
DUPQ_DEVICE inline bool waits_for_kernels() noexcept { return DUPQ_ARCH >= 900; }

DUPQ_DEVICE inline std::uint32_t pack_halves(float low, float high) noexcept {
  std::uint32_t v;
#if DUPQ_ARCH >= 800
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
#else
  asm("{\n.reg .b16 l, h;\ncvt.rn.f16.f32 l, %1;\ncvt.rn.f16.f32 h, %2;\nmov.b32 %0, {l, h};\n}"
      : "=r"(v)
      : "f"(low), "f"(high));
#endif
  return v;
}
DUPQ_DEVICE inline void unpack_halves(std::uint32_t halves, float& low, float& high) noexcept {
  asm("{\n.reg .b16 l, h;\nmov.b32 {l, h}, %2;\ncvt.f32.f16 %0, l;\ncvt.f32.f16 %1, h;\n}"
      : "=f"(low), "=f"(high)
      : "r"(halves));
}
DUPQ_DEVICE inline float as_float(std::uint32_t bits) noexcept { return __uint_as_float(bits); }
DUPQ_DEVICE inline std::uint32_t as_bits(float value) noexcept { return __float_as_uint(value); }
DUPQ_DEVICE inline float fast_exp2(float x) noexcept {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DUPQ_DEVICE inline float fast_reciprocal(float x) noexcept {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DUPQ_DEVICE inline float fast_rsqrt(float x) noexcept {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DUPQ_DEVICE inline float fast_tanh(float x) noexcept {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace dupq::inline DUPQ_ABI::ptx

#undef DUPQ_ARCH
