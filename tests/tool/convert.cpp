// Golden folders through the converter, compared with the checkpoints value by value.
#include "convert.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <dupq/core/gguf.hpp>
#include <string>
#include <vector>

#include "tool/converted.hpp"
#include "tool/model_folder.hpp"

using namespace dupq_tool;
namespace gguf = dupq::gguf;

namespace {

std::vector<float> rounded(std::vector<float> v) {
  for (float& f : v) f = from_half(to_half(f));
  return v;
}

}  // namespace

TEST_CASE("a bi-encoder's numbers") {
  const model_folder folder("bert");
  const convert_summary summary = folder.convert();
  CHECK(summary.kind == dupq::model_kind::bi_encoder);
  CHECK(summary.layers == 2);
  CHECK(summary.tokens == 479);
  const converted c(folder);
  CHECK(c.text("general.architecture") == "dupq-bert");
  CHECK(c.text("general.name") == "bert");
  CHECK(c.number("general.file_type") == 0);
  CHECK(c.number("bert.context_length") == 40);
  CHECK(c.number("bert.embedding_length") == 32);
  CHECK(c.number("bert.feed_forward_length") == 52);
  CHECK(c.number("bert.block_count") == 2);
  CHECK(c.number("bert.attention.head_count") == 4);
  CHECK(gguf::load<float>(c.file.find("bert.attention.layer_norm_epsilon")->bytes.data()) == 1e-12f);
  CHECK_FALSE(c.flag("bert.attention.causal"));
  CHECK(c.number("bert.pooling_type") == 1);
  CHECK(c.number("dupq.version") == 1);
  CHECK(c.text("dupq.kind") == "bi_encoder");
  CHECK(c.text("dupq.weights") == "f32");
  CHECK(c.number("dupq.max_length") == 24);
  CHECK(c.text("dupq.pooling") == "mean");
  CHECK(c.flag("dupq.normalize"));
  CHECK(c.number("dupq.position_offset") == 0);
  CHECK_FALSE(c.file.find("dupq.relative_buckets").has_value());
  CHECK_FALSE(c.file.find("dupq.threshold").has_value());
  CHECK(c.number("tokenizer.ggml.token_type_count") == 2);
  CHECK(c.text("dupq.digest") == dupq::sha256_hex(c.file.bytes().subspan(c.file.data_offset())));
}

TEST_CASE("other kinds of models") {
  SUBCASE("pooling in several modes, no max_seq_length, old tensor names, a cased vocab.txt") {
    const converted c(model_folder("bert_pooled"));
    CHECK(c.text("dupq.pooling") == "cls+max+mean");
    CHECK(c.number("bert.pooling_type") == 0);
    CHECK_FALSE(c.flag("dupq.normalize"));
    CHECK(c.number("dupq.max_length") == 36);  // the tokenizer's 1000, cut to the position table
    CHECK_FALSE(c.flag("dupq.tokenizer.lowercase"));
    CHECK_FALSE(c.flag("dupq.tokenizer.strip_accents"));
    CHECK(c.file.find("dupq.tokenizer.added_tokens")->count == 5);
  }
  SUBCASE("MPNet") {
    const converted c(model_folder("mpnet"));
    CHECK(c.text("general.architecture") == "dupq-mpnet");
    CHECK(c.number("mpnet.context_length") == 202);
    CHECK(c.number("dupq.max_length") == 200);
    CHECK(c.number("dupq.position_offset") == 2);
    CHECK(c.number("dupq.relative_buckets") == 32);
    CHECK(c.number("dupq.tokenizer.pair_separators") == 2);
    CHECK_FALSE(c.file.tensor("token_types.weight").has_value());
    const gguf::tensor bias = *c.file.tensor("attn_rel_b.weight");
    CHECK(bias.extent[0] == 3);
    CHECK(bias.extent[1] == 32);
    const gguf::value flags = *c.file.find("dupq.tokenizer.added_flags");  // <s> <pad> </s> <unk> [UNK] <mask>
    REQUIRE(flags.count == 6);
    CHECK(gguf::load<std::uint32_t>(flags.bytes.data() + 12) == 1);  // matched on normalised text
    CHECK(gguf::load<std::uint32_t>(flags.bytes.data() + 20) == 2);  // takes the blanks before it
  }
  SUBCASE("cross-encoders") {
    const converted sigmoid(model_folder("cross"));
    CHECK(sigmoid.text("dupq.kind") == "cross_encoder");
    CHECK(sigmoid.text("dupq.activation") == "sigmoid");
    CHECK(sigmoid.text("dupq.pooling") == "none");
    CHECK(sigmoid.number("dupq.max_length") == 64);
    CHECK(sigmoid.number("bert.pooling_type") == 4);
    const converted identity(model_folder("cross_identity"));
    CHECK(identity.text("dupq.activation") == "identity");
  }
}

