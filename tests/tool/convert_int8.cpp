// Conversion to integers: weights put together again from the file, compared with the checkpoint.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/device/widen.hpp>
#include <string>
#include <vector>

#include "convert.hpp"
#include "tool/converted.hpp"
#include "tool/model_folder.hpp"

using namespace dupq_tool;
namespace gguf = dupq::gguf;

namespace {

constexpr convert_options as_int8{weight_type::int8, tensor_layout::packed};

gguf::tensor tensor(const converted& c, const std::string& name, gguf::tensor_type type) {
  const auto t = c.file.tensor(name);
  REQUIRE_MESSAGE(t.has_value(), name);
  REQUIRE(t->type == type);
  CHECK(reinterpret_cast<std::uintptr_t>(t->bytes.data()) % 64 == 0);
  return *t;
}

/// What the inputs of a linear matrix are multiplied with; those that are a norm's outputs have such factors.
std::vector<float> factors(const converted& c, const std::string& name, std::size_t inputs) {
  const bool smoothed = name.ends_with("attn_qkv") || name.ends_with("ffn_up") || name == "cls";
  CHECK(c.file.tensor(name + ".input_scale").has_value() == smoothed);
  if (!smoothed) return std::vector<float>(inputs, 1.0f);
  const std::vector<float> f = c.values(name + ".input_scale");
  REQUIRE(f.size() == inputs);
  const auto [least, most] = std::minmax_element(f.begin(), f.end());
  CHECK(*least > 0);
  CHECK(*most > *least);
  return f;
}

/// The linear matrix `name` against the rows it was made of.
void check_linear(const converted& c, const std::string& name, std::size_t outputs, std::vector<float> rows) {
  INFO(name);
  const std::size_t inputs = rows.size() / outputs, groups = (inputs + 3) / 4, panels = (outputs + 15) / 16;
  const std::vector<float> factor = factors(c, name, inputs);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = rows[i] / factor[i % inputs];
  const gguf::tensor weight = tensor(c, name + ".weight", gguf::tensor_type::i8);
  const gguf::tensor scale = tensor(c, name + ".scale", gguf::tensor_type::f32);
  const gguf::tensor sum = tensor(c, name + ".sum", gguf::tensor_type::i32);
  REQUIRE(weight.dimensions == 3);
  REQUIRE(weight.extent[0] == 64);
  REQUIRE(weight.extent[1] == groups);
  REQUIRE(weight.extent[2] == panels);
  for (const gguf::tensor& t : {scale, sum}) {
    REQUIRE(t.dimensions == 1);
    REQUIRE(t.extent[0] == outputs);
  }
  const auto at = [&](std::size_t o, std::size_t i) {
    return static_cast<std::int8_t>(weight.bytes[((o / 16 * groups + i / 4) * 16 + o % 16) * 4 + i % 4]);
  };
  for (std::size_t o = 0; o < panels * 16; ++o) {
    const float step = o < outputs ? gguf::load<float>(scale.bytes.data() + 4 * o) : 0.0f;
    int total = 0, furthest = 0;
    double worst = 0, squares = 0, most = 0;
    for (std::size_t i = 0; i < groups * 4; ++i) {
      const int q = at(o, i);
      total += q;
      furthest = std::max(furthest, std::abs(q));
      const double real = o < outputs && i < inputs ? double{rows[o * inputs + i]} : 0;
      const double e = std::abs(q * double{step} - real);
      worst = std::max(worst, e);
      squares += e * e;
      most = std::max(most, std::abs(real));
    }
    if (o >= outputs) {
      CHECK(furthest == 0);
      continue;
    }
    CHECK(step == static_cast<float>(most) / 64);
    CHECK(furthest <= 64);
    CHECK(furthest >= (step == 0.0f ? 0 : 50));
    CHECK(worst <= 10 * double{step});  // weights make up for each other's errors
    CHECK(std::sqrt(squares / static_cast<double>(inputs)) <= 2 * double{step});
    CHECK(gguf::load<std::int32_t>(sum.bytes.data() + 4 * o) == total);
  }
}

/// Biases make up for what integers are off on average, which is little but not nothing.
void check_bias(const converted& c, const std::string& name, const std::vector<float>& source) {
  INFO(name);
  const std::vector<float> stored = c.values(name);
  REQUIRE(stored.size() == source.size());
  float furthest = 0;
  for (std::size_t i = 0; i < stored.size(); ++i) furthest = std::max(furthest, std::abs(stored[i] - source[i]));
  CHECK(furthest > 0.0f);
  CHECK(furthest < 0.1f);
}

/// An embedding table against the checkpoint; hidden sizes that are no multiple of 32 have no blocks.
void check_table(const converted& c, const std::string& name, const std::vector<float>& rows, std::size_t hidden) {
  INFO(name);
  const bool blocks = hidden % 32 == 0;
  const gguf::tensor t = tensor(c, name, blocks ? gguf::tensor_type::q8_0 : gguf::tensor_type::f16);
  CHECK(t.extent[0] == hidden);
  REQUIRE(t.elements() == rows.size());
  std::vector<float> stored(rows.size());
  dupq::widen(t.bytes.data(), blocks ? dupq::row_format::q8_0 : dupq::row_format::f16, stored.size(), stored.data());
  const std::size_t width = blocks ? 32 : 1;
  for (std::size_t first = 0; first < rows.size(); first += width) {
    float most = 0, worst = 0;
    for (std::size_t i = first; i < first + width; ++i) {
      most = std::max(most, std::abs(rows[i]));
      worst = std::max(worst, std::abs(stored[i] - rows[i]));
    }
    CHECK(worst <=
          most * (blocks ? 0.501f / 127 + 0x1p-11f : 0x1p-11f) + 0x1p-25f);  // half a step, the half's rounding
  }
}

struct golden_weights {
  dupq::mapped_file mapped;
  safetensors::file file;
  explicit golden_weights(const model_folder& folder)
      : mapped(open_folder_file(folder.path("model.safetensors"))), file(mapped.bytes(), "source") {}
  std::vector<float> operator()(std::vector<std::string> names) const { return values(file, std::move(names)); }
};

}  // namespace

