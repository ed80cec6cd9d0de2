// The model that a training begins with: a model file, or a Hugging Face folder, with a new head where one is asked
// for.
#pragma once

#include <cstddef>
#include <cstdio>
#include <dupq/model.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convert.hpp"
#include "convert_static.hpp"
#include "hf_static.hpp"
#include "model_output.hpp"
#include "new_head.hpp"
#include "session.hpp"
#include "utf8.hpp"

namespace dupq_tool {

class train_base {
 public:
  /// `head_seed`: make a cross-encoder of the bi-encoder, with a head from this seed. What cannot be trained is a
  /// failure that names the file. `map`: a model file is mapped, and not read.
  train_base(const std::string& path, const arguments& args, std::optional<std::uint64_t> head_seed, bool map)
      : path_(path) {
    folder_ = std::filesystem::is_directory(os::path_of(path));
    if (folder_)
      open_folder(args, head_seed.has_value());
    else
      file_.emplace(open_model(path, args, false, map));
    check_family((**this).config());
    check_types();
    if (head_seed) add_head(args, *head_seed);
  }

  const dupq::model& operator*() const noexcept { return file_ ? *file_ : **in_memory_; }
  const dupq::model* operator->() const noexcept { return &**this; }
  const std::string& path() const noexcept { return path_; }
  bool is_static() const noexcept { return (**this).config().kind == dupq::model_kind::static_encoder; }
  /// Fails for whoever wants to make a cross-encoder of a static model.
  [[noreturn]] void refuse_head() const { throw failure(path_ + ": a static model, which has no layers for a head"); }
  /// Its name, without the way to it.
  std::string name() const {
    const auto named = (**this).file().find("general.name");
    const std::string own = folder_ ? std::string(named->text()) : os::name_of(os::path_of(path_).filename());
    return is_utf8(own) ? own : "model";
  }
  /// What it occupies, whether it is mapped or not.
  std::uint64_t bytes() const noexcept {
    const auto file = (**this).file().bytes();
    const auto storage = dupq::model::storage_bytes(file, {.settings = &dupq::all_settings});
    return file.size() + (storage ? *storage : 0);
  }
  /// Bytes of its weights in float32.
  std::uint64_t weight_bytes() const {
    std::uint64_t numbers = 0;
    (**this).file().for_each_tensor([&](const dupq::gguf::tensor& t) { numbers += t.elements(); });
    return numbers * sizeof(float);
  }
  /// Bytes of a model of such weights, in memory.
  std::uint64_t image_bytes() const {
    const dupq::model& base = **this;
    const std::uint64_t weights = weight_bytes();
    return base.file().data_offset() + (base.packed() ? weights : 2 * weights);  // kernels read a copy of a plain one
  }

 private:
  void open_folder(const arguments& args, bool for_head) {
    const std::filesystem::path root = hub_cache::snapshot(os::path_of(path_));
    foreign_folder::refuse(root);
    if (hf_static_reader::is_static(root)) {
      if (for_head) refuse_head();
      return open_static_folder(root, args);
    }
    hf_folder folder = read_hf_folder(root);
    check_family(folder.config);
    const hf_tokenizer tokenizer = hf_tokenizer_reader::read(folder);
    place_positions(folder, tokenizer, {});
    const hf_checkpoint checkpoint(folder.transformer);
    hf_weights weights = find_weights(checkpoint, folder.config, folder.body);
    for (const std::string& note : tokenizer.notes) std::fprintf(stderr, "dupq: note: %s\n", note.c_str());
    const bool pairs = for_head || folder.config.kind == dupq::model_kind::cross_encoder;
    if (pairs && !tokenizer.pairs_typed && weights.types != nullptr)
      weights.types = weights.made.first_row_repeated(*weights.types);
    if (for_head) read_pooler(checkpoint, folder);
    take(file_in_memory(folder, tokenizer, weights), args);
  }

