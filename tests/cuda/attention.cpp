// Attention against `reference`: all lengths, both sizes of heads, with and without MPNet's bias; any schedule and
// batch.
#include <dupq/device/cuda/attention.hpp>

#include <cstring>

#include "host.hpp"

namespace {

namespace gpu = dupq::gpu;

// Bytes of shared memory: every GPU has 49,152 for the asking.
static_assert(gpu::attention<32, false>::shared_bytes == 16384 && gpu::attention<64, true>::shared_bytes == 32768);

template <class Machine, unsigned HeadDim, bool Relative>
host::halves attention(const std::vector<unsigned>& lengths, const host::floats& qkv, unsigned heads,
                       const host::floats& relative, unsigned span, std::uint64_t seed) {
  const auto offsets = host::offsets(lengths);
  std::vector<gpu::attention_tile> tiles(offsets.back() / gpu::attention_tile::queries + lengths.size());
  tiles.resize(gpu::attention_tiles(offsets.data(), lengths.size(), tiles.data()));
  const host::halves qkv_16 = host::to_halves(qkv);
  host::halves y(offsets.back() * heads * HeadDim, 0xFFFF);
  host::arrays arrays;
  arrays.read(qkv_16), arrays.read(tiles), arrays.read(relative), arrays.write(y);
  const auto count = static_cast<unsigned>(tiles.size());
  const gpu::attention_task task{qkv_16.data(), tiles.data(), relative.data(), y.data(), count, heads, span};
  using kernel = gpu::attention<HeadDim, Relative>;
  emulator::gpu.bank_conflicts = 0;
  CHECK(emulator::gpu.launch("attention", {kernel::blocks(count, heads), kernel::threads, kernel::shared_bytes}, seed,
                             [&] { kernel::template run<Machine>(task); }) == "");
  CHECK(emulator::gpu.bank_conflicts == 0);
  return y;
}

template <unsigned HeadDim, bool Relative>
void check(const std::vector<unsigned>& lengths, unsigned heads, std::uint64_t seeds) {
  CAPTURE(HeadDim);
  CAPTURE(Relative);
  const unsigned hidden = heads * HeadDim, span = 512;
  const auto offsets = host::offsets(lengths);
  const host::floats qkv = host::numbers(offsets.back() * 3 * hidden, 11, 1);
  const host::floats relative = host::numbers(heads * (2 * span - 1), 12, 1);
  const auto run = [&](auto machine, std::uint64_t seed) {
    return attention<decltype(machine), HeadDim, Relative>(lengths, qkv, heads, relative, span, seed);
  };
  const host::halves y = run(emulator::machine<true>{}, 1);
  for (std::uint64_t seed = 2; seed <= seeds; ++seed) CHECK(run(emulator::machine<true>{}, seed) == y);
  CHECK(run(emulator::machine<false>{}, 1) == y);

  host::floats expected(y.size()), scratch(512);
  dupq::token_batch batch;
  batch.offsets = offsets.data(), batch.texts = lengths.size(), batch.tokens = offsets.back();
  dupq::attention_shape shape;
  shape.heads = heads, shape.head_dim = HeadDim, shape.relative = Relative ? relative.data() : nullptr;
  shape.span = span;
  dupq::reference{}.attention(batch, shape, {qkv.data(), offsets.back(), 3 * hidden}, scratch.data(),
                              {expected.data(), offsets.back(), hidden});
  CHECK(host::relative_error(host::to_floats(y), expected) < 5e-4);

  // Each text alone: the same bits.
  for (std::size_t t = 0; t < lengths.size(); t += 5) {
    const auto alone = attention<emulator::machine<true>, HeadDim, Relative>(
        {lengths[t]}, {qkv.begin() + offsets[t] * 3 * hidden, qkv.begin() + offsets[t + 1] * 3 * hidden}, heads,
        relative, span, 1);
    CHECK(std::memcmp(alone.data(), y.data() + offsets[t] * hidden, alone.size() * 2) == 0);
  }
}

TEST_CASE("tiles cover every query of every text once") {
  const std::uint32_t offsets[] = {0, 1, 17, 34, 50, 82};
  gpu::attention_tile tiles[82 / 16 + 5];
  CHECK(gpu::attention_tiles(offsets, 5, tiles) == 7);
  std::uint32_t next = 0;
  for (unsigned n = 0; n < 7; ++n) {
    CHECK(tiles[n].first == next);
    CHECK(tiles[n].begin <= next);
    next = std::min(next + 16, tiles[n].end);
  }
  CHECK(next == 82);
}

TEST_CASE("attention is that of the reference, in any schedule and batch") {
  std::vector<unsigned> lengths;
  for (unsigned n = 1; n <= 130; n += n < 36 ? 1 : 13) lengths.push_back(n);
  lengths.push_back(130);
  check<32, false>(lengths, 3, 4);
  check<32, true>(lengths, 2, 2);
  check<64, false>(lengths, 1, 2);
  check<64, true>(lengths, 3, 4);
  check<32, false>({14, 9, 22, 3, 16}, 12, 10);
  check<64, true>({512, 7}, 1, 2);
}

}  // namespace
