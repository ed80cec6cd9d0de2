// The weights of a model file as Hugging Face has them: floats, row-major, by both names, whatever layout they lie in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/device/widen.hpp>
#include <dupq/model.hpp>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "hf_family.hpp"
#include "tensor_layout.hpp"

namespace dupq_tool {

/// One weight: its names and shape, and where its numbers are in the file, which must outlive it.
struct float_weight {
  std::string name;     ///< as in a plain model file: "blk.0.attn_q.weight"
  std::string hf_name;  ///< as in a checkpoint: "encoder.layer.0.attention.self.query.weight"
  std::uint64_t rows = 1, columns = 0;
  bool vector = false;  ///< has one dimension; then there is one row

  std::uint64_t elements() const noexcept { return rows * columns; }
  /// All numbers, row by row; `out` has elements(). Numbers in half precision are widened, which is exact.
  void read(std::span<float> out) const noexcept {
    for (std::uint64_t r = 0; r < rows; ++r) read_row(r, out.subspan(r * columns, columns));
  }
  std::vector<float> values() const {
    std::vector<float> out(elements());
    read(out);
    return out;
  }

  // Where it lies.
  dupq::gguf::tensor stored;
  bool panels = false;          ///< in panels of 16 outputs
  std::uint64_t first_row = 0;  ///< of `stored`, which may hold query, key and value one below the other

 private:
  void read_row(std::uint64_t row, std::span<float> out) const noexcept {
    using dupq::gguf::tensor_type;
    const auto format = stored.type == tensor_type::f32   ? dupq::row_format::f32
                        : stored.type == tensor_type::f16 ? dupq::row_format::f16
                                                          : dupq::row_format::bf16;
    const std::uint64_t number = first_row + row;
    const auto from = [&](std::uint64_t element) {
      return stored.bytes.data() + dupq::stored_bytes(format, static_cast<std::size_t>(element));
    };
    if (!panels) return dupq::widen(from(number * columns), format, out.size(), out.data());
    const std::uint64_t first = number / panel_width * panel_width * columns + number % panel_width;
    for (std::uint64_t i = 0; i < columns; ++i) dupq::widen(from(first + i * panel_width), format, 1, &out[i]);
  }
};

namespace float_weights_detail {

/// The parts of a layer in both languages, in the order of model files.
struct layer_part {
  std::string_view name;
  std::string_view hf_family::*hf_name;
};
inline constexpr layer_part layer_parts[] = {
    {"attn_q", &hf_family::query},
    {"attn_k", &hf_family::key},
    {"attn_v", &hf_family::value},
    {"attn_output", &hf_family::output},
    {"attn_output_norm", &hf_family::attention_norm},
    {"ffn_up", &hf_family::up},
    {"ffn_down", &hf_family::down},
    {"layer_output_norm", &hf_family::norm},
};

class lister {
 public:
  lister(const dupq::model& model, const std::string& path) : model_(model), path_(path) {}

  std::vector<float_weight> run() {
    const dupq::config& c = model_.config();
    const bool cross = c.kind == dupq::model_kind::cross_encoder;
    const hf_family& family = *find_family(name(c.architecture));
    if (c.weights == dupq::weight_type::int8)
      throw failure(path_ + ": its weights are rounded to int8: the model file that it was made of is needed");
    const std::string body = cross ? std::string(family.prefix) : "";
    const std::string embeddings = body + "embeddings.";
    matrix("token_embd", embeddings + "word_embeddings", c.vocabulary, c.hidden);
    matrix("position_embd", embeddings + "position_embeddings", c.positions, c.hidden);
    if (c.token_types != 0) matrix("token_types", embeddings + "token_type_embeddings", c.token_types, c.hidden);
    norm("token_embd_norm", embeddings + "LayerNorm");
    if (c.relative_buckets != 0)
      matrix("attn_rel_b", body + "encoder.relative_attention_bias", c.relative_buckets, c.heads);
    for (std::uint32_t n = 0; n < c.layers; ++n) {
      const std::string block = "blk." + std::to_string(n) + ".";
      const std::string layer = body + std::string(family.layer) + std::to_string(n) + ".";
      for (std::size_t i = 0; i < std::size(layer_parts); ++i) {
        const layer_part& part = layer_parts[i];
        const std::string ours = block + std::string(part.name), theirs = layer + std::string(family.*part.hf_name);
        const bool up = part.name == "ffn_up", down = part.name == "ffn_down";
        if (part.name.ends_with("_norm"))
          norm(ours, theirs);
        else if (i < 3)
          linear(ours, theirs, c.hidden, c.hidden, model_.packed() ? block + "attn_qkv" : ours,
                 model_.packed() ? i * c.hidden : 0);
        else
          linear(ours, theirs, up ? c.intermediate : c.hidden, down ? c.intermediate : c.hidden, ours, 0);
      }
    }
    if (cross) {
      const std::string dense(family.head_dense), output(family.head_output);
      linear("cls", (dense.starts_with("pooler.") ? body : "") + dense, c.hidden, c.hidden, "cls", 0);
      linear("cls.output", output, 1, c.hidden, "cls.output", 0);
    }
    return std::move(all_);
  }

 private:
  float_weight& add(const std::string& name, const std::string& hf_name, const std::string& tensor) {
    float_weight w;
    w.name = name, w.hf_name = hf_name;
    const auto found = model_.file().tensor(tensor, place_);
    if (!found) throw failure(dupq::error(dupq::errc::missing_tensor, tensor).in(path_));
    w.stored = *found;
    using dupq::gguf::tensor_type;
    if (w.stored.type != tensor_type::f32 && w.stored.type != tensor_type::f16 && w.stored.type != tensor_type::bf16)
      throw failure(path_ + ": tensor " + tensor +
                    " is rounded to 8 bits: the model file that it was made of is needed");
    return all_.emplace_back(std::move(w));
  }
  void matrix(const std::string& name, const std::string& hf_name, std::uint64_t rows, std::uint64_t columns) {
    float_weight& w = add(name + ".weight", hf_name + ".weight", name + ".weight");
    w.rows = rows, w.columns = columns;
  }
  void vector(const std::string& name, const std::string& hf_name, std::uint64_t columns, const std::string& tensor,
              std::uint64_t first) {
    float_weight& w = add(name, hf_name, tensor);
    w.columns = columns, w.vector = true;
    w.first_row = first / columns;
  }
  void norm(const std::string& name, const std::string& hf_name) {
    for (const char* part : {".weight", ".bias"})
      vector(name + part, hf_name + part, model_.config().hidden, name + part, 0);
  }
  void linear(const std::string& name, const std::string& hf_name, std::uint64_t rows, std::uint64_t columns,
              const std::string& tensor, std::uint64_t first_row) {
    float_weight& w = add(name + ".weight", hf_name + ".weight", tensor + ".weight");
    w.rows = rows, w.columns = columns;
    w.panels = model_.packed();
    w.first_row = first_row;
    vector(name + ".bias", hf_name + ".bias", rows, tensor + ".bias", first_row);
  }

  const dupq::model& model_;
  const std::string& path_;
  dupq::gguf::tensor_place place_;
  std::vector<float_weight> all_;
};

}  // namespace float_weights_detail

/// All weights of a model, in the order of a plain model file. They view the model's file. `path` is what failures
/// call it: weights that are rounded to 8 bits, which cannot be got back, are one.
inline std::vector<float_weight> float_weights(const dupq::model& model, const std::string& path) {
  return float_weights_detail::lister(model, path).run();
}

}  // namespace dupq_tool