TEST_CASE("the vocabulary in GGUF's form, ready to be searched") {
  const converted c(model_folder("bert"));
  const gguf::value tokens = *c.file.find("tokenizer.ggml.tokens");
  const gguf::value offsets = *c.file.find("dupq.vocab.offsets"), table = *c.file.find("dupq.vocab.table");
  const auto vocabulary = dupq::vocabulary::view(tokens.bytes, tokens.count, offsets.bytes, table.bytes);
  REQUIRE(vocabulary.has_value());
  CHECK(vocabulary->token(0) == "[PAD]");
  CHECK(vocabulary->find("hello", false) > 0);
  CHECK(vocabulary->find("ing", true) > 0);
  CHECK(vocabulary->find("hello", true) == -1);
  CHECK(gguf_piece("##ing") == "ing");
  CHECK(gguf_piece("the") == "\xE2\x96\x81the");
  CHECK(gguf_piece("[SEP]") == "[SEP]");
  CHECK(gguf_piece("[") == "\xE2\x96\x81[");
  const gguf::value types = *c.file.find("tokenizer.ggml.token_type");
  CHECK(gguf::load<std::int32_t>(types.bytes.data()) == 3);
  CHECK(gguf::load<std::int32_t>(types.bytes.data() + 4) == 1);  // [unused0]
  CHECK(gguf::load<std::int32_t>(types.bytes.data() + 8) == 2);  // [UNK]
  CHECK(gguf::load<std::int32_t>(types.bytes.data() + 40) == 1);
}

TEST_CASE("a plain file is one that llama.cpp reads and quantizes: types of tensors, alignment") {
  for (const char* name : {"bert", "mpnet"})
    for (const auto type : {weight_type::f32, weight_type::f16}) {
      const model_folder folder(name);
      const converted c(folder, {type, tensor_layout::plain});
      CHECK(c.file.data_alignment() == 32);
      CHECK_FALSE(c.file.find("general.alignment").has_value());
      c.file.for_each_tensor([&](const gguf::tensor& t) {
        // Its own converter keeps these as floats; its graph adds token types to words only so.
        const bool floats = t.dimensions == 1 || t.name == "position_embd.weight" || t.name == "token_types.weight" ||
                            t.name == "attn_rel_b.weight";
        CHECK_MESSAGE(t.type == (type == weight_type::f16 && !floats ? gguf::tensor_type::f16 : gguf::tensor_type::f32),
                      std::string(t.name));
      });
    }
  const converted packed(model_folder("bert"), {weight_type::f16, tensor_layout::packed});
  CHECK(packed.file.data_alignment() == dupq::alignment);
  CHECK(packed.file.tensor("token_types.weight")->type == gguf::tensor_type::f16);
}

