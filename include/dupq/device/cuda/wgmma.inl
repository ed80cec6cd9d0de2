// The primitives of sm_90 and sm_90a as PTX: barriers in shared memory, bulk copies, clusters, products by warpgroups.
#pragma once

#include "primitives.hpp"

// Without a device of this kind an instruction is a trap: kernels that need it are not launched there.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define DUPQ_SM90(...) asm volatile(__VA_ARGS__)
#else
#define DUPQ_SM90(...) __trap()
#endif
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define DUPQ_SM90A(...) asm volatile(__VA_ARGS__)
#else
#define DUPQ_SM90A(...) __trap()
#endif

namespace dupq::inline DUPQ_ABI::ptx {

DUPQ_DEVICE inline void init_barrier(std::uint32_t barrier, int arrivals) noexcept {
  DUPQ_SM90("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
DUPQ_DEVICE inline void fence_barriers() noexcept { DUPQ_SM90("fence.mbarrier_init.release.cluster;" ::: "memory"); }
DUPQ_DEVICE inline void arrive(std::uint32_t barrier) noexcept {
  DUPQ_SM90("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
DUPQ_DEVICE inline void arrive_expect(std::uint32_t barrier, std::uint32_t bytes) noexcept {
  DUPQ_SM90("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
DUPQ_DEVICE inline void wait_barrier(std::uint32_t barrier, std::uint32_t parity) noexcept {
  DUPQ_SM90(
      "{\n.reg .pred done;\nagain: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra again;\n}" ::
          "r"(barrier),
      "r"(parity)
      : "memory");
}

DUPQ_DEVICE inline void bulk_load(std::uint32_t to, const void* from, std::uint32_t bytes,
                                  std::uint32_t barrier) noexcept {
  DUPQ_SM90("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
            "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier)
            : "memory");
}
DUPQ_DEVICE inline void bulk_store(void* to, std::uint32_t from, std::uint32_t bytes) noexcept {
  DUPQ_SM90("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
            "r"(from), "r"(bytes)
            : "memory");
}
DUPQ_DEVICE inline void commit_bulk_stores() noexcept { DUPQ_SM90("cp.async.bulk.commit_group;" ::: "memory"); }
template <int Pending>
__device__ inline void wait_bulk_stores() noexcept {
  DUPQ_SM90("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}
DUPQ_DEVICE inline void fence_async() noexcept { DUPQ_SM90("fence.proxy.async.shared::cta;" ::: "memory"); }

DUPQ_DEVICE inline int cluster_rank() noexcept {
  std::uint32_t rank = 0;
  DUPQ_SM90("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}
DUPQ_DEVICE inline void cluster_barrier() noexcept {
  DUPQ_SM90("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
DUPQ_DEVICE inline std::uint32_t cluster_address(std::uint32_t at, int rank) noexcept {
  std::uint32_t to = 0;
  DUPQ_SM90("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(to) : "r"(at), "r"(rank));
  return to;
}
DUPQ_DEVICE inline void store_cluster(std::uint32_t to, std::uint32_t value) noexcept {
  DUPQ_SM90("st.shared::cluster.u32 [%0], %1;" ::"r"(to), "r"(value) : "memory");
}

DUPQ_DEVICE inline std::uint64_t descriptor128(std::uint32_t at) noexcept {
  // start, leading offset (unused), 1,024 bytes between groups of 8 rows, swizzle of 128 bytes; all but the last / 16
  return std::uint64_t{(at & 0x3FFFFu) >> 4} | std::uint64_t{1} << 16 | std::uint64_t{1024 >> 4} << 32 |
         std::uint64_t{1} << 62;
}
DUPQ_DEVICE inline std::uint64_t descriptor64(std::uint32_t at) noexcept {
  return std::uint64_t{(at & 0x3FFFFu) >> 4} | std::uint64_t{1} << 16 | std::uint64_t{512 >> 4} << 32 |
         std::uint64_t{2} << 62;
}
DUPQ_DEVICE inline void warpgroup_fence() noexcept { DUPQ_SM90A("wgmma.fence.sync.aligned;" ::: "memory"); }
DUPQ_DEVICE inline void warpgroup_commit() noexcept { DUPQ_SM90A("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int Pending>
__device__ inline void warpgroup_wait() noexcept {
  DUPQ_SM90A("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
template <int Registers>
__device__ inline void more_registers() noexcept {
  DUPQ_SM90A("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}
template <int Registers>
__device__ inline void fewer_registers() noexcept {
  DUPQ_SM90A("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

// clang-format off
// Ten operands' names, and eight operands.
#define DUPQ_TEN(t) \
  "%" #t "0, %" #t "1, %" #t "2, %" #t "3, %" #t "4, %" #t "5, %" #t "6, %" #t "7, %" #t "8, %" #t "9, "
#define DUPQ_EIGHT(i)                                                                                         \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define DUPQ_REGISTERS_32(i) DUPQ_EIGHT(i), DUPQ_EIGHT(i + 8), DUPQ_EIGHT(i + 16), DUPQ_EIGHT(i + 24)
#define DUPQ_NAMES_32 DUPQ_TEN() DUPQ_TEN(1) DUPQ_TEN(2) "%30, %31"
#define DUPQ_NAMES_64 DUPQ_TEN() DUPQ_TEN(1) DUPQ_TEN(2) DUPQ_TEN(3) DUPQ_TEN(4) DUPQ_TEN(5) "%60, %61, %62, %63"
#define DUPQ_NAMES_96 \
  DUPQ_TEN()          \
  DUPQ_TEN(1)         \
  DUPQ_TEN(2) DUPQ_TEN(3) DUPQ_TEN(4) DUPQ_TEN(5) DUPQ_TEN(6) DUPQ_TEN(7) DUPQ_TEN(8) "%90, %91, %92, %93, %94, %95"
#define DUPQ_NAMES_128                                                                 \
  DUPQ_TEN()                                                                           \
  DUPQ_TEN(1)                                                                          \
  DUPQ_TEN(2)                                                                          \
  DUPQ_TEN(3)                                                                          \
  DUPQ_TEN(4) DUPQ_TEN(5) DUPQ_TEN(6) DUPQ_TEN(7) DUPQ_TEN(8) DUPQ_TEN(9) DUPQ_TEN(10) \
      DUPQ_TEN(11) "%120, %121, %122, %123, %124, %125, %126, %127"

// The two products of one width; %(first) and so on are the operands behind the registers.
#define DUPQ_PRODUCT(registers, columns, names, first, second, third, fourth, fifth, sixth, ...)                   \
  template <>                                                                                                      \
  DUPQ_DEVICE inline void warpgroup_multiply(float(&d)[registers], std::uint64_t a, std::uint64_t b, bool add) noexcept { \
    DUPQ_SM90A("{\n.reg .pred p;\nsetp.ne.b32 p, %" #third ", 0;\nwgmma.mma_async.sync.aligned.m64n" #columns      \
               "k16.f32.f16.f16 {" names "}, %" #first ", %" #second ", p, 1, 1, 0, 0;\n}"                         \
               : __VA_ARGS__                                                                                       \
               : "l"(a), "l"(b), "r"(static_cast<int>(add)));                                                      \
  }                                                                                                                \
  template <>                                                                                                      \
  DUPQ_DEVICE inline void warpgroup_multiply(float(&d)[registers], const std::uint32_t(&a)[4], std::uint64_t b,           \
                                      bool add) noexcept {                                                         \
    DUPQ_SM90A("{\n.reg .pred p;\nsetp.ne.b32 p, %" #sixth ", 0;\nwgmma.mma_async.sync.aligned.m64n" #columns      \
               "k16.f32.f16.f16 {" names "}, {%" #first ", %" #second ", %" #third ", %" #fourth "}, %" #fifth     \
               ", p, 1, 1, 0;\n}"                                                                                  \
               : __VA_ARGS__                                                                                       \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));                  \
  }
DUPQ_PRODUCT(32, 64, DUPQ_NAMES_32, 32, 33, 34, 35, 36, 37, DUPQ_REGISTERS_32(0))
DUPQ_PRODUCT(64, 128, DUPQ_NAMES_64, 64, 65, 66, 67, 68, 69, DUPQ_REGISTERS_32(0), DUPQ_REGISTERS_32(32))
DUPQ_PRODUCT(96, 192, DUPQ_NAMES_96, 96, 97, 98, 99, 100, 101, DUPQ_REGISTERS_32(0), DUPQ_REGISTERS_32(32),
             DUPQ_REGISTERS_32(64))
DUPQ_PRODUCT(128, 256, DUPQ_NAMES_128, 128, 129, 130, 131, 132, 133, DUPQ_REGISTERS_32(0), DUPQ_REGISTERS_32(32),
             DUPQ_REGISTERS_32(64), DUPQ_REGISTERS_32(96))

// clang-format on
#undef DUPQ_TEN
#undef DUPQ_EIGHT
#undef DUPQ_REGISTERS_32
#undef DUPQ_NAMES_32
#undef DUPQ_NAMES_64
#undef DUPQ_NAMES_96
#undef DUPQ_NAMES_128
#undef DUPQ_PRODUCT
#undef DUPQ_SM90
#undef DUPQ_SM90A

}  // namespace dupq::inline DUPQ_ABI::ptx
