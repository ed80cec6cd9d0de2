// Times a bi-encoder from text to vector; peers.py runs it in turn with other programs.
//
//   bench_encode MODEL.gguf TEXTS.txt [--threads N] [--kernels NAME] [--runs R] [--count N] [--unsorted]
//                [--latency | --tokenizer] [--vectors FILE] [--ids FILE]
//
// Prints a line a run, after one warm-up that is not timed. Tokenizing is part of the time; loading the model, sorting
// and the warm-up are not.
#include <cstdio>
#include <dupq/core/thread_pool.hpp>
#include <dupq/dupq.hpp>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "encode.hpp"

namespace {

constexpr char usage[] =
    "usage: bench_encode MODEL.gguf TEXTS.txt [--threads N] [--kernels NAME] [--runs R] [--count N] [--unsorted]\n"
    "                    [--latency | --tokenizer] [--vectors FILE] [--ids FILE]\n";

/// Tokens of all texts, special ones included.
std::size_t tokenize(const dupq::model& m, const std::vector<std::string_view>& texts, std::vector<std::int32_t>& ids) {
  std::size_t tokens = 0;
  for (const std::string_view text : texts)
    tokens += m.tokenizer().encode(text, ids.size(), ids, dupq::special_tokens::parse).tokens;
  return tokens;
}

/// The ids of all texts, one text after another as they were tokenized.
bool write_ids(const char* path, const dupq::model& m, const std::vector<std::string_view>& texts,
               std::vector<std::int32_t>& ids) {
  std::ofstream out(path, std::ios::binary);
  for (const std::string_view text : texts) {
    const auto n = m.tokenizer().encode(text, ids.size(), ids, dupq::special_tokens::parse).tokens;
    out.write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(n * sizeof ids[0]));
  }
  return static_cast<bool>(out.flush());
}

}  // namespace

int main(int argc, char** argv) {
  const auto o = bench::parse(argc, argv);
  if (!o) return std::fputs(usage, stderr), 2;

  const bench::text_list list(*o);
  const auto& texts = list.texts;
  if (texts.empty()) return std::fprintf(stderr, "%s: cannot be read or has no text\n", o->texts), 1;

  auto model = dupq::model::open(o->model, {.kernels = o->kernels});
  if (!model) return dupq::print_error(model.error());
  std::vector<std::int32_t> ids(model->config().max_length);
  const std::size_t tokens = tokenize(*model, texts, ids);
  std::fprintf(stderr, "%s kernels, %zu threads, %zu texts, %.2f tokens a text\n",
               std::string(model->kernels()).c_str(), o->threads, texts.size(),
               static_cast<double>(tokens) / static_cast<double>(texts.size()));

  if (o->what == bench::mode::tokenizer) {
    for (std::size_t run = 0; run < o->runs; ++run) {
      std::size_t again = 0;
      const double time = bench::seconds([&] { again = tokenize(*model, texts, ids); });
      std::printf("%.0f questions/s, %.0f tokens/s\n", static_cast<double>(texts.size()) / time,
                  static_cast<double>(again) / time);
    }
    if (o->ids != nullptr && !write_ids(o->ids, *model, texts, ids))
      return std::fprintf(stderr, "%s: cannot be written\n", o->ids), 1;
    return 0;
  }

  dupq::thread_pool pool(o->threads);
  auto encoder = dupq::bi_encoder::make(*model, {.executor = pool.executor()});
  if (!encoder) return dupq::print_error(encoder.error());
  std::vector<float> vectors(texts.size() * model->dim());
  if (const auto done = encoder->encode(texts, vectors); !done) return dupq::print_error(done.error());

  const std::size_t dim = model->dim();
  const auto done = o->what == bench::mode::latency
                        ? bench::time_latency(*o, texts.size(),
                                              [&](std::size_t i) {
                                                return encoder->encode(std::vector<std::string_view>{texts[i]},
                                                                       std::span(vectors).subspan(i * dim, dim));
                                              })
                        : bench::time_all(*o, texts.size(), tokens, [&] { return encoder->encode(texts, vectors); });
  if (!done) return dupq::print_error(done.error());
  if (o->vectors != nullptr && !bench::write_vectors(o->vectors, vectors, list.order))
    return std::fprintf(stderr, "%s: cannot be written\n", o->vectors), 1;
  return 0;
}
