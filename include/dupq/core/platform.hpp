// Compiler, operating-system and instruction-set differences: the only header that knows them.
//
// Everything else in the library is written in terms of the macros and the few functions below.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>

// Results are the same bits on every CPU only under IEEE arithmetic. A translation unit that relaxes it must say so by
// defining DUPQ_ALLOW_FAST_MATH, and then gets a namespace of its own, so that it never shares a body with an exact
// one. clang has no macro for most of these options: float_environment below finds them.
#if defined(DUPQ_ALLOW_FAST_MATH)
#define DUPQ_ABI v0_1_fast_math
#else
#define DUPQ_ABI v0_1
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || defined(_M_FP_FAST)
#error "dupq: compile without -ffast-math and its parts, or define DUPQ_ALLOW_FAST_MATH to give up reproducible results"
#endif
static_assert(FLT_EVAL_METHOD == 0, "dupq: float expressions must be evaluated as float (use -mfpmath=sse on i686)");
#if defined(__clang__) && defined(__OPTIMIZE__) && !defined(__CUDACC__)
#define DUPQ_FIND_FAST_MATH 1
#endif
#endif

#define DUPQ_VERSION_MAJOR 0
#define DUPQ_VERSION_MINOR 1
#define DUPQ_VERSION_PATCH 0

#if !defined(__GNUC__)
#error "dupq: g++ >= 12 or clang >= 14 is needed"
#endif

#if defined(__SSE_MATH__)
#define DUPQ_MXCSR 1  // floats are computed by SSE, which has modes of its own; on i686, too
#endif
#if defined(__x86_64__)
#define DUPQ_X86 1
#elif defined(__aarch64__)
#define DUPQ_ARM64 1
#elif defined(__arm__) && defined(__ARM_FP)
#define DUPQ_ARM32_FLOAT 1  // 32 bits with a floating-point unit
#endif

#if defined(DUPQ_X86) && !defined(_WIN32) && !defined(DUPQ_NO_AMX)
#define DUPQ_AMX 1  // (GCC's intrinsics keep strides in a long, which has 32 bits on Windows)
#endif

// The kind of operating system, for core/os.hpp; a bare-metal target and WebAssembly have none.
#if defined(__unix__) || defined(__APPLE__)
#define DUPQ_POSIX 1
#elif defined(_WIN32)
#define DUPQ_WINDOWS 1
#endif

// Every file that runs an encoder compiles the kernels of all instruction sets, which takes most of its time. Where
// DUPQ_SEPARATE_COMPILATION is defined for a whole program, only one file does, the one that includes kernels.hpp; and
// one those of training. The functions that choose a table of kernels are DUPQ_TABLES.
#if defined(DUPQ_SEPARATE_COMPILATION)
#define DUPQ_TABLES
#else
#define DUPQ_TABLES inline
#endif
#if !defined(DUPQ_SEPARATE_COMPILATION) || defined(DUPQ_COMPILE_KERNELS)
#define DUPQ_KERNELS_HERE 1
#else
#define DUPQ_KERNELS_HERE 0
#endif
#if !defined(DUPQ_SEPARATE_COMPILATION) || defined(DUPQ_COMPILE_TRAINING_KERNELS)
#define DUPQ_TRAINING_KERNELS_HERE 1
#else
#define DUPQ_TRAINING_KERNELS_HERE 0
#endif

// A kernel carries the instruction sets that it may use, so that no -m flag is needed and dispatch stays at run time.
#define DUPQ_TARGET(isa) __attribute__((target(isa)))
#define DUPQ_ALWAYS_INLINE inline __attribute__((always_inline))
#define DUPQ_NOINLINE __attribute__((noinline))

// Loops over accumulator arrays spill registers unless they are unrolled completely. With AddressSanitizer clang takes
// four times as long to compile them unrolled.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DUPQ_UNROLL
#define DUPQ_UNROLL_BY_4
#endif
#endif
#if defined(DUPQ_UNROLL)
#elif defined(__clang__)
#define DUPQ_UNROLL _Pragma("clang loop unroll(full)")
#define DUPQ_UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define DUPQ_UNROLL _Pragma("GCC unroll 32")
#define DUPQ_UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

