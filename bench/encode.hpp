// What programs that time encoders share: their words, a file of texts, and the clock.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <dupq/core/error.hpp>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

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

inline bool read_number(const char* text, std::size_t& out) {
  const char* const end = text + std::strlen(text);
  const auto [at, failed] = std::from_chars(text, end, out);
  return failed == std::errc() && at == end && out != 0 && out <= 1'000'000'000;
}

inline std::optional<options> parse(int argc, char** argv) {
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

/// The lines of a file, the longest first unless they stay as they are: views that live as long as the list.
struct text_list {
  std::vector<std::string> lines;
  std::vector<std::size_t> order;
  std::vector<std::string_view> texts;

  explicit text_list(const options& o) {
    std::ifstream file(o.texts);
    for (std::string line; lines.size() < o.count && std::getline(file, line);) lines.push_back(line);
    order.resize(lines.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (o.sorted)
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return lines[a].size() > lines[b].size(); });
    for (const std::size_t i : order) texts.push_back(lines[i]);
  }
  text_list(const text_list&) = delete;
  text_list& operator=(const text_list&) = delete;
};

template <class F>
double seconds(F&& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One text at a time: the median and the 99th percentile over all texts of a run. one(i) returns a result<void>.
template <class One>
dupq::result<void> time_latency(const options& o, std::size_t count, One&& one) {
  std::vector<double> times(count);
  for (std::size_t run = 0; run < o.runs; ++run) {
    dupq::result<void> done;
    for (std::size_t i = 0; i < count && done; ++i) times[i] = seconds([&] { done = one(i); });
    if (!done) return done;
    std::sort(times.begin(), times.end());
    std::printf("p50 %.1f us, p99 %.1f us\n", times[times.size() / 2] * 1e6, times[times.size() * 99 / 100] * 1e6);
    std::fflush(stdout);
  }
  return {};
}

/// All texts at a time. all() returns a result<void>.
template <class All>
dupq::result<void> time_all(const options& o, std::size_t count, std::size_t tokens, All&& all) {
  for (std::size_t run = 0; run < o.runs; ++run) {
    dupq::result<void> done;
    const double time = seconds([&] { done = all(); });
    if (!done) return done;
    std::printf("%.1f questions/s, %.1f tokens/s\n", static_cast<double>(count) / time,
                static_cast<double>(tokens) / time);
    std::fflush(stdout);
  }
  return {};
}

/// The vectors, `dim` numbers each, in the order of the file's lines.
inline bool write_vectors(const char* path, const std::vector<float>& vectors, const std::vector<std::size_t>& order) {
  const std::size_t dim = vectors.size() / order.size();
  std::vector<float> lines(vectors.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    std::copy_n(vectors.data() + i * dim, dim, lines.data() + order[i] * dim);
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(lines.data()), static_cast<std::streamsize>(lines.size() * sizeof(float)));
  return static_cast<bool>(out.flush());
}

}  // namespace bench
