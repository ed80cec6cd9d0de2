// The machine of primitives.hpp on a GPU, from compute capability 7.5: a thin wrapper an instruction.
#pragma once

#include <cstdint>

#include "primitives.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

/// Capability 7.5 has neither asynchronous copies nor the 16 x 8 x 16 product: copies are done at once, products in
/// two halves.
struct ptx {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  static constexpr bool asynchronous = false;
#else
  static constexpr bool asynchronous = true;
#endif

  static DUPQ_DEVICE unsigned thread() { return threadIdx.x; }
  static DUPQ_DEVICE unsigned block() { return blockIdx.x; }

  static DUPQ_DEVICE void sync() { __syncthreads(); }
  static DUPQ_DEVICE void sync_warp() { __syncwarp(); }
  static DUPQ_DEVICE float exchange(float v, unsigned lanes) {
    return __shfl_xor_sync(~0u, v, static_cast<int>(lanes));
  }
  static DUPQ_DEVICE half2 exchange(half2 v, unsigned lanes) {
    return __shfl_xor_sync(~0u, v, static_cast<int>(lanes));
  }

  static DUPQ_DEVICE std::uint32_t shared() {
    extern __shared__ __align__(128) unsigned char dupq_shared[];
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(dupq_shared));
  }
  static DUPQ_DEVICE float load_shared(std::uint32_t a) {
    float v;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v) : "r"(a) : "memory");
    return v;
  }
  static DUPQ_DEVICE void store_shared(std::uint32_t a, float v) {
    asm volatile("st.shared.f32 [%0], %1;" ::"r"(a), "f"(v) : "memory");
  }

  static DUPQ_DEVICE void copy_16(std::uint32_t to, const void* from, bool wanted) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    const uint4 v = wanted ? __ldg(static_cast<const uint4*>(from)) : uint4{0, 0, 0, 0};
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(__cvta_generic_to_global(from)),
                 "r"(wanted ? 16 : 0)
                 : "memory");
#endif
  }
  static DUPQ_DEVICE void copy_commit() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  }
  template <int Left>
  static DUPQ_DEVICE void copy_wait() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
#endif
  }

  static DUPQ_DEVICE void load_matrices(std::uint32_t (&r)[4], std::uint32_t a) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(a)
                 : "memory");
  }
  static DUPQ_DEVICE void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t a) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(a)
                 : "memory");
  }
  static DUPQ_DEVICE void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], half2 b0, half2 b1) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    multiply_add_8(c, a[0], a[1], b0);
    multiply_add_8(c, a[2], a[3], b1);
#else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
  }

  template <class T>
  static DUPQ_DEVICE T load(const T* from) {
    return *from;
  }
  template <class T>
  static DUPQ_DEVICE void store(T* to, T value) {
    *to = value;
  }

  static DUPQ_DEVICE half2 pack(float low, float high) {
    half2 v;
    asm("{\n.reg .f16 l, h;\ncvt.rn.f16.f32 l, %1;\ncvt.rn.f16.f32 h, %2;\nmov.b32 %0, {l, h};\n}"
        : "=r"(v)
        : "f"(low), "f"(high));
    return v;
  }
  static DUPQ_DEVICE float_pair unpack(half2 v) {
    float_pair p;
    asm("{\n.reg .f16 l, h;\nmov.b32 {l, h}, %2;\ncvt.f32.f16 %0, l;\ncvt.f32.f16 %1, h;\n}"
        : "=f"(p.low), "=f"(p.high)
        : "r"(v));
    return p;
  }
  static DUPQ_DEVICE float exp2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  static DUPQ_DEVICE float tanh(float x) {
    float y;
    asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
  static DUPQ_DEVICE float inverse_sqrt(float x) {
    float y;
    asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }

 private:
  static DUPQ_DEVICE void multiply_add_8(float (&c)[4], std::uint32_t a0, std::uint32_t a1, half2 b) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a0), "r"(a1), "r"(b));
  }
};

static_assert(machine<ptx>);

}  // namespace dupq::inline DUPQ_ABI::gpu
