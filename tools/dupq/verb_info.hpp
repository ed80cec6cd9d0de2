// dupq info: what a model file is, and what this machine makes of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/gguf.hpp>
#include <dupq/core/sha256.hpp>
#include <dupq/device/cpu/exact.hpp>
#include <dupq/workspace.hpp>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "json.hpp"
#include "output_file.hpp"
#include "session.hpp"
#include "training_keys.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// The type of tensors that takes the most bytes of the file.
inline std::string weight_types(const dupq::gguf::file& file) {
  using dupq::gguf::tensor_type;
  std::map<tensor_type, std::uint64_t> bytes;
  file.for_each_tensor([&](const dupq::gguf::tensor& t) { bytes[t.type] += t.bytes.size(); });
  tensor_type most{};
  for (const auto& [type, n] : bytes)
    if (n > bytes[most]) most = type;
  switch (most) {
    case tensor_type::f32: return "f32";
    case tensor_type::f16: return "f16";
    case tensor_type::bf16: return "bf16";
    case tensor_type::q8_0: return "q8_0";
    case tensor_type::i8: return "int8";
    case tensor_type::i32: return "i32";
  }
  return "unknown";
}

inline void verify_digest(const std::string& path, const dupq::gguf::file& file) {
  const auto stored = file.find("dupq.digest");
  if (!stored) throw failure(path + ": dupq.digest: missing key, so nothing can be verified");
  if (dupq::sha256_hex(file.bytes().subspan(file.data_offset())) != stored->text())
    throw failure(path + ": dupq.digest: the tensors have another digest");
}

/// Room for 64 texts of up to 128 tokens in one batch, or of as many as the model reads.
inline dupq::limits usual_batch(const dupq::config& c) {
  const std::size_t tokens = std::min<std::size_t>(128, c.max_length);
  return {.text_tokens = tokens, .packed_tokens = 64 * tokens, .texts = 64};
}

inline std::size_t workspace_of(const dupq::config& c, const dupq::limits& l) {
  const bool table = c.kind == dupq::model_kind::static_encoder;
  return table ? dupq::static_encoder::workspace_bytes(c, l) : dupq::workspace_bytes(c, l);
}

inline void run_info(const arguments& args) {
  const dupq::model model = open_model(args[0], args);
  if (args.has("--verify")) verify_digest(args[0], model.file());
  const dupq::config& c = model.config();
  const bool cross = c.kind == dupq::model_kind::cross_encoder;
  const auto count = [](std::uint64_t n) { return json::value(static_cast<std::int64_t>(n)); };
  const auto text = [](std::string_view t) { return json::value(std::string(t)); };
  json::array kernels;
  for (const dupq::kernels* table : dupq::available_kernels()) kernels.push_back(text(table->name));
  const auto prompts = take(dupq::prompt_list::read(model.file()));
  const bool has_cascade = model.file().find(dupq::cascade_settings::lower_key).has_value();
  json::value cascade;
  if (has_cascade) {
    const auto settings = dupq::cascade_settings::read(model.file());
    if (!settings) throw failure(settings.error().in(args[0]));
    cascade = json::object{{"lower", as_shortest(settings->band.lower)},
                           {"upper", as_shortest(settings->band.upper)},
                           {"threshold", as_shortest(settings->band.threshold)},
                           {"cross_encoder", text(settings->name)}};
  }
  json::value training;
  if (const auto trained = training_record::read(model.file(), args[0]))
    training =
        json::object{{"base", text(trained->base)},
                     {"loss", text(trained->loss)},
                     {"epochs", as_shortest(trained->epochs)},
                     {"steps", count(trained->steps)},
                     {"seed", trained->seed <= INT64_MAX ? count(trained->seed) : text(std::to_string(trained->seed))},
                     {"f1", trained->f1 ? json::value(as_shortest(*trained->f1)) : json::value()}};
  json::object listed;
  prompts.for_each([&](std::string_view key, std::string_view value) { listed.emplace_back(key, text(value)); });
  const json::object o{{"kind", text(name(c.kind))},
                       {"architecture", text(name(c.architecture))},
                       {"layers", count(c.layers)},
                       {"hidden", count(c.hidden)},
                       {"heads", count(c.heads)},
                       {"intermediate", count(c.intermediate)},
                       {"vocabulary", count(c.vocabulary)},
                       {"max_length", count(c.max_length)},
                       {"dimensions", cross ? json::value() : count(c.dim())},
                       {"pooling", cross ? json::value() : text(pooling_text(c.pooling))},
                       {"normalize", cross ? json::value() : json::value(c.normalize)},
                       {"similarity", cross ? json::value() : text(name(c.similarity))},
                       {"prompts", json::value(listed)},
                       {"prompt", prompts.used().empty() ? json::value() : text(prompts.used())},
                       {"activation", cross ? text(name(c.activation)) : json::value()},
                       {"threshold", model.threshold() ? json::value(as_shortest(*model.threshold())) : json::value()},
                       {"cascade", cascade},
                       {"training", training},
                       {"weights", text(c.weights == dupq::weight_type::int8 ? "int8" : weight_types(model.file()))},
                       {"file_bytes", count(model.file().bytes().size())},
                       {"workspace_bytes", count(workspace_of(c, {}))},
                       {"workspace_64x128", count(workspace_of(c, usual_batch(c)))},
                       {"exact_arithmetic", json::value(dupq::exact_arithmetic(model.kernel_table()))},
                       {"kernels", json::value(kernels)},
                       {"kernel", text(model.kernels())}};
  output_file out("-");
  if (args.has("--json")) {
    out.write(json::print(o, 1) + '\n');
  } else {
    for (const auto& [key, value] : o) {
      std::string line = key + std::string(18 - key.size(), ' ');
      if (const auto* list = value.as<json::array>())
        for (const json::value& item : *list) line += (&item == &list->front() ? "" : ", ") + *item.as<std::string>();
      else if (const auto* members = value.as<json::object>())
        line += members->empty() ? "none" : json::print(value).substr(1, json::print(value).size() - 2);
      else
        line += value.is_null() ? "none" : value.as<std::string>() ? *value.as<std::string>() : json::print(value);
      out.write(line + '\n');
    }
    if (args.has("--verify")) out.write("digest            verified\n");
  }
  out.commit();
}

inline verb info_verb() {
  return {.name = "info",
          .summary = "what a model file is and what this machine makes of it",
          .usage = "M.gguf [--json] [--verify] [--kernels NAME]",
          .help =
              "workspace_bytes is an encoder's memory; workspace_64x128 that for batches of 64 texts of 128 tokens.\n"
              "  --json          one JSON object\n"
              "  --verify        check the digest of the tensors (a mismatch: exit 1)\n"
              "  --kernels NAME  force a kernel table\n",
          .options = {{"--json", false}, {"--verify", false}, {"--kernels", true}},
          .run = run_info};
}

}  // namespace dupq_tool
