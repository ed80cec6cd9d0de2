// The first and the last layer in the emulator against the reference.
#include <doctest/doctest.h>

#include <dupq/device/cuda/ends.hpp>
#include <dupq/device/reference.hpp>

#include "data.hpp"
#include "defects.hpp"

using namespace cuda_test;
namespace gpu = dupq::gpu;

namespace {

struct random_table {
  random_table(std::size_t count, std::size_t columns, std::size_t stride)
      : values(random_halves(count * columns, 1)), packed(count * stride, emulator::use::read) {
    plain = {reinterpret_cast<const std::byte*>(values.data()), dupq::row_format::f32, count, columns * sizeof(float)};
    REQUIRE(dupq::gpu::pack_table(plain, columns, stride, packed.data()));
  }
  std::vector<float> values;
  halves packed;
  dupq::table<dupq::host_memory> plain;
};

template <int Chunks>
void check_embedding(int count, std::size_t size, std::size_t stride, bool types) {
  const random_table words(50, size, stride), positions(40, size, stride), kinds(2, size, stride);
  const auto gain = random_halves(size, 0.2f, 1), bias = random_halves(size, 0.1f);
  const floats packed_gain = padded(gain, stride), packed_bias = padded(bias, stride);
  const auto n = static_cast<std::size_t>(count);
  std::vector<std::int32_t> ids(n), where(n);
  std::vector<std::uint8_t> kind(n);
  std::vector<gpu::token> tokens(n);
  for (std::size_t i = 0; i < n; ++i) {
    ids[i] = static_cast<std::int32_t>(i * i % 50), where[i] = static_cast<std::int32_t>(i * 7 % 40);
    kind[i] = types ? static_cast<std::uint8_t>(i % 3 == 0) : 0;
    tokens[i] = {static_cast<std::uint32_t>(ids[i]), static_cast<std::uint32_t>(where[i]), kind[i], 0};
  }
  dupq::token_batch batch;
  batch.ids = ids.data(), batch.positions = where.data(), batch.types = kind.data(), batch.tokens = n;
  std::vector<float> truth(n * size);
  dupq::reference().embed(batch, words.plain, types ? kinds.plain : dupq::table<dupq::host_memory>{}, positions.plain,
                          {gain.data(), bias.data(), size, 1e-12f}, {truth.data(), n, size});
  const emulator::buffer<gpu::token> sent(tokens);
  const halves y(n * stride);
  const gpu::embed_args args{words.packed.data(),
                             types ? kinds.packed.data() : nullptr,
                             positions.packed.data(),
                             packed_gain.data(),
                             packed_bias.data(),
                             sent.data(),
                             y.data(),
                             nullptr,
                             count,
                             static_cast<int>(stride),
                             static_cast<int>(size),
                             1e-12f};
  check_schedules([&](std::uint32_t seed) {
    CHECK(emulator::launch({.blocks = (count + gpu::embed_warps - 1) / gpu::embed_warps,
                            .threads = 32 * gpu::embed_warps,
                            .seed = seed},
                           [&] { gpu::embed_kernel<Chunks>(args); }) == "");
    CHECK(distance(truth, size, widen(y), stride, n, size) < 1e-3f);
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t c = size; c < stride; ++c) REQUIRE(y[r * stride + c] == 0);
    return y.copy();
  });
}

struct pool_case {
  pool_case(const std::vector<std::uint32_t>& lengths, std::size_t size_, dupq::pooling mode_, bool normalize_)
      : t(lengths),
        size(size_),
        stride((size + 127) / 128 * 128),
        mode(mode_),
        normalize(normalize_),
        x(t.batch.tokens * stride),
        y(lengths.size() * mode.modes() * size),
        truth(y.size()),
        offsets(t.offsets) {
    const auto values = random_halves(t.batch.tokens * size, 1, 0.5f);
    put_rows(values, size, stride, x);
    const dupq::matrix<float> to(truth.data(), lengths.size(), mode.modes() * size);
    dupq::reference().pool(t.batch, mode, {values.data(), t.batch.tokens, size}, to);
    if (normalize) dupq::reference().normalize(to);
  }
  std::string run(std::uint32_t seed) {
    gpu::pool_args args;
    args.x = x.data(), args.offsets = offsets.data(), args.y = y.data();
    args.size = static_cast<int>(size), args.stride = static_cast<int>(stride);
    args.mode = mode, args.normalize = normalize;
    return emulator::launch({.blocks = static_cast<int>(t.batch.texts),
                             .threads = gpu::pool_threads,
                             .shared_bytes = gpu::pool_shared_bytes,
                             .seed = seed,
                             .overlaps = true},
                            [&] { gpu::pool_kernel<gpu::pool_threads>(args); });
  }
  bool near() const { return distance(truth, 1, y.copy(), 1, truth.size(), 1) < 1e-5f; }

  texts t;
  std::size_t size, stride;
  dupq::pooling mode;
  bool normalize;
  halves x;
  floats y;
  std::vector<float> truth;
  emulator::buffer<std::uint32_t> offsets;
};

}  // namespace

TEST_CASE("embeddings are near the reference") {
  check_embedding<2>(31, 384, 384, true);
  check_embedding<1>(130, 40, 128, false);
  check_embedding<3>(5, 768, 768, false);
  check_embedding<4>(1, 1000, 1024, true);
}

TEST_CASE("pooled vectors are near the reference") {
  pool_case all(lengths_to(130), 384, {.mean = true}, true);
  check_schedules([&](std::uint32_t seed) {
    CHECK(all.run(seed) == "");
    CHECK(all.near());
    return all.y.copy();
  });
  for (const bool normalize : {false, true})
    for (unsigned modes = 1; modes < 8; ++modes) {
      pool_case one({3, 1, 17}, 44, {(modes & 1) != 0, (modes & 2) != 0, (modes & 4) != 0}, normalize);
      CHECK(one.run(modes) == "");
      CHECK(one.near());
    }
}

TEST_CASE("the wait and the barrier of pooling are needed, and their defects are found") {
  pool_case one({3, 1, 17}, 768, {.mean = true}, true);
  check_defects(2, [&] {
    const std::string problem = one.run(1);
    return judged(problem, problem.empty() && one.near());
  });
}
