// dupq distill: a static model out of a bi-encoder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dupq/core/gguf_writer.hpp>
#include <dupq/core/sha256.hpp>
#include <dupq/model/static_table.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convert_static.hpp"
#include "distill.hpp"
#include "row_source.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Whether a key says something of the text and the tokenizer, and not of the layers that are left behind.
inline bool is_key_of_tokenizer(std::string_view key) {
  for (const std::string_view prefix :
       {"tokenizer.", "dupq.tokenizer.", "dupq.vocab.", "dupq.normalizer", "dupq.bpe.", "dupq.unigram."})
    if (key.starts_with(prefix)) return true;
  return key == "general.name";
}

/// How often each token comes in the texts of a file.
inline std::vector<std::uint64_t> count_tokens(const dupq::model& m, const arguments& args, const std::string& path) {
  row_source rows(args, path, row_kind::text);
  std::vector<std::uint64_t> counts(m.config().vocabulary);
  std::vector<std::int32_t> ids(m.config().max_length);
  for (text_row row; rows.next(row);) {
    const auto made = dupq::encode_text(m, {}, row.texts[0], ids, dupq::special_tokens::literal);
    for (std::size_t i = 1; i + 1 < made.tokens; ++i) ++counts[static_cast<std::size_t>(ids[i])];
  }
  return counts;
}

inline void run_distill(const arguments& args) {
  const std::string to = args.needed("-o");
  constexpr weight_type types[] = {weight_type::f32, weight_type::f16, weight_type::int8};
  const weight_type type = types[args.choice("--type", {"f32", "f16", "int8"})];
  const auto wanted = args.number<std::uint32_t>("--dim", 1, dupq::model_limits::hidden);
  const dupq::model m = open_model(args[0], args);
  const dupq::config& from = m.config();
  if (from.kind != dupq::model_kind::bi_encoder)
    throw failure(args[0] + ": a bi_encoder is needed, not a " + std::string(name(from.kind)));
  constexpr std::uint32_t usual = 256;
  if (wanted.value_or(1) > from.hidden)
    throw usage_error("--dim " + std::to_string(*wanted) + ": the model has " + std::to_string(from.hidden));
  dupq::thread_pool pool(args.number<std::size_t>("--threads", 1, 1024).value_or(0));
  token_vectors tokens = run_tokens(m, pool.executor());

  static_model out;
  dupq::config& c = out.folder.config;
  c.hidden = wanted.value_or(std::min(usual, from.hidden));
  c.normalize = true;
  constexpr std::uint32_t model2vecs_length = 512;
  c.max_length = model2vecs_length + 2;
  out.drop_unknown = true;
  out.source = args[0], out.name = "token_embd.weight";
  const std::vector<float> rows = principal_components(tokens, c.hidden, m.kernel_table());
  const auto texts = args.text("--texts");
  const std::vector<double> weights =
      texts ? counted_weights(tokens.ids, count_tokens(m, args, *texts)) : zipf_weights(tokens.ids.size());
  out.rows.resize(std::size_t{from.vocabulary} * c.hidden);
  for (std::size_t r = 0; r < tokens.ids.size(); ++r)
    for (std::size_t i = 0; i < c.hidden; ++i)
      out.rows[static_cast<std::size_t>(tokens.ids[r]) * c.hidden + i] =
          static_cast<float>(double{rows[r * c.hidden + i]} * weights[r]);
  const static_file file(out, type, [&](dupq::gguf::writer& keys) {
    m.file().for_each_key([&](std::string_view key, const dupq::gguf::value& v) {
      if (is_key_of_tokenizer(key)) keys.add(key, v);
    });
  });
  const std::uint64_t bytes = write_static(file, to);
  if (to == "-") return;
  output_file said("-");
  said.write(to + ": static_encoder, " + counted(tokens.ids.size(), "token") + " of " + grouped(from.vocabulary) +
             ", " + std::to_string(c.hidden) + " dimensions, " + std::string(name(type)) + " weights, " +
             fixed(static_cast<double>(bytes) / 1e6, 1) + " MB\n");
  said.commit();
}

inline verb distill_verb() {
  return {.name = "distill",
          .summary = "a static model out of a bi-encoder: hundreds of times as fast, less exact",
          .usage = "M.gguf -o S.gguf [--dim N] [--texts FILE] [--type f32|f16|int8]",
          .help =
              "Runs every token of the vocabulary through the model and keeps the principal components, as model2vec\n"
              "does; a text's vector is then the mean of its tokens'.\n"
              "  --dim N         numbers of a vector (default 256, or the model's)\n"
              "  --texts FILE    tokens count less the more often they come in these texts; without it by their place\n"
              "                  in the vocabulary, which is mostly sorted so\n"
              "  --type T        how the table is stored (default f32)\n"
              "  --threads N     threads to use (default: the cores that this process may use)\n"
              "  --kernels NAME  force a kernel table; results are the same\n",
          .options = {{"-o", true},
                      {"--dim", true},
                      {"--texts", true},
                      {"--type", true},
                      {"--threads", true},
                      {"--kernels", true}},
          .reads_texts = true,
          .run = run_distill};
}

}  // namespace dupq_tool
