// The primitives that GPU kernels are written in, one function for each instruction.
//
// nvcc gets them as PTX (ptx.inl, wgmma.inl). For a host compiler they are only declared: the tests define them as an
// emulator, and run the very kernels. Shared memory is addressed by its 32-bit offset, never by a pointer, so that
// every access is seen there. A "fragment" is the part of a matrix that a lane holds: see layouts.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::ptx {

/// 16 bytes: what one thread loads or stores at a time.
struct alignas(16) words4 {
  std::uint32_t w[4];
};

// ---- where this thread is ----
DUPQ_DEVICE int thread_index() noexcept;
DUPQ_DEVICE int block_index() noexcept;
DUPQ_DEVICE int block_count() noexcept;
/// `value`, which is the same in all lanes of the warp, as one that the compiler knows to be.
DUPQ_DEVICE int uniform(int value) noexcept;

// ---- barriers ----
/// All threads of the block; orders their accesses to memory.
DUPQ_DEVICE void block_barrier() noexcept;
/// `threads` (a multiple of 32) threads meet at barrier `id`, 1 to 15.
DUPQ_DEVICE void named_barrier(int id, int threads) noexcept;
/// Counts as arrived at a named barrier without waiting there.
DUPQ_DEVICE void named_arrive(int id, int threads) noexcept;
/// The lanes of a warp; orders their accesses to memory.
DUPQ_DEVICE void warp_barrier() noexcept;

// ---- between lanes of a warp; no order of accesses to memory follows from these ----
DUPQ_DEVICE float shuffle_xor(float value, int mask) noexcept;
DUPQ_DEVICE int shuffle_xor(int value, int mask) noexcept;

// ---- global memory ----
DUPQ_DEVICE std::uint32_t load_global(const void* from) noexcept;
DUPQ_DEVICE words4 load_global4(const void* from) noexcept;  ///< 16-byte aligned
/// Of memory that no kernel writes, such as weights; goes through the read-only cache.
DUPQ_DEVICE std::uint32_t load_constant(const void* from) noexcept;
DUPQ_DEVICE words4 load_constant4(const void* from) noexcept;
/// The same, to be used before wait_for_previous_kernel: ptxas moves the read-only cache's loads behind that.
DUPQ_DEVICE words4 load_ahead4(const void* from) noexcept;
DUPQ_DEVICE void store_global(void* to, std::uint32_t value) noexcept;
DUPQ_DEVICE void store_global4(void* to, const words4& value) noexcept;

// ---- shared memory ----
/// Address of the block's shared memory, aligned to 1,024 bytes; as many bytes as the launch asks for.
DUPQ_DEVICE std::uint32_t shared_base() noexcept;
DUPQ_DEVICE std::uint32_t load_shared(std::uint32_t from) noexcept;
DUPQ_DEVICE words4 load_shared4(std::uint32_t from) noexcept;
DUPQ_DEVICE void store_shared(std::uint32_t to, std::uint32_t value) noexcept;
DUPQ_DEVICE void store_shared4(std::uint32_t to, const words4& value) noexcept;
/// Adds to a counter of the block and returns what it was; acquires and releases (`atom.acq_rel.cta`).
DUPQ_DEVICE std::uint32_t add_shared(std::uint32_t at, std::uint32_t value) noexcept;

// ---- matrices ----
/// Four 8x8 matrices of halves to fragments: lane i gives the address of row i % 8 (16 bytes) of matrix i / 8, and gets
/// elements 2 (lane % 4) and the next of row lane / 4 of matrix m in r[m].
DUPQ_DEVICE void load_matrices(std::uint32_t (&r)[4], std::uint32_t row) noexcept;
/// The same, each matrix transposed.
DUPQ_DEVICE void load_matrices_transposed(std::uint32_t (&r)[4], std::uint32_t row) noexcept;
/// Transposes an 8x8 matrix of halves that lies in the warp's registers as such a fragment.
DUPQ_DEVICE std::uint32_t transpose_matrix(std::uint32_t fragment) noexcept;
/// d += a b: 16x16 halves by 16x8 halves, summed as floats. Below sm_80 as two products of depth 8.
DUPQ_DEVICE void multiply(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) noexcept;

// ---- asynchronous copies, 16 bytes a thread (before sm_80: at once, through registers) ----
DUPQ_DEVICE void copy_async(std::uint32_t to, const void* from) noexcept;
/// Ends a group of this thread's copies.
DUPQ_DEVICE void commit_copies() noexcept;
/// Waits until at most `Pending` of this thread's groups are unfinished. Others see the bytes after a barrier.
template <int Pending>
DUPQ_DEVICE void wait_copies() noexcept;

