// What a GPU kernel may ask of the machine that runs it. Kernels are templates over a `machine`, so that the same text
// runs on a GPU (ptx.cuh, one instruction or two an operation) and in the tests' emulator, which knows their rules.
//
// A block's threads form warps of 32 lanes. Operations marked "warp" are executed by all lanes of a warp together.
// Shared memory is addressed in bytes from shared(), as 32-bit numbers.
#pragma once

#include <concepts>
#include <cstdint>

#include "../../core/platform.hpp"

namespace dupq::inline DUPQ_ABI::gpu {

inline constexpr unsigned warp_size = 32;

/// Two numbers in half precision, the first in the low 16 bits: what one register of a matrix fragment holds.
using half2 = std::uint32_t;
struct alignas(8) float_pair {
  float low, high;
};
/// Four numbers in half precision, moved by one instruction.
struct alignas(8) half4 {
  half2 pair[2];
};

// clang-format off
/// The operations; all are static and none fails.
template <class M>
concept machine = requires(std::uint32_t address, std::uint32_t (&fragment)[4], const std::uint32_t (&a)[4], float (&sums)[4],
                           float f, half2 h, unsigned lanes, const float* from, float* to, bool wanted) {
  // true if copies run asynchronously; otherwise copy_16 is done when it returns
  { M::asynchronous } -> std::convertible_to<bool>;
  // indices within the block, and of the block
  { M::thread() } -> std::same_as<unsigned>;
  { M::block() } -> std::same_as<unsigned>;

  // all threads of the block meet; what they wrote to shared memory before is seen by all afterwards
  M::sync();
  // warp: the same for its lanes
  M::sync_warp();
  // warp: the value of the lane whose number differs in the bits `lanes`
  { M::exchange(f, lanes) } -> std::same_as<float>;
  { M::exchange(h, lanes) } -> std::same_as<half2>;

  { M::shared() } -> std::same_as<std::uint32_t>;
  { M::load_shared(address) } -> std::same_as<float>;
  M::store_shared(address, f);
  // 16 bytes from global to shared memory, or 16 zero bytes; both addresses are multiples of 16. Copies since the last
  // commit form a group, and copy_wait<n> returns when all of this thread's groups but the last n have landed.
  M::copy_16(address, static_cast<const void*>(from), wanted);
  M::copy_commit();
  M::template copy_wait<1>();

  // warp: four 8 x 8 matrices of half precision; lane 8 m + r gives the address of row r of matrix m. Lane l receives
  // in register m the elements (l / 4, 2 (l % 4)) and the next of its row; transposed: (2 (l % 4), l / 4) and below.
  M::load_matrices(fragment, address);
  M::load_matrices_transposed(fragment, address);
  // warp: sums[16 x 8] += a[16 x 16] b[16 x 8], products exact, sums in float; fragment.hpp says who holds what
  M::multiply_add(sums, a, h, h);

  // global memory
  { M::load(from) } -> std::same_as<float>;
  M::store(to, f);

  // rounded to nearest even, and exact
  { M::pack(f, f) } -> std::same_as<half2>;
  { M::unpack(h) } -> std::same_as<float_pair>;
  // to about 2^-22, 2^-11 and 2^-22
  { M::exp2(f) } -> std::same_as<float>;
  { M::tanh(f) } -> std::same_as<float>;
  { M::inverse_sqrt(f) } -> std::same_as<float>;
};
// clang-format on

}  // namespace dupq::inline DUPQ_ABI::gpu
