// Static models to model files: see hf_static.hpp for what is read, dupq/model/static_table.hpp for what is written.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/core/heap_list.hpp>
#include <dupq/core/sha256.hpp>
#include <dupq/model/static_table.hpp>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "convert_options.hpp"
#include "failure.hpp"
#include "gguf_tokenizer.hpp"
#include "hf_static.hpp"
#include "model_output.hpp"
#include "tensor_layout.hpp"
#include "tensor_writer.hpp"

namespace dupq_tool {

/// A table as floats, with what a model file needs to know of it.
struct static_model {
  hf_folder folder;  ///< `config` in full
  hf_tokenizer tokenizer;
  std::vector<float> rows;            ///< [count][config.hidden]
  std::vector<std::uint32_t> row_of;  ///< of each token; empty: its own
  std::vector<float> weights;         ///< of each token; empty: 1
  std::string source, name;           ///< where the rows come from, for failures
  bool drop_unknown = false;
  std::uint32_t max_chars = 0;

  std::size_t count() const noexcept { return rows.size() / folder.config.hidden; }
};

/// The keys of a static model, all but the tokenizer's.
inline void add_static_keys(dupq::gguf::writer& out, const static_model& m, weight_type type) {
  const dupq::config& c = m.folder.config;
  out.add("general.architecture", dupq::static_table::architecture);
  if (!m.folder.name.empty()) out.add("general.name", m.folder.name);
  out.add("general.alignment", std::uint32_t{dupq::alignment});
  out.add("static.embedding_length", c.hidden);
  out.add("dupq.version", std::uint32_t{2});
  out.add("dupq.kind", name(dupq::model_kind::static_encoder));
  out.add("dupq.weights", name(type));
  out.add("dupq.max_length", c.max_length);
  out.add("dupq.pooling", "mean");
  out.add("dupq.normalize", c.normalize);
  if (c.truncate_dim != 0 && c.truncate_dim < c.hidden) out.add("dupq.truncate_dim", c.truncate_dim);
  if (c.similarity != dupq::similarity::cosine) out.add("dupq.similarity", name(c.similarity));
  out.add(dupq::static_table::unknown_key, m.drop_unknown);
  if (m.max_chars != 0) out.add(dupq::static_table::chars_key, m.max_chars);
  if (!m.row_of.empty()) out.add(dupq::static_table::rows_key, std::span<const std::uint32_t>(m.row_of));
  if (!m.weights.empty()) out.add(dupq::static_table::weights_key, std::span<const float>(m.weights));
  std::vector<std::string> names, texts;
  for (const auto& [name, text] : m.folder.prompts.all)
    if (!text.empty()) names.push_back(name), texts.push_back(text);
  if (names.empty()) return;
  out.add("dupq.prompts.names", names);
  out.add("dupq.prompts.texts", texts);
  if (!m.folder.prompts.used.empty()) out.add("dupq.prompt", m.folder.prompts.used);
}

/// The model file of a static model, which is referred to; add_tokenizer(writer) adds the tokenizer's keys.
class static_file {
 public:
  template <class AddTokenizer>
  static_file(const static_model& m, weight_type type, AddTokenizer&& add_tokenizer) {
    using dupq::gguf::tensor_type;
    const std::uint32_t columns = m.folder.config.hidden;
    rows_.name = m.name, rows_.type = "F32", rows_.source = &m.source;
    rows_.shape.count = 2, rows_.shape.first[0] = m.count(), rows_.shape.first[1] = columns;
    rows_.elements = m.rows.size();
    rows_.bytes = std::as_bytes(std::span(m.rows));
    const bool blocks = type == weight_type::int8 && columns % q8_0_values == 0;
    tensors_.push_back(table_tensor(rows_, type == weight_type::f32 ? tensor_type::f32
                                           : blocks                 ? tensor_type::q8_0
                                                                    : tensor_type::f16));
    dupq::sha256 digest;  // it stands before the data
    produce(tensors_, tensor_layout::packed, [&](std::span<const std::byte> bytes) { digest.update(bytes); });
    dupq::gguf::writer writer(dupq::alignment);
    add_static_keys(writer, m, type);
    add_tokenizer(writer);
    writer.add("dupq.digest", digest.hex());
    for (const output_tensor& t : tensors_) writer.add_tensor(t.name, t.type, t.extents, t.bytes());
    auto header = writer.header();
    if (!header) throw failure(header.error());
    header_ = std::move(*header);
    bytes_ = header_.size() + writer.data_bytes();
  }
  static_file(const static_file&) = delete;
  static_file& operator=(const static_file&) = delete;

  std::uint64_t bytes() const noexcept { return bytes_; }
  /// Hands all of them to `sink`, piece by piece.
  void write(const byte_sink& sink) const {
    sink(header_.items());
    produce(tensors_, tensor_layout::packed, sink);
  }

