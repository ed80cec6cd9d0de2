#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <dupq/device/narrow.hpp>
#include <dupq/model/weights.hpp>
#include <string>
#include <vector>

#include "loaded_model.hpp"

using dupq::errc;
using dupq_test::gguf_builder;
using dupq_test::loaded_model;
using dupq_test::outputs;
using dupq_test::raw;
using dupq_test::refused;
using dupq_test::tiny_model;

namespace {

const std::vector<std::string> all_models = {"bert-packed-f32", "bert-plain-f16",   "cross-packed-f32",
                                             "cross-plain-f16", "mpnet-packed-f32", "mpnet-plain-f16"};

/// Checks that a model does not load once `change` was done to any one of its tensors, and that the error names it.
template <class Change>
void each_tensor(errc expected, Change&& change) {
  for (const std::string& name : all_models) {
    const gguf_builder whole(tiny_model(name));
    for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
      gguf_builder b = whole;
      const std::string tensor = b.tensors[i].name;
      CAPTURE(name);
      CAPTURE(tensor);
      change(b, i);
      const auto e = refused(b.build());
      CHECK(e.code == expected);
      CHECK(e.subject == tensor);
    }
  }
}

std::size_t element_size(const gguf_builder::tensor& t) { return t.type == 0 ? 4 : 2; }

}  // namespace

TEST_CASE("every tensor is needed") {
  each_tensor(errc::missing_tensor, [](gguf_builder& b, std::size_t i) { b.erase_tensor(b.tensors[i].name); });
}

TEST_CASE("every tensor has one shape") {
  each_tensor(errc::wrong_dimensions, [](gguf_builder& b, std::size_t i) { b.tensors[i].extents.push_back(1); });
  each_tensor(errc::wrong_shape, [](gguf_builder& b, std::size_t i) {  // one more row
    auto& t = b.tensors[i];
    std::uint64_t row = element_size(t);
    for (std::size_t d = 0; d + 1 < t.extents.size(); ++d) row *= t.extents[d];
    ++t.extents.back();
    t.data.append(row, '\0');
  });
  each_tensor(errc::wrong_shape, [](gguf_builder& b, std::size_t i) {  // the first number of each row alone
    auto& t = b.tensors[i];
    if (t.extents.front() == 1)
      t.extents.front() = 2, t.data += t.data;
    else
      t.extents.front() = 1;
  });
}

TEST_CASE("every tensor has numbers of a type that is read") {
  each_tensor(errc::wrong_type, [](gguf_builder& b, std::size_t i) {
    auto& t = b.tensors[i];
    t.type = t.type == 0 ? 26 : 24;  // integers; fewer bytes are no matter
  });
  gguf_builder b(tiny_model("bert-packed-f32"));
  b.at("blk.0.attn_output.bias").type = 1;  // vectors are always float
  CHECK(refused(b.build()).code == errc::wrong_type);
}

TEST_CASE("bfloat16 is read wherever halves are") {
  for (const std::string& name : all_models) {
    CAPTURE(name);
    gguf_builder floats(tiny_model(name));
    gguf_builder upper = floats;  // the same numbers, those that have no more than eight bits
    for (std::size_t i = 0; i < floats.tensors.size(); ++i) {
      auto &wide = floats.tensors[i], &half = upper.tensors[i];
      if (wide.extents.size() == 1 || wide.name == "attn_rel_b.weight") continue;  // these are floats everywhere
      std::vector<float> values(wide.data.size() / (wide.type == 0 ? 4 : 2));
      dupq::widen(reinterpret_cast<const std::byte*>(half.data.data()),
                  wide.type == 0 ? dupq::row_format::f32 : dupq::row_format::f16, values.size(), values.data());
      wide.data.clear(), half.data.clear();
      for (const float v : values) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(v) & 0xFFFF0000u;
        wide.data += raw(bits), half.data += raw(static_cast<std::uint16_t>(bits >> 16));
      }
      wide.type = 0, half.type = 30;
    }
    CHECK(outputs(*loaded_model(floats.build())) == outputs(*loaded_model(upper.build())));
  }
}

TEST_CASE("no number is NaN or infinite, whichever it is") {
  for (const bool last : {false, true})
    for (const bool infinite : {false, true})
      each_tensor(errc::not_finite, [&](gguf_builder& b, std::size_t i) {
        auto& t = b.tensors[i];
        const std::string bad = t.type == 0 ? raw(infinite ? 0xFF800000u : 0x7FC00001u)
                                            : raw(static_cast<std::uint16_t>(infinite ? 0x7C00 : 0x7E00));
        t.data.replace(last ? t.data.size() - bad.size() : 0, bad.size(), bad);
      });
}

TEST_CASE("weights that are not looked at may be NaN, and the vectors are then") {
  for (const std::string& name : all_models) {
    gguf_builder b(tiny_model(name));
    const std::string same = b.build();
    CHECK(outputs(*loaded_model(same, {.check_weights = false})) == outputs(*loaded_model(same)));
    auto& gain = b.at("token_embd_norm.weight");
    gain.data.replace(0, 4, raw(0x7FC00000u));
    CHECK(refused(b.build()).code == errc::not_finite);
    const loaded_model unchecked(b.build(), {.check_weights = false});
    for (const float x : outputs(*unchecked)) CHECK(std::isnan(x));
    b.erase_tensor("blk.0.attn_output.bias");  // everything else is looked at
    CHECK(loaded_model(b.build(), {.check_weights = false}).error().code == errc::missing_tensor);
  }
}

