// Weights in other types and in several files, and folders whose weights are something else.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "tool/checkpoint.hpp"
#include "tool/model_folder.hpp"

using namespace dupq_tool;
namespace fs = std::filesystem;

namespace {

/// The file that a folder converts to.
std::string file_of(const model_folder& folder, const convert_options& options = {}) {
  (void)folder.convert(options);
  const std::string bytes = folder.read("../out.gguf");
  fs::remove(folder.output());
  return bytes;
}

std::string index_of(const tensor_map& tensors, const std::string& first, const std::string& second) {
  std::string map;
  std::size_t i = 0;
  for (const auto& [name, t] : tensors)
    map += (map.empty() ? "\"" : ",\"") + name + "\":\"" + (i++ % 2 == 0 ? first : second) + "\"";
  return R"({"metadata": {"total_size": 1, "other": [1]}, "weight_map": {)" + map + "}}";
}

/// The golden folder with its weights in two files, every other tensor in the second.
struct sharded {
  static constexpr const char *first = "model-00001-of-00002.safetensors", *second = "model-00002-of-00002.safetensors",
                              *index = "model.safetensors.index.json";
  const tensor_map tensors = make_bert({});
  model_folder folder{"bert"};

  sharded() {
    std::size_t at = 0;
    std::map<std::string, bool> odd;
    for (const auto& [name, t] : tensors) odd[name] = at++ % 2 != 0;
    folder.remove("model.safetensors");
    folder.write(first, safetensors_of(tensors, "F32", [&](const std::string& name) { return !odd[name]; }));
    folder.write(second, safetensors_of(tensors, "F32", [&](const std::string& name) { return odd[name]; }));
    folder.write(index, index_of(tensors, first, second));
  }
};

constexpr const char* one_tensor = "embeddings.LayerNorm.bias";

}  // namespace

TEST_CASE("every type of floats holds the same model") {
  const model_folder folder("bert");
  reshape(folder, {}, "F32");
  const std::string expected = file_of(folder);
  for (const char* type : {"F64", "F16", "BF16"}) {
    reshape(folder, {}, type);
    CHECK_MESSAGE(file_of(folder) == expected, type);
  }
}

TEST_CASE("a double that is no float is not finite") {
  const model_folder folder("bert");
  reshape(folder, {}, "F64");
  std::string bytes = folder.read("model.safetensors");
  const double huge = 1e300;
  std::memcpy(bytes.data() + bytes.size() - sizeof huge, &huge, sizeof huge);
  folder.write("model.safetensors", bytes);
  CHECK(folder.trouble().ends_with("is not finite"));
}

TEST_CASE("several files and an index are one model") {
  const model_folder whole("bert");
  reshape(whole, {});
  const std::string expected = file_of(whole);
  const sharded parts;
  CHECK(file_of(parts.folder) == expected);
  CHECK(file_of(parts.folder, {weight_type::int8, tensor_layout::packed}).size() > 0);
  parts.folder.write("model.safetensors", safetensors_of(parts.tensors));  // one file counts for more, as in Python
  parts.folder.write(sharded::index, "{}");
  CHECK(file_of(parts.folder) == expected);
}

