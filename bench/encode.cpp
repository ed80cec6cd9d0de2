// Times a bi-encoder from text to vector; peers.py runs it in turn with other programs.
//
//   bench_encode MODEL.gguf TEXTS.txt [--threads N] [--kernels NAME] [--runs R] [--count N] [--unsorted]
//                [--latency | --tokenizer] [--vectors FILE] [--ids FILE]
//
// Prints a line a run, after one warm-up that is not timed. Tokenizing is part of the time; loading the model, sorting
// and the warm-up are not.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <dupq/core/thread_pool.hpp>
#include <dupq/dupq.hpp>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr char usage[] =
    "usage: bench_encode MODEL.gguf TEXTS.txt [--threads N] [--kernels NAME] [--runs R] [--count N] [--unsorted]\n"
    "                    [--latency | --tokenizer] [--vectors FILE] [--ids FILE]\n";

enum class mode { throughput, latency, tokenizer };

struct options {
  const char* model = nullptr;
  const char* texts = nullptr;
  const char* vectors = nullptr;
  const char* ids = nullptr;
  std::string_view kernels{};
  std::size_t threads = 1, runs = 5, count = static_cast<std::size_t>(-1);
  bool sorted = true;
  mode what = mode::throughput;
};

bool read_number(const char* text, std::size_t& out) {
  const char* const end = text + std::strlen(text);
  const auto [at, failed] = std::from_chars(text, end, out);
  return failed == std::errc() && at == end && out != 0 && out <= 1'000'000'000;
}

std::optional<options> parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    std::size_t* const number = name == "--threads" ? &o.threads
                                : name == "--runs"  ? &o.runs
                                : name == "--count" ? &o.count
                                                    : nullptr;
    if (number != nullptr) {
      if (!read_number(value, *number)) return {};
      ++i;
    } else if (name == "--kernels" || name == "--vectors" || name == "--ids") {
      if (*value == 0) return {};
      if (name == "--kernels") o.kernels = value;
      if (name == "--vectors") o.vectors = value;
      if (name == "--ids") o.ids = value;
      ++i;
    } else if (name == "--unsorted") {
      o.sorted = false;
    } else if (name == "--latency") {
      o.what = mode::latency;
    } else if (name == "--tokenizer") {
      o.what = mode::tokenizer;
    } else if (o.model == nullptr && !name.starts_with("--")) {
      o.model = argv[i];
    } else if (o.texts == nullptr && !name.starts_with("--")) {
      o.texts = argv[i];
    } else {
      return {};
    }
  }
  if (o.texts == nullptr || o.threads > 4096) return {};
  return o;
}

template <class F>
double seconds(F&& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One text at a time: the median and the 99th percentile over all texts of a run.
std::optional<dupq::error> time_latency(const options& o, dupq::bi_encoder& encoder,
                                        const std::vector<std::string_view>& texts, std::vector<float>& vectors) {
  const std::size_t dim = vectors.size() / texts.size();
  std::vector<double> times(texts.size());
  for (std::size_t run = 0; run < o.runs; ++run) {
    std::optional<dupq::error> failed;
    for (std::size_t i = 0; i < texts.size() && !failed; ++i)
      times[i] = seconds([&] {
        failed = encoder.encode(std::vector<std::string_view>{texts[i]}, std::span(vectors).subspan(i * dim, dim));
      });
    if (failed) return failed;
    std::sort(times.begin(), times.end());
    std::printf("p50 %.1f us, p99 %.1f us\n", times[times.size() / 2] * 1e6, times[times.size() * 99 / 100] * 1e6);
    std::fflush(stdout);
  }
  return {};
}

std::optional<dupq::error> time_encode(const options& o, dupq::bi_encoder& encoder,
                                       const std::vector<std::string_view>& texts, std::size_t tokens,
                                       std::vector<float>& vectors) {
  for (std::size_t run = 0; run < o.runs; ++run) {
    std::optional<dupq::error> failed;
    const double time = seconds([&] { failed = encoder.encode(texts, vectors); });
    if (failed) return failed;
    std::printf("%.1f questions/s, %.1f tokens/s\n", static_cast<double>(texts.size()) / time,
                static_cast<double>(tokens) / time);
    std::fflush(stdout);
  }
  return {};
}

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

bool write_vectors(const char* path, const std::vector<float>& vectors, const std::vector<std::size_t>& order) {
  const std::size_t dim = vectors.size() / order.size();
  std::vector<float> lines(vectors.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    std::copy_n(vectors.data() + i * dim, dim, lines.data() + order[i] * dim);
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(lines.data()), static_cast<std::streamsize>(lines.size() * sizeof(float)));
  return static_cast<bool>(out.flush());
}

}  // namespace

int main(int argc, char** argv) {
  const auto o = parse(argc, argv);
  if (!o) return std::fputs(usage, stderr), 2;

  std::vector<std::string> lines;
  std::ifstream file(o->texts);
  for (std::string line; lines.size() < o->count && std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) return std::fprintf(stderr, "%s: cannot be read or has no text\n", o->texts), 1;

  // The longest first, so that threads finish together.
  std::vector<std::size_t> order(lines.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (o->sorted)
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return lines[a].size() > lines[b].size(); });
  std::vector<std::string_view> texts;
  for (const std::size_t i : order) texts.push_back(lines[i]);

  auto model = dupq::model::open(o->model, {.kernels = o->kernels});
  if (!model) return dupq::print_error(model.error());
  std::vector<std::int32_t> ids(model->config().max_length);
  const std::size_t tokens = tokenize(*model, texts, ids);
  std::fprintf(stderr, "%s kernels, %zu threads, %zu texts, %.2f tokens a text\n",
               std::string(model->kernels()).c_str(), o->threads, texts.size(),
               static_cast<double>(tokens) / static_cast<double>(texts.size()));

  if (o->what == mode::tokenizer) {
    for (std::size_t run = 0; run < o->runs; ++run) {
      std::size_t again = 0;
      const double time = seconds([&] { again = tokenize(*model, texts, ids); });
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
  if (auto failed = encoder->encode(texts, vectors)) return dupq::print_error(*failed);

  const auto failed = o->what == mode::latency ? time_latency(*o, *encoder, texts, vectors)
                                               : time_encode(*o, *encoder, texts, tokens, vectors);
  if (failed) return dupq::print_error(*failed);
  if (o->vectors != nullptr && !write_vectors(o->vectors, vectors, order))
    return std::fprintf(stderr, "%s: cannot be written\n", o->vectors), 1;
  return 0;
}