// ---- barriers in shared memory, 8 bytes each (sm_90) ----
DUPQ_DEVICE void init_barrier(std::uint32_t barrier, int arrivals) noexcept;
/// Makes initialised barriers visible to asynchronous copies; a block barrier must follow.
DUPQ_DEVICE void fence_barriers() noexcept;
DUPQ_DEVICE void arrive(std::uint32_t barrier) noexcept;
/// Arrives, and announces `bytes` of asynchronous copies that the phase waits for as well.
DUPQ_DEVICE void arrive_expect(std::uint32_t barrier, std::uint32_t bytes) noexcept;
/// Waits for the end of the phase of this parity: 0 for the first, 1 for the second, 0 again, ...
DUPQ_DEVICE void wait_barrier(std::uint32_t barrier, std::uint32_t parity) noexcept;

// ---- bulk copies by one thread; addresses and sizes are multiples of 16 (sm_90) ----
DUPQ_DEVICE void bulk_load(std::uint32_t to, const void* from, std::uint32_t bytes, std::uint32_t barrier) noexcept;
DUPQ_DEVICE void bulk_store(void* to, std::uint32_t from, std::uint32_t bytes) noexcept;
DUPQ_DEVICE void commit_bulk_stores() noexcept;
/// Waits until at most `Pending` groups of this thread's stores still read shared memory.
template <int Pending>
DUPQ_DEVICE void wait_bulk_stores() noexcept;
/// Orders this thread's ordinary accesses to shared memory before later asynchronous ones (wgmma, bulk copies).
DUPQ_DEVICE void fence_async() noexcept;

// ---- products by a warpgroup, 64 rows at a time (sm_90a) ----
/// Describes a matrix of 64 halves a row: 128 bytes, 128-byte swizzle, aligned to 1,024 bytes. Adding n / 16 to a
/// descriptor moves it by n bytes.
DUPQ_DEVICE std::uint64_t descriptor128(std::uint32_t at) noexcept;
/// Of 32 halves a row: 64 bytes, 64-byte swizzle, aligned to 512 bytes.
DUPQ_DEVICE std::uint64_t descriptor64(std::uint32_t at) noexcept;
DUPQ_DEVICE void warpgroup_fence() noexcept;
DUPQ_DEVICE void warpgroup_commit() noexcept;
template <int Pending>
DUPQ_DEVICE void warpgroup_wait() noexcept;
/// d = a b^T (+ d): 64x16 by 16xN, N = 4 / 2 * registers. d[4 i + e]: row 16 warp + lane / 4 + 8 (e / 2), column
/// 8 i + 2 (lane % 4) + e % 2. N is 64, 128, 192 or 256.
template <int Registers>
DUPQ_DEVICE void warpgroup_multiply(float (&d)[Registers], std::uint64_t a, std::uint64_t b, bool add) noexcept;
/// The same with `a` as fragments, as `multiply` takes them.
template <int Registers>
DUPQ_DEVICE void warpgroup_multiply(float (&d)[Registers], const std::uint32_t (&a)[4], std::uint64_t b,
                                    bool add) noexcept;
/// Moves registers between the warpgroups of a block.
template <int Registers>
DUPQ_DEVICE void more_registers() noexcept;
template <int Registers>
DUPQ_DEVICE void fewer_registers() noexcept;

// ---- clusters of blocks (sm_90) ----
DUPQ_DEVICE int cluster_rank() noexcept;
/// All threads of the cluster; orders their accesses to memory.
DUPQ_DEVICE void cluster_barrier() noexcept;
/// The same place in the shared memory of another block of the cluster, for store_cluster.
DUPQ_DEVICE std::uint32_t cluster_address(std::uint32_t at, int rank) noexcept;
DUPQ_DEVICE void store_cluster(std::uint32_t to, std::uint32_t value) noexcept;

// ---- one kernel after another without a gap (sm_90; before, kernels follow each other anyway) ----
/// Waits until the kernels before this one in the stream are done and their writes visible.
DUPQ_DEVICE void wait_for_previous_kernel() noexcept;
/// Lets the next kernel start, as far as it does not wait for this one.
DUPQ_DEVICE void launch_next_kernel() noexcept;
/// Whether this code has the two above: code for sm_80, compiled for a newer GPU when it is loaded, has not.
DUPQ_DEVICE bool waits_for_kernels() noexcept;

// ---- numbers ----
/// Two floats to halves, rounded to the nearest; `low` in the low 16 bits.
DUPQ_DEVICE std::uint32_t pack_halves(float low, float high) noexcept;
DUPQ_DEVICE void unpack_halves(std::uint32_t halves, float& low, float& high) noexcept;
DUPQ_DEVICE float as_float(std::uint32_t bits) noexcept;
DUPQ_DEVICE std::uint32_t as_bits(float value) noexcept;
// Approximate, with relative errors of about 2^-22 but for tanh (2^-11).
DUPQ_DEVICE float fast_exp2(float x) noexcept;
DUPQ_DEVICE float fast_reciprocal(float x) noexcept;
DUPQ_DEVICE float fast_rsqrt(float x) noexcept;
DUPQ_DEVICE float fast_tanh(float x) noexcept;

}  // namespace dupq::inline DUPQ_ABI::ptx

#if defined(__CUDACC__)
#include "ptx.inl"
#include "wgmma.inl"
#endif