 private:
  safetensors::tensor rows_;
  std::vector<output_tensor> tensors_;
  dupq::heap_list<std::byte> header_;
  std::uint64_t bytes_ = 0;
};

/// Writes the model file `path` ("-": standard output). Returns its size.
inline std::uint64_t write_static(const static_file& file, const std::string& path) {
  model_output out(path);
  file.write([&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.commit();
  return file.bytes();
}

/// Row or weight number i, which is a whole number in [0, most).
inline std::uint32_t row_number(const safetensors::tensor& t, std::uint64_t i, std::uint64_t most) {
  std::int64_t row = 0;
  if (t.type == "I64") {
    std::memcpy(&row, t.bytes.data() + 8 * i, 8);
  } else {
    std::int32_t narrow = 0;
    std::memcpy(&narrow, t.bytes.data() + 4 * i, 4);
    row = narrow;
  }
  if (row < 0 || static_cast<std::uint64_t>(row) >= most)
    hf_static_reader::fail(t, "element " + std::to_string(i) + " is " + std::to_string(row) + ", there are " +
                                  std::to_string(most) + " rows");
  return static_cast<std::uint32_t>(row);
}

/// The first `dim` numbers of every row.
inline std::vector<float> read_rows(const safetensors::tensor& t, std::uint64_t dim) {
  const std::uint64_t count = t.shape[0], width = t.shape[1];
  std::vector<float> out(count * dim);
  for (std::uint64_t r = 0; r < count; ++r) {
    const std::span<float> to(out.data() + r * dim, dim);
    if (t.type != "I8") {
      t.read(r * width, to);
      continue;
    }
    for (std::uint64_t i = 0; i < dim; ++i)
      to[i] = static_cast<float>(static_cast<std::int8_t>(t.bytes[r * width + i]));
  }
  return out;
}

/// Reads the folder of a static model, of whose rows the first `dim` numbers are kept where that is given.
inline static_model read_static_folder(const std::filesystem::path& root, std::optional<std::uint32_t> dim = {}) {
  hf_static read = hf_static_reader::read(root);
  const hf_checkpoint file(read.folder.transformer);
  const hf_static_table table = hf_static_reader::find_table(file, read.folder.config);
  static_model m;
  m.tokenizer = hf_tokenizer_reader::read(read.folder);
  m.folder = std::move(read.folder);
  m.drop_unknown = read.drop_unknown;
  dupq::config& c = m.folder.config;
  if (dim) {
    if (*dim > c.hidden)
      throw usage_error("--dim " + std::to_string(*dim) + ": the model has " + std::to_string(c.hidden));
    c.hidden = *dim;
    if (c.truncate_dim >= c.hidden) c.truncate_dim = 0;
  }
  // Around a text's tokens there is room for two special ones, which no static model reads.
  c.max_length = read.most_tokens.value_or(hf_static_reader::unlimited) + 2;
  if (m.drop_unknown && read.most_tokens) m.max_chars = hf_static_reader::chars_for(m.tokenizer, *read.most_tokens);
  m.rows = read_rows(*table.rows, c.hidden);
  m.source = *table.rows->source, m.name = std::string(table.rows->name);
  const std::uint64_t tokens = m.tokenizer.pieces.size();
  if (table.row_of != nullptr)
    for (std::uint64_t i = 0; i < tokens; ++i) m.row_of.push_back(row_number(*table.row_of, i, m.count()));
  else
    m.rows.resize(tokens * c.hidden);  // more are padding
  if (table.weights != nullptr) {
    m.weights.resize(tokens);
    table.weights->read(0, m.weights);
    for (std::uint64_t i = 0; i < tokens; ++i)
      if (!std::isfinite(m.weights[i]))
        hf_static_reader::fail(*table.weights, "element " + std::to_string(i) + " is not finite");
  }
  return m;
}

/// The model file of a folder that was read.
inline static_file file_of(const static_model& m, weight_type type) {
  return static_file(m, type, [&](dupq::gguf::writer& keys) { add_tokenizer_keys(keys, m.tokenizer, m.folder); });
}

/// Converts the folder of a static model.
inline convert_summary convert_static(const std::filesystem::path& root, const std::string& path,
                                      const convert_options& options) {
  if (options.layout != tensor_layout::packed) throw usage_error("a static model has no plain layout");
  if (options.positive_label) throw usage_error("--positive-label is for models with two labels");
  static_model m = read_static_folder(root, options.dim);
  if (options.prompt) m.folder.prompts.use(*options.prompt);
  const std::uint64_t bytes = write_static(file_of(m, options.type), path);
  return {dupq::model_kind::static_encoder, 0, m.tokenizer.pieces.size(), bytes, m.tokenizer.notes};
}

}  // namespace dupq_tool
