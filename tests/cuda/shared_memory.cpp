// The shared memory of every kernel: pinned, and within what the architectures that it is for give a block.
#include <doctest/doctest.h>

#include <dupq/cuda/forward.hpp>
#include <dupq/device/cuda/hopper/mlp.hpp>
#include <dupq/device/cuda/hopper/qkv.hpp>
#include <dupq/device/cuda/hopper/wide_layers.hpp>
#include <dupq/device/cuda/latency/units.hpp>

namespace gpu = dupq::gpu;

TEST_CASE("shared memory of the portable kernels: 64 kB at most, which is what Turing has") {
  const auto pinned = [](std::size_t bytes, std::size_t expected) {
    CHECK(bytes == expected);
    CHECK(bytes <= 64 * 1024);
  };
  pinned(gpu::large_tile::ring_bytes, 49152);
  pinned(gpu::small_tile::ring_bytes, 8192);
  pinned(gpu::row_shared_bytes<128>(), 34816);
  pinned(gpu::row_shared_bytes<256>(), 36864);
  pinned(gpu::row_shared_bytes<384>(), 38912);
  pinned(gpu::row_shared_bytes<512>(), 36864);
  pinned(gpu::row_shared_bytes<768>(), 18432);
  pinned(gpu::row_shared_bytes<1024>(), 9216);
  pinned(gpu::pool_shared_bytes, 16);
  pinned(gpu::unit_shared_bytes, 13824);
}

TEST_CASE("shared memory of Hopper's kernels: 227 kB at most, one block a processor") {
  const auto pinned = [](std::size_t bytes, std::size_t expected) {
    CHECK(bytes == expected);
    CHECK(bytes <= 227 * 1024);
  };
  pinned(gpu::qkv_shape<384>::shared_bytes, 221352);
  pinned(gpu::mlp_shape<384>::shared_bytes, 230496);
  pinned(gpu::wide_shape::shared_bytes(2304), 207920);
  pinned(gpu::wide_shape::shared_bytes(3072), 210992);
  pinned(gpu::wide_shape::norm_shared_bytes, 203312);
}

TEST_CASE("wide products are for perceptrons whose biases fit beside the ring") {
  dupq::config c{};
  c.hidden = 768, c.heads = 12;
  CHECK(gpu::takes_wide(c, 3072));
  CHECK(gpu::takes_wide(c, 8064));
  CHECK(gpu::wide_shape::shared_bytes(8448) > gpu::most_shared_bytes);
  CHECK(!gpu::takes_wide(c, 8448));
}