  void open_static_folder(const std::filesystem::path& root, const arguments& args) {
    const static_model m = read_static_folder(root);
    for (const std::string& note : m.tokenizer.notes) std::fprintf(stderr, "dupq: note: %s\n", note.c_str());
    const static_file file = file_of(m, weight_type::f32);
    std::vector<std::byte> image;
    image.reserve(static_cast<std::size_t>(file.bytes()));
    file.write([&](std::span<const std::byte> bytes) { image.insert(image.end(), bytes.begin(), bytes.end()); });
    take(std::move(image), args);
  }

  /// The dense layer of a checkpoint's own head, which a bi-encoder's model file does not keep.
  void read_pooler(const hf_checkpoint& checkpoint, const hf_folder& folder) {
    const std::string name = "pooler.dense.weight";
    const hf_family& family = *folder.body.family;
    if (!checkpoint.find(name) && !checkpoint.find(std::string(family.prefix) + name)) return;
    const dupq::config& c = folder.config;
    hf_names names(checkpoint, family);
    const auto read = [](const safetensors::tensor& t) {
      std::vector<float> values(t.elements);
      t.read(0, values);
      return values;
    };
    head_values& head = pooler_.emplace();
    head.dense = read(*names.get(name, {c.hidden, c.hidden}));
    head.dense_bias = read(*names.get("pooler.dense.bias", {c.hidden}));
  }

  /// Layers that the trainer has no gradients for.
  void check_family(const dupq::config& c) const {
    const auto refuse = [&](std::string_view what) { throw failure(path_ + ": " + std::string(what)); };
    if (c.dense_dim != 0) refuse("dupq.dense.outputs: a layer after the pooling cannot be trained");
    if (c.hidden_activation != dupq::hidden_activation::gelu)
      refuse("dupq.hidden_activation: layers with " + std::string(dupq::name(c.hidden_activation)) +
             " cannot be trained, only with gelu");
    if (c.kind == dupq::model_kind::cross_encoder && c.head_activation != dupq::head_activation::tanh)
      refuse("dupq.head_activation: a head with " + std::string(dupq::name(c.head_activation)) +
             " cannot be trained, only with tanh");
  }

  /// Only floats are trained: what integers were rounded from is not in the file any more.
  void check_types() const {
    using dupq::gguf::tensor_type;
    bool integers = false, blocks = false;
    (**this).file().for_each_tensor([&](const dupq::gguf::tensor& t) {
      integers = integers || t.type == tensor_type::i8 || t.type == tensor_type::i32;
      blocks = blocks || t.type == tensor_type::q8_0;
    });
    if (integers || blocks)
      throw failure(path_ + ": its weights are " + (integers ? "int8" : "q8_0") +
                    ", which cannot be trained: take the float32 or float16 original");
  }

  void add_head(const arguments& args, std::uint64_t seed) {
    const dupq::model& body = **this;
    const dupq::config& c = body.config();
    if (is_static()) refuse_head();
    if (c.kind == dupq::model_kind::cross_encoder) throw failure(path_ + ": has a head: --new-head is for bi-encoders");
    head_values head = seeded_head(c.hidden, seed);
    if (pooler_) head.dense = std::move(pooler_->dense), head.dense_bias = std::move(pooler_->dense_bias);
    std::vector<std::byte> image = with_head(body, head);
    file_.reset();
    in_memory_.reset();
    take(std::move(image), args);
  }

  void take(std::vector<std::byte> image, const arguments& args) {
    image_ = std::move(image);
    const dupq::kernels* const table = chosen_kernels(args);
    in_memory_ = std::make_unique<model_in_memory>(image_, path_, table == nullptr ? "" : table->name);
  }

  std::string path_;
  bool folder_ = false;
  std::optional<dupq::model> file_;
  std::vector<std::byte> image_;
  std::unique_ptr<model_in_memory> in_memory_;
  std::optional<head_values> pooler_;
};

}  // namespace dupq_tool
