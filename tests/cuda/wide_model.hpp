// Random models as wide as real ones, for kernels that are for one width: a folder as Hugging Face has it, converted.
#pragma once

#include <cmath>
#include <convert.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dupq/dupq.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "golden/models.hpp"

namespace golden {

/// BERT with 384 columns, 12 heads and a perceptron of 200; texts of up to 100 tokens. Its vocabulary is the other
/// models' here.
class wide_model {
 public:
  explicit wide_model(bool judges_pairs) : judge_(judges_pairs) {
    std::string pattern = (std::filesystem::temp_directory_path() / "dupq-wide-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    std::filesystem::copy(folder + (judge_ ? "/cross" : "/bert"), directory_, std::filesystem::copy_options::recursive);
    write("config.json", config());
    if (!judge_) {
      write("sentence_bert_config.json", R"({"max_seq_length": 100, "do_lower_case": false})");
      write("1_Pooling/config.json", R"({"word_embedding_dimension": 384, "pooling_mode_mean_tokens": true})");
    }
    write_weights();
    dupq_tool::convert(directory_, path(), {});
  }
  ~wide_model() { std::filesystem::remove_all(directory_); }
  wide_model(const wide_model&) = delete;
  wide_model& operator=(const wide_model&) = delete;

  dupq::model open() const {
    auto m = dupq::model::open(path().c_str());
    if (!m) dupq::print_error(m.error());
    REQUIRE(m);
    return std::move(*m);
  }

 private:
  static constexpr std::size_t width = 384, inner = 200, positions = 100, layers = 2;

  std::string path() const { return directory_ + "/model.gguf"; }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string config() const {
    const std::string kind = judge_
                                 ? R"("architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"},
                    "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"},)"
                                 : R"("architectures": ["BertModel"],)";
    return "{" + kind + R"("hidden_act": "gelu", "model_type": "bert", "vocab_size": 479, "type_vocab_size": 2,
      "pad_token_id": 0, "layer_norm_eps": 1e-12, "hidden_size": 384, "num_hidden_layers": 2,
      "num_attention_heads": 12, "intermediate_size": 200, "max_position_embeddings": 100})";
  }
  /// Adds a tensor of one or two dimensions, normally distributed.
  void add(const std::string& name, std::size_t rows, std::size_t columns, float deviation, float mean = 0) {
    const std::size_t begin = data_.size(), count = rows * (columns == 0 ? 1 : columns);
    std::normal_distribution<float> d(mean, deviation);
    data_.resize(begin + count * sizeof(float));
    for (std::size_t i = 0; i < count; ++i) {
      const float x = d(random_);
      std::memcpy(data_.data() + begin + i * sizeof x, &x, sizeof x);
    }
    const std::string shape = std::to_string(rows) + (columns == 0 ? "" : "," + std::to_string(columns));
    header_ += std::string(header_.empty() ? "{" : ",") + "\"" + (judge_ && name[0] != 'c' ? "bert." : "") + name +
               R"(":{"dtype":"F32","shape":[)" + shape + R"(],"data_offsets":[)" + std::to_string(begin) + "," +
               std::to_string(data_.size()) + "]}";
  }
  void add_linear(const std::string& name, std::size_t outputs, std::size_t inputs) {
    add(name + ".weight", outputs, inputs, 1 / std::sqrt(static_cast<float>(inputs)));
    add(name + ".bias", outputs, 0, 0.1f);
  }
  void add_norm(const std::string& name) {
    add(name + ".weight", width, 0, 0.2f, 1);
    add(name + ".bias", width, 0, 0.1f);
  }
  void write_weights() {
    add("embeddings.word_embeddings.weight", 479, width, 1);
    add("embeddings.position_embeddings.weight", positions, width, 0.3f);
    add("embeddings.token_type_embeddings.weight", 2, width, 0.3f);
    add_norm("embeddings.LayerNorm");
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string layer = "encoder.layer." + std::to_string(i);
      for (const char* part : {"query", "key", "value"}) add_linear(layer + ".attention.self." + part, width, width);
      add_linear(layer + ".attention.output.dense", width, width);
      add_norm(layer + ".attention.output.LayerNorm");
      add_linear(layer + ".intermediate.dense", inner, width);
      add_linear(layer + ".output.dense", width, inner);
      add_norm(layer + ".output.LayerNorm");
    }
    add_linear("pooler.dense", width, width);
    if (judge_) add_linear("classifier", 1, width);
    header_ += "}";
    const std::uint64_t size = header_.size();
    write("model.safetensors", std::string(reinterpret_cast<const char*>(&size), sizeof size) + header_ + data_);
  }

  bool judge_;
  std::string directory_, header_, data_;
  std::mt19937 random_{11};
};

}  // namespace golden
