// Kernels that work on rows: embedding, pooling, classifier.
#include <dupq/device/cuda/classifier.hpp>
#include <dupq/device/cuda/embedding.hpp>
#include <dupq/device/cuda/pooling.hpp>

#include <cstring>

#include "host.hpp"

namespace {

namespace gpu = dupq::gpu;
using machine = emulator::machine<true>;

dupq::table<dupq::host_memory> table(const host::floats& rows, std::size_t hidden) {
  return {reinterpret_cast<const std::byte*>(rows.data()), dupq::row_format::f32, rows.size() / hidden,
          hidden * sizeof(float)};
}

template <unsigned Hidden>
void check_embedding(unsigned tokens, bool kinds, bool types) {
  CAPTURE(Hidden);
  CAPTURE(tokens);
  const host::floats words = host::numbers(50 * Hidden, 1, 0.5f), kind_rows = host::numbers(2 * Hidden, 2, 0.5f),
                     places = host::numbers(20 * Hidden, 3, 0.5f);
  const host::norm norm(Hidden, 4);
  std::vector<std::int32_t> ids, positions;
  std::vector<std::uint8_t> types_of;
  for (unsigned t = 0; t < tokens; ++t) {
    ids.push_back(static_cast<std::int32_t>(t * 17 % 50)), positions.push_back(static_cast<std::int32_t>(t % 20));
    types_of.push_back(static_cast<std::uint8_t>(t / 3 % 2));
  }
  const host::halves words_16 = host::to_halves(words), kinds_16 = host::to_halves(kind_rows),
                     places_16 = host::to_halves(places);
  host::halves y(tokens * Hidden, 0xFFFF);
  host::arrays arrays;
  arrays.read(ids, positions), arrays.read(types_of), arrays.read(words_16, kinds_16, places_16);
  arrays.read(norm.gain, norm.bias), arrays.write(y);
  const gpu::embedding_task task{ids.data(),
                                 positions.data(),
                                 types ? types_of.data() : nullptr,
                                 words_16.data(),
                                 kinds ? kinds_16.data() : nullptr,
                                 places_16.data(),
                                 {norm.gain.data(), norm.bias.data(), norm.view.epsilon},
                                 y.data(),
                                 tokens};
  using kernel = gpu::embedding<Hidden>;
  const unsigned blocks = (tokens + kernel::tokens - 1) / kernel::tokens;
  CHECK(emulator::gpu.launch("embedding", {blocks, kernel::threads, 0}, tokens,
                             [&] { kernel::template run<machine>(task); }) == "");

  host::floats expected(tokens * Hidden);
  dupq::token_batch batch;
  batch.ids = ids.data(), batch.positions = positions.data(), batch.types = types ? types_of.data() : nullptr;
  batch.tokens = tokens;
  const dupq::table<dupq::host_memory> no_rows;
  dupq::reference{}.embed(batch, table(words, Hidden), kinds ? table(kind_rows, Hidden) : no_rows,
                          table(places, Hidden), norm.view, {expected.data(), tokens, Hidden});
  CHECK(host::relative_error(host::to_floats(y), expected) < 4e-4);
}

TEST_CASE("embeddings are those of the reference") {
  for (const unsigned tokens : {1u, 3u, 4u, 5u, 14u}) check_embedding<384>(tokens, true, true);
  check_embedding<384>(9, true, false);
  check_embedding<768>(7, false, false);
  check_embedding<96>(11, true, true);
}

template <unsigned Hidden>
host::floats pooled(const std::vector<unsigned>& lengths, const host::floats& x, dupq::pooling mode, bool normalize) {
  const auto offsets = host::offsets(lengths);
  const host::halves x_16 = host::to_halves(x);
  const auto texts = static_cast<unsigned>(lengths.size());
  host::floats y(texts * mode.modes() * Hidden, NAN);
  host::arrays arrays;
  arrays.read(offsets), arrays.read(x_16), arrays.write(y);
  const gpu::pooling_task task{offsets.data(), x_16.data(), mode, normalize, y.data(), texts};
  using kernel = gpu::pooling<Hidden>;
  const unsigned blocks = (texts + kernel::texts - 1) / kernel::texts;
  CHECK(emulator::gpu.launch("pooling", {blocks, kernel::threads, 0}, texts,
                             [&] { kernel::template run<machine>(task); }) == "");
  return y;
}

template <unsigned Hidden>
void check_pooling(dupq::pooling mode, bool normalize) {
  const std::vector<unsigned> lengths{1, 130, 2, 14, 9};
  const auto offsets = host::offsets(lengths);
  const host::floats x = host::numbers(offsets.back() * Hidden, 5, 1);
  const host::floats y = pooled<Hidden>(lengths, x, mode, normalize);

  host::floats expected(y.size());
  dupq::token_batch batch;
  batch.offsets = offsets.data(), batch.texts = lengths.size(), batch.tokens = offsets.back();
  const dupq::matrix<float> to(expected.data(), lengths.size(), mode.modes() * Hidden);
  dupq::reference{}.pool(batch, mode, {x.data(), offsets.back(), Hidden}, to);
  if (normalize) dupq::reference{}.normalize(to);
  CHECK(host::relative_error(y, expected) < 1e-6);

  // A text alone: the same bits.
  const host::floats alone =
      pooled<Hidden>({14}, {x.begin() + 133 * Hidden, x.begin() + 147 * Hidden}, mode, normalize);
  CHECK(std::memcmp(alone.data(), y.data() + 3 * alone.size(), alone.size() * sizeof(float)) == 0);
}

TEST_CASE("pooled vectors are those of the reference, and the same bits in any batch") {
  for (unsigned modes = 1; modes < 8; ++modes)
    for (const bool normalize : {false, true})
      check_pooling<96>({(modes & 1) != 0, (modes & 2) != 0, (modes & 4) != 0}, normalize);
  check_pooling<384>({.mean = true}, true);
  check_pooling<768>({.cls = true, .max = true, .mean = true}, true);
}

TEST_CASE("a vector of zeros stays one") {
  for (const float v : pooled<96>({3}, host::floats(3 * 96, 0.0f), {.mean = true}, true)) CHECK(v == 0.0f);
}

template <unsigned Hidden>
void check_classifier(unsigned pairs) {
  const host::floats x = host::numbers(pairs * Hidden, 6, 1);
  const host::halves x_16 = host::to_halves(x);
  const host::weights weights(1, Hidden, 7, 0.1f);
  host::floats logits(pairs, NAN), expected(pairs);
  host::arrays arrays;
  arrays.read(x_16), arrays.read(weights.rows, weights.bias), arrays.write(logits);
  const gpu::classifier_task task{x_16.data(), weights.rows.data(), weights.bias.data(), logits.data(), pairs};
  using kernel = gpu::classifier<Hidden>;
  CHECK(emulator::gpu.launch("classifier", {(pairs + kernel::pairs - 1) / kernel::pairs, kernel::threads, 0}, pairs,
                             [&] { kernel::template run<machine>(task); }) == "");
  dupq::reference{}.apply(weights.view, {x.data(), pairs, Hidden}, dupq::activation::none, nullptr,
                          {expected.data(), pairs, 1});
  CHECK(host::relative_error(logits, expected) < 1e-6);
}

TEST_CASE("logits are those of the reference") {
  for (const unsigned pairs : {1u, 4u, 7u}) check_classifier<96>(pairs);
  check_classifier<384>(5);
  check_classifier<768>(3);
}

}  // namespace
