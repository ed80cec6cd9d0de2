// Hugging Face folder in, model file out.
#pragma once

#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/core/sha256.hpp>
#include <dupq/model.hpp>
#include <dupq/text/vocabulary.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convert_options.hpp"
#include "convert_static.hpp"
#include "folder_file.hpp"
#include "format.hpp"
#include "gguf_tokenizer.hpp"
#include "hf_checkpoint.hpp"
#include "hf_folder.hpp"
#include "hf_foreign.hpp"
#include "hf_tokenizer.hpp"
#include "hf_weights.hpp"
#include "hub_cache.hpp"
#include "model_output.hpp"
#include "tensor_layout.hpp"
#include "tensor_writer.hpp"

namespace dupq_tool {

/// Adds the keys of settings that few checkpoints have. A file that would be read wrongly without them gets version 2,
/// so that programs that do not know these keys refuse it.
inline void add_rare_keys(dupq::gguf::writer& out, const hf_folder& folder, const hf_tokenizer& tokenizer) {
  const dupq::config& c = folder.config;
  const bool cut = c.dim() != c.whole_dim() && c.kind == dupq::model_kind::bi_encoder;
  const bool head = c.head_activation != dupq::head_activation::tanh, dense = c.dense_dim != 0;
  const bool hidden = c.hidden_activation != dupq::hidden_activation::gelu;
  const bool rare = hidden || c.pooling.sequence != 0 || cut || c.similarity != dupq::similarity::cosine || head ||
                    dense || !folder.prompts.used.empty() || tokenizer.is_rare();
  out.add("dupq.version", std::uint32_t{rare ? 2u : 1u});
  if (cut) out.add("dupq.truncate_dim", c.truncate_dim);
  if (c.similarity != dupq::similarity::cosine) out.add("dupq.similarity", name(c.similarity));
  if (head) out.add("dupq.head_activation", name(c.head_activation));
  if (hidden) out.add("dupq.hidden_activation", name(c.hidden_activation));
  if (dense) {
    out.add("dupq.dense.outputs", c.dense_dim);
    out.add("dupq.dense.activation", c.dense_tanh ? "tanh" : "identity");
    out.add("dupq.dense.normalize_before", c.normalize_pooled);
  }
  std::vector<std::string> names, texts;
  for (const auto& [name, text] : folder.prompts.all)
    if (!text.empty()) names.push_back(name), texts.push_back(text);
  if (names.empty()) return;
  out.add("dupq.prompts.names", names);
  out.add("dupq.prompts.texts", texts);
  if (!folder.prompts.used.empty()) out.add("dupq.prompt", folder.prompts.used);
  if (!c.pool_prompt) out.add("dupq.pool_prompt", false);
}

/// The model in numbers. llama.cpp's keys come first, then our own.
inline void add_model_keys(dupq::gguf::writer& out, const hf_folder& folder, const hf_tokenizer& tokenizer,
                           const convert_options& options) {
  const dupq::config& c = folder.config;
  const std::string architecture(name(c.architecture));
  const bool cross = c.kind == dupq::model_kind::cross_encoder;
  out.add("general.architecture", (options.layout == tensor_layout::packed ? "dupq-" : "") + architecture);
  out.add("general.name", folder.name);
  if (options.layout == tensor_layout::packed) out.add("general.alignment", std::uint32_t{dupq::alignment});
  constexpr std::uint32_t all_f32 = 0, mostly_f16 = 1, mostly_q8_0 = 7;  // llama.cpp's; there is none for our integers
  out.add("general.file_type", options.type == weight_type::f32   ? all_f32
                               : options.type == weight_type::f16 ? mostly_f16
                                                                  : mostly_q8_0);
  const auto own = [&](const char* key, auto v) { out.add(architecture + key, v); };
  own(".context_length", c.positions);
  own(".embedding_length", c.hidden);
  own(".feed_forward_length", c.intermediate);
  own(".block_count", c.layers);
  own(".attention.head_count", c.heads);
  own(".attention.layer_norm_epsilon", c.norm_epsilon);
  own(".attention.causal", false);
  const auto mode = c.pooling;
  const bool mean = mode == dupq::pooling{.mean = true}, first = mode == dupq::pooling{.cls = true};
  own(".pooling_type", std::uint32_t{cross ? 4u : mean ? 1u : first ? 2u : 0u});

  add_rare_keys(out, folder, tokenizer);
  out.add("dupq.kind", name(c.kind));
  out.add("dupq.weights", name(options.type));
  out.add("dupq.max_length", c.max_length);
  out.add("dupq.pooling", pooling_text(c.pooling));
  out.add("dupq.normalize", c.normalize);
  out.add("dupq.activation", name(c.activation));
  out.add("dupq.position_offset", c.position_offset);
  if (c.relative_buckets != 0) out.add("dupq.relative_buckets", c.relative_buckets);
}

/// What stands before the tensors' bytes.
inline dupq::gguf::writer describe(const hf_folder& model, const hf_tokenizer& tokenizer,
                                   const convert_options& options, const std::vector<output_tensor>& tensors,
                                   std::string_view digest) {
  dupq::gguf::writer writer(alignment_of(options.layout));
  add_model_keys(writer, model, tokenizer, options);
  add_tokenizer_keys(writer, tokenizer, model);
  writer.add("dupq.digest", digest);
  for (const output_tensor& t : tensors) writer.add_tensor(t.name, t.type, t.extents, t.bytes());
  return writer;
}

inline dupq::heap_list<std::byte> header_of(const dupq::gguf::writer& writer) {
  auto header = writer.header();
  if (!header) throw failure(header.error());
  return std::move(*header);
}

/// The model file in memory, in float32 and packed.
inline std::vector<std::byte> file_in_memory(const hf_folder& folder, const hf_tokenizer& tokenizer,
                                             const hf_weights& weights) {
  const convert_options options;
  const std::vector<output_tensor> tensors = lay_out(weights, tokenizer.pieces.size(), options.layout, options.type);
  const dupq::gguf::writer writer = describe(folder, tokenizer, options, tensors, "");
  const auto header = header_of(writer);
  std::vector<std::byte> file;
  file.reserve(header.size() + writer.data_bytes());
  const auto append = [&](std::span<const std::byte> bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); };
  append(header.items());
  produce(tensors, options.layout, append);
  return file;
}

