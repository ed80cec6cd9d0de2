// The same bits whatever the kernel table, the batch, the order and the number of threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <dupq/core/thread_pool.hpp>
#include <string>
#include <vector>

#include "hashes.hpp"
#include "models.hpp"

namespace {

using golden::converted;

/// Calls check(options, what) for batches of many shapes, with and without threads.
template <class Check>
void for_each_way(Check&& check) {
  dupq::thread_pool pool(3);
  for (const std::size_t texts : {2u, 3u, 64u})
    for (const std::size_t packed : {0u, 48u, 1000u})
      for (const bool threads : {false, true}) {
        CAPTURE(texts);
        CAPTURE(packed);
        CAPTURE(threads);
        dupq::encoder_options options;
        options.limits.texts = texts;
        options.limits.packed_tokens = packed;
        if (threads) options.executor = pool.executor();
        check(options);
      }
}

template <class T>
std::vector<T> reversed(std::vector<T> v) {
  std::reverse(v.begin(), v.end());
  return v;
}

}  // namespace

TEST_CASE("a bi-encoder's vectors") {
  for (const std::string name : {"bert", "bert_pooled", "mpnet"}) {
    const converted file(name);
    const auto texts = golden::texts();
    const auto truth = golden::vectors(file.open("scalar"), texts);
    for (const dupq::kernels* table : dupq::available_kernels()) {
      CAPTURE(name);
      CAPTURE(table->name);
      const dupq::model m = file.open(table->name);
      for_each_way([&](const dupq::encoder_options& options) {
        if (options.limits.packed_tokens != 0 && options.limits.packed_tokens < m.config().max_length) return;
        CHECK(golden::vectors(m, texts, options) == truth);
        const auto backwards = golden::vectors(m, reversed(texts), options);
        for (std::size_t i = 0; i < texts.size(); ++i)
          CHECK(std::equal(truth.begin() + static_cast<std::ptrdiff_t>(i * m.dim()),
                           truth.begin() + static_cast<std::ptrdiff_t>((i + 1) * m.dim()),
                           backwards.end() - static_cast<std::ptrdiff_t>((i + 1) * m.dim())));
      });
    }
  }
}

TEST_CASE("a cross-encoder's logits") {
  const converted file("cross");
  const auto pairs = golden::pairs();
  const auto truth = golden::logits(file.open("scalar"), pairs);
  const golden::pair_list backwards{reversed(pairs.a), reversed(pairs.b)};
  for (const dupq::kernels* table : dupq::available_kernels()) {
    CAPTURE(table->name);
    const dupq::model m = file.open(table->name);
    for_each_way([&](const dupq::encoder_options& options) {
      if (options.limits.packed_tokens != 0 && options.limits.packed_tokens < m.config().max_length) return;
      CHECK(golden::logits(m, pairs, options) == truth);
      CHECK(golden::logits(m, backwards, options) == reversed(truth));
    });
  }
}

TEST_CASE("8-bit integers: vectors and logits from every table, near those of floats") {
  dupq_tool::convert_options int8;
  int8.type = decltype(int8.type)::int8;
  const auto texts = golden::texts();
  for (const std::string name : {"bert", "bert_pooled", "mpnet"}) {
    CAPTURE(name);
    const converted file(name, int8);
    const dupq::model first = file.open("scalar");
    CHECK(first.config().weights == dupq::weight_type::int8);
    const auto truth = golden::vectors(first, texts);
    for (const dupq::kernels* table : dupq::available_kernels()) {
      const dupq::model m = file.open(table->name);
      for_each_way([&](const dupq::encoder_options& options) {
        if (options.limits.packed_tokens != 0 && options.limits.packed_tokens < m.config().max_length) return;
        CHECK(golden::vectors(m, texts, options) == truth);
      });
    }
    const auto exact = golden::vectors(converted(name).open(), texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::size_t dim = first.dim();
      const float c = dupq::cosine({truth.data() + i * dim, dim}, {exact.data() + i * dim, dim});
      CHECK(c > 0.98f);
      CHECK(c < 0.9999999f);
    }
  }
  const converted file("cross", int8);
  const auto truth = golden::logits(file.open("scalar"), golden::pairs());
  for (const dupq::kernels* table : dupq::available_kernels())
    CHECK(golden::logits(file.open(table->name), golden::pairs()) == truth);
}

TEST_CASE("the bits themselves, as every build on every machine has them") {
  for (const golden::known_bits& known : golden::known) {
    CAPTURE(known.model);
    CAPTURE(known.type);
    dupq_tool::convert_options options;
    options.type = std::string_view(known.type) == "int8" ? decltype(options.type)::int8 : decltype(options.type)::f32;
    const converted file(known.model, options);
    golden::hash bits;
    for (const float v :
         known.cross ? golden::logits(file.open(), golden::pairs()) : golden::vectors(file.open(), golden::texts()))
      bits.add(v);
    CHECK(bits.value() == known.hash);
  }
}
