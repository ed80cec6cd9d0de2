// Folders that are damaged, contradictory or not supported: a failure that names the file and the key or tensor.
#include <doctest/doctest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "tool/model_folder.hpp"

using namespace dupq_tool;

namespace {

/// One edit of a golden folder and what the converter says then.
struct broken {
  const char* golden;
  const char* file;
  const char* from;
  const char* to;
  std::string said;
};

void check(const std::vector<broken>& all) {
  for (const broken& b : all) {
    const model_folder folder(b.golden);
    folder.edit(b.file, b.from, b.to);
    CHECK(folder.trouble() == b.said);
  }
}

}  // namespace

TEST_CASE("config.json") {
  check({
      {"bert", "config.json", "\"hidden_size\": 32,", "", "config.json: hidden_size: missing"},
      {"bert", "config.json", "\"hidden_size\": 32", "\"hidden_size\": \"32\"",
       "config.json: hidden_size: a number is expected"},
      {"bert", "config.json", "\"hidden_size\": 32", "\"hidden_size\": 32.5",
       "config.json: hidden_size: a whole number is expected, found 32.5"},
      {"bert", "config.json", "\"hidden_size\": 32", "\"hidden_size\": -1",
       "config.json: hidden_size: must be from 1 to 65536, found -1"},
      {"bert", "config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5",
       "config.json: num_attention_heads: 5 do not divide hidden_size 32"},
      {"bert", "config.json", "\"gelu\"", "\"silu\"",
       "config.json: hidden_act: \"silu\" is not supported, only gelu, gelu_new, gelu_pytorch_tanh, gelu_fast and "
       "relu"},
      {"bert", "config.json", "{", "{\"rope_theta\": 10000,",
       "config.json: rope_theta: this setting is not supported; remove it if it changes nothing"},
      {"bert", "config.json", "{", "{\"pruned_heads\": {\"0\": [1]},",
       "config.json: pruned_heads: only models with all their heads are supported"},
      {"cross", "config.json", "\"hidden_size\": 40", "\"num_labels\": 3, \"hidden_size\": 40",
       "config.json: num_labels: 3 contradicts the 1 names of id2label"},
      {"bert", "config.json", "\"model_type\": \"bert\"", "\"model_type\": \"albert\"",
       "config.json: model_type: \"albert\" is not supported, only bert, mpnet, roberta, xlm-roberta, camembert, "
       "distilbert and electra"},
      {"bert", "config.json", "{", "{\"position_embedding_type\": \"relative_key\",",
       "config.json: position_embedding_type: \"relative_key\" is not supported, only \"absolute\""},
      {"bert", "config.json", "{", "{\"is_decoder\": true,", "config.json: is_decoder: true is not supported"},
      {"bert", "config.json", "{", "{\"auto_map\": {},", "config.json: auto_map: not supported"},
      {"bert", "config.json", "1e-12", "0", "config.json: layer_norm_eps: must be between 0 and 1"},
      {"bert", "config.json", "\"BertModel\"", "\"BertForQuestionAnswering\"",
       "config.json: architectures: \"BertForQuestionAnswering\" is not supported, only encoders and "
       "BertForSequenceClassification"},
      {"bert", "config.json", "\"vocab_size\": 479", "\"vocab_size\": 478",
       "tokenizer.json: 479 tokens, more than config.json's vocab_size 478"},
      {"bert", "config.json", "}", "", "config.json: line 17, byte 305: ends too early"},
      {"mpnet", "config.json", "\"relative_attention_num_buckets\": 32", "\"relative_attention_num_buckets\": 64",
       "config.json: relative_attention_num_buckets: must be from 32 to 32, found 64"},
      {"cross", "config.json", "\"0\": \"LABEL_0\"", "\"0\": \"no\", \"1\": \"perhaps\", \"2\": \"yes\"",
       "config.json: id2label: 3 labels, a cross-encoder for duplicates has one or two"},
      {"cross", "config.json", "\"0\": \"LABEL_0\"", "\"0\": \"no\", \"1\": \"yes\"",
       "config.json: a Sigmoid of each of 2 labels is not supported"},
      {"cross", "config.json", "activation.Sigmoid", "activation.Tanh",
       "config.json: sentence_transformers.activation_fn: \"torch.nn.modules.activation.Tanh\" is not supported, only "
       "torch's Sigmoid and Identity"},
      {"cross", "config.json", "\"type_vocab_size\": 2", "\"type_vocab_size\": 1",
       "config.json: type_vocab_size: a cross-encoder needs two token types"},
  });
}

