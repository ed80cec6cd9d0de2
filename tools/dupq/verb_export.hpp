// dupq export: a model file to a Hugging Face folder.
#pragma once

#include <cstddef>
#include <cstdio>
#include <dupq/model/cascade_settings.hpp>
#include <dupq/model/prompts.hpp>
#include <span>
#include <string>

#include "export_config.hpp"
#include "export_tokenizer.hpp"
#include "float_weights.hpp"
#include "model_card.hpp"
#include "output_file.hpp"
#include "output_folder.hpp"
#include "safetensors_writer.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Writes the folder that `convert` reads back to the same model, and that sentence-transformers and transformers load.
inline void export_folder(const dupq::model& model, const std::string& path, output_folder& out) {
  const dupq::config& c = model.config();
  if (c.kind == dupq::model_kind::static_encoder) throw failure(path + ": a static model cannot be exported");
  // What was made of another family's model: BERT's own classes have a tanh there, and count positions from 0.
  if (c.head_activation != dupq::head_activation::tanh)
    throw failure(path + ": dupq.head_activation: a head with " + std::string(name(c.head_activation)) +
                  " cannot be exported, only one with tanh");
  if (c.position_offset != (c.architecture == dupq::architecture::mpnet ? 2u : 0u))
    throw failure(path + ": dupq.position_offset: " + std::to_string(c.position_offset) + " cannot be exported");
  if (c.hidden_activation != dupq::hidden_activation::gelu)
    throw failure(path + ": dupq.hidden_activation: " + std::string(name(c.hidden_activation)) +
                  " cannot be exported, only gelu");
  if (c.dense_dim != 0) throw failure(path + ": a layer after the pooling cannot be exported");
  if (const auto words = model.file().find("tokenizer.ggml.model"); !words || words->text() != "bert")
    throw failure(path + ": tokenizer.ggml.model: only WordPiece tokenizers can be exported");
  const std::vector<float_weight> weights = float_weights(model, path);
  const export_tokenizer tokenizer(model, path);
  const auto prompts = take(dupq::prompt_list::read(model.file()));
  const auto write = [&](const char* name, json::value v) { out.text(name, json::print(v, 2) + '\n'); };
  const bool cross = c.kind == dupq::model_kind::cross_encoder;

  write("config.json", export_detail::model_config(model));
  // A cross-encoder needs sentence-transformers' files for its prompts alone; older versions do not know them.
  if (!cross || prompts.size() != 0) {
    write("modules.json", export_detail::modules(c));
    write("config_sentence_transformers.json", export_detail::sentence_config(model, prompts));
    write("sentence_bert_config.json", export_detail::transformer_settings(c));
  }
  if (!cross) {
    write("1_Pooling/config.json", export_detail::pooling_config(c));
    if (c.normalize) out.folder("2_Normalize");
  }
  write("tokenizer.json", tokenizer.tokenizer_json());
  write("tokenizer_config.json", tokenizer.tokenizer_config());
  write("special_tokens_map.json", tokenizer.special_tokens_map());
  if (const auto lines = tokenizer.vocab_txt()) out.text("vocab.txt", *lines);
  out.file("model.safetensors", [&](output_file& file) {
    safetensors::write(weights, [&](std::span<const std::byte> bytes) { file.write(bytes.data(), bytes.size()); });
  });
  out.text("README.md", model_card(model, path));
}

inline void run_export(const arguments& args) {
  const std::string to = args.needed("-o");
  const dupq::model model = open_model(args[0], args);
  output_folder out(to);
  export_folder(model, args[0], out);
  out.commit();
  if (const auto threshold = model.threshold())
    std::fprintf(stderr, "dupq: note: the threshold %s stands in README.md alone; `dupq calibrate` finds it again\n",
                 shortest(*threshold).c_str());
  if (model.file().find(dupq::cascade_settings::lower_key))
    std::fprintf(stderr, "dupq: note: the cascade's thresholds are left out, a folder has no place for them\n");
  const dupq::config& c = model.config();
  output_file line("-");
  line.write(to + ": " + std::string(name(c.kind)) + ", " + counted(c.layers, "layer") + ", " +
             counted(c.vocabulary, "token") + ", f32 weights\n");
  line.commit();
}

inline verb export_verb() {
  return {.name = "export",
          .summary = "model file to Hugging Face folder",
          .usage = "M.gguf -o FOLDER",
          .help =
              "Writes a folder that sentence-transformers and transformers load, with the same ids, vectors and\n"
              "scores, and that `dupq convert` reads back to the same weights. FOLDER is written whole or not at\n"
              "all; it must not be there yet, or be empty. float32 and float16 files; of int8 the original is "
              "needed.\n",
          .options = {{"-o", true}},
          .run = run_export};
}

}  // namespace dupq_tool