/// The linear matrices as integers. What their inputs look like is measured: the float32 model is built in memory and
/// run over the calibration texts.
inline integer_matrices make_integers(const hf_folder& folder, const hf_tokenizer& tokenizer,
                                      const hf_weights& weights) {
  const std::vector<std::byte> file = file_in_memory(folder, tokenizer, weights);
  return round_model(*model_in_memory(file));
}

/// For families whose first positions are those of padding (RoBERTa): the layout `plain` leaves these rows out of the
/// table of positions, because llama.cpp counts positions from 0.
inline void place_positions(hf_folder& model, const hf_tokenizer& tokenizer, const convert_options& options) {
  if (!model.body.pad) return;
  if (tokenizer.pad != *model.body.pad)
    throw failure(os::name_of(model.transformer / "config.json") + ": pad_token_id: " +
                  std::to_string(*model.body.pad) + " contradicts the tokenizer's " + std::to_string(tokenizer.pad));
  if (options.layout != tensor_layout::plain) return;
  ++model.body.skipped_positions;
  --model.config.positions;
  model.config.position_offset = 0;
}

/// Converts `folder` to the model file `path` ("-": standard output). What is missing, contradictory or not supported
/// is a failure that names the file and the key or tensor, and int8 in the plain layout is wrong usage; then nothing is
/// written.
inline convert_summary convert(const std::string& folder, const std::string& path, const convert_options& options) {
  if (options.type == weight_type::int8 && options.layout != tensor_layout::packed)
    throw usage_error("the type int8 needs the packed layout");
  const std::filesystem::path root = hub_cache::snapshot(os::path_of(folder));
  foreign_folder::refuse(root);
  if (hf_static_reader::is_static(root)) return convert_static(root, path, options);
  if (options.dim) throw usage_error("--dim is for static models");
  hf_folder model = read_hf_folder(root, options.positive_label);
  if (options.prompt) model.prompts.use(*options.prompt);
  if (options.type == weight_type::int8 && model.config.intermediate > dupq::model_limits::integer_inputs)
    throw failure(os::name_of(model.transformer / "config.json") +
                  ": intermediate_size: " + std::to_string(model.config.intermediate) +
                  " is too large for int8, at most " + std::to_string(dupq::model_limits::integer_inputs));
  const hf_tokenizer tokenizer = hf_tokenizer_reader::read(model);
  place_positions(model, tokenizer, options);
  const hf_checkpoint weights(model.transformer);
  hf_weights found = find_weights(weights, model.config, model.body);
  std::optional<hf_checkpoint> dense;
  if (model.config.dense_dim != 0) {
    if (options.layout == tensor_layout::plain)
      throw failure(os::name_of(model.dense) + ": Dense is not supported by the plain layout, only by the packed one");
    find_dense(dense.emplace(model.dense), model.config, found);
  }
  if (model.config.kind == dupq::model_kind::cross_encoder && !tokenizer.pairs_typed && found.types != nullptr)
    found.types = found.made.first_row_repeated(*found.types);
  integer_matrices integers;
  if (options.type == weight_type::int8) integers = make_integers(model, tokenizer, found);
  const std::vector<output_tensor> tensors =
      lay_out(found, tokenizer.pieces.size(), options.layout, options.type, integers);
  dupq::sha256 digest;  // it stands before the data, so the data is produced twice rather than kept
  produce(tensors, options.layout, [&](std::span<const std::byte> bytes) { digest.update(bytes); });

  const dupq::gguf::writer writer = describe(model, tokenizer, options, tensors, digest.hex());
  const auto header = header_of(writer);
  model_output out(path);
  out.write(header.items());
  produce(tensors, options.layout, [&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.commit();
  std::vector<std::string> notes = tokenizer.notes;
  if (!model.body.labels.note.empty()) notes.push_back(model.body.labels.note);
  return {model.config.kind, model.config.layers, tokenizer.pieces.size(), header.size() + writer.data_bytes(),
          std::move(notes)};
}

}  // namespace dupq_tool