TEST_CASE("modules.json and the configurations it points to") {
  check({
      {"bert", "modules.json", "models.Normalize", "models.LSTM",
       "modules.json: 2.type: \"sentence_transformers.models.LSTM\" is not supported, only Transformer, Pooling, Dense "
       "and Normalize"},
      {"bert", "modules.json", "models.Pooling", "models.Normalize",
       "modules.json: 1.type: \"sentence_transformers.models.Normalize\" is out of place: Transformer, Pooling, "
       "Dense, Normalize is the order"},
      {"bert", "modules.json", "\"1_Pooling\"", "\"../1_Pooling\"",
       "modules.json: 1.path: must lie inside the model's folder"},
      {"bert", "modules.json", "\"path\": \"1_Pooling\",", "", "modules.json: 1.path: missing"},
      {"bert", "1_Pooling/config.json", "\"word_embedding_dimension\": 32", "\"word_embedding_dimension\": 64",
       "1_Pooling/config.json: word_embedding_dimension: 64 contradicts config.json's hidden_size 32"},
      {"bert", "modules.json", "models.Pooling\"", "models.Pooling\", \"weight\": 2",
       "modules.json: 1.weight: this setting is not supported; remove it if it changes nothing"},
      {"bert", "1_Pooling/config.json", "{", "{\"pooling_mode_future_tokens\": true,",
       "1_Pooling/config.json: pooling_mode_future_tokens: this setting is not supported; remove it if it changes "
       "nothing"},
      {"bert_pooled", "1_Pooling/config.json", "\"max\"", "\"median\"",
       "1_Pooling/config.json: pooling_mode: \"median\" is not supported"},
      {"bert", "sentence_bert_config.json", "24", "41",
       "sentence_bert_config.json: max_seq_length: must be from 3 to 40, found 41"},
      {"bert", "sentence_bert_config.json", "24", "2",
       "sentence_bert_config.json: max_seq_length: must be from 3 to 40, found 2"},
      {"bert", "sentence_bert_config.json", "{", "{\"transformer_task\": \"fill-mask\",",
       "sentence_bert_config.json: transformer_task: \"fill-mask\" contradicts config.json, \"feature-extraction\" is "
       "expected"},
      {"cross", "tokenizer_config.json", "512", "3",
       "tokenizer_config.json: model_max_length: must be from 4 to 64, found 3"},
  });
  const model_folder token("bert");
  token.write("2_Normalize/config.json", R"({"module_input_name": "token_embeddings"})");
  CHECK(token.trouble() == "2_Normalize/config.json: module_input_name: \"token_embeddings\" is not supported");
  const model_folder pooled_cross("cross");
  pooled_cross.write("modules.json", R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
      {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  CHECK(pooled_cross.trouble() == "modules.json: Pooling: contradicts config.json's BertForSequenceClassification");
}

TEST_CASE("tensors") {
  const auto said = [](const char* golden, const char* from, const char* to) {
    const model_folder folder(golden);
    folder.edit_header(from, to);
    return folder.trouble();
  };
  CHECK(said("bert", "\"encoder.layer.1.output.dense.bias\"", "\"other.layer.1.output.dense.bias\"") ==
        "model.safetensors: tensor \"encoder.layer.1.output.dense.bias\": missing");
  CHECK(said("bert", "\"encoder.layer.1.output.dense.bias\"", "\"encoder.layer.1.output.dense.bais\"") ==
        "model.safetensors: tensor \"encoder.layer.1.output.dense.bias\": missing");
  CHECK(said("bert", "\"pooler.dense.bias\"", "\"encoder.adapter.bias\"") ==
        "model.safetensors: tensor \"encoder.adapter.bias\": is no part of the model that config.json describes");
  CHECK(said("bert", "\"pooler.dense.bias\"", "\"bert.embeddings.LayerNorm.beta\"") ==
        "model.safetensors: tensor \"bert.embeddings.LayerNorm.beta\": is there twice, also as "
        "\"embeddings.LayerNorm.bias\"");
  CHECK(said("bert", "[479,32]", "[32,479]") ==
        "model.safetensors: tensor \"embeddings.word_embeddings.weight\": has the shape [32, 479], config.json says "
        "[479, "
        "32]");
  CHECK(said("bert", "\"dtype\":\"F32\"", "\"dtype\":\"I32\"") ==
        "model.safetensors: tensor \"embeddings.LayerNorm.bias\": has the type I32, only F64, F32, F16 and BF16 "
        "are supported");

  const model_folder layers("bert");
  layers.edit("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  CHECK(layers.trouble().ends_with("is no part of the model that config.json describes"));
  const model_folder inner("bert");
  inner.edit("config.json", "\"intermediate_size\": 52", "\"intermediate_size\": 53");
  CHECK(inner.trouble() ==
        "model.safetensors: tensor \"encoder.layer.0.intermediate.dense.weight\": has the shape [52, 32], config.json "
        "says [53, 32]");
}

TEST_CASE("weights that are not finite, or too large for f16") {
  const model_folder folder("bert");
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float f : {1e6f, nan}) {  // a bi-encoder leaves the pooler out: whatever is there does no harm
    folder.edit_values("pooler.dense.weight", 5, {f});
    CHECK(folder.trouble() == "");
    std::filesystem::remove(folder.output());
  }
  const std::string used = "encoder.layer.1.output.dense.weight";
  for (const float f : {infinity, nan}) {
    folder.edit_values(used, 5, {f});
    CHECK(folder.trouble() ==
          "model.safetensors: tensor \"encoder.layer.1.output.dense.weight\": element 5 is not finite");
  }
  folder.edit_values(used, 5, {65520.0f});
  CHECK_THROWS_WITH_AS(folder.convert({weight_type::f16, tensor_layout::plain}),
                       doctest::Contains("element 5 is too large for f16"), failure);
  CHECK_NOTHROW(folder.convert({weight_type::f32, tensor_layout::plain}));
}

TEST_CASE("folders that are not whole") {
  const auto without = [](const char* golden, const char* file) {
    const model_folder folder(golden);
    folder.remove(file);
    return folder.trouble();
  };
  CHECK(without("bert", "config.json") == "config.json: no such file");
  CHECK(without("bert", "modules.json") == "modules.json: no such file, though there is 1_Pooling");
  CHECK(without("bert", "1_Pooling") == "1_Pooling/config.json: no such file");
  CHECK(without("bert", "tokenizer.json") == "tokenizer.json: no such file, and no vocab.txt either");
  CHECK(without("bert", "model.safetensors") == "model.safetensors: no such file");
  const model_folder folder("bert");
  folder.remove("model.safetensors");
  folder.write("pytorch_model.bin", "x");
  CHECK(folder.trouble() == "pytorch_model.bin: is no file that torch.save writes");
  folder.write("model.safetensors/x", "x");
  CHECK(folder.trouble() == "model.safetensors: is a directory");
  folder.remove("model.safetensors");
  folder.write("model.safetensors", "");
  CHECK(folder.trouble() == "model.safetensors: is empty");
  folder.write("model.safetensors", "12345678");
  CHECK(folder.trouble() == "model.safetensors: a header of 4050765991979987505 bytes does not fit a file of 8");
  CHECK_THROWS_WITH_AS(convert(folder.path("nothing").string(), "x.gguf", {}),
                       doctest::Contains("nothing: no such folder"), failure);
  CHECK_THROWS_WITH_AS(convert(folder.path("config.json").string(), "x.gguf", {}),
                       doctest::Contains("config.json: not a folder"), failure);
}

TEST_CASE("a plain folder is pooled by its mean and not normalised") {
  const model_folder folder("bert");
  for (const char* file : {"modules.json", "1_Pooling", "sentence_bert_config.json"}) folder.remove(file);
  const hf_folder read = read_hf_folder(folder.path("").string());
  CHECK(read.config.pooling == dupq::pooling{.mean = true});
  CHECK_FALSE(read.config.normalize);
  CHECK(read.config.max_length == 40);
  CHECK(folder.trouble() == "");
}

TEST_CASE("forms that sentence-transformers writes") {
  SUBCASE("its newer names, without max_seq_length") {
    const model_folder folder("bert");
    folder.edit("modules.json", "models.Transformer", "base.modules.transformer.Transformer");
    folder.edit("modules.json", "models.Pooling", "sentence_transformer.modules.pooling.Pooling");
    folder.edit("modules.json", "models.Normalize", "base.modules.normalize.Normalize");
    folder.write("2_Normalize/config.json",
                 R"({"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"})");
    folder.write("1_Pooling/config.json",
                 R"({"embedding_dimension": 32, "pooling_mode": "max", "include_prompt": true})");
    folder.write("sentence_bert_config.json", R"({"transformer_task": "feature-extraction"})");
    folder.edit("tokenizer_config.json", "\"model_max_length\": 40", "\"model_max_length\": 30");
    const hf_folder read = read_hf_folder(folder.path("").string());
    CHECK(read.config.pooling == dupq::pooling{.max = true});
    CHECK(read.config.normalize);
    CHECK(read.config.max_length == 30);
    CHECK(folder.trouble() == "");
  }
  SUBCASE("the limit's older name, where the newer one is not there") {
    const model_folder folder("cross");
    folder.edit("tokenizer_config.json", "\"model_max_length\": 512", "\"max_len\": 20");
    CHECK(read_hf_folder(folder.path("").string()).config.max_length == 20);
    CHECK(folder.trouble() == "");
    folder.edit("tokenizer_config.json", "\"max_len\": 20", "\"max_len\": 20, \"model_max_length\": 30");
    CHECK(read_hf_folder(folder.path("").string()).config.max_length == 30);
  }
  SUBCASE("no limit at all is the length of the position table") {
    const model_folder folder("cross");
    folder.edit("tokenizer_config.json", "512", "1000000000000000019884624838656");
    CHECK(read_hf_folder(folder.path("").string()).config.max_length == 64);
  }
  SUBCASE("a transformer in a folder of its own") {
    const model_folder folder("bert");
    std::filesystem::create_directory(folder.path("0_Transformer"));
    for (const char* file :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json", "model.safetensors"})
      std::filesystem::rename(folder.path(file), folder.path("0_Transformer") / file);
    folder.edit("modules.json", "\"path\": \"\"", "\"path\": \"0_Transformer\"");
    CHECK(folder.trouble() == "");
  }
}