TEST_CASE("every layout and type holds the checkpoint's values") {
  for (const auto layout : {tensor_layout::packed, tensor_layout::plain})
    for (const auto type : {weight_type::f32, weight_type::f16}) {
      const model_folder folder("cross");
      const converted c(folder, {type, layout});
      const dupq::mapped_file mapped = open_folder_file(folder.path("model.safetensors"));
      const safetensors::file source(mapped.bytes(), "source");
      const bool half = type == weight_type::f16;
      const auto matrix = [&](std::vector<std::string> names) {
        return half ? rounded(values(source, names)) : values(source, names);
      };
      CHECK(c.number("general.file_type") == (half ? 1 : 0));
      CHECK(c.text("dupq.weights") == (half ? "f16" : "f32"));
      CHECK(c.values("token_embd.weight") == matrix({"bert.embeddings.word_embeddings.weight"}));
      const bool plain = layout == tensor_layout::plain;
      for (const auto& [ours, theirs] :
           {std::pair{"position_embd.weight", "bert.embeddings.position_embeddings.weight"},
            {"token_types.weight", "bert.embeddings.token_type_embeddings.weight"}})
        CHECK(c.values(ours) == (plain ? values(source, {theirs}) : matrix({theirs})));
      CHECK(c.values("token_embd_norm.bias") == values(source, {"bert.embeddings.LayerNorm.bias"}));
      const std::string from = "bert.encoder.layer.1.", self = from + "attention.self.";
      if (layout == tensor_layout::packed) {
        CHECK(c.text("general.architecture") == "dupq-bert");
        CHECK(c.file.tensor_count() == 33);
        CHECK(c.values("blk.1.attn_qkv.weight", 120) ==
              matrix({self + "query.weight", self + "key.weight", self + "value.weight"}));
        CHECK(c.values("blk.1.attn_qkv.bias") ==
              values(source, {self + "query.bias", self + "key.bias", self + "value.bias"}));
      } else {
        CHECK(c.text("general.architecture") == "bert");
        CHECK(c.file.tensor_count() == 41);
        CHECK(c.values("blk.1.attn_k.weight") == matrix({self + "key.weight"}));
        CHECK(c.values("blk.1.attn_v.bias") == values(source, {self + "value.bias"}));
      }
      CHECK(c.values("blk.1.attn_output.weight", 40) == matrix({from + "attention.output.dense.weight"}));
      CHECK(c.values("blk.1.attn_output_norm.weight") == values(source, {from + "attention.output.LayerNorm.weight"}));
      CHECK(c.values("blk.1.ffn_up.weight", 44) == matrix({from + "intermediate.dense.weight"}));
      CHECK(c.values("blk.1.ffn_down.weight", 40) == matrix({from + "output.dense.weight"}));
      CHECK(c.values("blk.1.ffn_down.bias") == values(source, {from + "output.dense.bias"}));
      CHECK(c.values("blk.1.layer_output_norm.bias") == values(source, {from + "output.LayerNorm.bias"}));
      CHECK(c.values("cls.weight", 40) == matrix({"bert.pooler.dense.weight"}));
      CHECK(c.values("cls.output.weight", 1) == matrix({"classifier.weight"}));
      CHECK(c.values("cls.output.bias") == values(source, {"classifier.bias"}));
    }
}

TEST_CASE("gamma and beta are weight and bias") {
  const model_folder folder("bert_pooled");
  const converted c(folder);
  const dupq::mapped_file mapped = open_folder_file(folder.path("model.safetensors"));
  const safetensors::file source(mapped.bytes(), "source");
  CHECK(c.values("token_embd_norm.weight") == values(source, {"bert.embeddings.LayerNorm.gamma"}));
  CHECK(c.values("blk.0.layer_output_norm.bias") == values(source, {"bert.encoder.layer.0.output.LayerNorm.beta"}));
}

TEST_CASE("a conversion repeats to the byte") {
  const model_folder folder("mpnet");
  (void)folder.convert();
  const std::string first = folder.read("../out.gguf");
  (void)folder.convert();
  CHECK(folder.read("../out.gguf") == first);
}
