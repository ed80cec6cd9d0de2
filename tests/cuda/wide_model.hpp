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

/// Texts of up to 100 tokens, in a vocabulary of the other models here. BERT has 384 columns, a perceptron of 200 and
/// two layers; MPNet 768, 384 and one.
class wide_model {
 public:
  enum class kind { bert, judge, mpnet };

  explicit wide_model(kind k, dupq_tool::convert_options options = {}) : kind_(k), mpnet_(k == kind::mpnet) {
    std::string pattern = (std::filesystem::temp_directory_path() / "dupq-wide-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    const char* const source = k == kind::bert ? "/bert" : k == kind::judge ? "/cross" : "/mpnet";
    std::filesystem::copy(folder + source, directory_, std::filesystem::copy_options::recursive);
    write("config.json", config());
    if (k != kind::judge) {
      write("sentence_bert_config.json", R"({"max_seq_length": 100, "do_lower_case": false})");
      write("1_Pooling/config.json",
            R"({"word_embedding_dimension": )" + std::to_string(width_) + R"(, "pooling_mode_mean_tokens": true})");
    }
    write_weights();
    dupq_tool::convert(directory_, path(), options);
  }
  ~wide_model() { std::filesystem::remove_all(directory_); }
  wide_model(const wide_model&) = delete;
  wide_model& operator=(const wide_model&) = delete;

  dupq::model open(const dupq::model_options& options = {}) const {
    auto m = dupq::model::open(path().c_str(), options);
    if (!m) dupq::print_error(m.error());
    REQUIRE(m);
    return std::move(*m);
  }

 private:
  std::string path() const { return directory_ + "/model.gguf"; }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(directory_ + "/" + name, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string config() const {
    const std::string sizes = R"("hidden_act": "gelu", "vocab_size": 479, "num_attention_heads": 12, "hidden_size": )" +
                              std::to_string(width_) + R"(, "intermediate_size": )" + std::to_string(inner_) +
                              R"(, "num_hidden_layers": )" + std::to_string(layers_) +
                              R"(, "max_position_embeddings": )" + std::to_string(positions_);
    const std::string bert =
        R"(, "model_type": "bert", "type_vocab_size": 2, "pad_token_id": 0, "layer_norm_eps": 1e-12)";
    switch (kind_) {
      case kind::bert: return "{" + sizes + bert + R"(, "architectures": ["BertModel"]})";
      case kind::judge:
        return "{" + sizes + bert +
               R"(, "architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"},
                    "sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}})";
      default:
        return "{" + sizes + R"(, "architectures": ["MPNetModel"], "model_type": "mpnet", "layer_norm_eps": 1e-5,
                 "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "relative_attention_num_buckets": 32})";
    }
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
    header_ += std::string(header_.empty() ? "{" : ",") + "\"" +
               (kind_ == kind::judge && name[0] != 'c' ? "bert." : "") + name + R"(":{"dtype":"F32","shape":[)" +
               shape + R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(data_.size()) + "]}";
  }
  void add_linear(const std::string& name, std::size_t outputs, std::size_t inputs) {
    add(name + ".weight", outputs, inputs, 1 / std::sqrt(static_cast<float>(inputs)));
    add(name + ".bias", outputs, 0, 0.1f);
  }
  void add_norm(const std::string& name) {
    add(name + ".weight", width_, 0, 0.2f, 1);
    add(name + ".bias", width_, 0, 0.1f);
  }
  void write_weights() {
    add("embeddings.word_embeddings.weight", 479, width_, 1);
    add("embeddings.position_embeddings.weight", positions_, width_, 0.3f);
    if (!mpnet_) add("embeddings.token_type_embeddings.weight", 2, width_, 0.3f);
    add_norm("embeddings.LayerNorm");
    const std::string attention = mpnet_ ? ".attention.attn." : ".attention.self.";
    for (std::size_t i = 0; i < layers_; ++i) {
      const std::string layer = "encoder.layer." + std::to_string(i);
      for (const std::string part : {"query", "key", "value"})
        add_linear(layer + attention + (mpnet_ ? part.substr(0, 1) : part), width_, width_);
      add_linear(layer + (mpnet_ ? ".attention.attn.o" : ".attention.output.dense"), width_, width_);
      add_norm(layer + (mpnet_ ? ".attention.LayerNorm" : ".attention.output.LayerNorm"));
      add_linear(layer + ".intermediate.dense", inner_, width_);
      add_linear(layer + ".output.dense", width_, inner_);
      add_norm(layer + ".output.LayerNorm");
    }
    if (mpnet_) add("encoder.relative_attention_bias.weight", 32, 12, 0.5f);
    add_linear("pooler.dense", width_, width_);
    if (kind_ == kind::judge) add_linear("classifier", 1, width_);
    header_ += "}";
    const std::uint64_t size = header_.size();
    write("model.safetensors", std::string(reinterpret_cast<const char*>(&size), sizeof size) + header_ + data_);
  }

  kind kind_;
  bool mpnet_;
  std::size_t width_ = mpnet_ ? 768 : 384, inner_ = mpnet_ ? 384 : 200, layers_ = mpnet_ ? 1 : 2;
  std::size_t positions_ = mpnet_ ? 102 : 100;
  std::string directory_, header_, data_;
  std::mt19937 random_{11};
};

}  // namespace golden