// GPU kernels are one source for nvcc and for the host's compiler, which runs them in the tests' emulator.
// DUPQ_KERNEL(threads of a block, blocks that a multiprocessor should hold): the second is not asked for on Turing,
// where the compiler would spill registers to fulfil it.
#if defined(__CUDACC__)
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define DUPQ_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads)
#else
#define DUPQ_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#endif
#define DUPQ_DEVICE __device__ __attribute__((always_inline))
#define DUPQ_HOST_DEVICE __host__ __device__
#define DUPQ_GPU_UNROLL _Pragma("unroll")
#define DUPQ_GPU_ROLLED _Pragma("unroll 1")
#else
#define DUPQ_KERNEL(threads, blocks) void
#define DUPQ_DEVICE
#define DUPQ_HOST_DEVICE
#define DUPQ_GPU_UNROLL
#define DUPQ_GPU_ROLLED
#endif
// Kernels of warpgroups are for sm_90a alone, and empty elsewhere.
#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define DUPQ_WARPGROUPS 0
#else
#define DUPQ_WARPGROUPS 1
#endif

namespace dupq::inline DUPQ_ABI {

/// The alignment of tensors in model files and of every buffer in a workspace, in bytes.
inline constexpr std::size_t alignment = 64;

/// Rounds `n` up to a multiple of `step`.
constexpr std::size_t round_up(std::size_t n, std::size_t step) noexcept { return (n + step - 1) / step * step; }

#if defined(DUPQ_FIND_FAST_MATH)
[[gnu::error("dupq: compile without -ffast-math and its parts, or define DUPQ_ALLOW_FAST_MATH")]] void
fast_math_found() noexcept;
#endif

/// Sets the floating-point environment of this thread to IEEE defaults (nearest-even, no flush to zero) for its
/// lifetime, because any library of the host process may have changed it.
class float_environment {
 public:
  float_environment() noexcept {
#if defined(DUPQ_MXCSR)
    saved_ = __builtin_ia32_stmxcsr();
    if (saved_ != 0x1F80u) __builtin_ia32_ldmxcsr(0x1F80u);
#elif defined(DUPQ_ARM64)
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    if (saved_ != 0) __asm__ volatile("msr fpcr, %0" : : "r"(std::uint64_t{0}));
#elif defined(DUPQ_ARM32_FLOAT)
    __asm__ volatile("vmrs %0, fpscr" : "=r"(saved_));
    __asm__ volatile("vmsr fpscr, %0" : : "r"(0u));
#endif
#if defined(DUPQ_FIND_FAST_MATH)
    find_fast_math();
#endif
  }
  ~float_environment() {
#if defined(DUPQ_MXCSR)
    if (saved_ != 0x1F80u) __builtin_ia32_ldmxcsr(saved_);
#elif defined(DUPQ_ARM64)
    if (saved_ != 0) __asm__ volatile("msr fpcr, %0" : : "r"(saved_));
#elif defined(DUPQ_ARM32_FLOAT)
    __asm__ volatile("vmsr fpscr, %0" : : "r"(saved_));
#endif
  }
  float_environment(const float_environment&) = delete;
  float_environment& operator=(const float_environment&) = delete;

  /// Returns the number, and keeps the compiler from computing it before the environment is set, or after it is
  /// restored: compilers do not know that these modes change results.
  template <class T>
  static T pinned(T number) noexcept {
    __asm__ volatile("" : "+m"(number));
    return number;
  }

 private:
#if defined(DUPQ_FIND_FAST_MATH)
  // The compiler knows nothing of the two numbers, so it cannot answer a comparison below while it compiles, unless an
  // option lets it rewrite the arithmetic: then it refuses the program. None of this is left in the finished program.
  static DUPQ_ALWAYS_INLINE void find_fast_math() noexcept {
    std::uint32_t anything, other;
    __asm__("" : "=r"(anything));
    __asm__("" : "=r"(other));
    const float a = __builtin_bit_cast(float, anything), b = __builtin_bit_cast(float, other);
    only_at_run_time(same_bits((a + b) - a, b));                    // -fassociative-math
    only_at_run_time(same_bits(a / 3.0f, a * (1.0f / 3.0f)));       // -freciprocal-math
    only_at_run_time(same_bits(a + 0.0f, a));                       // -fno-signed-zeros
    only_at_run_time(a != a);                                       // -fno-honor-nans
    only_at_run_time(__builtin_fabsf(a) == __builtin_huge_valf());  // -fno-honor-infinities
  }
  static DUPQ_ALWAYS_INLINE bool same_bits(float a, float b) noexcept {
    return __builtin_bit_cast(std::uint32_t, a) == __builtin_bit_cast(std::uint32_t, b);
  }
  static DUPQ_ALWAYS_INLINE void only_at_run_time(bool answer) noexcept {
    if (__builtin_constant_p(answer)) fast_math_found();
  }
#endif

#if defined(DUPQ_MXCSR) || defined(DUPQ_ARM32_FLOAT)
  unsigned saved_;
#elif defined(DUPQ_ARM64)
  std::uint64_t saved_;
#endif
};

}  // namespace dupq::inline DUPQ_ABI
