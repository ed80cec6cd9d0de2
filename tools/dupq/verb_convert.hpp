// dupq convert: a Hugging Face folder to a model file.
#pragma once

#include <cstdio>
#include <string>

#include "convert.hpp"
#include "format.hpp"
#include "output_file.hpp"
#include "utf8.hpp"
#include "verb.hpp"

namespace dupq_tool {

inline void run_convert(const arguments& args) {
  const std::string to = args.needed("-o");
  convert_options options;
  constexpr weight_type types[] = {weight_type::f32, weight_type::f16, weight_type::int8};
  constexpr tensor_layout layouts[] = {tensor_layout::packed, tensor_layout::plain};
  options.type = types[args.choice("--type", {"f32", "f16", "int8"})];
  options.layout = layouts[args.choice("--layout", {"packed", "plain"})];
  options.positive_label = args.text("--positive-label");
  options.dim = args.number<std::uint32_t>("--dim", 1, dupq::model_limits::hidden);
  options.prompt = args.text("--prompt");
  if (options.prompt && !is_utf8(*options.prompt)) throw usage_error("--prompt: not UTF-8");
  if (options.prompt && options.prompt->size() > dupq::prompted_text::most_prompt)
    throw usage_error("--prompt: longer than " + std::to_string(dupq::prompted_text::most_prompt) + " bytes");
  const convert_summary made = convert(args[0], to, options);
  for (const std::string& note : made.notes) std::fprintf(stderr, "dupq: note: %s\n", note.c_str());
  if (to == "-") return;
  output_file out("-");
  out.write(to + ": " + std::string(name(made.kind)) + ", " + counted(made.layers, "layer") + ", " +
            counted(made.tokens, "token") + ", " + std::string(name(options.type)) + " weights, " +
            fixed(static_cast<double>(made.bytes) / 1e6, 1) + " MB\n");
  out.commit();
}

inline verb convert_verb() {
  return {
      .name = "convert",
      .summary = "Hugging Face folder to model file",
      .usage = "DIR -o M.gguf [--type f32|f16|int8] [--layout packed|plain] [--prompt TEXT] [OPTIONS]",
      .help =
          "Reads config.json, the tokenizer's files, the pooling's and model.safetensors of DIR.\n"
          "  --type T        how weights are stored (default f32); int8 also computes with integers: faster, a "
          "quarter\n"
          "                  of the size, vectors with a cosine of about 0.999 to those of f32; packed only\n"
          "  --layout L      packed: as the kernels read them (default); plain: as llama.cpp names them\n"
          "  --positive-label L  which of a classifier's two labels means duplicates, its name or 0 or 1; only where\n"
          "                  id2label does not say it\n"
          "  --prompt TEXT   goes before every text, where the folder does not say what the model was trained with:\n"
          "                  for multilingual-e5 and its like 'query: ', with the blank; '' for nothing\n"
          "  --dim N         static models: the first N numbers of each row\n",
      .options = {{"-o", true},
                  {"--type", true},
                  {"--layout", true},
                  {"--positive-label", true},
                  {"--dim", true},
                  {"--prompt", true}},
      .run = run_convert};
}

}  // namespace dupq_tool
