// Every kernel that the library launches, for the compile gate (compile.py).
#include <dupq/device/cuda/attention.hpp>
#include <dupq/device/cuda/ends.hpp>
#include <dupq/device/cuda/hopper/mlp.hpp>
#include <dupq/device/cuda/hopper/probe.hpp>
#include <dupq/device/cuda/hopper/qkv.hpp>
#include <dupq/device/cuda/hopper/wide.hpp>
#include <dupq/device/cuda/latency/attention.hpp>
#include <dupq/device/cuda/latency/head.hpp>
#include <dupq/device/cuda/latency/linear.hpp>
#include <dupq/device/cuda/latency/norm.hpp>
#include <dupq/device/cuda/latency/receive.hpp>
#include <dupq/device/cuda/rows.hpp>

namespace dupq::inline DUPQ_ABI::gpu {

template __global__ void embed_kernel<1>(embed_args);
template __global__ void embed_kernel<2>(embed_args);
template __global__ void embed_kernel<3>(embed_args);
template __global__ void embed_kernel<4>(embed_args);
template __global__ void linear_kernel<large_tile, activation::none>(linear_args);
template __global__ void linear_kernel<large_tile, activation::gelu>(linear_args);
template __global__ void linear_kernel<small_tile, activation::none>(linear_args);
template __global__ void linear_kernel<small_tile, activation::gelu>(linear_args);
template __global__ void linear_norm_kernel<128>(linear_norm_args);
template __global__ void linear_norm_kernel<256>(linear_norm_args);
template __global__ void linear_norm_kernel<384>(linear_norm_args);
template __global__ void linear_norm_kernel<512>(linear_norm_args);
template __global__ void linear_norm_kernel<768>(linear_norm_args);
template __global__ void linear_norm_kernel<1024>(linear_norm_args);
template __global__ void head_kernel<128>(head_args);
template __global__ void head_kernel<256>(head_args);
template __global__ void head_kernel<384>(head_args);
template __global__ void head_kernel<512>(head_args);
template __global__ void head_kernel<768>(head_args);
template __global__ void head_kernel<1024>(head_args);
template __global__ void attention_kernel<32>(attention_args);
template __global__ void attention_kernel<64>(attention_args);
template __global__ void attention_kernel<128>(attention_args);
template __global__ void receive_kernel<receive_threads>(receive_args);
template __global__ void few_linear_kernel<false>(few_linear_args);
template __global__ void few_linear_kernel<true>(few_linear_args);
template __global__ void norm_linear_kernel<1, activation::none>(few_linear_args);
template __global__ void norm_linear_kernel<1, activation::gelu>(few_linear_args);
template __global__ void norm_linear_kernel<1, activation::tanh>(few_linear_args);
template __global__ void norm_linear_kernel<2, activation::none>(few_linear_args);
template __global__ void norm_linear_kernel<2, activation::gelu>(few_linear_args);
template __global__ void norm_linear_kernel<2, activation::tanh>(few_linear_args);
template __global__ void norm_linear_kernel<3, activation::none>(few_linear_args);
template __global__ void norm_linear_kernel<3, activation::gelu>(few_linear_args);
template __global__ void norm_linear_kernel<3, activation::tanh>(few_linear_args);
template __global__ void few_attention_kernel<32>(few_attention_args);
template __global__ void few_attention_kernel<64>(few_attention_args);
template __global__ void few_attention_kernel<128>(few_attention_args);
template __global__ void few_head_kernel<32>(few_head_args);
template __global__ void norm_kernel<1>(few_linear_args);
template __global__ void norm_kernel<2>(few_linear_args);
template __global__ void norm_kernel<3>(few_linear_args);
template __global__ void norm_kernel<4>(few_linear_args);
template __global__ void pool_kernel<pool_threads>(pool_args);
template __global__ void probe_kernel<32>(probe_args);
template __global__ void qkv_kernel<384>(qkv_args);
template __global__ void mlp_kernel<384>(mlp_args);
template __global__ void wide_kernel<wide_end::plain>(wide_args);
template __global__ void wide_kernel<wide_end::gelu>(wide_args);
template __global__ void wide_norm_kernel<wide_end::norm>(wide_norm_args);

// Shared memory is asked for at launch; 48 kB need no leave.
static_assert(large_tile::ring_bytes == 49152);
static_assert(small_tile::ring_bytes == 8192);
static_assert(row_shared_bytes<128>() == 34816);
static_assert(row_shared_bytes<256>() == 36864);
static_assert(row_shared_bytes<384>() == 38912);
static_assert(row_shared_bytes<512>() == 36864);
static_assert(row_shared_bytes<768>() == 18432);
static_assert(row_shared_bytes<1024>() == 9216);
static_assert(pool_shared_bytes == 16);
// Of the 227 kB that a block of Hopper can have.
static_assert(qkv_shape<384>::shared_bytes == 221352);
static_assert(mlp_shape<384>::shared_bytes == 230496);
static_assert(wide_shape::shared_bytes(3072) == 210992 && wide_shape::norm_shared_bytes == 203312);
static_assert(unit_shared_bytes == 13824);

}  // namespace dupq::inline DUPQ_ABI::gpu