TEST_CASE("halves that are kept are those that become floats, and as well looked at") {
  for (const std::string name : {"bert-plain-f16", "cross-plain-f16", "mpnet-plain-f16", "bert-packed-f32"}) {
    CAPTURE(name);
    gguf_builder b(tiny_model(name));
    if (name == "bert-packed-f32")
      for (auto& t : b.tensors)
        if (t.extents.size() == 3) {  // a matrix in panels
          std::string halves;
          for (std::size_t at = 0; at < t.data.size(); at += 4) {
            float x;
            std::memcpy(&x, t.data.data() + at, 4);
            halves += raw(dupq::narrow_f16(x));
          }
          t.type = 1, t.data = halves;
        }
    const loaded_model widened(b.build()), kept(b.build(), {.halves = &dupq::keep_halves});
    const auto check = [](const auto& floats, const auto& halves) {
      REQUIRE(floats.panels != nullptr);
      REQUIRE(halves.panels == nullptr);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < dupq::round_up(floats.outputs, dupq::panel_width) * floats.inputs; ++i) {
        std::uint16_t h;
        std::memcpy(&h, halves.halves + 2 * i, 2);
        wrong += dupq::widen_f16(h) != floats.panels[i];
      }
      CHECK(wrong == 0);
      for (std::size_t o = 0; o < floats.outputs; ++o) wrong += floats.bias[o] != halves.bias[o];
      CHECK(wrong == 0);
    };
    const auto &one = widened->weights().layers[0], &other = kept->weights().layers[0];
    check(one.attention.qkv, other.attention.qkv);
    check(one.attention.output, other.attention.output);
    check(one.feed_forward.up, other.feed_forward.up);
    check(one.feed_forward.down, other.feed_forward.down);
    CHECK(dupq::bi_encoder::make(*kept).error().code == errc::unsupported);

    auto& last = b.at("blk.0.ffn_down.weight");
    last.data.replace(last.data.size() - 2, 2, raw(std::uint16_t{0x7C00}));
    const auto e = loaded_model(b.build(), {.halves = &dupq::keep_halves}).error();
    CHECK(e.code == errc::not_finite);
    CHECK(std::string(e.subject) == "blk.0.ffn_down.weight");
  }
}

TEST_CASE("a cross-encoder without its head, or a bi-encoder called one") {
  gguf_builder headless(tiny_model("cross-packed-f32"));
  for (const char* name : {"cls.weight", "cls.bias", "cls.output.weight", "cls.output.bias"})
    headless.erase_tensor(name);
  CHECK(std::string(refused(headless.build()).subject) == "cls.weight");
  gguf_builder called(tiny_model("bert-packed-f32"));
  called.set("dupq.kind", "cross_encoder");
  CHECK(std::string(refused(called.build()).subject) == "cls.weight");
}

TEST_CASE("a model of more layers than its file has") {
  const auto e = refused(gguf_builder(tiny_model("bert-plain-f16")).set("bert.block_count", std::uint32_t{2}).build());
  CHECK(e.code == errc::missing_tensor);
  CHECK(std::string(e.subject) == "blk.1.attn_q.weight");
}

TEST_CASE("a packed model under a plain name, and the reverse") {
  gguf_builder packed(tiny_model("bert-packed-f32")), plain(tiny_model("bert-plain-f16"));
  CHECK(refused(packed.set("general.architecture", "bert").build()).code == errc::missing_tensor);
  CHECK(refused(plain.set("general.architecture", "dupq-bert").build()).code == errc::missing_tensor);
}

TEST_CASE("the order of tensors is free") {
  for (const std::string& name : all_models) {
    gguf_builder b(tiny_model(name));
    std::reverse(b.tensors.begin(), b.tensors.end());
    CHECK(outputs(*loaded_model(b.build())) == outputs(*loaded_model(tiny_model(name))));
  }
}

TEST_CASE("finite weights whose sums are none: every table ends, and most results are no numbers") {
  for (const std::string& name : all_models)
    for (const dupq::kernels* table : dupq::available_kernels()) {
      std::size_t broken = 0;
      const gguf_builder whole(tiny_model(name));
      for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
        gguf_builder b = whole;
        auto& t = b.tensors[i];
        // The largest numbers, of both signs.
        const std::string most =
            t.type == 0 ? raw(0x7F7FFFFFu) + raw(0xFF7FFFFFu) + raw(0x7F7FFFFFu) : raw(std::uint16_t{0x7BFF});
        for (std::size_t at = 0; at < t.data.size(); ++at) t.data[at] = most[at % most.size()];
        const loaded_model m(b.build(), {.kernels = table->name});
        for (const float x : outputs(*m)) broken += std::isfinite(x) ? 0u : 1u;
      }
      CHECK(broken > 0);
    }
}

TEST_CASE("MPNet's buckets of distance") {
  // From the formula of Raffel et al. (T5), section 2.1: exact below 8, then logarithmic up to 128, per direction.
  CHECK(dupq::relative_bucket(0) == 0);
  std::size_t before = 0;
  for (std::ptrdiff_t n = 1; n < 600; ++n) {
    const std::size_t bucket = dupq::relative_bucket(-n);
    CHECK(dupq::relative_bucket(n) == bucket + 16);
    CHECK(bucket >= before);
    CHECK(bucket <= 15);
    if (n < 8) CHECK(bucket == static_cast<std::size_t>(n));
    if (n >= 8 && n < 128)
      CHECK(static_cast<double>(bucket) ==
            8 + std::floor(std::log(static_cast<double>(n) / 8.0) / std::log(16.0) * 8 + 1e-9));
    if (n >= 128) CHECK(bucket == 15);
    before = bucket;
  }
}