TEST_CASE("int8: a bi-encoder") {
  const model_folder folder("bert");
  const converted c(folder, as_int8);
  const golden_weights source(folder);
  CHECK(c.text("dupq.weights") == "int8");
  CHECK(c.text("general.architecture") == "dupq-bert");
  CHECK(c.number("general.file_type") == 7);
  CHECK(c.text("dupq.digest") == dupq::sha256_hex(c.file.bytes().subspan(c.file.data_offset())));
  CHECK(c.file.tensor_count() == 5 + 2 * 22);
  check_table(c, "token_embd.weight", source({"embeddings.word_embeddings.weight"}), 32);
  check_table(c, "position_embd.weight", source({"embeddings.position_embeddings.weight"}), 32);
  check_table(c, "token_types.weight", source({"embeddings.token_type_embeddings.weight"}), 32);
  for (const std::string n : {"0", "1"}) {
    const std::string to = "blk." + n + ".", from = "encoder.layer." + n + ".", self = from + "attention.self.";
    check_linear(c, to + "attn_qkv", 96, source({self + "query.weight", self + "key.weight", self + "value.weight"}));
    check_linear(c, to + "attn_output", 32, source({from + "attention.output.dense.weight"}));
    check_linear(c, to + "ffn_up", 52, source({from + "intermediate.dense.weight"}));
    check_linear(c, to + "ffn_down", 32, source({from + "output.dense.weight"}));
    check_bias(c, to + "attn_qkv.bias", source({self + "query.bias", self + "key.bias", self + "value.bias"}));
    check_bias(c, to + "ffn_down.bias", source({from + "output.dense.bias"}));
    CHECK(c.values(to + "attn_output_norm.weight") == source({from + "attention.output.LayerNorm.weight"}));
  }
}

TEST_CASE("int8: a cross-encoder keeps its one output in floats") {
  const model_folder folder("cross");
  const converted c(folder, as_int8);
  const golden_weights source(folder);
  check_table(c, "token_embd.weight", source({"bert.embeddings.word_embeddings.weight"}), 40);
  check_linear(c, "cls", 40, source({"bert.pooler.dense.weight"}));
  check_linear(c, "blk.1.ffn_up", 44, source({"bert.encoder.layer.1.intermediate.dense.weight"}));
  CHECK(c.values("cls.output.weight", 1) == source({"classifier.weight"}));
  CHECK(tensor(c, "cls.output.weight", gguf::tensor_type::f32).dimensions == 3);
  CHECK_FALSE(c.file.tensor("cls.output.scale").has_value());
}

TEST_CASE("int8: MPNet's relative attention bias stays") {
  const model_folder folder("mpnet");
  const converted c(folder, as_int8);
  const golden_weights source(folder);
  const gguf::tensor bias = tensor(c, "attn_rel_b.weight", gguf::tensor_type::f32);
  CHECK(bias.extent[0] == 3);
  CHECK(bias.extent[1] == 32);
  CHECK(c.values("attn_rel_b.weight") == source({"encoder.relative_attention_bias.weight"}));
}

TEST_CASE("int8: a row of zeros, the plain layout") {
  const model_folder folder("bert");
  folder.edit_values("encoder.layer.0.output.dense.weight", 3 * 52, std::vector<float>(52, 0.0f));
  const converted c(folder, as_int8);
  check_linear(c, "blk.0.ffn_down", 32, golden_weights(folder)({"encoder.layer.0.output.dense.weight"}));
  CHECK(c.values("blk.0.ffn_down.scale")[3] == 0.0f);
  CHECK_THROWS_WITH_AS(folder.convert({weight_type::int8, tensor_layout::plain}),
                       "the type int8 needs the packed layout", usage_error);
}

TEST_CASE("int8: embeddings that no block can hold") {
  const model_folder folder("bert");
  folder.edit_values("embeddings.position_embeddings.weight", 5, std::vector<float>{8.4e6f});
  CHECK_THROWS_WITH_AS(folder.convert(as_int8), doctest::Contains("element 5 is too large for q8_0"), failure);
  folder.edit_values("embeddings.position_embeddings.weight", 5, std::vector<float>{8.3e6f});
  CHECK_NOTHROW(folder.convert(as_int8));
}
