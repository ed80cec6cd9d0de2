// What the benchmarks of kernels share: the tables of this CPU, data, and the core's peak.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <dupq/device/cpu/cpu.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using dupq::kernels;

/// `count` numbers of 0..255 in bytes, or in [-1, 1) as floats, aligned as tensors in model files are.
template <class T>
class buffer {
 public:
  explicit buffer(std::size_t count) : bytes_(count * sizeof(T) + dupq::alignment) {
    void* start = bytes_.data();
    std::size_t space = bytes_.size();
    data_ = static_cast<T*>(std::align(dupq::alignment, count * sizeof(T), start, space));
    std::uint32_t seed = 1;
    for (T& x : std::span(data_, count)) {
      seed = seed * 1664525u + 1013904223u;
      if constexpr (std::is_same_v<T, float>)
        x = static_cast<float>(static_cast<std::int32_t>(seed) >> 8) * 0x1p-23f;
      else
        x = static_cast<T>(seed >> 24);
    }
  }
  T* data() { return data_; }

 private:
  std::vector<std::byte> bytes_;
  T* data_;
};

inline double since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// A loop of the multiply-add that a product is made of, in registers only: what the core can do. `operations` in one
/// run; none (null) where a table has no instruction of its own.
struct peak {
  void (*run)() = nullptr;
  double operations = 0;

  /// Operations/s, the best of eight loops (about a millisecond in all): an interruption only makes a loop slower.
  double measure() const {
    double best = 0;
    for (int i = 0; i < 8 && run != nullptr; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      run();
      best = std::max(best, operations / since(begin));
    }
    return best;
  }
};
peak float_peak(const kernels& table);
peak byte_peak(const kernels& table);

/// Runs a product of m x n x k; `operations` per second, and their share of the peak right before and after.
template <class Product>
void time_product(benchmark::State& state, const peak& p, double operations, Product&& product) {
  product();
  const double before = p.measure();
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) product(), benchmark::ClobberMemory();
  const double rate = operations * static_cast<double>(state.iterations()) / since(begin);
  state.counters["OP/s"] = rate;
  if (p.run != nullptr) state.counters["share"] = rate / ((before + p.measure()) / 2);
}

inline void count_elements(benchmark::State& state, std::size_t n) {
  state.counters["s/element"] = benchmark::Counter(static_cast<double>(n) * static_cast<double>(state.iterations()),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// The products of a layer of the models that people use.
struct product_shape {
  const char* name;
  std::size_t n, k;
  dupq::activation act = dupq::activation::none;
};
inline constexpr product_shape shapes[] = {{"minilm/qkv", 1152, 384},
                                           {"minilm/output", 384, 384},
                                           {"minilm/up", 1536, 384, dupq::activation::gelu},
                                           {"minilm/down", 384, 1536},
                                           {"mpnet/qkv", 2304, 768},
                                           {"mpnet/output", 768, 768},
                                           {"mpnet/up", 3072, 768, dupq::activation::gelu},
                                           {"mpnet/down", 768, 3072}};
inline constexpr std::size_t token_counts[] = {1, 8, 14, 16, 64, 192};

/// Registers `run(state, table)` as NAME/TABLE/SUFFIX for every table of this CPU but `scalar`, which is a definition.
template <class Run>
int add(const std::string& name, const std::string& suffix, Run run) {
  for (const kernels* table : dupq::available_kernels())
    if (std::string_view(table->name) != "scalar")
      benchmark::RegisterBenchmark((name + '/' + table->name + (suffix.empty() ? "" : "/" + suffix)).c_str(),
                                   [=](benchmark::State& state) { run(state, *table); });
  return 0;
}

}  // namespace bench