TEST_CASE("an index that is wrong") {
  const auto said = [](const auto& damage) {
    const sharded parts;
    damage(parts);
    return parts.folder.trouble();
  };
  const std::string index = sharded::index, map = index + ": weight_map." + one_tensor + ": ";
  CHECK(said([](const sharded& s) { s.folder.remove(sharded::second); }) ==
        index + ": weight_map.embeddings.LayerNorm.weight: \"model-00002-of-00002.safetensors\" is not there");
  CHECK(said([](const sharded& s) {
          s.folder.edit(sharded::index, std::string(one_tensor) + "\":\"" + sharded::first,
                        std::string(one_tensor) + "\":\"" + sharded::second);
        }) == std::string(sharded::first) + ": tensor \"" + one_tensor +
                  "\": model.safetensors.index.json does not have it there");
  CHECK(said([](const sharded& s) {
          s.folder.edit(sharded::index, std::string("\"") + one_tensor + "\"", "\"embeddings.other\"");
        }) == index + ": weight_map.embeddings.other: is not in \"model-00001-of-00002.safetensors\"");
  CHECK(said([](const sharded& s) {  // in both files
          s.folder.write(sharded::second, safetensors_of(s.tensors));
        }) == std::string(sharded::second) + ": tensor \"" + one_tensor +
                  "\": model.safetensors.index.json does not have it there");
  for (const std::string name : {"../x.safetensors", "/x.safetensors", "a/../../x.safetensors", ""})
    CHECK(said([&](const sharded& s) {
            s.folder.edit(sharded::index, std::string(one_tensor) + "\":\"" + sharded::first,
                          std::string(one_tensor) + "\":\"" + name);
          }) == map + json::quote(name) + " must lie inside the model's folder");
  CHECK(said([](const sharded& s) { s.folder.write(sharded::index, "{\"weight_map\": {}}"); }) ==
        index + ": weight_map: lists no tensor");
  CHECK(said([](const sharded& s) { s.folder.write(sharded::index, "{}"); }) == index + ": weight_map: missing");
  CHECK(said([](const sharded& s) { s.folder.write(sharded::index, "[]"); }) == index + ": an object is expected");
  CHECK(said([](const sharded& s) {
          s.folder.edit(sharded::index, "{\"metadata\"", "{\"x\": 1, \"metadata\"");
        }).starts_with(index + ": x: this setting is not supported"));
}

TEST_CASE("rows of the table of words beyond the vocabulary are padding") {
  const model_folder folder("bert");
  reshape(folder, {});
  const std::string expected = file_of(folder);
  tensor_map padded = make_bert({});
  made_tensor& words = padded.at("embeddings.word_embeddings.weight");
  words.shape[0] += 33;
  words.values.resize(words.values.size() + 33 * words.shape[1], 7.0f);
  folder.write("model.safetensors", safetensors_of(padded));
  CHECK(file_of(folder) == expected);  // whether config.json counts them or not
  folder.edit("config.json", "\"vocab_size\": 479", "\"vocab_size\": 512");
  CHECK(file_of(folder) == expected);
  for (const auto type : {weight_type::f16, weight_type::int8}) CHECK_NOTHROW(folder.convert({type}));
}

TEST_CASE("a git-lfs pointer in place of any file that is read") {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid "
      "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
      "size 12345\n";
  for (const char* name : {"config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
                           "tokenizer.json", "tokenizer_config.json", "model.safetensors"}) {
    const model_folder folder("bert");
    folder.write(name, pointer);
    CHECK(folder.trouble() == std::string(name) + ": is a git-lfs pointer: run git lfs pull");
  }
  const model_folder folder("bert_pooled");
  folder.write("vocab.txt", pointer);
  CHECK(folder.trouble() == "vocab.txt: is a git-lfs pointer: run git lfs pull");
  const model_folder torch("bert");
  torch.remove("model.safetensors");
  torch.write("pytorch_model.bin", pointer);
  CHECK(torch.trouble() == "pytorch_model.bin: is a git-lfs pointer: run git lfs pull");
  const sharded parts;
  parts.folder.write(sharded::second, pointer);
  CHECK(parts.folder.trouble() == std::string(sharded::second) + ": is a git-lfs pointer: run git lfs pull");
}

TEST_CASE("weights in other formats") {
  const auto said = [](const char* name) {
    const model_folder folder("bert");
    folder.remove("model.safetensors");
    folder.write(name, "x");
    return folder.trouble();
  };
  const auto reads = [](const std::string& what) {
    return "model.safetensors: no such file: " + what + " is not read, save the model as safetensors";
  };
  CHECK(said("onnx/model.onnx") == reads("onnx/model.onnx (ONNX)"));
  CHECK(said("model_quantized.onnx") == reads("model_quantized.onnx (ONNX)"));
  CHECK(said("openvino/openvino_model.xml") == reads("openvino/openvino_model.xml (OpenVINO)"));
  CHECK(said("openvino_model.xml") == reads("openvino_model.xml (OpenVINO)"));
  CHECK(said("tf_model.h5") == reads("tf_model.h5 (TensorFlow)"));
  CHECK(said("flax_model.msgpack") == reads("flax_model.msgpack (Flax)"));
  CHECK(said("model.gguf") == reads("model.gguf (a model file already)"));
  CHECK(said("model.fp16.safetensors") == reads("model.fp16.safetensors (another name)"));
  // Such files beside weights that are read do no harm.
  const model_folder folder("bert");
  for (const char* name : {"pytorch_model.bin", "onnx/model.onnx", "openvino_model.xml"}) folder.write(name, "x");
  CHECK(folder.trouble() == "");
}

