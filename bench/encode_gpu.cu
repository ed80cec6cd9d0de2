// Times an encoder on the current NVIDIA GPU from text to vector, or from pair to logit; peers_gpu.py runs it in turn
// with other programs.
//
//   bench_encode_gpu MODEL.gguf TEXTS.txt [--threads N] [--runs R] [--count N] [--unsorted] [--latency]
//                    [--vectors FILE]
//
// A cross-encoder reads pairs, a line each, with a TAB between the texts. Prints a line a run, after warm-ups that are
// not timed; a pair counts as a question. Tokenizing (in N threads) and copies are part of the time; loading the model
// and sorting are not.
#include <dupq/cuda.cuh>
//
#include <dupq/core/thread_pool.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "encode.hpp"

namespace {

constexpr char usage[] =
    "usage: bench_encode_gpu MODEL.gguf TEXTS.txt [--threads N] [--runs R] [--count N] [--unsorted] [--latency]\n"
    "                        [--vectors FILE]\n";
constexpr int warm_ups = 3;

using views = std::vector<std::string_view>;

/// Times `run(first, count)`, which encodes texts of the list into `out` and returns an error or none.
template <class Run>
int time_encoder(const bench::options& o, const bench::text_list& list, std::size_t tokens,
                 const std::vector<float>& out, Run&& run) {
  const std::size_t n = list.texts.size();
  for (int i = 0; i < warm_ups; ++i)
    if (const auto done = run(0, n); !done) return dupq::print_error(done.error());
  const auto done = o.what == bench::mode::latency ? bench::time_latency(o, n, [&](std::size_t i) { return run(i, 1); })
                                                   : bench::time_all(o, n, tokens, [&] { return run(0, n); });
  if (!done) return dupq::print_error(done.error());
  if (o.vectors != nullptr && !bench::write_vectors(o.vectors, out, list.order))
    return std::fprintf(stderr, "%s: cannot be written\n", o.vectors), 1;
  return 0;
}

int time_vectors(const bench::options& o, const bench::text_list& list, const dupq::model& m,
                 const dupq::encoder_options& made_with) {
  std::vector<std::int32_t> ids(m.config().max_length);
  std::size_t tokens = 0;
  for (const auto text : list.texts)
    tokens += m.tokenizer().encode(text, ids.size(), ids, dupq::special_tokens::parse).tokens;
  auto encoder = dupq::cuda::bi_encoder::make(m, made_with);
  if (!encoder) return dupq::print_error(encoder.error());
  const std::size_t dim = m.dim();
  std::vector<float> out(list.texts.size() * dim);
  return time_encoder(o, list, tokens, out, [&](std::size_t first, std::size_t count) {
    return encoder->encode(std::span(list.texts).subspan(first, count),
                           std::span(out).subspan(first * dim, count * dim));
  });
}

int time_scores(const bench::options& o, const bench::text_list& list, const dupq::model& m,
                const dupq::encoder_options& made_with) {
  views a, b;
  std::vector<std::int32_t> ids(m.config().max_length);
  std::size_t tokens = 0;
  for (const auto line : list.texts) {
    const std::size_t tab = line.find('\t');
    if (tab == line.npos) return std::fprintf(stderr, "%s: a line without a TAB\n", o.texts), 1;
    a.push_back(line.substr(0, tab)), b.push_back(line.substr(tab + 1));
    tokens += m.tokenizer().encode_pair(a.back(), b.back(), ids.size(), ids, dupq::special_tokens::parse).tokens;
  }
  auto encoder = dupq::cuda::cross_encoder::make(m, made_with);
  if (!encoder) return dupq::print_error(encoder.error());
  std::vector<float> out(a.size());
  return time_encoder(o, list, tokens, out, [&](std::size_t first, std::size_t count) {
    return encoder->logits(std::span(a).subspan(first, count), std::span(b).subspan(first, count),
                           std::span(out).subspan(first, count));
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto o = bench::parse(argc, argv);
  if (!o || o->what == bench::mode::tokenizer || o->ids != nullptr) return std::fputs(usage, stderr), 2;
  const bench::text_list list(*o);
  if (list.texts.empty()) return std::fprintf(stderr, "%s: cannot be read or has no text\n", o->texts), 1;
  const auto m = dupq::model::open(o->model, {.halves = &dupq::keep_halves});
  if (!m) return dupq::print_error(m.error());
  dupq::thread_pool pool(o->threads);
  dupq::encoder_options made_with{.executor = pool.executor()};
  if (o->what == bench::mode::latency) made_with = {.limits = {.texts = 2}};
  return m->config().kind == dupq::model_kind::cross_encoder ? time_scores(*o, list, *m, made_with)
                                                             : time_vectors(*o, list, *m, made_with);
}
