// README.md of an exported folder: what the model is, what the file knows of its training, and how Python loads it.
#pragma once

#include <cstdint>
#include <dupq/core/config.hpp>
#include <dupq/model.hpp>
#include <dupq/model/metadata.hpp>
#include <string>
#include <string_view>

#include "format.hpp"
#include "json.hpp"
#include "training_keys.hpp"

namespace dupq_tool {

namespace card_detail {

/// A text on one line, without what Markdown would make of it.
inline std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>#|").find(c) != std::string_view::npos) out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out;
}

inline std::string bi_encoder_example(const std::string& threshold) {
  return "from sentence_transformers import SentenceTransformer\n\n"
         "model = SentenceTransformer(\"FOLDER\")\n"
         "vectors = model.encode([\"How do I learn C++?\", \"What is the best way to learn C++?\"])\n"
         "score = model.similarity_pairwise(vectors[:1], vectors[1:])[0].item()\n"
         "print(score, \"duplicate\" if score >= " +
         threshold + " else \"different\")\n";
}
inline std::string cross_encoder_example(const std::string& threshold) {
  return "from sentence_transformers import CrossEncoder\n\n"
         "model = CrossEncoder(\"FOLDER\")\n"
         "score = model.predict([(\"How do I learn C++?\", \"What is the best way to learn C++?\")])[0].item()\n"
         "print(score, \"duplicate\" if score >= " +
         threshold + " else \"different\")\n";
}

}  // namespace card_detail

/// `path`: the model file's, for messages.
inline std::string model_card(const dupq::model& model, const std::string& path) {
  const dupq::config& c = model.config();
  dupq::metadata_reader keys(model.file());
  const bool cross = c.kind == dupq::model_kind::cross_encoder;
  const std::string name(keys.text("general.name", "model"));
  const auto trained = training_record::read(model.file(), path);
  const auto threshold = model.threshold();

  std::string text = "---\nlibrary_name: sentence-transformers\n";
  text += cross ? "pipeline_tag: text-ranking\n" : "pipeline_tag: sentence-similarity\n";
  text += "tags:\n- sentence-transformers\n";
  text += cross ? "- cross-encoder\n- text-classification\n" : "- sentence-similarity\n- feature-extraction\n";
  text += "---\n\n# " + card_detail::plain(name) + "\n\n";
  text += cross ? "A cross-encoder: two questions in, how sure it is that they are duplicates out"
                : "A bi-encoder: a question in, a vector of " + std::to_string(c.dim()) + " numbers out";
  text += ". Exported by dupq from a model file.\n\n| | |\n|---|---|\n";
  const auto row = [&](const char* what, const std::string& value) {
    text += std::string("| ") + what + " | " + card_detail::plain(value) + " |\n";
  };
  if (trained) {
    row("base", trained->base);
    row("loss", trained->loss);
    row("trained for", shortest(trained->epochs) + (trained->epochs == 1 ? " epoch, " : " epochs, ") +
                           counted(trained->steps, "step") + ", seed " + std::to_string(trained->seed));
    if (trained->f1) row("F1 on the validation pairs", fixed(static_cast<double>(*trained->f1), 4));
  }
  if (threshold) row("threshold: duplicates from this score on", shortest(*threshold));
  row("architecture", std::string(dupq::name(c.architecture)) + ", " + counted(c.layers, "layer") + ", " +
                          std::to_string(c.hidden) + " wide, " + counted(c.heads, "head"));
  row("tokens of a text, at most", std::to_string(c.max_length));
  if (cross) {
    row("score", c.activation == dupq::score_activation::sigmoid ? "a probability" : "a logit");
  } else {
    row("pooling", pooling_text(c.pooling) + (c.normalize ? ", length 1" : ""));
    row("similarity", std::string(dupq::name(c.similarity)));
  }
  const std::string usual = cross ? c.activation == dupq::score_activation::sigmoid ? "0.5" : "0" : "0.75";
  const std::string from = threshold ? shortest(*threshold) : usual;
  text += "\n```python\n" + (cross ? card_detail::cross_encoder_example(from) : card_detail::bi_encoder_example(from)) +
          "```\n";
  return text;
}

}  // namespace dupq_tool