TEST_CASE("tokenizers in other formats") {
  const model_folder folder("bert");
  folder.remove("tokenizer.json");
  folder.write("sentencepiece.bpe.model", "x");
  CHECK(
      folder.trouble() ==
      "tokenizer.json: no such file: sentencepiece.bpe.model alone is not read, save the tokenizer as tokenizer.json");
}

TEST_CASE("adapters") {
  const model_folder folder("bert");
  folder.write("adapter_config.json", R"({"peft_type": "LORA", "base_model_name_or_path": "base/model"})");
  CHECK(folder.trouble() ==
        "adapter_config.json: an adapter (LoRA) without its base is no model: merge it into base/model and save the "
        "whole");
  for (const char* name : {"config.json", "modules.json", "model.safetensors"}) folder.remove(name);
  folder.write("adapter_model.safetensors", "x");
  CHECK(folder.trouble().starts_with("adapter_config.json: an adapter (LoRA)"));
}

TEST_CASE("ColBERT and SPLADE") {
  const std::string colbert = ": a ColBERT model, which has a vector for each token, is not supported",
                    splade = ": a SPLADE model, whose vectors are sparse, is not supported";
  const auto edited = [](const char* file, const char* from, const char* to) {
    const model_folder folder("bert");
    folder.edit(file, from, to);
    return folder.trouble();
  };
  CHECK(edited("config.json", "\"BertModel\"", "\"HF_ColBERT\"") ==
        "config.json: architectures.0: \"HF_ColBERT\"" + colbert);
  CHECK(edited("config.json", "\"BertModel\"", "\"BertModel\", \"Splade\"") ==
        "config.json: architectures.1: \"Splade\"" + splade);
  CHECK(edited("modules.json", "sentence_transformers.models.Pooling", "pylate.models.Dense.Dense") ==
        "modules.json: 1.type: \"pylate.models.Dense.Dense\"" + colbert);
  CHECK(edited("modules.json", "sentence_transformers.models.Pooling",
               "sentence_transformers.sparse_encoder.models.SpladePooling") ==
        "modules.json: 1.type: \"sentence_transformers.sparse_encoder.models.SpladePooling\"" + splade);
  const auto with = [](const char* name, const char* text) {
    const model_folder folder("bert");
    folder.write(name, text);
    return folder.trouble();
  };
  CHECK(with("artifact.metadata", "{}") == "artifact.metadata" + colbert);
  CHECK(with("config_sentence_transformers.json", R"({"model_type": "SparseEncoder"})") ==
        "config_sentence_transformers.json: model_type: \"SparseEncoder\"" + splade);
  CHECK(with("config_sentence_transformers.json", R"({"model_type": "ColBERT"})") ==
        "config_sentence_transformers.json: model_type: \"ColBERT\"" + colbert);
  const model_folder head("bert");
  tensor_map tensors = make_bert({});
  tensors["linear.weight"] = {{16, 32}, std::vector<float>(512)};
  head.write("model.safetensors", safetensors_of(tensors));
  CHECK(head.trouble() ==
        "model.safetensors: tensor \"linear.weight\": the head of a ColBERT model, which has a vector for each token, "
        "is not supported");
}

TEST_CASE("files that are links, as in a Hub cache") {
  const model_folder folder("bert");
  const std::string expected = file_of(folder);
  fs::create_directory(folder.path("../blobs"));
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path(""))) {
    if (!entry.is_regular_file()) continue;
    const fs::path blob = folder.path("../blobs") / std::to_string(count++);
    fs::rename(entry.path(), blob);
    fs::create_symlink(fs::relative(blob, entry.path().parent_path()), entry.path());
  }
  CHECK(count > 5);
  CHECK(file_of(folder) == expected);
}
